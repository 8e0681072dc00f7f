#include "api/census.h"
#include "api/stats.h"
#include "api/survey.h"
#include "common/base/mem.h"

enum { LOOK_MS = 2000 };

struct census {
    struct queue *queue;
    struct metrics *metrics;
    struct timer look;
    struct stats stats; /* of the look under way */
    struct buf last;
    bool is_stopped;
};

static void set(struct census *c, enum metric metric, const char *queue, const char *more, double value)
{
    char labels[128];

    snprintf(labels, sizeof(labels), "queue=\"%s\"%s", queue, more);
    series_set(metrics_series(c->metrics, metric, labels), value);
}

static void on_queue(void *arg, const struct queue_overview *o)
{
    struct census *c = arg;
    const char *queue = o->shard.queue;

    stats_add(&c->stats, o);
    set(c, METRIC_QUEUE_JOBS, queue, ",state=\"waiting\"", (double)o->waiting);
    set(c, METRIC_QUEUE_JOBS, queue, ",state=\"scheduled\"", (double)o->scheduled);
    set(c, METRIC_QUEUE_JOBS, queue, ",state=\"running\"", (double)o->running);
    set(c, METRIC_QUEUE_JOBS, queue, ",state=\"dead\"", (double)o->dead);
    set(c, METRIC_QUEUE_OLDEST, queue, "", (double)o->oldest_ms / 1e3);
    set(c, METRIC_QUEUE_PAUSED, queue, "", o->is_paused);
    set(c, METRIC_QUEUE_WORKERS, queue, "", (double)o->worker_count);
}

static void on_done(void *arg, const struct error *e)
{
    struct census *c = arg;

    if (!e) {
        buf_reset(&c->last);
        stats_write(&c->stats, &c->last);
    }
    stats_release(&c->stats);
    if (!c->is_stopped)
        timer_start(&c->look, LOOK_MS);
}

static void look(void *arg)
{
    static const struct survey_events events = {on_queue, on_done};
    struct census *c = arg;
    struct error e;

    stats_init(&c->stats);
    if (!survey_start(c->queue, &events, c, &e))
        timer_start(&c->look, LOOK_MS);
}

struct census *census_new(struct loop *l, struct queue *q, struct metrics *m)
{
    struct census *c = mem_zalloc(sizeof(*c));

    c->queue = q;
    c->metrics = m;
    buf_init(&c->last, STATS_TEXT_MAX);
    timer_init(&c->look, l, look, c);
    timer_start(&c->look, LOOK_MS / 10);
    return c;
}

void census_stop(struct census *c)
{
    c->is_stopped = true;
    timer_stop(&c->look);
}

struct census *census_free(struct census *c)
{
    if (c) {
        buf_release(&c->last);
        stats_release(&c->stats);
    }
    free(c);
    return NULL;
}

void census_write(void *census, struct buf *out)
{
    const struct census *c = census;

    buf_append_text(out, c->last.length ? c->last.data : "{}\n");
}
