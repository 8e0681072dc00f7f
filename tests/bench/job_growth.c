/*
 * job_growth: what submitting and claiming cost while many jobs wait.
 *
 *     job_growth REDIS_PORT REDIS_PID JOBS
 *
 * The queue `default` holds JOBS jobs, put there by `load`. In each turn CHUNK jobs are submitted and as many
 * are claimed from the head and settled, so that about JOBS wait all the time; records of settled jobs are
 * then deleted, which is in no figure. CPU time is taken with many commands under way, so that it is that of
 * the scripts and not of waking up; latencies with one. Ends with JOBS jobs in the queue, and fails when a
 * job was lost, doubled or out of order.
 *
 * Prints lines of a name and a figure: submit_redis and submit_cpu (Redis's and this program's CPU time in µs
 * for each job), claim_redis and claim_cpu (take, start and settle), and in µs submit_p50 and submit_p99,
 * claim_p50 and claim_p99 (take and start of BATCH jobs), settle_p50 and settle_p99 (of BATCH jobs).
 */
#include "tests/bench/session.h"

enum {
    BATCH = 64,
    CHUNK = 512,
    WINDOW = 64, /* submissions under way; of batches as many as the least that keep Redis busy: */
    DEPTH = 4,
    TURNS = 25,
    PAYLOAD_LENGTH = 200,
    RETENTION_S = 86400,
    LEASE_MS = 3600000,
};

#define WORKER "bench.01JD0000000000000000000000"

static const struct shard shard = {.queue = "default"};

struct samples {
    int64_t us[TURNS * CHUNK];
    size_t count;
};

struct growth;

struct batch {
    struct growth *growth;
    struct job_id ids[BATCH];
    int64_t sent_us;
};

struct growth {
    struct session session;
    struct id_generator ids;
    struct job_spec spec;
    char payload[PAYLOAD_LENGTH];
    long long window;
    long long left;    /* submissions or batches to be sent */
    long long pending; /* those under way */
    int64_t sent_us;   /* the last submission */
    struct batch batches[DEPTH];
    char last_taken[JOB_ID_SIZE];
    struct job_id settled[CHUNK];
    size_t settled_count;
    struct samples submit;
    struct samples claim;
    struct samples settle;
};

static void sample(const struct growth *g, struct samples *s, int64_t since_us)
{
    if (g->window == 1)
        s->us[s->count++] = clock_steady_us() - since_us;
}

/* ---- submission ---- */

static void submit(struct growth *g);

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct growth *g = arg;

    if (e || result->verdict != SUBMIT_ACCEPTED)
        die("a job was not accepted: %s", e ? e->text : "see enum submit_verdict");
    sample(g, &g->submit, g->sent_us);
    g->pending--;
    if (g->left && g->pending <= g->window / 2)
        submit(g);
    else if (!g->left && !g->pending)
        session_stop(&g->session);
}

static void submit(struct growth *g)
{
    struct job_schedule at_once = {0};
    struct job_id id;
    struct submit s = {
        .id = &id,
        .spec = &g->spec,
        .schedule = &at_once,
        .payload = g->payload,
        .payload_length = PAYLOAD_LENGTH,
        .depth_max = INT32_MAX,
    };
    struct error e;

    for (; g->left && g->pending < g->window; g->left--, g->pending++) {
        id_generate(&g->ids, &shard, &id);
        g->sent_us = clock_steady_us();
        if (!queue_submit(g->session.queue, &s, on_submitted, g, &e))
            die("%s", e.text);
    }
}

static void submit_chunk(struct growth *g, long long window, struct meter *m)
{
    struct cpu before = session_cpu(&g->session);

    g->window = window;
    g->left = CHUNK;
    submit(g);
    session_run(&g->session);
    meter_add(m, &g->session, &before, CHUNK);
}

/* ---- claim and settlement ---- */

static void take(struct batch *b);

static void on_settled(void *arg, const enum settle_verdict *verdicts, size_t count, const struct error *e)
{
    struct batch *b = arg;
    struct growth *g = b->growth;

    if (e || count != BATCH)
        die("a batch was not settled: %s", e ? e->text : "another number of verdicts");
    sample(g, &g->settle, b->sent_us);
    for (size_t i = 0; i < count; i++) {
        if (verdicts[i] != SETTLE_SUCCEEDED)
            die("job %s was settled with verdict %d", b->ids[i].text, (int)verdicts[i]);
        g->settled[g->settled_count++] = b->ids[i];
    }
    take(b);
}

static void settle(struct batch *b)
{
    static const char status[] = ",\"result\":{\"size\":2,\"content_type\":\"application/json\"}";
    struct settlement settlements[BATCH];
    struct error e;

    for (size_t i = 0; i < BATCH; i++)
        settlements[i] = (struct settlement){
            .id = &b->ids[i],
            .attempt = 1,
            .ending = ENDING_SUCCEEDED,
            .status = status,
            .status_length = sizeof(status) - 1,
            .limit = 1,
            .retention_s = RETENTION_S,
        };
    b->sent_us = clock_steady_us();
    if (!queue_settle(b->growth->session.queue, &shard, WORKER, settlements, BATCH, on_settled, b, &e))
        die("%s", e.text);
}

static void on_started(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct batch *b = arg;

    if (e || count != BATCH)
        die("a batch was not started: %s", e ? e->text : "another number of records");
    sample(b->growth, &b->growth->claim, b->sent_us);
    for (size_t i = 0; i < count; i++)
        if (records[i].length <= PAYLOAD_LENGTH)
            die("job %s was not started", b->ids[i].text);
    settle(b);
}

