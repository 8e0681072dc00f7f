/*
 * bare_drain: the limit that the worker is measured against: a loop that claims and settles by script and
 * does nothing in between. It keeps DEPTH batches of BATCH jobs in flight on one connection, so that Redis
 * never waits. The result of a job is its payload, as the builtin echo's is. No JSON is read, no handler is
 * looked up, nothing is counted, logged or timed.
 *
 *     bare_drain own|least REDIS_PORT REDIS_PID
 *
 * own: by the worker's own scripts, so that Redis does the same work and what differs is the worker's own
 * cost. least: with the same arguments, what any claiming and settling must do, without leases, fencing and
 * retries. Empties the queue `default`, then prints: jobs, seconds, its CPU time in µs, Redis's CPU time in
 * µs.
 */
#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/bench/bench.h"

enum { BATCH = 64, DEPTH = 4, ARGUMENTS_MAX = 16 + 9 * BATCH, HEAD_LENGTH = 12 };

#define WORKER "bench.01JD0000000000000000000000"
#define STATUS ",\"result\":{\"size\":%zu,\"content_type\":\"application/json\",\"inline\":true}"

/* A batch and the command of it that is under way. */
struct batch {
    int stage;
    size_t count;
    struct job_id ids[BATCH];
    struct key keys[BATCH];
};

/* A command being gathered: pointers into a batch or a reply. */
struct command {
    const char *arguments[ARGUMENTS_MAX];
    size_t lengths[ARGUMENTS_MAX];
    int count;
};

/* By stage; see the scripts of the same names. */
enum stage { TAKE, START, SETTLE, STAGE_COUNT };

static const char least_take[] = "local ids = {} for i = 1, tonumber(ARGV[1]) do local id = "
                                 "redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') "
                                 "if not id then break end ids[i] = id end return ids";
static const char least_start[] =
    "local out = {} for i = 5, #KEYS do local text = redis.call('GET', KEYS[i]) "
    "text = '1r\\0\\1' .. string.sub(text, 5) redis.call('SET', KEYS[i], text) out[i - 4] = text end "
    "return out";
static const char least_settle[] =
    "local out = {} for i = 5, #KEYS do local at = (i - 5) * 8 + 2 "
    "redis.call('SET', KEYS[i], '1+' .. ARGV[at + 3] .. ARGV[at + 4], 'EX', ARGV[at + 7]) "
    "redis.call('LREM', KEYS[1], -1, ARGV[at]) out[i - 4] = 1 end "
    "redis.call('HINCRBY', KEYS[2], 'succeeded', #out) return out";

struct drain {
    redisContext *redis;
    char sha1[STAGE_COUNT][41];
    struct key ready;
    struct key taken;
    struct key stats;
    struct key workers;
    struct key dead;
    struct key scheduled;
    size_t done;
};

static void add(struct command *c, const char *text, size_t length)
{
    c->arguments[c->count] = text;
    c->lengths[c->count++] = length;
}

static void add_text(struct command *c, const char *text)
{
    add(c, text, strlen(text));
}

static void add_key(struct command *c, const struct key *key)
{
    add(c, key->text, key->length);
}

static void begin(const struct drain *d, struct command *c, enum stage stage, const char *key_count)
{
    c->count = 0;
    add(c, "EVALSHA", 7);
    add(c, d->sha1[stage], 40);
    add_text(c, key_count);
}

static void send_command(const struct drain *d, struct batch *b, enum stage stage, struct command *c)
{
    b->stage = stage;
    redisAppendCommandArgv(d->redis, c->count, c->arguments, c->lengths);
}

static void take(const struct drain *d, struct batch *b)
{
    struct command c;
    char count[8];

    snprintf(count, sizeof(count), "%d", BATCH);
    begin(d, &c, TAKE, "3");
    add_key(&c, &d->ready);
    add_key(&c, &d->taken);
    add_key(&c, &d->workers);
    add_text(&c, count);
    add_text(&c, WORKER);
    send_command(d, b, TAKE, &c);
}

static void start(const struct drain *d, struct batch *b)
{
    struct command c;
    char key_count[8];

    snprintf(key_count, sizeof(key_count), "%zu", 4 + b->count);
    begin(d, &c, START, key_count);
    add_key(&c, &d->taken);
    add_key(&c, &d->stats);
    add_key(&c, &d->workers);
    add_key(&c, &d->dead);
    for (size_t i = 0; i < b->count; i++)
        add_key(&c, &b->keys[i]);
    add_text(&c, WORKER);
    for (size_t i = 0; i < b->count; i++)
        add_text(&c, b->ids[i].text);
    send_command(d, b, START, &c);
}

/* The payload stands behind the record's head, spec and status: see record.h. */
static const char *payload_of(const redisReply *record, size_t *length)
{
    const unsigned char *head = (const unsigned char *)record->str;
    size_t before;

    if (record->type != REDIS_REPLY_STRING || record->len < HEAD_LENGTH)
        die("a job was not started");
    before = HEAD_LENGTH + (size_t)(head[8] << 8 | head[9]) + (size_t)(head[10] << 8 | head[11]);
    *length = (size_t)record->len - before;
    return record->str + before;
}

