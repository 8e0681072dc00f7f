#include "tests/chaos/fleet.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEASE_MS = 800, END_MS = 20000, AUDIT_MS = 30000 };

const char *const fleet_queues[] = {"chaos-a", "chaos-b", NULL};

static const char *const worker_settings[] = {"LEASE_MS=800", "WORKER_QUEUES=chaos-a,chaos-b",
    "WORKER_CONCURRENCY=8", "DRAIN_S=2", "MAX_LOST=50", "AUDIT_S=1", "KILL_GRACE_MS=200",
    "REDIS_TIMEOUT_MS=1000", "BLOB_TIMEOUT_MS=1500", "BLOB_DEADLINE_MS=4000", NULL};

/* ---- members ---- */

static bool is_worker(const struct fleet *f, const struct member *m)
{
    return m - f->members >= FLEET_APIS;
}

unsigned fleet_draw(struct fleet *f, unsigned below)
{
    f->random = f->random * 1103515245 + 12345;
    return (f->random >> 16) % below;
}

static void start_member(struct fleet *f, struct member *m)
{
    const char *api_settings[] = {f->api_listen,
        m == f->members ? "INLINE_PAYLOAD_MAX=0" : "INLINE_PAYLOAD_MAX=65536", "REDIS_TIMEOUT_MS=1000",
        "BLOB_TIMEOUT_MS=1500", "BLOB_DEADLINE_MS=4000", "DRAIN_S=5", NULL};

    m->program = is_worker(f, m) ? scene_new_worker(&f->scene, worker_settings)
                                 : scene_new_api(&f->scene, api_settings);
    m->state = MEMBER_RUNS;
}

