#include "api/types.h"
#include "api/api.h"
#include "api/routes.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum { LOOK_MS = 2000, NAMES_SHOWN_MAX = 50, LIST_MAX = 16 << 20 };

struct types {
    struct queue *queue;
    struct timer look;
    struct type_table *table;
    struct buf source; /* the texts that the table was made from */
    bool is_looking;   /* an answer is awaited */
};

/* ---- reading ---- */

/* Most of the time nothing has changed but when it was said last. */
static bool is_new(struct types *t, const struct published_types *texts, size_t count)
{
    AUTO_BUF struct buf source = BUF((size_t)TYPES_TEXT_MAX * TYPES_TEXTS_MAX);

    for (size_t i = 0; i < count; i++) {
        buf_append(&source, texts[i].text, texts[i].length);
        buf_printf(&source, " %lld\n", (long long)texts[i].seen_ms / 60000);
    }
    if (source.length == t->source.length && memcmp(source.data, t->source.data, source.length) == 0)
        return false;
    buf_release(&t->source);
    t->source = source;
    source = BUF(0);
    return true;
}

static void on_read(void *arg, const struct published_types *texts, size_t count, const struct error *e)
{
    struct types *t = arg;

    t->is_looking = false;
    if (e || !is_new(t, texts, count))
        return;
    type_table_free(t->table);
    t->table = type_table_new(texts, count);
}

static void look(void *arg)
{
    struct types *t = arg;
    struct error e;

    timer_start(&t->look, LOOK_MS);
    if (!t->is_looking)
        t->is_looking = queue_read_types(t->queue, on_read, t, &e);
}

struct types *types_new(struct loop *l, struct queue *q)
{
    struct types *t = mem_zalloc(sizeof(*t));

    t->queue = q;
    t->table = type_table_new(NULL, 0);
    buf_init(&t->source, 0);
    timer_init(&t->look, l, look, t);
    return t;
}

struct types *types_free(struct types *t)
{
    if (t) {
        timer_stop(&t->look);
        t->table = type_table_free(t->table);
        buf_release(&t->source);
    }
    free(t);
    return NULL;
}

void types_look(struct types *t)
{
    look(t);
}

bool types_find(const struct types *t, const char *name, struct known_type *out)
{
    return type_table_find(t->table, name, out);
}

/* ---- refusing ---- */

static void name_known(const struct exchange *x, const struct type_table *table, struct buf *why)
{
    size_t shown = 0;
    struct error e;

    for (size_t i = 0; i < type_table_count(table); i++) {
        struct known_type type = type_table_at(table, i);

        if (!caller_may_use_type(x->caller, type.name, &e))
            continue;
        if (shown == NAMES_SHOWN_MAX) {
            buf_append_text(why, ", …");
            return;
        }
        buf_printf(why, "%s%s", shown++ ? ", " : "; known are ", type.name);
    }
}

bool types_admit(const struct exchange *x, const char *name, struct buf *why)
{
    const struct type_table *table = x->api->types->table;
    struct known_type type;

    if (x->api->config->unknown_types == UNKNOWN_TYPES_PARK || type_table_count(table) == 0 ||
        type_table_find(table, name, &type))
        return true;
    buf_append_text(why, "is served by no worker");
    name_known(x, table, why);
    return false;
}

/* ---- GET /v1/types ---- */

static void write_type(const struct known_type *type, struct buf *out)
{
    char seen[CLOCK_RFC3339_SIZE];
    const char *name;
    json_t *value;

    buf_append_text(out, "{\"type\":");
    json_write_string(out, type->name, strlen(type->name));
    json_object_foreach((json_t *)type->info, name, value)
    {
        buf_append_char(out, ',');
        json_write_string(out, name, strlen(name));
        buf_append_char(out, ':');
        json_write_value(out, value);
    }
    buf_append_text(out, ",\"queues\":");
    json_write_value(out, type->queues);
    clock_format_rfc3339(type->seen_ms, seen);
    json_write_member(out, "last_seen_at", seen);
    buf_append_char(out, '}');
}

void types_list(struct exchange *x)
{
    const struct type_table *table = x->api->types->table;
    AUTO_BUF struct buf body = BUF(LIST_MAX);
    size_t shown = 0;
    struct error e;

    buf_append_text(&body, "{\"types\":[");
    for (size_t i = 0; i < type_table_count(table); i++) {
        struct known_type type = type_table_at(table, i);

        if (!caller_may_use_type(x->caller, type.name, &e))
            continue;
        if (shown++)
            buf_append_char(&body, ',');
        write_type(&type, &body);
    }
    buf_append_text(&body, "]}\n");
    if (buf_is_overflown(&body)) {
        error_set(&e, ERROR_INTERNAL, "the list of types has more than %d bytes", LIST_MAX);
        exchange_problem(x, &e, NULL);
        return;
    }
    exchange_add_header(x, "Cache-Control", "no-store");
    exchange_reply(x, 200, "application/json", body.data, body.length);
}
