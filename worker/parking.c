#include "common/base/mem.h"
#include "common/queue/types.h"
#include "worker/attempt_priv.h"

enum { TYPES_TEXT_SHOWN = 160 };

/* A question to Redis: who serves the type? */
struct inquiry {
    struct attempt *attempt; /* NULL when it no longer cares */
};

void inquiry_forget(struct inquiry *i)
{
    if (i)
        i->attempt = NULL;
}

static void end(struct attempt *a, bool is_parked)
{
    AUTO_BUF struct buf known = BUF(TYPES_TEXT_SHOWN);
    const char *type;
    struct error e;

    for (size_t i = 0; (type = handlers_type_at(a->worker->handlers, i)); i++)
        if (!buf_printf(&known, "%s%s", i ? ", " : "", type))
            break;
    error_set(&e, ERROR_NO_HANDLER, "no handler serves type %s here; %s do: see HANDLERS_FILE",
        a->job.spec.type, known.data);
    a->is_excused = is_parked;
    attempt_fail(a, &e);
    attempt_settle(a);
}

static void on_types(void *arg, const struct published_types *texts, size_t count, const struct error *e)
{
    struct inquiry *i = arg;
    struct attempt *a = i->attempt;
    struct type_table *table;
    struct known_type type;

    free(i);
    if (!a)
        return;
    a->inquiry = NULL;
    table = type_table_new(texts, e ? 0 : count);
    /* When Redis does not say, the job waits: another look costs less than the job. */
    end(a, e || (type_table_find(table, a->job.spec.type, &type) &&
                    known_type_is_served_in(&type, a->job.id.shard.queue)));
    type_table_free(table);
}

void attempt_park(struct attempt *a)
{
    struct error e;

    if (a->worker->config->unknown_types == UNKNOWN_TYPES_PARK) {
        end(a, true);
        return;
    }
    a->inquiry = mem_zalloc(sizeof(*a->inquiry));
    a->inquiry->attempt = a;
    if (queue_read_types(a->worker->queue, on_types, a->inquiry, &e))
        return;
    free(a->inquiry);
    a->inquiry = NULL;
    end(a, true);
}
