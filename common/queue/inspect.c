#include "common/queue/queue_priv.h"

static void on_got(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct error failure;
    struct job job;

    free(arg);
    if (e) {
        p.done.got(p.arg, NULL, e);
    } else if (reply->type == REDIS_REPLY_NIL) {
        error_set(&failure, ERROR_NOT_FOUND, QUEUE_NO_SUCH_JOB);
        p.done.got(p.arg, NULL, &failure);
    } else if (reply->type != REDIS_REPLY_STRING ||
               !record_decode(&p.id, reply->str, (size_t)reply->len, &job, &failure)) {
        if (reply->type != REDIS_REPLY_STRING)
            error_set(&failure, ERROR_BAD_RECORD, "the job's record in redis is not a string");
        p.done.got(p.arg, NULL, &failure);
    } else {
        p.done.got(p.arg, &job, NULL);
        job_release(&job);
    }
}

bool queue_get(struct queue *q, const struct job_id *id, queue_got *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.got = done;
    p->id = *id;
    key_job(id, &key);
    redis_request_begin(&q->request, 2);
    redis_request_add(&q->request, "GET", 3);
    queue_add_key(q, &key);
    return queue_send(q, 0, on_got, p, e);
}
