#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

enum { SCAN_COUNT = 256 };

static void on_chosen(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.chosen(p.arg, !e && reply->type == REDIS_REPLY_STATUS, e);
}

/* Whoever sets the key first is it, until it expires. */
static bool choose(struct queue *q, const struct key *key, const char *worker, int64_t period_s,
    queue_chosen *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.chosen = done;
    redis_request_begin(&q->request, 6);
    redis_request_add_text(&q->request, "SET");
    queue_add_key(q, key);
    redis_request_add_text(&q->request, worker);
    redis_request_add_text(&q->request, "NX");
    redis_request_add_text(&q->request, "EX");
    redis_request_add_int(&q->request, period_s);
    return queue_send(q, 0, on_chosen, p, e);
}

bool queue_choose_auditor(struct queue *q, const struct shard *shard, const char *worker, int64_t period_s,
    queue_chosen *done, void *arg, struct error *e)
{
    struct key key;

    key_auditor(shard, &key);
    return choose(q, &key, worker, period_s, done, arg, e);
}

bool queue_choose_sweeper(
    struct queue *q, const char *worker, int64_t period_s, queue_chosen *done, void *arg, struct error *e)
{
    struct key key;

    key_sweeper(&key);
    return choose(q, &key, worker, period_s, done, arg, e);
}

bool queue_choose_janitor(
    struct queue *q, const char *worker, int64_t period_s, queue_chosen *done, void *arg, struct error *e)
{
    struct key key;

    key_janitor(&key);
    return choose(q, &key, worker, period_s, done, arg, e);
}

/* The id is what stands behind the last colon of a job's key. */
static void read_keys(const redisReply *keys, struct job_id *ids, size_t *count)
{
    struct error e;

    for (size_t i = 0; i < keys->elements; i++) {
        const char *colon = keys->element[i]->str ? strrchr(keys->element[i]->str, ':') : NULL;

        if (colon && id_parse(colon + 1, &ids[*count], &e))
            ++*count;
    }
}

static void on_scanned(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct job_id *ids;
    size_t count = 0;

    free(arg);
    if (e || reply->elements != 2) {
        p.done.scanned(p.arg, NULL, 0, 0, e);
        return;
    }
    ids = mem_array(reply->element[1]->elements + 1, sizeof(*ids));
    read_keys(reply->element[1], ids, &count);
    p.done.scanned(p.arg, ids, count, strtoull(reply->element[0]->str, NULL, 10), NULL);
    free(ids);
}

bool queue_scan(struct queue *q, const struct shard *shard, uint64_t cursor, queue_scanned *done, void *arg,
    struct error *e)
{
    struct pending *p = queue_pending(arg);
    char text[24];
    struct key pattern;

    p->done.scanned = done;
    key_job_pattern(shard, &pattern);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
    redis_request_begin(&q->request, 6);
    redis_request_add_text(&q->request, "SCAN");
    redis_request_add_text(&q->request, text);
    redis_request_add_text(&q->request, "MATCH");
    queue_add_key(q, &pattern);
    redis_request_add_text(&q->request, "COUNT");
    redis_request_add_int(&q->request, SCAN_COUNT);
    return queue_send(q, 0, on_scanned, p, e);
}

static enum whereabouts read_whereabouts(const redisReply *answer)
{
    static const char *const names[] = {
        [WHERE_PLACED] = "placed",
        [WHERE_LISTED] = "listed",
        [WHERE_ENDED] = "ended",
        [WHERE_CANCELLED] = "cancelled",
        [WHERE_GONE] = "gone",
        [WHERE_STRAY] = "stray",
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
        if (answer->type == REDIS_REPLY_STRING && strcmp(answer->str, names[i]) == 0)
            return i;
    return WHERE_STRAY;
}

static void on_located(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    enum whereabouts *whereabouts;

    free(arg);
    if (e) {
        p.done.located(p.arg, NULL, 0, e);
        return;
    }
    whereabouts = mem_array(reply->elements + 1, sizeof(*whereabouts));
    for (size_t i = 0; i < reply->elements; i++)
        whereabouts[i] = read_whereabouts(reply->element[i]);
    p.done.located(p.arg, whereabouts, reply->elements, NULL);
    free(whereabouts);
}

bool queue_locate(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_located *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.located = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_WHERE], 3 + count, count);
    ADD_KEYS(q, shard, key_scheduled, key_dead, key_workers);
    queue_add_job_keys(q, ids, count);
    queue_add_ids(q, ids, count);
    return queue_send(q, 0, on_located, p, e);
}

static void on_places_counted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    if (e || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING)
        p.done.places_counted(p.arg, 0, 0, e);
    else
        p.done.places_counted(p.arg, reply->element[0]->str[0], reply->element[1]->integer, NULL);
}

bool queue_count_places(struct queue *q, const struct job_id *id, const struct worker_overview *workers,
    size_t worker_count, queue_places_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.places_counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_COUNT_PLACES], 5 + worker_count, 1);
    queue_add_job_keys(q, id, 1);
    ADD_KEYS(q, &id->shard, key_scheduled, key_dead, key_ready, key_held);
    for (size_t i = 0; i < worker_count; i++)
        queue_add_taken(q, &id->shard, workers[i].name);
    redis_request_add_text(&q->request, id->text);
    return queue_send(q, 0, on_places_counted, p, e);
}
