#include "api/payloads.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"

enum { META_COUNT = 5 };

/* A payload that is being placed. */
struct placing {
    struct api *api;
    struct job_id id;
    struct submission *submission;
    payload_placed *done;
    void *arg;
    struct blob_meta meta[META_COUNT];
    int part;      /* of an upload: how many were seen */
    int64_t bytes; /* and how many bytes they have */
};

bool payload_is_stored(const struct api *a, const struct submission *s)
{
    return *s->payload_ref || s->payload_length > (size_t)a->config->inline_payload_max;
}

static void end(struct placing *p, const struct error *e)
{
    p->done(p->arg, e);
    free(p);
}

/* The store's own words may name hosts and paths: they are for the log. */
static void fail(struct placing *p, const char *what, const struct error *e)
{
    struct log_context context = {.component = "payloads", .job_id = p->id.text};
    struct error shown;

    log_warn(&context, "%s: %s", what, e->text);
    error_set(&shown, e->code == ERROR_STORE_REFUSED ? ERROR_STORE_REFUSED : ERROR_STORE_AWAY,
        "%s: the log of the api says why", what);
    end(p, &shown);
}

static void use(struct placing *p, int64_t bytes, int parts)
{
    p->submission->spec.payload_size = bytes;
    p->submission->spec.payload_parts = parts;
    p->submission->payload = "";
    p->submission->payload_length = 0;
    end(p, NULL);
}

/* ---- in one blob ---- */

static void on_put(void *arg, const struct blob_properties *UNUSED(properties), const struct error *e)
{
    struct placing *p = arg;

    if (e)
        fail(p, "the payload cannot be stored", e);
    else
        use(p, (int64_t)p->submission->payload_length, 0);
}

static void put(struct placing *p)
{
    const struct job_spec *spec = &p->submission->spec;
    struct blob_content content = {.data = p->submission->payload,
        .length = p->submission->payload_length,
        .content_type = spec->content_type,
        .meta = p->meta,
        .meta_count = *spec->owner ? META_COUNT : META_COUNT - 1};
    char name[BLOB_NAME_SIZE];

    p->meta[0] = (struct blob_meta){"jobid", p->id.text};
    p->meta[1] = (struct blob_meta){"attempt", "1"};
    p->meta[2] = (struct blob_meta){"type", spec->type};
    p->meta[3] = (struct blob_meta){"queue", p->id.shard.queue};
    p->meta[4] = (struct blob_meta){"owner", spec->owner};
    payload_name(&p->id, name);
    blob_put(p->api->store, name, &content, on_put, p);
}

/* ---- in parts ---- */

static void list(struct placing *p, const char *marker);

static void refuse(struct placing *p, const char *what)
{
    struct error e;

    error_set(&e, ERROR_INVALID, "payload_ref %.100s: %s", p->id.text, what);
    end(p, &e);
}

/* Parts come in the order of their names, which is that of their numbers. */
static void on_listed(void *arg, const struct blob_page *page, const struct error *e)
{
    struct placing *p = arg;

    if (e) {
        fail(p, "the upload cannot be looked at", e);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        if (payload_part_number(page->items[i].name) != ++p->part) {
            refuse(p, "a part is missing: they are numbered from 1 on without a gap");
            return;
        }
        p->bytes += page->items[i].properties.size;
    }
    if (*page->next)
        list(p, page->next);
    else if (p->bytes == 0)
        refuse(p, "there is no such upload of yours, or it is empty: POST /v1/uploads begins one, and PUT "
                  "/v1/uploads/{id}/{n} sends its parts");
    else
        use(p, p->bytes, p->part);
}

static void list(struct placing *p, const char *marker)
{
    char prefix[BLOB_NAME_SIZE];

    payload_parts_prefix(&p->id, p->submission->spec.owner, prefix);
    blob_list(p->api->store, prefix, marker, BLOB_PAGE_MAX, on_listed, p);
}

void payload_place(
    struct api *a, const struct job_id *id, struct submission *s, payload_placed *done, void *arg)
{
    struct placing *p = mem_zalloc(sizeof(*p));

    *p = (struct placing){.api = a, .id = *id, .submission = s, .done = done, .arg = arg};
    if (*s->payload_ref)
        list(p, "");
    else
        put(p);
}

static void on_deleted(void *UNUSED(arg), const struct error *UNUSED(e))
{
}

void payload_take_back(const struct api *a, const struct job_id *id, const struct submission *s)
{
    char name[BLOB_NAME_SIZE];

    if (!s->spec.payload_size || s->spec.payload_parts)
        return; /* parts are the caller's, who may submit them again */
    payload_name(id, name);
    blob_delete(a->store, name, on_deleted, NULL);
}
