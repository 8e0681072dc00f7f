#include "worker/types.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/types.h"
#include "worker/queues.h"

enum { AGAIN_MS = 10000 };

struct publisher {
    struct worker *worker;
    struct timer again;
    bool is_telling; /* an answer is awaited */
    bool has_complained;
};

static const struct log_context log_context = {.component = "types"};

static void write_int(struct buf *out, const char *name, int64_t value)
{
    buf_printf(out, ",\"%s\":%lld", name, (long long)value);
}

static void write_type(struct buf *out, const struct handler *h)
{
    const struct retry_policy *retry = handler_retry_policy(h);

    buf_printf(out, "{\"kind\":\"%s\"", handler_kind_name(h));
    json_write_member(out, "content_type", handler_content_type(h));
    write_int(out, "timeout_s", handler_timeout_ms(h) / 1000);
    write_int(out, "max_attempts", retry->max_attempts);
    write_int(out, "max_crashes", retry->max_crashes);
    if (handler_retention_s(h))
        write_int(out, "retention_s", handler_retention_s(h));
    if (handler_cache_s(h))
        write_int(out, "cache_s", handler_cache_s(h));
    buf_append_char(out, '}');
}

void types_write(const struct handlers *handlers, const char *queues, struct buf *out)
{
    struct queue_entry entry;
    const char *type;
    struct error e;

    buf_append_text(out, "{\"queues\":[");
    for (size_t i = 0; queues_next(queues, i, &entry, &e); i++) {
        if (i)
            buf_append_char(out, ',');
        json_write_string(out, entry.name, strlen(entry.name));
    }
    buf_append_text(out, "],\"types\":{");
    for (size_t i = 0; (type = handlers_type_at(handlers, i)); i++) {
        if (i)
            buf_append_char(out, ',');
        json_write_string(out, type, strlen(type));
        buf_append_char(out, ':');
        write_type(out, handlers_find(handlers, type));
    }
    buf_append_text(out, "}}");
}

static void on_told(void *arg, const struct error *e)
{
    struct publisher *p = arg;

    p->is_telling = false;
    if (!e) {
        p->has_complained = false;
    } else if (!p->has_complained && (e->code == ERROR_INTERNAL || e->code == ERROR_REDIS_BUSY)) {
        p->has_complained = true;
        log_error(
            &log_context, "redis refused to keep what this worker serves; it is tried again: %s", e->text);
    }
}

static void tell(void *arg)
{
    struct publisher *p = arg;
    AUTO_BUF struct buf text = BUF(TYPES_TEXT_MAX);
    struct error e;

    timer_start(&p->again, AGAIN_MS);
    if (p->is_telling || p->worker->is_draining)
        return;
    types_write(p->worker->handlers, p->worker->config->worker_queues, &text);
    assert(!buf_is_overflown(&text)); /* a handlers file has 1 MiB at the most */
    p->is_telling = queue_publish_types(p->worker->queue, text.data, text.length, on_told, p, &e);
}

struct publisher *publisher_new(struct worker *w)
{
    struct publisher *p = mem_zalloc(sizeof(*p));

    p->worker = w;
    timer_init(&p->again, w->loop, tell, p);
    return p;
}

struct publisher *publisher_free(struct publisher *p)
{
    if (p)
        timer_stop(&p->again);
    free(p);
    return NULL;
}

void publisher_tell(struct publisher *p)
{
    tell(p);
}
