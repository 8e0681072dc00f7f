/* What is done to many jobs of a queue: dead ones replayed, waiting or dead ones purged; in batches of
 * bounded size. */
#include "api/api.h"
#include "api/query.h"
#include "api/routes.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { BATCH = 100, SWEEP_MAX = 10000 };

struct sweep {
    struct exchange *exchange;
    struct shard shard;
    enum place place;
    char type[NAME_SIZE]; /* only jobs of this type; "" = all */
    bool replays;         /* else it purges */
    size_t offset;        /* jobs that were passed over because of their type */
    size_t seen;
    size_t seen_max; /* how many there were at the beginning, and at most SWEEP_MAX: what dies again does not
                        count */
    size_t done;
    size_t count;
    struct job_id ids[BATCH];
};

static void next_batch(struct sweep *s);

static void fail(struct sweep *s, const struct error *e)
{
    exchange_problem(s->exchange, e, NULL);
    free(s);
}

static void finish(struct sweep *s, bool is_complete)
{
    static const struct log_context log_context = {.component = "queues"};
    AUTO_BUF struct buf body = BUF(256);
    const char *verb = s->replays ? "replayed" : "purged";

    log_info(&log_context, "%zu jobs of queue %s were %s", s->done, s->shard.queue, verb);
    buf_printf(&body, "{\"queue\":\"%s\",\"%s\":%zu,\"complete\":%s}\n", s->shard.queue, verb, s->done,
        is_complete ? "true" : "false");
    exchange_reply(s->exchange, 200, "application/json", body.data, body.length);
    free(s);
}

static void on_acted(void *arg, size_t count, const struct error *e)
{
    struct sweep *s = arg;

    if (e) {
        fail(s, e);
        return;
    }
    s->done += count;
    s->offset += s->count - count; /* those that somebody else moved meanwhile would come again for ever */
    next_batch(s);
}

static void act(struct sweep *s)
{
    const struct api *a = s->exchange->api;
    struct error e;
    bool is_sent;

    if (s->replays)
        is_sent = queue_replay(a->queue, &s->shard, s->ids, s->count, on_acted, s, &e);
    else
        is_sent = queue_purge(
            a->queue, &s->shard, s->place, a->config->retention_s, s->ids, s->count, on_acted, s, &e);
    if (!is_sent)
        fail(s, &e);
}

/* Keeps the ids whose record has the type that is asked for. */
static void on_records(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct sweep *s = arg;
    size_t kept = 0;
    struct job job;
    struct error damaged;

    if (e) {
        fail(s, e);
        return;
    }
    for (size_t i = 0; i < s->count && i < count; i++) {
        if (!records[i].text ||
            !record_decode(&s->ids[i], records[i].text, records[i].length, &job, &damaged))
            continue;
        if (strcmp(job.spec.type, s->type) == 0)
            s->ids[kept++] = s->ids[i];
        job_release(&job);
    }
    s->offset += s->count - kept;
    s->count = kept;
    if (kept)
        act(s);
    else
        next_batch(s);
}

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct sweep *s = arg;
    struct error failure;

    if (e) {
        fail(s, e);
        return;
    }
    if (count == 0 && s->place == PLACE_READY) {
        s->place = PLACE_HELD; /* while the queue is paused they stand elsewhere */
        s->offset = 0;
        next_batch(s);
        return;
    }
    if (count == 0) {
        finish(s, true);
        return;
    }
    s->count = count < BATCH ? count : BATCH;
    if (s->count > s->seen_max - s->seen)
        s->count = s->seen_max - s->seen;
    s->seen += s->count;
    memcpy(s->ids, ids, s->count * sizeof(*ids));
    if (!*s->type)
        act(s);
    else if (!queue_records(s->exchange->api->queue, s->ids, s->count, on_records, s, &failure))
        fail(s, &failure);
}

static void next_batch(struct sweep *s)
{
    struct error e;

    if (s->seen >= s->seen_max)
        finish(s, s->seen_max < SWEEP_MAX);
    else if (!queue_list(s->exchange->api->queue, &s->shard, s->place, s->offset, BATCH, on_listed, s, &e))
        fail(s, &e);
}

static void on_overview(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct sweep *s = arg;
    int64_t there;

    if (e) {
        fail(s, e);
        return;
    }
    there = s->place == PLACE_DEAD        ? overview->dead
            : s->place == PLACE_SCHEDULED ? overview->scheduled
                                          : overview->waiting;
    s->seen_max = there < SWEEP_MAX ? (size_t)there : SWEEP_MAX;
    next_batch(s);
}

static bool read_place(const char *state, struct sweep *s, struct error *e)
{
    if (strcmp(state, "queued") == 0)
        s->place = PLACE_READY;
    else if (strcmp(state, "scheduled") == 0)
        s->place = PLACE_SCHEDULED;
    else if (strcmp(state, "dead") == 0)
        s->place = PLACE_DEAD;
    else
        return error_set(e, ERROR_INVALID, "state is to be one of queued, scheduled and dead");
    return true;
}

static bool read_request(struct sweep *s, struct error *e)
{
    static const char *const known[] = {"type", "state", NULL};
    const char *queue = s->exchange->parameter;
    struct evkeyvalq query;
    char state[NAME_SIZE];
    bool is_right;

    if (!name_is_valid(queue, strlen(queue)))
        return error_set(e, ERROR_NOT_FOUND, "this is not a queue's name");
    memcpy(s->shard.queue, queue, strlen(queue) + 1);
    if (!caller_may_use_queue(s->exchange->caller, queue, e) || !query_read(s->exchange, known, &query, e))
        return false;
    is_right = query_name(&query, "type", "", s->type, e) &&
               query_name(&query, "state", s->replays ? "dead" : "queued", state, e) &&
               read_place(state, s, e);
    query_release(&query);
    if (is_right && s->replays && s->place != PLACE_DEAD)
        return error_set(e, ERROR_INVALID, "only dead jobs can be tried again");
    return is_right;
}

static void start(struct exchange *x, bool replays)
{
    struct sweep *s = mem_zalloc(sizeof(*s));
    struct error e;

    s->exchange = x;
    s->replays = replays;
    if (!read_request(s, &e) || !queue_overview(x->api->queue, &s->shard, on_overview, s, &e))
        fail(s, &e);
}

void queues_retry(struct exchange *x)
{
    start(x, true);
}

void queues_purge(struct exchange *x)
{
    start(x, false);
}
