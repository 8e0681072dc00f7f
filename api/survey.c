#include "api/survey.h"
#include "common/base/mem.h"

struct survey {
    struct queue *queue;
    struct survey_events events;
    void *arg;
    size_t pending;
    bool has_failed;
    struct error failure; /* the first */
};

static void fail(struct survey *s, const struct error *e)
{
    if (!s->has_failed)
        s->failure = *e;
    s->has_failed = true;
}

static void end_if_complete(struct survey *s)
{
    if (s->pending)
        return;
    s->events.on_done(s->arg, s->has_failed ? &s->failure : NULL);
    free(s);
}

static void on_overview(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct survey *s = arg;

    s->pending--;
    if (e)
        fail(s, e);
    else
        s->events.on_queue(s->arg, overview);
    end_if_complete(s);
}

static void on_names(void *arg, const char *const *names, size_t count, const struct error *e)
{
    struct survey *s = arg;
    struct error failure;

    if (e)
        fail(s, e);
    for (size_t i = 0; i < count; i++) {
        struct shard shard = {.number = 0};

        if (!name_is_valid(names[i], strlen(names[i])))
            continue;
        memcpy(shard.queue, names[i], strlen(names[i]) + 1);
        if (queue_overview(s->queue, &shard, on_overview, s, &failure))
            s->pending++;
        else
            fail(s, &failure);
    }
    end_if_complete(s);
}

bool survey_start(struct queue *q, const struct survey_events *events, void *arg, struct error *e)
{
    struct survey *s = mem_zalloc(sizeof(*s));

    *s = (struct survey){.queue = q, .events = *events, .arg = arg};
    if (queue_names(q, on_names, s, e))
        return true;
    free(s);
    return false;
}
