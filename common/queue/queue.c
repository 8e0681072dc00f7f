#include "common/queue/queue_priv.h"
#include "common/base/mem.h"

struct queue *queue_new(struct redis *r)
{
    struct queue *q = mem_zalloc(sizeof(*q));

    q->redis = r;
    redis_request_init(&q->request);
    buf_init(&q->record, REDIS_REQUEST_MAX / 2);
    return q;
}

struct queue *queue_free(struct queue *q)
{
    if (!q)
        return NULL;
    redis_request_release(&q->request);
    buf_release(&q->record);
    free(q);
    return NULL;
}

struct pending *queue_pending(void *arg)
{
    struct pending *p = mem_zalloc(sizeof(*p));

    p->arg = arg;
    return p;
}

bool queue_send(struct queue *q, int64_t block_ms, redis_done *done, struct pending *p, struct error *e)
{
    if (redis_send(q->redis, &q->request, block_ms, done, p, e))
        return true;
    free(p->guard);
    free(p);
    return false;
}

void queue_add_key(struct queue *q, const struct key *key)
{
    redis_request_add(&q->request, key->text, key->length);
}

void queue_add_shard_keys(struct queue *q, const struct shard *shard, key_maker *const *makers)
{
    for (; *makers; makers++) {
        struct key key;

        (*makers)(shard, &key);
        queue_add_key(q, &key);
    }
}

void queue_add_taken(struct queue *q, const struct shard *shard, const char *worker)
{
    struct key key;

    key_taken(shard, worker, &key);
    queue_add_key(q, &key);
}

void queue_add_revoked(struct queue *q, const struct shard *shard, const char *worker)
{
    struct key key;

    key_revoked(shard, worker, &key);
    queue_add_key(q, &key);
}

void queue_add_job_keys(struct queue *q, const struct job_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct key key;

        key_job(&ids[i], &key);
        queue_add_key(q, &key);
    }
}

void queue_add_ids(struct queue *q, const struct job_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        redis_request_add_text(&q->request, ids[i].text);
}

void queue_reverse_ids(struct job_id *ids, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct job_id id = ids[i];

        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = id;
    }
}

void queue_on_counted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.counted(p.arg, e || reply->type != REDIS_REPLY_INTEGER ? 0 : (size_t)reply->integer, e);
}
