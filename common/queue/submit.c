#include "common/queue/queue_priv.h"

enum { BIG_BUFFER = 1 << 20 };

static const char *const verdict_names[] = {
    [SUBMIT_ACCEPTED] = "accepted",
    [SUBMIT_REPEATED] = "repeated",
    [SUBMIT_MISMATCH] = "mismatch",
    [SUBMIT_UNIQUE] = "unique",
    [SUBMIT_LOOK] = "look",
    [SUBMIT_FULL] = "full",
    [SUBMIT_TAKEN] = "taken",
};

static bool read_result(const redisReply *reply, struct submit_result *result)
{
    const redisReply *value = reply->elements > 1 ? reply->element[1] : NULL;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    result->due_ms = value && value->type == REDIS_REPLY_INTEGER ? value->integer : 0;
    result->id = value && value->type == REDIS_REPLY_STRING ? value->str : "";
    for (unsigned i = 0; i < ARRAY_LENGTH(verdict_names); i++)
        if (strcmp(reply->element[0]->str, verdict_names[i]) == 0) {
            result->verdict = i;
            return true;
        }
    return false;
}

static void on_submitted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct submit_result result;
    struct error malformed;

    free(arg);
    if (!e && !read_result(reply, &result)) {
        error_set(&malformed, ERROR_INTERNAL, "redis answered a submission with something else");
        e = &malformed;
    }
    p.done.submitted(p.arg, e ? NULL : &result, e);
}

/* One large payload must not keep its memory for ever. */
static void shrink(struct queue *q)
{
    if (q->record.size > BIG_BUFFER) {
        buf_release(&q->record);
        buf_release(&q->request.bytes);
    }
}

static void add_keys(struct queue *q, const struct submit *s)
{
    const struct shard *shard = &s->id->shard;
    struct job_id holder;
    struct error e;
    struct key key;

    queue_add_job_keys(q, s->id, 1);
    ADD_KEYS(q, shard, key_ready, key_stats, key_scheduled, key_held);
    if (s->idempotency) {
        key_idempotency(shard, s->idempotency, &key);
        queue_add_key(q, &key);
    }
    if (s->unique) {
        key_unique(shard, s->unique, &key);
        queue_add_key(q, &key);
        queue_add_job_keys(q, id_parse(s->holder, &holder, &e) ? &holder : s->id, 1);
    }
}

static void add_arguments(struct queue *q, const struct submit *s)
{
    redis_request_add_text(&q->request, s->id->text);
    redis_request_add(&q->request, q->record.data, q->record.length);
    redis_request_add_int(&q->request, s->schedule->not_before_ms);
    redis_request_add_int(&q->request, s->schedule->delay_ms);
    redis_request_add_int(&q->request, s->depth_max);
    redis_request_add_text(&q->request, s->idempotency ? s->fingerprint : "");
    redis_request_add_int(&q->request, s->idempotency_s);
    redis_request_add_text(&q->request, s->unique ? s->holder : "-");
}

bool queue_submit(
    struct queue *q, const struct submit *submit, queue_submitted *done, void *arg, struct error *e)
{
    size_t key_count = 5 + (submit->idempotency ? 1 : 0) + (submit->unique ? 2 : 0);
    struct pending *p;
    bool is_sent;

    if (!redis_is_ready(q->redis))
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: %s", redis_describe(q->redis));
    buf_reset(&q->record);
    if (!record_encode_new(submit->spec, submit->payload, submit->payload_length, &q->record, e))
        return false;
    p = queue_pending(arg);
    p->done.submitted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SUBMIT], key_count, 8);
    add_keys(q, submit);
    add_arguments(q, submit);
    is_sent = queue_send(q, 0, on_submitted, p, e);
    shrink(q);
    return is_sent;
}

bool queue_forget(struct queue *q, const char *idempotency, const struct job_id *id, queue_counted *done,
    void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_FORGET], 1, 1);
    key_idempotency(&id->shard, idempotency, &key);
    queue_add_key(q, &key);
    redis_request_add_text(&q->request, id->text);
    return queue_send(q, 0, queue_on_counted, p, e);
}
