/* GET /v1/jobs: the jobs of a queue in one state, a page at a time. */
#include "api/api.h"
#include "api/jobs.h"
#include "api/query.h"
#include "api/resource.h"
#include "api/routes.h"
#include "common/base/mem.h"

enum { PAGE_PRESET = 50, PAGE_MAX = 200, OFFSET_MAX = 1000000000, BODY_MAX = 64 << 20 };

/* States whose jobs stand in a list of their own. */
static const struct {
    const char *state;
    enum place place;
} states[] = {{"queued", PLACE_READY}, {"scheduled", PLACE_SCHEDULED}, {"dead", PLACE_DEAD}};

struct listing {
    struct exchange *exchange;
    struct shard shard;
    enum place place;
    int64_t limit;
    int64_t offset;
    size_t count;
    struct job_id *ids;
};

static void end_listing(struct listing *l, const struct error *e)
{
    exchange_problem(l->exchange, e, NULL);
    free(l->ids);
    free(l);
}

static void write_page(const struct listing *l, const struct record_text *records, struct buf *body)
{
    const struct exchange *x = l->exchange;
    bool is_first = true;
    struct job job;
    struct error e;

    buf_append_text(body, "{\"jobs\":[");
    for (size_t i = 0; i < l->count; i++) {
        if (!records || !records[i].text ||
            !record_decode(&l->ids[i], records[i].text, records[i].length, &job, &e))
            continue;
        if (!caller_may_see(x->caller, job.spec.owner, l->shard.queue)) {
            job_release(&job);
            continue;
        }
        if (!is_first)
            buf_append_char(body, ',');
        is_first = false;
        jobs_write(x, &job, body);
        job_release(&job);
    }
    buf_append_char(body, ']');
    if (l->count == (size_t)l->limit)
        buf_printf(body, ",\"cursor\":\"%lld\"", (long long)l->offset + (long long)l->limit);
    buf_append_text(body, "}\n");
}

static void reply_page(struct listing *l, const struct record_text *records)
{
    AUTO_BUF struct buf body = BUF(BODY_MAX);

    write_page(l, records, &body);
    exchange_add_header(l->exchange, "Cache-Control", "no-store");
    exchange_reply(l->exchange, 200, "application/json", body.data, body.length);
    free(l->ids);
    free(l);
}

static void on_records(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct listing *l = arg;

    if (e) {
        end_listing(l, e);
        return;
    }
    if (count < l->count)
        l->count = count;
    reply_page(l, records);
}

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct listing *l = arg;
    struct queue *q = l->exchange->api->queue;
    struct error failure;

    if (!e && count == 0 && l->place == PLACE_READY) { /* while the queue is paused they stand elsewhere */
        l->place = PLACE_HELD;
        if (!queue_list(q, &l->shard, l->place, (size_t)l->offset, (size_t)l->limit, on_listed, l, &failure))
            end_listing(l, &failure);
    } else if (e) {
        end_listing(l, e);
    } else if (count == 0) {
        reply_page(l, NULL);
    } else {
        l->ids = mem_dup(ids, count * sizeof(*ids));
        l->count = count;
        if (!queue_records(q, ids, count, on_records, l, &failure))
            end_listing(l, &failure);
    }
}

static bool read_state(const char *state, enum place *place, struct error *e)
{
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        if (strcmp(states[i].state, state) == 0) {
            *place = states[i].place;
            return true;
        }
    return error_set(e, ERROR_INVALID, "state is to be one of queued, scheduled and dead");
}

static bool read_request(struct listing *l, struct error *e)
{
    static const char *const known[] = {"queue", "state", "limit", "cursor", NULL};
    struct evkeyvalq query;
    char state[NAME_SIZE];
    bool is_right;

    if (!query_read(l->exchange, known, &query, e))
        return false;
    is_right = query_name(&query, "queue", "default", l->shard.queue, e) &&
               query_name(&query, "state", "queued", state, e) && read_state(state, &l->place, e) &&
               query_int(&query, "limit", PAGE_PRESET, 1, PAGE_MAX, &l->limit, e) &&
               query_int(&query, "cursor", 0, 0, OFFSET_MAX, &l->offset, e);
    query_release(&query);
    return is_right;
}

void jobs_list(struct exchange *x)
{
    struct listing *l = mem_zalloc(sizeof(*l));
    struct error e;

    l->exchange = x;
    if (!read_request(l, &e) || !caller_may_use_queue(x->caller, l->shard.queue, &e) ||
        !queue_list(
            x->api->queue, &l->shard, l->place, (size_t)l->offset, (size_t)l->limit, on_listed, l, &e))
        end_listing(l, &e);
}
