#include "api/live/hold.h"
#include "api/api.h"
#include "api/jobs.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

struct hold {
    struct exchange *exchange;
    struct hold_plan plan;
    struct watcher watcher;
    struct timer timer;
    int64_t since_us;
    bool is_reading; /* for the last time */
};

static void finish(struct hold *h, const struct job *job, const struct error *e)
{
    struct exchange *x = h->exchange;
    struct hold_plan plan = h->plan;

    lookout_stop(&h->watcher);
    timer_stop(&h->timer);
    exchange_stop_waiting(x);
    x->started_us += clock_steady_us() - h->since_us; /* it was the caller's wish, and no slowness */
    free(h);
    plan.done(plan.arg, job, e);
}

static void on_read(struct exchange *x, const struct job *job, const struct error *e)
{
    finish(x->user, job, e);
}

/* The time is over, or the caller's patience: the answer is the job as it stands. */
static void read_and_finish(struct hold *h)
{
    if (h->is_reading)
        return;
    h->is_reading = true;
    lookout_stop(&h->watcher);
    timer_stop(&h->timer);
    jobs_get(h->exchange, on_read);
}

static void on_time(void *arg)
{
    read_and_finish(arg);
}

static void on_closed(struct exchange *x, bool is_stopping)
{
    struct error e;

    if (!is_stopping) { /* a caller that closed its side only for writing gets its answer */
        read_and_finish(x->user);
        return;
    }
    error_set(&e, ERROR_STOPPED, "the server is stopping: ask again");
    finish(x->user, NULL, &e);
}

static void on_told(void *arg, const struct job *job, const struct error *e)
{
    struct hold *h = arg;

    if (e || lookout_is_draining(h->watcher.lookout) || h->plan.is_enough(h->plan.arg, job))
        finish(h, job, e);
}

bool hold_start(struct exchange *x, const struct job_id *id, int64_t wait_ms, const struct hold_plan *plan,
    struct error *e)
{
    struct hold *h = mem_zalloc(sizeof(*h));

    if (!lookout_start(x->api->lookout, &h->watcher, id, on_told, h, e)) {
        free(h);
        return false;
    }
    h->exchange = x;
    h->plan = *plan;
    h->since_us = clock_steady_us();
    timer_init(&h->timer, x->api->loop, on_time, h);
    timer_start(&h->timer, wait_ms);
    x->user = h;
    snprintf(x->parameter, sizeof(x->parameter), "%s", id->text);
    evbuffer_drain(
        evhttp_request_get_input_buffer(x->request), SIZE_MAX); /* a body, that is needed no more */
    exchange_wait(x, on_closed);
    return true;
}
