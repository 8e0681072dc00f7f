#include "common/queue/queue_priv.h"

/* What comes out of a worker's list, or has just got there. */
static struct pending *pending_taken(
    struct queue *q, const struct shard *shard, const char *worker, queue_listed *done, void *arg)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.listed = done;
    key_taken(shard, worker, &key);
    p->guard = queue_guard(q, shard, &key, false);
    return p;
}

/* The wait answers with one id, or nothing. */
static void on_waited(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id id;
    size_t count = !e && queue_read_id(p.guard, reply, &id);

    free(p.guard);
    free(arg);
    p.done.listed(p.arg, count ? &id : NULL, count, e);
}

bool queue_wait(struct queue *q, const struct shard *shard, const char *worker, int64_t block_ms,
    queue_listed *done, void *arg, struct error *e)
{
    char seconds[32];

    snprintf(seconds, sizeof(seconds), "%lld.%03lld", (long long)block_ms / 1000, (long long)block_ms % 1000);
    redis_request_begin(&q->request, 6);
    redis_request_add_text(&q->request, "BLMOVE");
    ADD_KEYS(q, shard, key_ready);
    queue_add_taken(q, shard, worker);
    redis_request_add_text(&q->request, "RIGHT");
    redis_request_add_text(&q->request, "LEFT");
    redis_request_add_text(&q->request, seconds);
    return queue_send(q, block_ms, on_waited, pending_taken(q, shard, worker, done, arg), e);
}

bool queue_take(struct queue *q, const struct shard *shard, const char *worker, size_t count,
    queue_listed *done, void *arg, struct error *e)
{
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_TAKE], 3, 2);
    ADD_KEYS(q, shard, key_ready);
    queue_add_taken(q, shard, worker);
    ADD_KEYS(q, shard, key_workers);
    redis_request_add_int(&q->request, (int64_t)count);
    redis_request_add_text(&q->request, worker);
    return queue_send(q, 0, queue_on_listed, pending_taken(q, shard, worker, done, arg), e);
}

bool queue_list_taken(struct queue *q, const struct shard *shard, const char *worker, queue_listed *done,
    void *arg, struct error *e)
{
    struct pending *p = pending_taken(q, shard, worker, done, arg);

    p->is_reversed = true; /* the newest stands at the left end */
    redis_request_begin(&q->request, 4);
    redis_request_add_text(&q->request, "LRANGE");
    queue_add_taken(q, shard, worker);
    redis_request_add_text(&q->request, "0");
    redis_request_add_text(&q->request, "-1");
    return queue_send(q, 0, queue_on_listed, p, e);
}

bool queue_start(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_records_got *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.records_got = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_START], 4 + count, 1 + count);
    queue_add_taken(q, shard, worker);
    ADD_KEYS(q, shard, key_stats, key_workers, key_dead);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, queue_on_records, p, e);
}

bool queue_give_back(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_GIVE_BACK], 4 + count, 1 + count);
    queue_add_taken(q, shard, worker);
    ADD_KEYS(q, shard, key_ready, key_stats, key_held);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, queue_on_counted, p, e);
}

void queue_unblock(struct queue *q, long long client_id)
{
    struct error e;
    bool is_sent;

    redis_request_begin(&q->request, 3);
    redis_request_add_text(&q->request, "CLIENT");
    redis_request_add_text(&q->request, "UNBLOCK");
    redis_request_add_int(&q->request, client_id);
    is_sent = redis_send(q->redis, &q->request, 0, NULL, NULL, &e);
    (void)is_sent; /* the wait ends by itself a few seconds later */
}
