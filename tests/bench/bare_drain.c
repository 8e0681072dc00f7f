/*
 * bare_drain: the limit that the worker is measured against: a loop that claims and settles by the worker's
 * own scripts, with the same arguments, and does nothing in between. It keeps DEPTH batches of BATCH jobs in
 * flight on one connection, so that Redis never waits. The result of a job is its payload, as the builtin
 * echo's is. No JSON is read, no handler is looked up, nothing is counted, logged or timed.
 *
 *     bare_drain REDIS_PORT REDIS_PID
 *
 * Empties the queue `default`, then prints: jobs, seconds, its CPU time in µs, Redis's CPU time in µs.
 */
#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/bench/bench.h"

enum { BATCH = 64, DEPTH = 4, ARGUMENTS_MAX = 8 + 6 * BATCH, HEAD_LENGTH = 10 };

#define WORKER "bench.01JD0000000000000000000000"
#define STATUS ",\"result\":{\"size\":%zu,\"content_type\":\"application/json\",\"inline\":true}"

/* A batch and the command of it that is under way. */
struct batch {
    enum queue_script stage;
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

struct drain {
    redisContext *redis;
    struct key ready;
    struct key taken;
    struct key stats;
    struct key dead;
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

static void begin(struct command *c, enum queue_script script, const char *key_count)
{
    c->count = 0;
    add(c, "EVALSHA", 7);
    add(c, queue_scripts[script].sha1, 40);
    add_text(c, key_count);
}

static void send_command(const struct drain *d, struct batch *b, enum queue_script stage, struct command *c)
{
    b->stage = stage;
    redisAppendCommandArgv(d->redis, c->count, c->arguments, c->lengths);
}

static void take(const struct drain *d, struct batch *b)
{
    struct command c;
    char count[8];

    snprintf(count, sizeof(count), "%d", BATCH);
    begin(&c, SCRIPT_TAKE, "2");
    add_key(&c, &d->ready);
    add_key(&c, &d->taken);
    add_text(&c, count);
    send_command(d, b, SCRIPT_TAKE, &c);
}

static void start(const struct drain *d, struct batch *b)
{
    struct command c;
    char key_count[8];

    snprintf(key_count, sizeof(key_count), "%zu", 2 + b->count);
    begin(&c, SCRIPT_START, key_count);
    add_key(&c, &d->taken);
    add_key(&c, &d->stats);
    for (size_t i = 0; i < b->count; i++)
        add_key(&c, &b->keys[i]);
    add_text(&c, WORKER);
    for (size_t i = 0; i < b->count; i++)
        add_text(&c, b->ids[i].text);
    send_command(d, b, SCRIPT_START, &c);
}

/* The payload stands behind the record's head, spec and status: see record.h. */
static const char *payload_of(const redisReply *record, size_t *length)
{
    const unsigned char *head = (const unsigned char *)record->str;
    size_t before;

    if (record->type != REDIS_REPLY_STRING || record->len < HEAD_LENGTH)
        die("a job was not started");
    before = HEAD_LENGTH + (size_t)(head[6] << 8 | head[7]) + (size_t)(head[8] << 8 | head[9]);
    *length = (size_t)record->len - before;
    return record->str + before;
}

static void settle(const struct drain *d, struct batch *b, const redisReply *records)
{
    struct command c;
    char key_count[8];
    char statuses[BATCH][sizeof(STATUS) + 24];

    snprintf(key_count, sizeof(key_count), "%zu", 3 + b->count);
    begin(&c, SCRIPT_SETTLE, key_count);
    add_key(&c, &d->taken);
    add_key(&c, &d->stats);
    add_key(&c, &d->dead);
    for (size_t i = 0; i < b->count; i++)
        add_key(&c, &b->keys[i]);
    add_text(&c, WORKER);
    add_text(&c, "86400");
    for (size_t i = 0; i < b->count; i++) {
        size_t length;
        const char *payload = payload_of(records->element[i], &length);

        add_text(&c, b->ids[i].text);
        add_text(&c, "1");
        add_text(&c, "+");
        add(&c, statuses[i], (size_t)snprintf(statuses[i], sizeof(statuses[i]), STATUS, length));
        add(&c, payload, length);
    }
    send_command(d, b, SCRIPT_SETTLE, &c);
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
    case SCRIPT_TAKE:
        read_ids(b, reply);
        if (b->count)
            start(d, b);
        return b->count > 0;
    case SCRIPT_START:
        settle(d, b, reply);
        return true;
    default:
        for (size_t i = 0; i < reply->elements; i++)
            d->done += reply->element[i]->integer == SETTLE_DONE;
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
    key_dead(&shard, &d->dead);
}

int main(int argc, char **argv)
{
    struct drain d = {0};
    long long redis_pid;
    int64_t started_us;
    double redis_us;
    double own_us;

    if (argc != 3)
        die("bare_drain REDIS_PORT REDIS_PID");
    d.redis = redis_open((int)argument_number(argv[1], 1, 65535));
    redis_pid = argument_number(argv[2], 1, INT32_MAX);
    name_keys(&d);
    for (size_t i = 0; i < SCRIPT_COUNT; i++)
        freeReplyObject(
            redis_answer(d.redis, redisCommand(d.redis, "SCRIPT LOAD %s", queue_scripts[i].source)));
    redis_us = cpu_us(redis_pid);
    own_us = cpu_us(getpid());
    started_us = clock_steady_us();
    drain(&d);
    printf("%zu %.6f %.0f %.0f\n", d.done, (double)(clock_steady_us() - started_us) / 1e6,
        cpu_us(getpid()) - own_us, cpu_us(redis_pid) - redis_us);
    redisFree(d.redis);
    return 0;
}
