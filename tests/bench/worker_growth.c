/*
 * worker_growth: what upkeep costs while many workers are registered.
 *
 *     worker_growth REDIS_PORT REDIS_PID WORKERS
 *
 * Redis must be empty. That many workers are registered for the queue `default`, each with one running job;
 * one more job is due in an hour. Then each verb that upkeep and inspection repeat is called many times, one
 * verb after the other, DEPTH under way. Prints lines of a name and a figure: <verb>_redis and <verb>_cpu,
 * Redis's and this program's CPU time in µs for each call.
 */
#include "tests/bench/session.h"

enum { DEPTH = 16, CALLS = 6000, LEASE_MS = 3600000, SLOTS = 16, DUE_COUNT = 256, DELAY_MS = 3600000 };

static const struct shard shard = {.queue = "default"};

struct growth {
    struct session session;
    struct id_generator ids;
    size_t workers;
    void (*send)(struct growth *g);
    size_t left;
    size_t pending;
    size_t turn; /* whose turn it is */
};

static void name_worker(size_t number, char out[WORKER_ID_SIZE])
{
    snprintf(out, WORKER_ID_SIZE, "bench-7d4b9c6f5-x2x7q.%026zu", number);
}

/* The name of one worker after the other. */
static const char *next_name(struct growth *g)
{
    static char name[WORKER_ID_SIZE];

    name_worker(g->turn++ % g->workers, name);
    return name;
}

static struct registration next_registration(struct growth *g)
{
    return (struct registration){.name = next_name(g), .slots = SLOTS, .lease_ms = LEASE_MS};
}

static void must(bool is_sent, const struct error *e)
{
    if (!is_sent)
        die("%s", e->text);
}

/* Calls send `count` times, `depth` under way. */
static void repeat(struct growth *g, void (*send)(struct growth *g), size_t count, size_t depth)
{
    g->send = send;
    g->turn = 0;
    g->pending = depth < count ? depth : count;
    g->left = count - g->pending;
    for (size_t i = g->pending; i; i--)
        send(g);
    session_run(&g->session);
}

static void on_answer(struct growth *g)
{
    if (g->left) {
        g->left--;
        g->send(g);
    } else if (--g->pending == 0) {
        session_stop(&g->session);
    }
}

/* ---- what stands there ---- */

static void on_entered(void *arg, size_t UNUSED(worker_count), const struct job_id *UNUSED(revoked),
    size_t UNUSED(revoked_count), const struct error *e)
{
    if (e)
        die("a worker was not registered: %s", e->text);
    on_answer(arg);
}

static void enter(struct growth *g)
{
    struct registration next = next_registration(g);
    struct error e;

    must(queue_renew(g->session.queue, &shard, &next, true, on_entered, g, &e), &e);
}

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    if (e || result->verdict != SUBMIT_ACCEPTED)
        die("a job was not accepted: %s", e ? e->text : "see enum submit_verdict");
    on_answer(arg);
}

/* The first one is due later. */
static void submit(struct growth *g)
{
    struct job_spec spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON};
    struct job_schedule schedule = {.delay_ms = g->turn++ ? 0 : DELAY_MS};
    struct job_id id;
    struct error e;
    struct submit s = {
        .id = &id,
        .spec = &spec,
        .schedule = &schedule,
        .payload = "{}",
        .payload_length = 2,
        .depth_max = INT32_MAX,
    };

    id_generate(&g->ids, &shard, &id);
    must(queue_submit(g->session.queue, &s, on_submitted, g, &e), &e);
}

static void on_started(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    if (e || count != 1 || records[0].length < 2)
        die("a job was not started: %s", e ? e->text : "it is not to be run");
    on_answer(arg);
}

static void on_took(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct growth *g = arg;
    char worker[WORKER_ID_SIZE];
    struct error failure;

    if (e || count != 1)
        die("a job was not taken: %s", e ? e->text : "it is lost");
    name_worker(g->turn - 1, worker);
    must(queue_start(g->session.queue, &shard, worker, ids, 1, on_started, g, &failure), &failure);
}

static void claim(struct growth *g)
{
    struct error e;

    must(queue_take(g->session.queue, &shard, next_name(g), 1, on_took, g, &e), &e);
}

/* ---- what is measured ---- */

static void on_renewed(void *arg, size_t worker_count, const struct job_id *UNUSED(revoked),
    size_t UNUSED(revoked_count), const struct error *e)
{
    struct growth *g = arg;

    if (e || worker_count != g->workers)
        die("%zu workers are registered, and not %zu: %s", worker_count, g->workers, e ? e->text : "");
    on_answer(g);
}

static void renew(struct growth *g)
{
    struct registration next = next_registration(g);
    struct error e;

    must(queue_renew(g->session.queue, &shard, &next, false, on_renewed, g, &e), &e);
}

static void on_named(void *arg, const char *const *names, size_t count, const struct error *e)
{
    if (e || count)
        die("a worker is taken for silent: %s", e ? e->text : names[0]);
    on_answer(arg);
}

static void look_for_silent(struct growth *g)
{
    struct error e;

    must(queue_silent(g->session.queue, &shard, on_named, g, &e), &e);
}

static void on_due(
    void *arg, const struct job_id *UNUSED(ids), size_t count, int64_t next_ms, const struct error *e)
{
    if (e || count || next_ms <= 0)
        die("%zu jobs are due, the next in %lld ms: %s", count, (long long)next_ms, e ? e->text : "");
    on_answer(arg);
}

static void look_for_due(struct growth *g)
{
    struct error e;

    must(queue_due(g->session.queue, &shard, DUE_COUNT, on_due, g, &e), &e);
}

static void on_overlooked(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct growth *g = arg;

    if (e)
        die("no overview: %s", e->text);
    if (overview->worker_count != g->workers || overview->running != (int64_t)g->workers)
        die("%zu workers run %lld jobs, and not %zu one each", overview->worker_count,
            (long long)overview->running, g->workers);
    for (size_t i = 0; i < overview->worker_count; i++)
        if (overview->workers[i].slots != SLOTS)
            die("worker %s has %lld slots", overview->workers[i].name, (long long)overview->workers[i].slots);
    on_answer(g);
}

static void overlook(struct growth *g)
{
    struct error e;

    must(queue_overview(g->session.queue, &shard, on_overlooked, g, &e), &e);
}

/* A tenth of the calls goes first and is in no figure. */
static void measure(struct growth *g, const char *name, void (*send)(struct growth *g), size_t calls)
{
    struct meter m = {0};
    struct cpu before;

    repeat(g, send, calls / 10 + 1, DEPTH);
    before = session_cpu(&g->session);
    repeat(g, send, calls, DEPTH);
    meter_add(&m, &g->session, &before, (long long)calls);
    meter_print(&m, name);
}

int main(int argc, char **argv)
{
    static struct growth g;

    if (argc != 4)
        die("worker_growth REDIS_PORT REDIS_PID WORKERS");
    g.workers = (size_t)argument_number(argv[3], 1, 1000); /* an overview shows no more */
    session_open(
        &g.session, (int)argument_number(argv[1], 1, 65535), (pid_t)argument_number(argv[2], 1, INT32_MAX));
    repeat(&g, enter, g.workers, DEPTH);
    repeat(&g, submit, g.workers + 1, DEPTH);
    repeat(&g, claim, g.workers, 1);
    measure(&g, "renew", renew, CALLS);
    measure(&g, "silent", look_for_silent, CALLS);
    measure(&g, "due", look_for_due, CALLS);
    measure(&g, "overview", overlook, CALLS * 6 / (g.workers + 9));
    session_close(&g.session);
    return 0;
}
