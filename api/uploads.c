/*
 * uploads: payloads that come in parts, because they are longer than a request may be. Each part is a blob of
 * its own, so that parts may come in any order, at the same time, and through any replica; nothing of an
 * upload is kept anywhere else. Its id is the id that its job will have.
 */
#include "api/api.h"
#include "api/query.h"
#include "api/routes.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"

enum { BODY_MAX = 4096, META_COUNT = 3, META_TEXT = 12 };

/* A part on its way to the store. */
struct part {
    struct exchange *exchange;
    struct job_id id;
    int number;
    char number_text[META_TEXT];
    struct blob_meta meta[META_COUNT];
    size_t length;
    char md5[BLOB_MD5_SIZE];
};

void uploads_create(struct exchange *x)
{
    static const char *const known[] = {"queue", NULL};
    AUTO_BUF struct buf body = BUF(BODY_MAX);
    struct shard shard = {.number = 0};
    struct evkeyvalq query = {0};
    struct job_id id;
    struct error e;
    bool is_good = query_read(x, known, &query, &e);

    is_good = is_good && query_name(&query, "queue", "default", shard.queue, &e) &&
              caller_may_use_queue(x->caller, shard.queue, &e);
    query_release(&query);
    if (!is_good) {
        exchange_problem(x, &e, NULL);
        return;
    }
    id_generate(&x->api->ids, &shard, &id);
    buf_printf(&body,
        "{\"id\":\"%s\",\"queue\":\"%s\",\"part_bytes_max\":%lld,\"parts_max\":%d,\"links\":{\"parts\":\"/v1/"
        "uploads/%s/{n}\","
        "\"submit\":\"/v1/jobs\"}}\n",
        id.text, shard.queue, (long long)x->api->config->max_body, PAYLOAD_PARTS_MAX, id.text);
    exchange_reply(x, 201, "application/json", body.data, body.length);
}

/* ---- a part ---- */

static void reply_part(struct part *p, const struct blob_properties *properties, int status)
{
    AUTO_BUF struct buf body = BUF(BODY_MAX);

    buf_printf(&body, "{\"id\":\"%s\",\"part\":%d,\"size\":%zu", p->id.text, p->number, p->length);
    json_write_member(&body, "md5", properties->md5);
    buf_append_text(&body, "}\n");
    exchange_reply(p->exchange, status, "application/json", body.data, body.length);
    free(p);
}

static void refuse_part(struct part *p, const struct error *e)
{
    exchange_problem(p->exchange, e, NULL);
    free(p);
}

/* A part that is there already is either this one, sent again, or another, which stays. */
static void on_put(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct log_context context = {.component = "uploads"};
    struct part *p = arg;
    struct error shown;

    if ((!e || e->code == ERROR_EXISTS) && strcmp(properties->md5, p->md5) == 0) {
        reply_part(p, properties, 200);
        return;
    }
    if (!e || e->code == ERROR_EXISTS) {
        error_set(&shown, ERROR_CONFLICT,
            "part %d of this upload is there already, with other bytes: begin a new upload", p->number);
    } else {
        log_warn(&context, "part %d of %s cannot be stored: %s", p->number, p->id.text, e->text);
        error_set(&shown, e->code == ERROR_STORE_REFUSED ? ERROR_STORE_REFUSED : ERROR_STORE_AWAY,
            "the part cannot be stored: the log of the api says why");
    }
    refuse_part(p, &shown);
}

/* Whether a Content-MD5 of the request is that of its body. Source: RFC 1864. */
static bool check_md5(const struct part *p, struct error *e)
{
    const char *told = exchange_header(p->exchange, "Content-MD5");

    return !told || strcmp(told, p->md5) == 0 ||
           error_set(e, ERROR_BAD_REQUEST,
               "Content-MD5 is %.40s, and that of the body %s: it was damaged on its way", told, p->md5);
}

/* Reads "<id>/<n>". */
static bool read_path(struct part *p, struct error *e)
{
    char id[PARAMETER_SIZE];
    const char *slash = strrchr(p->exchange->parameter, '/');
    char *end;
    long number = slash ? strtol(slash + 1, &end, 10) : 0;

    if (!slash || end == slash + 1 || *end || number < 1 || number > PAYLOAD_PARTS_MAX)
        return error_set(e, ERROR_INVALID, "the number of a part is 1 to %d, not %.40s", PAYLOAD_PARTS_MAX,
            slash ? slash + 1 : "");
    snprintf(id, sizeof(id), "%.*s", (int)(slash - p->exchange->parameter), p->exchange->parameter);
    p->number = (int)number;
    return id_parse(id, &p->id, e) && caller_may_use_queue(p->exchange->caller, p->id.shard.queue, e);
}

static void put_part(struct part *p, const char *data)
{
    const char *owner = p->exchange->caller->owner;
    struct blob_content content = {.data = data,
        .length = p->length,
        .content_type = "application/octet-stream",
        .meta = p->meta,
        .meta_count = *owner ? META_COUNT : META_COUNT - 1};
    char name[BLOB_NAME_SIZE];

    snprintf(p->number_text, sizeof(p->number_text), "%d", p->number);
    p->meta[0] = (struct blob_meta){"jobid", p->id.text};
    p->meta[1] = (struct blob_meta){"attempt", p->number_text};
    p->meta[2] = (struct blob_meta){"owner", owner};
    payload_part_name(&p->id, owner, p->number, name);
    blob_put(p->exchange->api->store, name, &content, on_put, p);
}

void uploads_put(struct exchange *x)
{
    struct part *p = mem_zalloc(sizeof(*p));
    const char *data = exchange_body(x, &p->length);
    struct error e;

    p->exchange = x;
    if (p->length == 0)
        error_set(&e, ERROR_INVALID, "a part has 1 byte at the least");
    else if (read_path(p, &e) && blob_md5(data, p->length, p->md5, &e) && check_md5(p, &e)) {
        put_part(p, data);
        return;
    }
    refuse_part(p, &e);
}
