#include "common/queue/queue_priv.h"
#include "common/base/mem.h"

static void on_took(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *ids;
    size_t count;

    free(arg);
    if (e) {
        p.done.took(p.arg, NULL, 0, e);
        return;
    }
    ids = queue_read_ids(reply, 0, &count);
    p.done.took(p.arg, ids, count, NULL);
    free(ids);
}

/* The wait answers with one id, or nothing. */
static void on_waited(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id id;
    struct error malformed;
    size_t count = !e && reply->type == REDIS_REPLY_STRING && id_parse(reply->str, &id, &malformed);

    free(arg);
    p.done.took(p.arg, count ? &id : NULL, count, e);
}

/* The list has the newest first. */
static void on_listed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *ids;
    size_t count;

    free(arg);
    if (e) {
        p.done.took(p.arg, NULL, 0, e);
        return;
    }
    ids = queue_read_ids(reply, 0, &count);
    queue_reverse_ids(ids, count);
    p.done.took(p.arg, ids, count, NULL);
    free(ids);
}

static struct pending *pending_took(queue_took *done, void *arg)
{
    struct pending *p = queue_pending(arg);

    p->done.took = done;
    return p;
}

bool queue_wait(struct queue *q, const struct shard *shard, const char *worker, int64_t block_ms,
    queue_took *done, void *arg, struct error *e)
{
    struct key ready;
    struct key taken;
    char seconds[32];

    key_ready(shard, &ready);
    key_taken(shard, worker, &taken);
    snprintf(seconds, sizeof(seconds), "%lld.%03lld", (long long)block_ms / 1000, (long long)block_ms % 1000);
    redis_request_begin(&q->request, 6);
    redis_request_add_text(&q->request, "BLMOVE");
    queue_add_key(q, &ready);
    queue_add_key(q, &taken);
    redis_request_add_text(&q->request, "RIGHT");
    redis_request_add_text(&q->request, "LEFT");
    redis_request_add_text(&q->request, seconds);
    return queue_send(q, block_ms, on_waited, pending_took(done, arg), e);
}

bool queue_take(struct queue *q, const struct shard *shard, const char *worker, size_t count,
    queue_took *done, void *arg, struct error *e)
{
    struct key ready;
    struct key taken;
    struct key workers;

    key_ready(shard, &ready);
    key_taken(shard, worker, &taken);
    key_workers(shard, &workers);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_TAKE], 3, 2);
    queue_add_key(q, &ready);
    queue_add_key(q, &taken);
    queue_add_key(q, &workers);
    redis_request_add_int(&q->request, (int64_t)count);
    redis_request_add_text(&q->request, worker);
    return queue_send(q, 0, on_took, pending_took(done, arg), e);
}

bool queue_list_taken(struct queue *q, const struct shard *shard, const char *worker, queue_took *done,
    void *arg, struct error *e)
{
    struct key taken;

    key_taken(shard, worker, &taken);
    redis_request_begin(&q->request, 4);
    redis_request_add_text(&q->request, "LRANGE");
    queue_add_key(q, &taken);
    redis_request_add_text(&q->request, "0");
    redis_request_add_text(&q->request, "-1");
    return queue_send(q, 0, on_listed, pending_took(done, arg), e);
}

static void on_started(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct started_record *records;

    free(arg);
    if (e) {
        p.done.started(p.arg, NULL, 0, e);
        return;
    }
    records = mem_array(reply->elements + 1, sizeof(*records));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            records[i] = (struct started_record){reply->element[i]->str, (size_t)reply->element[i]->len};
    p.done.started(p.arg, records, reply->elements, NULL);
    free(records);
}

bool queue_start(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_started *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key taken;
    struct key stats;
    struct key workers;
    struct key dead;

    p->done.started = done;
    key_taken(shard, worker, &taken);
    key_stats(shard, &stats);
    key_workers(shard, &workers);
    key_dead(shard, &dead);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_START], 4 + count, 1 + count);
    queue_add_key(q, &taken);
    queue_add_key(q, &stats);
    queue_add_key(q, &workers);
    queue_add_key(q, &dead);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_started, p, e);
}

static void on_gave_back(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.gave_back(p.arg, e || reply->type != REDIS_REPLY_INTEGER ? 0 : (size_t)reply->integer, e);
}

bool queue_give_back(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_gave_back *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key taken;
    struct key ready;
    struct key stats;
    struct key held;

    p->done.gave_back = done;
    key_taken(shard, worker, &taken);
    key_ready(shard, &ready);
    key_stats(shard, &stats);
    key_held(shard, &held);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_GIVE_BACK], 4 + count, 1 + count);
    queue_add_key(q, &taken);
    queue_add_key(q, &ready);
    queue_add_key(q, &stats);
    queue_add_key(q, &held);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, worker);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_gave_back, p, e);
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
