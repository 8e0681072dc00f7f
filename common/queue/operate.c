#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

static void on_cancelled(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    enum cancel_verdict verdict = CANCEL_LOOK_AGAIN;

    free(arg);
    if (!e && reply->integer >= CANCEL_MISSING && reply->integer <= CANCEL_LOOK_AGAIN)
        verdict = (enum cancel_verdict)reply->integer;
    p.done.cancelled(p.arg, verdict, e);
}

bool queue_cancel(struct queue *q, const struct job *job, int64_t retention_s, queue_cancelled *done,
    void *arg, struct error *e)
{
    const struct shard *shard = &job->id.shard;
    const char *worker = job->state == JOB_RUNNING ? job->worker : "";
    struct pending *p = queue_pending(arg);

    p->done.cancelled = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_CANCEL], 5, 3);
    queue_add_job_keys(q, &job->id, 1);
    ADD_KEYS(q, shard, key_scheduled, key_stats);
    queue_add_taken(q, shard, worker);
    queue_add_revoked(q, shard, worker);
    redis_request_add_text(&q->request, job->id.text);
    redis_request_add_int(&q->request, retention_s);
    redis_request_add_text(&q->request, worker);
    return queue_send(q, 0, on_cancelled, p, e);
}

static void on_replayed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    size_t count = 0;

    free(arg);
    for (size_t i = 0; !e && i < reply->elements; i++)
        count += reply->element[i]->integer == 1;
    p.done.counted(p.arg, count, e);
}

bool queue_replay(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_REPLAY], 4 + count, count);
    ADD_KEYS(q, shard, key_dead, key_ready, key_stats, key_held);
    queue_add_job_keys(q, ids, count);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_replayed, p, e);
}

static void on_paused(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.paused(p.arg, !e && reply->integer == 1, e);
}

bool queue_pause(
    struct queue *q, const struct shard *shard, bool pause, queue_paused *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.paused = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PAUSE], 3, 1);
    ADD_KEYS(q, shard, key_ready, key_held, key_stats);
    redis_request_add_int(&q->request, pause);
    return queue_send(q, 0, on_paused, p, e);
}
