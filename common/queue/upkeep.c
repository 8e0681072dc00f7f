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
    revoked = queue_read_ids(reply, 1, &count);
    p.done.renewed(p.arg, (size_t)reply->element[0]->integer, revoked, count, NULL);
    free(revoked);
}

bool queue_renew(struct queue *q, const struct shard *shard, const char *worker, bool is_first, int64_t slots,
    queue_renewed *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key workers;
    struct key revoked;
    struct key slots_key;

    p->done.renewed = done;
    key_workers(shard, &workers);
    key_revoked(shard, worker, &revoked);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_RENEW], 3, 3);
    queue_add_key(q, &workers);
    queue_add_key(q, &revoked);
    key_slots(shard, &slots_key);
    queue_add_key(q, &slots_key);
    redis_request_add_text(&q->request, worker);
    redis_request_add_int(&q->request, is_first);
    redis_request_add_int(&q->request, slots);
    return queue_send(q, 0, on_renewed, p, e);
}

bool queue_silent(struct queue *q, const struct shard *shard, int64_t lease_ms, queue_named *done, void *arg,
    struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key workers;
    struct key reaped;

    p->done.named = done;
    key_workers(shard, &workers);
    key_reaped(shard, &reaped);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SILENT], 2, 1);
    queue_add_key(q, &workers);
    queue_add_key(q, &reaped);
    redis_request_add_int(&q->request, lease_ms);
    return queue_send(q, 0, queue_on_named, p, e);
}

static void on_reaped(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.reaped(p.arg, e ? 0 : reply->integer, e);
}

bool queue_reap(struct queue *q, const struct shard *shard, const char *worker, int64_t lease_ms,
    int max_lost, const struct job_id *ids, size_t count, queue_reaped *done, void *arg, struct error *e)
{
    void (*const key_of[])(const struct shard *, struct key *) = {
        key_workers, key_reaped, key_ready, key_scheduled, key_dead, key_stats};
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.reaped = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_REAP], 9 + count, 3 + count);
    for (size_t i = 0; i < ARRAY_LENGTH(key_of); i++) {
        key_of[i](shard, &key);
        queue_add_key(q, &key);
    }
    key_taken(shard, worker, &key);
    queue_add_key(q, &key);
    key_held(shard, &key);
    queue_add_key(q, &key);
    key_slots(shard, &key);
    queue_add_key(q, &key);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    redis_request_add_int(&q->request, lease_ms);
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
        p.done.due_found(p.arg, NULL, 0, -1, e);
        return;
    }
    ids = queue_read_ids(reply, 1, &count);
    p.done.due_found(p.arg, ids, count, reply->element[0]->integer, NULL);
    free(ids);
}

bool queue_due(struct queue *q, const struct shard *shard, size_t count, queue_due_found *done, void *arg,
    struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key scheduled;

    p->done.due_found = done;
    key_scheduled(shard, &scheduled);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_DUE], 1, 1);
    queue_add_key(q, &scheduled);
    redis_request_add_int(&q->request, (int64_t)count);
    return queue_send(q, 0, on_due, p, e);
}

static void on_promoted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.gave_back(p.arg, e ? 0 : (size_t)reply->integer, e);
}

bool queue_promote(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_gave_back *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    void (*const key_of[])(const struct shard *, struct key *) = {
        key_scheduled, key_ready, key_stats, key_held};
    struct key key;

    p->done.gave_back = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PROMOTE], 4 + count, count);
    for (size_t i = 0; i < ARRAY_LENGTH(key_of); i++) {
        key_of[i](shard, &key);
        queue_add_key(q, &key);
    }
    queue_add_job_keys(q, ids, count);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_promoted, p, e);
}