static void on_took(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct batch *b = arg;
    struct growth *g = b->growth;
    struct error failure;

    if (e || count != BATCH)
        die("%zu jobs were taken instead of %d: %s", count, BATCH, e ? e->text : "some are lost");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(g->last_taken, ids[i].text) >= 0)
            die("job %s came behind %s", ids[i].text, g->last_taken);
        snprintf(g->last_taken, JOB_ID_SIZE, "%s", ids[i].text);
        b->ids[i] = ids[i];
    }
    if (!queue_start(g->session.queue, &shard, WORKER, b->ids, BATCH, on_started, b, &failure))
        die("%s", failure.text);
}

static void take(struct batch *b)
{
    struct growth *g = b->growth;
    struct error e;

    if (!g->left) {
        if (--g->pending == 0)
            session_stop(&g->session);
        return;
    }
    g->left--;
    b->sent_us = clock_steady_us();
    if (!queue_take(g->session.queue, &shard, WORKER, BATCH, on_took, b, &e))
        die("%s", e.text);
}

static void claim_chunk(struct growth *g, long long window, struct meter *m)
{
    struct cpu before = session_cpu(&g->session);

    g->window = g->pending = window;
    g->left = CHUNK / BATCH;
    g->settled_count = 0;
    for (long long i = 0; i < window; i++) {
        g->batches[i].growth = g;
        take(&g->batches[i]);
    }
    session_run(&g->session);
    meter_add(m, &g->session, &before, CHUNK);
}

/* ---- the rest ---- */

static void on_forgotten(void *arg, const redisReply *reply, const struct error *e)
{
    struct growth *g = arg;

    if (e || reply->integer != CHUNK)
        die("records of settled jobs are gone: %s", e ? e->text : "they should be kept");
    session_stop(&g->session);
}

static void forget_settled(struct growth *g)
{
    struct redis_request request;
    struct key key;
    struct error e;

    redis_request_init(&request);
    redis_request_begin(&request, 1 + g->settled_count);
    redis_request_add_text(&request, "DEL");
    for (size_t i = 0; i < g->settled_count; i++) {
        key_job(&g->settled[i], &key);
        redis_request_add(&request, key.text, key.length);
    }
    if (!redis_send(g->session.redis, &request, 0, on_forgotten, g, &e))
        die("%s", e.text);
    redis_request_release(&request);
    session_run(&g->session);
}

static void on_renewed(void *arg, size_t worker_count, const struct job_id *UNUSED(revoked),
    size_t UNUSED(revoked_count), const struct error *e)
{
    if (e || worker_count != 1)
        die("%zu workers are registered: %s", worker_count, e ? e->text : "there should be one");
    session_stop(arg);
}

static void enter_worker(struct growth *g)
{
    struct error e;

    if (!queue_renew(g->session.queue, &shard,
            &(struct registration){.name = WORKER, .slots = DEPTH * BATCH, .lease_ms = LEASE_MS}, true,
            on_renewed, &g->session, &e))
        die("%s", e.text);
    session_run(&g->session);
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void print_samples(struct samples *s, const char *name)
{
    qsort(s->us, s->count, sizeof(*s->us), by_size);
    printf("%s_p50 %lld\n%s_p99 %lld\n", name, (long long)s->us[s->count / 2], name,
        (long long)s->us[s->count * 99 / 100]);
}

/* The first turn is in no figure: it wakes both programs up. */
static void measure(struct growth *g)
{
    struct meter submit_cost = {0};
    struct meter claim_cost = {0};
    struct meter ignored = {0};

    for (int turn = 0; turn <= TURNS; turn++) {
        submit_chunk(g, WINDOW, turn ? &submit_cost : &ignored);
        claim_chunk(g, DEPTH, turn ? &claim_cost : &ignored);
        forget_settled(g);
        if (turn == 0)
            continue;
        submit_chunk(g, 1, &ignored);
        claim_chunk(g, 1, &ignored);
        forget_settled(g);
    }
    meter_print(&submit_cost, "submit");
    meter_print(&claim_cost, "claim");
    print_samples(&g->submit, "submit");
    print_samples(&g->claim, "claim");
    print_samples(&g->settle, "settle");
}

static void check_length(int port, long long jobs)
{
    redisContext *c = redis_open(port);
    struct key ready;
    redisReply *r;

    key_ready(&shard, &ready);
    r = redis_answer(c, redisCommand(c, "LLEN %s", ready.text));
    if (r->integer != jobs)
        die("%lld jobs wait, and not %lld", r->integer, jobs);
    freeReplyObject(r);
    redisFree(c);
}

int main(int argc, char **argv)
{
    static struct growth g = {.spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON}};
    long long jobs;
    int port;

    if (argc != 4)
        die("job_growth REDIS_PORT REDIS_PID JOBS");
    port = (int)argument_number(argv[1], 1, 65535);
    jobs = argument_number(argv[3], 0, 100000000);
    memset(g.payload, 'x', PAYLOAD_LENGTH);
    g.payload[0] = g.payload[PAYLOAD_LENGTH - 1] = '"';
    check_length(port, jobs);
    session_open(&g.session, port, (pid_t)argument_number(argv[2], 1, INT32_MAX));
    enter_worker(&g);
    measure(&g);
    session_close(&g.session);
    check_length(port, jobs);
    return 0;
}
