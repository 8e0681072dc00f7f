#include "common/queue/queue_priv.h"
#include "common/base/mem.h"

static void on_renewed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *revoked;
    size_t count;

    free(arg);
    if (e || reply->elements == 0) {
        p.done.renewed(p.arg, 0, NULL, 0, e);
        return;
    }
    revoked = queue_read_ids(NULL, reply, 1, &count);
    p.done.renewed(p.arg, (size_t)reply->element[0]->integer, revoked, count, NULL);
    free(revoked);
}

bool queue_renew(struct queue *q, const struct shard *shard, const struct registration *worker, bool is_first,
    queue_renewed *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.renewed = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_RENEW], 3, 4);
    ADD_KEYS(q, shard, key_workers);
    queue_add_revoked(q, shard, worker->name);
    ADD_KEYS(q, shard, key_slots);
    redis_request_add_text(&q->request, worker->name);
    redis_request_add_int(&q->request, is_first);
    redis_request_add_int(&q->request, worker->slots);
    redis_request_add_int(&q->request, worker->lease_ms);
    return queue_send(q, 0, on_renewed, p, e);
}

bool queue_silent(struct queue *q, const struct shard *shard, queue_named *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.named = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SILENT], 2, 0);
    ADD_KEYS(q, shard, key_workers, key_reaped);
    return queue_send(q, 0, queue_on_named, p, e);
}

static void on_reaped(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.reaped(p.arg, e ? 0 : reply->integer, e);
}

bool queue_reap(struct queue *q, const struct shard *shard, const char *worker, bool is_leaving, int max_lost,
    const struct job_id *ids, size_t count, queue_reaped *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.reaped = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_REAP], 9 + count, 3 + count);
    ADD_KEYS(q, shard, key_workers, key_reaped, key_ready, key_scheduled, key_dead, key_stats);
    queue_add_taken(q, shard, worker);
    ADD_KEYS(q, shard, key_held, key_slots);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    redis_request_add_int(&q->request, is_leaving);
    redis_request_add_int(&q->request, max_lost);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_reaped, p, e);
}

static void on_due(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *ids;
    size_t count;

    free(arg);
    if (e || reply->elements < 1) {
        free(p.guard);
        p.done.due_found(p.arg, NULL, 0, -1, e);
        return;
    }
    ids = queue_read_ids(p.guard, reply, 1, &count);
    free(p.guard);
    p.done.due_found(p.arg, ids, count, reply->element[0]->integer, NULL);
    free(ids);
}

bool queue_due(struct queue *q, const struct shard *shard, size_t count, queue_due_found *done, void *arg,
    struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.due_found = done;
    key_scheduled(shard, &key);
    p->guard = queue_guard(q, shard, &key, true);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_DUE], 1, 1);
    ADD_KEYS(q, shard, key_scheduled);
    redis_request_add_int(&q->request, (int64_t)count);
    return queue_send(q, 0, on_due, p, e);
}

bool queue_promote(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PROMOTE], 4 + count, count);
    ADD_KEYS(q, shard, key_scheduled, key_ready, key_stats, key_held);
    queue_add_job_keys(q, ids, count);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, queue_on_counted, p, e);
}
