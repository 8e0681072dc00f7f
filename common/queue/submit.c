#include "common/queue/queue_priv.h"

enum { BIG_BUFFER = 1 << 20 };

static void on_submitted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct error taken;

    free(arg);
    if (!e && (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0)) {
        error_set(&taken, ERROR_INTERNAL, "the new job's id exists already");
        e = &taken;
    }
    p.done.submitted(p.arg, e ? 0 : reply->integer, e);
}

/* One large payload must not keep its memory for ever. */
static void shrink(struct queue *q)
{
    if (q->record.size > BIG_BUFFER) {
        buf_release(&q->record);
        buf_release(&q->request.bytes);
    }
}

bool queue_submit(struct queue *q, const struct job_id *id, const struct job_spec *spec,
    const struct job_schedule *schedule, const void *payload, size_t payload_length, queue_submitted *done,
    void *arg, struct error *e)
{
    struct pending *p;
    struct key job;
    struct key ready;
    struct key stats;
    struct key scheduled;
    bool is_sent;

    if (!redis_is_ready(q->redis))
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: %s", redis_describe(q->redis));
    buf_reset(&q->record);
    if (!record_encode_new(spec, payload, payload_length, &q->record, e))
        return false;
    p = queue_pending(arg);
    p->done.submitted = done;
    key_job(id, &job);
    key_ready(&id->shard, &ready);
    key_stats(&id->shard, &stats);
    key_scheduled(&id->shard, &scheduled);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SUBMIT], 4, 4);
    queue_add_key(q, &job);
    queue_add_key(q, &ready);
    queue_add_key(q, &stats);
    queue_add_key(q, &scheduled);
    redis_request_add_text(&q->request, id->text);
    redis_request_add(&q->request, q->record.data, q->record.length);
    redis_request_add_int(&q->request, schedule->not_before_ms);
    redis_request_add_int(&q->request, schedule->delay_ms);
    is_sent = queue_send(q, 0, on_submitted, p, e);
    shrink(q);
    return is_sent;
}
