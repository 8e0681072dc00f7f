#include "common/queue/submit_batch.h"
#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

enum { BIG_BUFFER = 1 << 20 };

void submit_batch_init(struct submit_batch *b, const struct shard *shard)
{
    *b = (struct submit_batch){.shard = *shard};
    redis_request_init(&b->keys);
    redis_request_init(&b->records);
}

void submit_batch_release(struct submit_batch *b)
{
    redis_request_release(&b->keys);
    redis_request_release(&b->records);
}

bool submit_batch_add(struct submit_batch *b, const struct job_id *id, const struct job_spec *spec,
    const void *payload, size_t payload_length, struct error *e)
{
    AUTO_BUF struct buf record = BUF(REDIS_REQUEST_MAX / 2);
    struct key key;

    assert(b->count < SUBMIT_BATCH_MAX);
    if (!record_encode_new(spec, payload, payload_length, &record, e))
        return false;
    key_job(id, &key);
    redis_request_add(&b->keys, key.text, key.length);
    redis_request_add(&b->records, record.data, record.length);
    if (buf_is_overflown(&b->keys.bytes) || buf_is_overflown(&b->records.bytes))
        return error_set(e, ERROR_TOO_BIG, "a batch has no more room than %d bytes", REDIS_REQUEST_MAX);
    b->count++;
    return true;
}

static bool read_result(const redisReply *reply, struct submit_batch_result *out)
{
    static const struct {
        const char *name;
        enum submit_verdict verdict;
    } verdicts[] = {{"accepted", SUBMIT_ACCEPTED}, {"repeated", SUBMIT_REPEATED},
        {"mismatch", SUBMIT_MISMATCH}, {"full", SUBMIT_FULL}, {"taken", SUBMIT_TAKEN}};
    const redisReply *value = reply->elements > 1 ? reply->element[1] : NULL;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    *out = (struct submit_batch_result){.ulids = ""};
    if (value && value->type == REDIS_REPLY_INTEGER)
        out->accepted = (size_t)value->integer;
    if (value && value->type == REDIS_REPLY_STRING) {
        out->ulids = value->str;
        out->ulid_count = (size_t)value->len / (ULID_SIZE - 1);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++)
        if (strcmp(reply->element[0]->str, verdicts[i].name) == 0) {
            out->verdict = verdicts[i].verdict;
            return true;
        }
    return false;
}

static void on_submitted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct submit_batch_result result;
    struct error malformed;

    free(arg);
    if (!e && !read_result(reply, &result)) {
        error_set(&malformed, ERROR_INTERNAL, "redis answered a batch with something else");
        e = &malformed;
    }
    p.done.batch_submitted(p.arg, e ? NULL : &result, e);
}

bool queue_submit_batch(struct queue *q, const struct submit_batch *b, const struct submit_batch_terms *terms,
    queue_batch_submitted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;
    bool is_sent;

    p->done.batch_submitted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SUBMIT_BATCH],
        4 + (terms->idempotency ? 1 : 0) + b->count, 3 + b->count);
    ADD_KEYS(q, &b->shard, key_ready, key_stats, key_held, key_scheduled);
    if (terms->idempotency) {
        key_idempotency(&b->shard, terms->idempotency, &key);
        queue_add_key(q, &key);
    }
    buf_append(&q->request.bytes, b->keys.bytes.data, b->keys.bytes.length);
    redis_request_add_int(&q->request, terms->depth_max);
    redis_request_add_text(&q->request, terms->idempotency ? terms->fingerprint : "");
    redis_request_add_int(&q->request, terms->idempotency_s);
    buf_append(&q->request.bytes, b->records.bytes.data, b->records.bytes.length);
    is_sent = queue_send(q, 0, on_submitted, p, e);
    if (q->request.bytes.size > BIG_BUFFER) /* it must not be kept for ever */
        buf_release(&q->request.bytes);
    return is_sent;
}

/* Answered with what stood there before: nothing, or the fingerprint of a request. */
static void on_claimed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    bool is_same = !e && (reply->type == REDIS_REPLY_NIL ||
                             (reply->type == REDIS_REPLY_STRING && strcmp(reply->str, p.fingerprint) == 0));

    free(arg);
    p.done.batch_claimed(p.arg, is_same, e);
}

bool queue_claim_batch(struct queue *q, const char *idempotency, const char *fingerprint,
    int64_t idempotency_s, queue_batch_claimed *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.batch_claimed = done;
    snprintf(p->fingerprint, sizeof(p->fingerprint), "%s", fingerprint);
    key_batch(idempotency, &key);
    redis_request_begin(&q->request, 7);
    redis_request_add_text(&q->request, "SET");
    queue_add_key(q, &key);
    redis_request_add_text(&q->request, fingerprint);
    redis_request_add_text(&q->request, "NX");
    redis_request_add_text(&q->request, "GET");
    redis_request_add_text(&q->request, "EX");
    redis_request_add_int(&q->request, idempotency_s);
    return queue_send(q, 0, on_claimed, p, e);
}
