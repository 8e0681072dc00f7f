#include "common/queue/queue_priv.h"

/* The record, and how far the job is. */
static void on_got(void *arg, const redisReply *replies, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    const redisReply *reply = e || replies->elements != 2 ? replies : replies->element[0];
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
        if (replies->element[1]->type == REDIS_REPLY_STRING)
            job_take_progress(&job, replies->element[1]->str, (size_t)replies->element[1]->len);
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
    redis_request_begin(&q->request, 3);
    redis_request_add(&q->request, "MGET", 4);
    key_job(id, &key);
    queue_add_key(q, &key);
    key_progress(id, &key);
    queue_add_key(q, &key);
    return queue_send(q, 0, on_got, p, e);
}
