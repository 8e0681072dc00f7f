#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

/* How the jobs of a place are read and what the purge script calls it. */
static const struct {
    void (*key)(const struct shard *shard, struct key *out);
    const char *command;
    const char *state;
    bool is_list;
} places[] = {
    [PLACE_READY] = {key_ready, "LRANGE", "q", true},
    [PLACE_HELD] = {key_held, "LRANGE", "q", true},
    [PLACE_SCHEDULED] = {key_scheduled, "ZRANGE", "s", false},
    [PLACE_DEAD] = {key_dead, "ZREVRANGE", "d", false},
    [PLACE_CALLBACKS] = {key_callbacks, "ZRANGE", "", false},
};

void queue_on_listed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *ids;
    size_t count;

    free(arg);
    if (e) {
        free(p.guard);
        p.done.listed(p.arg, NULL, 0, e);
        return;
    }
    ids = queue_read_ids(p.guard, reply, 0, &count);
    free(p.guard);
    if (p.is_reversed)
        queue_reverse_ids(ids, count);
    p.done.listed(p.arg, ids, count, NULL);
    free(ids);
}

bool queue_list(struct queue *q, const struct shard *shard, enum place place, size_t offset, size_t count,
    queue_listed *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    int64_t first = (int64_t)offset;
    int64_t last = first + (int64_t)count - 1;

    p->done.listed = done;
    p->is_reversed = places[place].is_list; /* the oldest stands at the right end */
    redis_request_begin(&q->request, 4);
    redis_request_add_text(&q->request, places[place].command);
    ADD_KEYS(q, shard, places[place].key);
    redis_request_add_int(&q->request, p->is_reversed ? -last - 1 : first);
    redis_request_add_int(&q->request, p->is_reversed ? -first - 1 : last);
    return queue_send(q, 0, queue_on_listed, p, e);
}

void queue_on_records(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct record_text *records;

    free(arg);
    if (e) {
        p.done.records_got(p.arg, NULL, 0, e);
        return;
    }
    records = mem_array(reply->elements + 1, sizeof(*records));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            records[i] = (struct record_text){reply->element[i]->str, (size_t)reply->element[i]->len};
    p.done.records_got(p.arg, records, reply->elements, NULL);
    free(records);
}

bool queue_records(struct queue *q, const struct job_id *ids, size_t count, queue_records_got *done,
    void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.records_got = done;
    redis_request_begin(&q->request, 1 + count);
    redis_request_add(&q->request, "MGET", 4);
    queue_add_job_keys(q, ids, count);
    return queue_send(q, 0, queue_on_records, p, e);
}

bool queue_peek(struct queue *q, const struct job_id *ids, size_t count, queue_records_got *done, void *arg,
    struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.records_got = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PEEK], 2 * count, 0);
    for (size_t i = 0; i < count; i++) {
        struct key key;

        queue_add_job_keys(q, &ids[i], 1);
        key_progress(&ids[i], &key);
        queue_add_key(q, &key);
    }
    return queue_send(q, 0, queue_on_records, p, e);
}

bool queue_purge(struct queue *q, const struct shard *shard, enum place place, int64_t retention_s,
    const struct job_id *ids, size_t count, queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PURGE], 2 + count, 2 + count);
    ADD_KEYS(q, shard, places[place].key, key_stats);
    queue_add_job_keys(q, ids, count);
    redis_request_add_text(&q->request, places[place].state);
    redis_request_add_int(&q->request, retention_s);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, queue_on_counted, p, e);
}

bool queue_forget_callback(
    struct queue *q, const struct job_id *id, queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin(&q->request, 3);
    redis_request_add_text(&q->request, "ZREM");
    ADD_KEYS(q, &id->shard, key_callbacks);
    redis_request_add_text(&q->request, id->text);
    return queue_send(q, 0, queue_on_counted, p, e);
}
