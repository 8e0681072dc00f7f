#include "api/batch/verdicts.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum {
    REFUSAL_MAX = 32768,
    MEMBERS_ROOM = 4 << 20, /* bytes of members, of all items together; later ones go without */
};

struct verdict {
    char id[JOB_ID_SIZE];
    bool is_accepted;
    char *refusal; /* JSON members; NULL = none. Owned */
};

struct verdicts {
    size_t max;
    size_t members_left;
    struct verdict items[];
};

struct verdicts *verdicts_new(size_t max)
{
    struct verdicts *v = mem_zalloc(sizeof(*v) + max * sizeof(v->items[0]));

    v->max = max;
    v->members_left = MEMBERS_ROOM;
    return v;
}

struct verdicts *verdicts_free(struct verdicts *v)
{
    if (!v)
        return NULL;
    for (size_t i = 0; i < v->max; i++)
        free(v->items[i].refusal);
    free(v);
    return NULL;
}

void verdicts_set_id(struct verdicts *v, size_t item, const char *id)
{
    snprintf(v->items[item].id, JOB_ID_SIZE, "%s", id);
}

const char *verdicts_id(const struct verdicts *v, size_t item)
{
    return v->items[item].id;
}

void verdicts_accept(struct verdicts *v, size_t item)
{
    v->items[item].is_accepted = true;
}

void verdicts_refuse(struct verdicts *v, size_t item, const struct error *e, const char *members)
{
    AUTO_BUF struct buf text = BUF(REFUSAL_MAX);
    struct verdict *verdict = &v->items[item];

    buf_append_text(&text, "\"status\":");
    buf_append_int(&text, error_http_status(e->code));
    json_write_member(&text, "code", error_name(e->code));
    json_write_member(&text, "detail", e->text);
    if (members && strlen(members) <= v->members_left) {
        v->members_left -= strlen(members);
        buf_append_text(&text, members);
    }
    free(verdict->refusal);
    verdict->refusal = mem_strdup(text.data);
    verdict->is_accepted = false;
}

size_t verdicts_accepted(const struct verdicts *v, size_t count)
{
    size_t accepted = 0;

    for (size_t i = 0; i < count; i++)
        accepted += v->items[i].is_accepted;
    return accepted;
}

void verdicts_refuse_accepted(struct verdicts *v, size_t count, const struct error *e)
{
    for (size_t i = 0; i < count; i++)
        if (v->items[i].is_accepted)
            verdicts_refuse(v, i, e, NULL);
}

void verdicts_write(const struct verdicts *v, size_t count, struct buf *out)
{
    size_t accepted = verdicts_accepted(v, count);

    buf_append_text(out, "{\"accepted\":");
    buf_append_int(out, (int64_t)accepted);
    buf_append_text(out, ",\"refused\":");
    buf_append_int(out, (int64_t)(count - accepted));
    buf_append_text(out, ",\"items\":[");
    for (size_t i = 0; i < count; i++) {
        const struct verdict *verdict = &v->items[i];

        buf_append_text(out, i ? ",\n{" : "\n{");
        if (verdict->is_accepted) {
            buf_append_text(out, "\"status\":202,\"id\":\"");
            buf_append_text(out, verdict->id);
            buf_append_char(out, '"');
        } else {
            buf_append_text(
                out, verdict->refusal ? verdict->refusal : "\"status\":500,\"code\":\"internal\"");
        }
        buf_append_char(out, '}');
    }
    buf_append_text(out, "\n]}\n");
}