static void settle(const struct drain *d, struct batch *b, const redisReply *records)
{
    struct command c;
    char key_count[8];
    char statuses[BATCH][sizeof(STATUS) + 24];

    snprintf(key_count, sizeof(key_count), "%zu", 4 + b->count);
    begin(d, &c, SETTLE, key_count);
    add_key(&c, &d->taken);
    add_key(&c, &d->stats);
    add_key(&c, &d->dead);
    add_key(&c, &d->scheduled);
    for (size_t i = 0; i < b->count; i++)
        add_key(&c, &b->keys[i]);
    add_text(&c, WORKER);
    for (size_t i = 0; i < b->count; i++) {
        size_t length;
        const char *payload = payload_of(records->element[i], &length);

        add_text(&c, b->ids[i].text);
        add_text(&c, "1");
        add_text(&c, "+");
        add(&c, statuses[i], (size_t)snprintf(statuses[i], sizeof(statuses[i]), STATUS, length));
        add(&c, payload, length);
        add_text(&c, "1");
        add_text(&c, "0");
        add_text(&c, "86400");
    }
    send_command(d, b, SETTLE, &c);
}

static void read_ids(struct batch *b, const redisReply *ids)
{
    struct error e;

    b->count = ids->elements;
    for (size_t i = 0; i < b->count; i++) {
        if (!id_parse(ids->element[i]->str, &b->ids[i], &e))
            die("%s", e.text);
        key_job(&b->ids[i], &b->keys[i]);
    }
}

/* Returns whether b goes on. */
static bool step(struct drain *d, struct batch *b, const redisReply *reply)
{
    switch (b->stage) {
    case TAKE:
        read_ids(b, reply);
        if (b->count)
            start(d, b);
        return b->count > 0;
    case START:
        settle(d, b, reply);
        return true;
    default:
        for (size_t i = 0; i < reply->elements; i++)
            d->done += reply->element[i]->integer == SETTLE_SUCCEEDED;
        take(d, b);
        return true;
    }
}

/* Answers come in the order of the commands, and each batch has one under way: a ring says whose answer is
 * next. */
static void drain(struct drain *d)
{
    static struct batch batches[DEPTH];
    struct batch *ring[DEPTH];
    size_t first = 0;
    size_t count = DEPTH;

    for (size_t i = 0; i < DEPTH; i++) {
        ring[i] = &batches[i];
        take(d, ring[i]);
    }
    while (count) {
        struct batch *b = ring[first];
        void *reply = NULL;

        if (redisGetReply(d->redis, &reply) != REDIS_OK)
            die("redis: %s", d->redis->errstr);
        first = (first + 1) % DEPTH;
        count--;
        if (step(d, b, redis_answer(d->redis, reply)))
            ring[(first + count++) % DEPTH] = b;
        freeReplyObject(reply);
    }
}

static void name_keys(struct drain *d)
{
    struct shard shard = {.queue = "default"};

    key_ready(&shard, &d->ready);
    key_taken(&shard, WORKER, &d->taken);
    key_stats(&shard, &d->stats);
    key_workers(&shard, &d->workers);
    key_dead(&shard, &d->dead);
    key_scheduled(&shard, &d->scheduled);
}

static void load_scripts(struct drain *d, bool own)
{
    const char *sources[STAGE_COUNT] = {least_take, least_start, least_settle};

    if (own) {
        sources[TAKE] = queue_scripts[SCRIPT_TAKE].source;
        sources[START] = queue_scripts[SCRIPT_START].source;
        sources[SETTLE] = queue_scripts[SCRIPT_SETTLE].source;
    }
    for (size_t i = 0; i < STAGE_COUNT; i++)
        redis_load(d->redis, sources[i], d->sha1[i]);
}

/* The worker's scripts serve registered workers only. */
static void enter_workers(const struct drain *d)
{
    freeReplyObject(redis_answer(d->redis,
        redisCommand(d->redis, "ZADD %s %lld " WORKER, d->workers.text, (long long)clock_unix_ms())));
}

int main(int argc, char **argv)
{
    struct drain d = {0};
    long long redis_pid;
    int64_t started_us;
    double redis_us;
    double own_us;

    if (argc != 4 || (strcmp(argv[1], "own") != 0 && strcmp(argv[1], "least") != 0))
        die("bare_drain own|least REDIS_PORT REDIS_PID");
    d.redis = redis_open((int)argument_number(argv[2], 1, 65535));
    redis_pid = argument_number(argv[3], 1, INT32_MAX);
    name_keys(&d);
    load_scripts(&d, argv[1][0] == 'o');
    enter_workers(&d);
    redis_us = cpu_us(redis_pid);
    own_us = cpu_us(getpid());
    started_us = clock_steady_us();
    drain(&d);
    printf("%zu %.6f %.0f %.0f\n", d.done, (double)(clock_steady_us() - started_us) / 1e6,
        cpu_us(getpid()) - own_us, cpu_us(redis_pid) - redis_us);
    redisFree(d.redis);
    return 0;
}
