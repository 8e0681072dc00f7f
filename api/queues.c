#include "api/api.h"
#include "api/jobs.h"
#include "api/routes.h"
#include "api/stats.h"
#include "api/survey.h"
#include "common/base/mem.h"

/* The queue that the path names. */
static bool read_shard(const struct exchange *x, struct shard *shard, struct error *e)
{
    if (!name_is_valid(x->parameter, strlen(x->parameter)))
        return error_set(e, ERROR_NOT_FOUND,
            "this is not a queue's name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit");
    *shard = (struct shard){.number = 0};
    memcpy(shard->queue, x->parameter, strlen(x->parameter) + 1);
    return caller_may_use_queue(x->caller, x->parameter, e);
}

static void reply_paused(struct exchange *x, bool is_paused)
{
    AUTO_BUF struct buf body = BUF(256);

    buf_printf(&body, "{\"queue\":\"%s\",\"paused\":%s}\n", x->parameter, is_paused ? "true" : "false");
    exchange_reply(x, 200, "application/json", body.data, body.length);
}

static void on_paused(void *arg, bool UNUSED(changed), const struct error *e)
{
    struct exchange *x = arg;

    if (e)
        exchange_problem(x, e, NULL);
    else
        reply_paused(x, true);
}

static void on_resumed(void *arg, bool UNUSED(changed), const struct error *e)
{
    struct exchange *x = arg;

    if (e)
        exchange_problem(x, e, NULL);
    else
        reply_paused(x, false);
}

static void set_paused(struct exchange *x, bool pause)
{
    struct shard shard;
    struct error e;

    if (!read_shard(x, &shard, &e) ||
        !queue_pause(x->api->queue, &shard, pause, pause ? on_paused : on_resumed, x, &e))
        exchange_problem(x, &e, NULL);
}

void queues_pause(struct exchange *x)
{
    set_paused(x, true);
}

void queues_resume(struct exchange *x)
{
    set_paused(x, false);
}

/* ---- what stands where ---- */

/* A survey whose outcome one exchange waits for. */
struct report {
    struct exchange *exchange;
    struct stats stats;
    void (*write)(const struct stats *s, struct buf *out);
};

static void reply_json(struct exchange *x, const struct buf *body)
{
    exchange_add_header(x, "Cache-Control", "no-store");
    exchange_reply(x, 200, "application/json", body->data, body->length);
}

static void on_overview(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct exchange *x = arg;
    AUTO_BUF struct buf body = BUF(STATS_TEXT_MAX);

    if (e) {
        exchange_problem(x, e, NULL);
        return;
    }
    stats_write_queue(overview, &body);
    buf_append_char(&body, '\n');
    reply_json(x, &body);
}

void queues_show(struct exchange *x)
{
    struct shard shard;
    struct error e;

    if (!read_shard(x, &shard, &e) || !queue_overview(x->api->queue, &shard, on_overview, x, &e))
        exchange_problem(x, &e, NULL);
}

static void on_queue(void *arg, const struct queue_overview *overview)
{
    struct report *r = arg;
    struct error e;

    if (!caller_may_use_queue(r->exchange->caller, overview->shard.queue, &e))
        return;
    stats_add(&r->stats, overview);
}

static void on_surveyed(void *arg, const struct error *e)
{
    struct report *r = arg;
    AUTO_BUF struct buf body = BUF(STATS_TEXT_MAX);

    if (e) {
        exchange_problem(r->exchange, e, NULL);
    } else {
        r->write(&r->stats, &body);
        reply_json(r->exchange, &body);
    }
    stats_release(&r->stats);
    free(r);
}

static void report(struct exchange *x, void (*write)(const struct stats *s, struct buf *out))
{
    static const struct survey_events events = {on_queue, on_surveyed};
    struct report *r = mem_zalloc(sizeof(*r));
    struct error e;

    r->exchange = x;
    r->write = write;
    stats_init(&r->stats);
    if (survey_start(x->api->queue, &events, r, &e))
        return;
    exchange_problem(x, &e, NULL);
    free(r);
}

void queues_list(struct exchange *x)
{
    report(x, stats_write_queues);
}

void workers_list(struct exchange *x)
{
    report(x, stats_write_workers);
}

void stats_show(struct exchange *x)
{
    report(x, stats_write);
}
