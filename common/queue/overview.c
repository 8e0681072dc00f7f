#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

/* An overview between its two round trips. */
struct look {
    struct queue *queue;
    struct queue_overview overview;
    queue_overlooked *done;
    void *arg;
};

static void end_look(struct look *look, const struct error *e)
{
    look->done(look->arg, e ? NULL : &look->overview, e);
    free(look->overview.workers);
    free(look);
}

static int64_t read_number(const redisReply *value)
{
    if (value->type == REDIS_REPLY_INTEGER)
        return value->integer;
    return value->type == REDIS_REPLY_STRING ? strtoll(value->str, NULL, 10) : 0;
}

/* The value behind `name` in a list of pairs, 0 when it is not there. */
static int64_t find_number(const redisReply *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        if (pairs->element[i]->type == REDIS_REPLY_STRING && strcmp(pairs->element[i]->str, name) == 0)
            return read_number(pairs->element[i + 1]);
    return 0;
}

/* "<slots> <lease in ms>", as renew writes it: the last heartbeat came a lease before the lease's end. */
static void read_slots(struct worker_overview *w, const redisReply *slots)
{
    char *rest;
    int64_t lease_ms;

    if (slots->type != REDIS_REPLY_STRING)
        return;
    w->slots = strtoll(slots->str, &rest, 10);
    lease_ms = strtoll(rest, NULL, 10);
    w->seen_ms = lease_ms > 0 && w->seen_ms > lease_ms ? w->seen_ms - lease_ms : 0;
}

static void read_workers(struct queue_overview *o, const redisReply *ends, const redisReply *slots)
{
    o->workers = mem_array(ends->elements / 2 + 1, sizeof(*o->workers));
    for (size_t i = 0; i + 1 < ends->elements; i += 2) {
        struct worker_overview *w = &o->workers[o->worker_count];

        if (ends->element[i]->type != REDIS_REPLY_STRING || ends->element[i]->len >= WORKER_ID_SIZE)
            continue;
        memcpy(w->name, ends->element[i]->str, (size_t)ends->element[i]->len + 1);
        w->seen_ms = read_number(ends->element[i + 1]);
        if (i / 2 < slots->elements)
            read_slots(w, slots->element[i / 2]);
        o->worker_count++;
    }
}

static bool read_overview(struct queue_overview *o, const redisReply *reply)
{
    struct job_id oldest;
    struct error e;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 9)
        return false;
    o->waiting = read_number(reply->element[0]);
    o->scheduled = read_number(reply->element[1]);
    o->dead = read_number(reply->element[2]);
    o->is_paused = read_number(reply->element[3]) == 1;
    o->now_ms = read_number(reply->element[5]);
    if (reply->element[4]->type == REDIS_REPLY_STRING && id_parse(reply->element[4]->str, &oldest, &e))
        o->oldest_ms = o->now_ms > oldest.created_ms ? o->now_ms - oldest.created_ms : 0;
    read_workers(o, reply->element[6], reply->element[7]);
#define COUNTER(name) o->name##_total = find_number(reply->element[8], #name);
    QUEUE_COUNTERS(COUNTER)
#undef COUNTER
    return true;
}

static void on_lengths(void *arg, const redisReply *reply, const struct error *e)
{
    struct look *look = arg;

    for (size_t i = 0; !e && i < reply->elements && i < look->overview.worker_count; i++) {
        look->overview.workers[i].running = read_number(reply->element[i]);
        look->overview.running += look->overview.workers[i].running;
    }
    end_look(look, e);
}

/* The lists of the workers have names that come from the first answer, so they take a second script. */
static bool ask_lengths(struct look *look, struct error *e)
{
    struct queue *q = look->queue;
    const struct queue_overview *o = &look->overview;

    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_LENGTHS], o->worker_count, 0);
    for (size_t i = 0; i < o->worker_count; i++)
        queue_add_taken(q, &o->shard, o->workers[i].name);
    return redis_send(q->redis, &q->request, 0, on_lengths, look, e);
}

static void on_overview(void *arg, const redisReply *reply, const struct error *e)
{
    struct look *look = arg;
    struct error failure;

    if (!e && !read_overview(&look->overview, reply)) {
        error_set(&failure, ERROR_INTERNAL, "redis answered a look at the queue with something else");
        e = &failure;
    }
    if (e || look->overview.worker_count == 0)
        end_look(look, e);
    else if (!ask_lengths(look, &failure))
        end_look(look, &failure);
}

bool queue_overview(
    struct queue *q, const struct shard *shard, queue_overlooked *done, void *arg, struct error *e)
{
    struct look *look = mem_zalloc(sizeof(*look));

    *look = (struct look){.queue = q, .overview.shard = *shard, .done = done, .arg = arg};
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_OVERVIEW], 7, 0);
    ADD_KEYS(q, shard, key_ready, key_held, key_scheduled, key_dead, key_stats, key_workers, key_slots);
    if (redis_send(q->redis, &q->request, 0, on_overview, look, e))
        return true;
    free(look);
    return false;
}

static void on_registered(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.registered(p.arg, !e && reply->integer == 1, e);
}

bool queue_register(
    struct queue *q, const char *name, int64_t count_max, queue_registered *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.registered = done;
    key_queues(&key);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_REGISTER], 1, 2);
    queue_add_key(q, &key);
    redis_request_add_text(&q->request, name);
    redis_request_add_int(&q->request, count_max);
    return queue_send(q, 0, on_registered, p, e);
}

void queue_on_named(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    const char **names;
    size_t count = 0;

    free(arg);
    if (e) {
        p.done.named(p.arg, NULL, 0, e);
        return;
    }
    names = mem_array(reply->elements + 1, sizeof(*names));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING && reply->element[i]->len < WORKER_ID_SIZE)
            names[count++] = reply->element[i]->str;
    p.done.named(p.arg, names, count, NULL);
    free(names);
}

bool queue_names(struct queue *q, queue_named *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.named = done;
    key_queues(&key);
    redis_request_begin(&q->request, 2);
    redis_request_add_text(&q->request, "SMEMBERS");
    queue_add_key(q, &key);
    return queue_send(q, 0, queue_on_named, p, e);
}