/* For whoever looks into a failure: all logs, where JOBGATE_CHAOS_LOGS names a directory. */
static void keep_log(const struct fleet *f, const struct member *m, const char *text)
{
    const char *directory = getenv("JOBGATE_CHAOS_LOGS");
    char path[PROCESS_PATH_SIZE];
    FILE *file;

    if (!directory)
        return;
    snprintf(path, sizeof(path), "%s/%03zu-%s-%d.log", directory, f->harvested_count,
        is_worker(f, m) ? "worker" : "api", (int)process_id(jobgate_process(m->program)));
    file = fopen(path, "we");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

/* It has ended: counts what it said, and forgets it. */
static void harvest(struct fleet *f, struct member *m)
{
    static const char *const parts[] = {
#define WORD(name, part, text) part,
        FLEET_WORDS(WORD)
#undef WORD
    };
    AUTO(free) char *text = process_output(jobgate_process(m->program));

    for (size_t i = 0; i < WORD_COUNT; i++)
        for (const char *at = text; (at = strstr(at, parts[i])); at++)
            f->words[i]++;
    f->harvested_count++;
    keep_log(f, m, text);
    m->program = jobgate_free(m->program);
    m->state = MEMBER_DOWN;
    m->until_ms = clock_steady_ms() + fleet_draw(f, 1200);
}

/* A program that ends otherwise than it was told to has crashed. */
static void expect_end(const struct member *m, int status, int wanted)
{
    if (status != wanted) {
        AUTO(free) char *text = process_output(jobgate_process(m->program));
        size_t length = strlen(text);

        ck_abort_msg("a program ended with %d, not %d (-N: signal N); its last words:\n%s", status, wanted,
            length > 4000 ? text + length - 4000 : text);
    }
}

/* One that runs; NULL when there is none. */
static struct member *choose(struct fleet *f, bool of_workers)
{
    size_t first = of_workers ? FLEET_APIS : 0;
    size_t count = of_workers ? FLEET_WORKERS : FLEET_APIS;
    size_t offset = fleet_draw(f, (unsigned)count);

    for (size_t i = 0; i < count; i++) {
        struct member *m = &f->members[first + (offset + i) % count];

        if (m->state == MEMBER_RUNS)
            return m;
    }
    return NULL;
}

/* ---- events; each returns whether it took place ---- */

static bool kill_one(struct fleet *f, bool of_workers)
{
    struct member *m = choose(f, of_workers);

    if (!m)
        return false;
    jobgate_kill(m->program);
    harvest(f, m);
    return true;
}

static bool stop_one(struct fleet *f, bool of_workers)
{
    struct member *m = choose(f, of_workers);

    if (!m)
        return false;
    process_signal(jobgate_process(m->program), SIGTERM);
    m->state = MEMBER_ENDING;
    m->until_ms = clock_steady_ms() + END_MS;
    return true;
}

static bool freeze_one(struct fleet *f, bool of_workers, int64_t ms)
{
    struct member *m = choose(f, of_workers);

    if (!m)
        return false;
    process_signal(jobgate_process(m->program), SIGSTOP);
    m->state = MEMBER_FROZEN;
    m->until_ms = clock_steady_ms() + ms;
    return true;
}

static bool worker_kill(struct fleet *f)
{
    return kill_one(f, true);
}

static bool worker_stop(struct fleet *f)
{
    return stop_one(f, true);
}

static bool worker_freeze(struct fleet *f)
{
    return freeze_one(f, true, LEASE_MS + fleet_draw(f, 2 * LEASE_MS));
}

static bool api_kill(struct fleet *f)
{
    return kill_one(f, false);
}

static bool api_stop(struct fleet *f)
{
    return stop_one(f, false);
}

static bool api_freeze(struct fleet *f)
{
    return freeze_one(f, false, 500 + fleet_draw(f, 2500));
}

static bool redis_kill(struct fleet *f)
{
    if (f->is_redis_down || f->is_redis_frozen)
        return false;
    redis_server_kill(f->scene.redis);
    f->is_redis_down = true;
    f->redis_until_ms = clock_steady_ms() + fleet_draw(f, 2000);
    return true;
}

static bool redis_freeze(struct fleet *f)
{
    if (f->is_redis_down || f->is_redis_frozen)
        return false;
    redis_server_pause(f->scene.redis);
    f->is_redis_frozen = true;
    f->redis_until_ms = clock_steady_ms() + 200 + fleet_draw(f, 2500);
    return true;
}

/* One kind after the other, so that a short run meets each. */
static bool store_trouble(struct fleet *f)
{
    size_t before = f->events[EVENT_store_trouble];

    if (f->store_until_ms)
        return false;
    fault_proxy_set(f->proxy, (enum store_fault)(STORE_WELL + 1 + before % (STORE_PASSING_COUNT - 1)),
        fleet_draw(f, 2) ? 100 : 40);
    f->store_until_ms = clock_steady_ms() + 500 + fleet_draw(f, 2000);
    return true;
}

static const struct {
    unsigned weight;
    bool (*act)(struct fleet *f);
    const char *text;
} events[] = {
#define EVENT(weight, name, text) {weight, name, text},
    FLEET_EVENTS(EVENT)
#undef EVENT
};

/* Each comes as often as its weight says before any comes again: a short run, too, meets all. */
void fleet_suffer(struct fleet *f)
{
    unsigned sum = 0;
    unsigned drawn;
    size_t i = 0;

    for (size_t j = 0; j < EVENT_COUNT; j++)
        sum += f->events_left[j];
    if (sum == 0) {
        for (size_t j = 0; j < EVENT_COUNT; j++)
            sum += f->events_left[j] = events[j].weight;
    }
    drawn = fleet_draw(f, sum);
    for (; drawn >= f->events_left[i]; i++)
        drawn -= f->events_left[i];
    f->events_left[i]--;
    f->events[i] += events[i].act(f);
}

/* ---- going on ---- */

static void turn_member(struct fleet *f, struct member *m, bool is_time)
{
    struct process *p = m->program ? jobgate_process(m->program) : NULL;

    if (p && process_has_ended(p, 0)) {
        expect_end(m, process_wait(p, 0), m->state == MEMBER_ENDING ? 0 : INT32_MAX);
        harvest(f, m);
    } else if (m->state == MEMBER_FROZEN && is_time) {
        process_signal(p, SIGCONT);
        m->state = MEMBER_RUNS;
    } else if (m->state == MEMBER_DOWN && is_time) {
        start_member(f, m);
    }
    ck_assert_msg(
        m->state != MEMBER_ENDING || !is_time, "a program does not end in %d ms after SIGTERM", END_MS);
}

static void turn_redis(struct fleet *f)
{
    if (f->is_redis_down)
        redis_server_restart(f->scene.redis);
    if (f->is_redis_frozen)
        redis_server_resume(f->scene.redis);
    f->is_redis_down = f->is_redis_frozen = false;
}

void fleet_turn(struct fleet *f)
{
    int64_t now_ms = clock_steady_ms();

    if (now_ms >= f->redis_until_ms)
        turn_redis(f);
    if (f->store_until_ms && now_ms >= f->store_until_ms) {
        fault_proxy_set(f->proxy, STORE_WELL, 0);
        f->store_until_ms = 0;
    }
    for (size_t i = 0; i < FLEET_SIZE; i++)
        turn_member(f, &f->members[i], now_ms >= f->members[i].until_ms);
}

static bool all_run(const struct fleet *f)
{
    for (size_t i = 0; i < FLEET_SIZE; i++)
        if (f->members[i].state != MEMBER_RUNS)
            return false;
    return !f->is_redis_down && !f->is_redis_frozen && !f->store_until_ms;
}

void fleet_heal(struct fleet *f)
{
    while (!all_run(f)) {
        fleet_turn(f);
        usleep(10000);
    }
    for (size_t i = 0; i < FLEET_SIZE; i++)
        jobgate_wait_ready(f->members[i].program, 200);
}

/* The sum of all values of a metric, whatever their labels, over the workers. */
static double sum_metric(const struct fleet *f, const char *name)
{
    double sum = 0;

    for (size_t i = FLEET_APIS; i < FLEET_SIZE; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        const char *at;
        char url[256];

        snprintf(url, sizeof(url), "%s/metrics", jobgate_ops_url(f->members[i].program));
        http_get(url, &reply);
        ck_assert_int_eq(reply.status, 200);
        for (at = strstr(reply.body.data, name); at; at = strstr(at + 1, name))
            if (at[-1] == '\n' && strchr("{ ", at[strlen(name)]))
                sum += strtod(at + strcspn(at, " "), NULL);
    }
    return sum;
}

/* Two audits of each queue: what the first says may be of before. One worker that was unlucky each time says
 * what it said last, so it is asked until all agree. */
size_t fleet_audit(const struct fleet *f)
{
    int64_t deadline_ms = clock_steady_ms() + AUDIT_MS;
    size_t queue_count = 0;
    double wanted = sum_metric(f, "jobgate_audits_total");

    while (fleet_queues[queue_count])
        queue_count++;
    wanted += 2.0 * (double)queue_count * FLEET_WORKERS;
    while (
        sum_metric(f, "jobgate_audits_total") < wanted || sum_metric(f, "jobgate_queue_misplaced_jobs") > 0)
        if (!wait_until(deadline_ms))
            break;
    ck_assert_msg(sum_metric(f, "jobgate_audits_total") >= wanted, "the workers do not audit their queues");
    return (size_t)sum_metric(f, "jobgate_queue_misplaced_jobs");
}

void fleet_stop(struct fleet *f, bool are_workers)
{
    for (size_t i = 0; i < FLEET_SIZE; i++) {
        struct member *m = &f->members[i];

        if (is_worker(f, m) != are_workers)
            continue;
        expect_end(m, jobgate_stop(m->program), 0);
        harvest(f, m);
    }
}

/* ---- opening and closing ---- */

static void open_redis(struct fleet *f)
{
    static const char *const options[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

    f->scene.redis = redis_server_start(options);
}

/* Azurite's setting, but for the port. */
static void open_store(struct fleet *f)
{
    const char *setting;
    const char *port;
    char azurite_address[64];

    f->scene.azurite = azurite_start();
    f->proxy = fault_proxy_start(azurite_port(f->scene.azurite));
    setting = azurite_setting(f->scene.azurite);
    snprintf(azurite_address, sizeof(azurite_address), "127.0.0.1:%d/", azurite_port(f->scene.azurite));
    port = strstr(setting, azurite_address);
    ck_assert_ptr_nonnull(port);
    snprintf(f->scene.store, sizeof(f->scene.store), "%.*s127.0.0.1:%d/%s", (int)(port - setting), setting,
        fault_proxy_port(f->proxy), port + strlen(azurite_address));
}

static void open_handlers(struct fleet *f)
{
    AUTO_BUF struct buf json = BUF(1 << 16);
    char path[PROCESS_PATH_SIZE + 16];
    const char *bin = getenv("JOBGATE_BIN");

    ck_assert_msg(bin != NULL, "JOBGATE_BIN is to name the directory of the programs");
    directory_make(f->scene.directory);
    snprintf(path, sizeof(path), "%s/locks", f->scene.directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    buf_printf(&json,
        "{\"types\":{\"work\":{\"kind\":\"command\",\"command\":[\"%s/../chaos/"
        "handler\",\"%s\"],\"max_attempts\":50,"
        "\"max_crashes\":50,\"retry_delay_ms\":50,\"retry_delay_max_ms\":500,\"content_type\":\"text/"
        "plain\"}}}",
        bin, f->scene.directory);
    jobgate_write_handlers(f->scene.directory, json.data, f->scene.handlers);
}

void fleet_open(struct fleet *f, unsigned seed)
{
    int port = port_find_free();

    *f = (struct fleet){.random = seed};
    open_redis(f);
    open_handlers(f);
    open_store(f);
    snprintf(f->api_listen, sizeof(f->api_listen), "API_LISTEN=127.0.0.1:%d", port);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", port);
    for (size_t i = 0; i < FLEET_SIZE; i++)
        start_member(f, &f->members[i]);
    fleet_heal(f);
}

void fleet_close(struct fleet *f)
{
    for (size_t i = 0; i < FLEET_SIZE; i++)
        jobgate_free(f->members[i].program);
    fault_proxy_free(f->proxy);
    scene_close(&f->scene);
}

void fleet_print(struct fleet *f)
{
    static const char *const word_texts[] = {
#define WORD(name, part, text) text,
        FLEET_WORDS(WORD)
#undef WORD
    };

    for (size_t i = 0; i < EVENT_COUNT; i++)
        printf("chaos: %6zu %s\n", f->events[i], events[i].text);
    for (enum store_fault fault = STORE_WELL + 1; fault < STORE_FAULT_COUNT; fault++)
        printf("chaos: %6zu requests to the store: %s\n", fault_proxy_count(f->proxy, fault),
            store_fault_text(fault));
    for (size_t i = 0; i < WORD_COUNT; i++)
        printf("chaos: %6zu %s\n", f->words[i], word_texts[i]);
}
