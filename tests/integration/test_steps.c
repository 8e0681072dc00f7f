/*
 * Every step of a job's way (common/base/fault.h): a worker is killed there, or frozen beyond its lease, and
 * the job still ends well, by another worker, with one result.
 *
 * Each point has a queue and a worker of its own; all of them are hit at the same time, and one healthy
 * worker then serves all queues.
 */
#include <check.h>
#include <ctype.h>
#include <signal.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"

Suite *steps_suite(void);

/* What the worker with the fault lives through. */
enum story {
    IDLE,     /* it waits when the job is submitted */
    BEFORE,   /* the job is there before the worker is */
    NOISY,    /* as IDLE; the handler writes a log */
    LONG,     /* as IDLE; the result is longer than what is kept in memory */
    HEAVY,    /* as IDLE; the payload lies in the blob store */
    TELLING,  /* as IDLE; the handler tells how far it is */
    FLAKY,    /* as IDLE; the first try fails */
    HELD,     /* as IDLE; the handler does not end before the fault came */
    ORPHAN,   /* another worker was killed while it ran the job */
    DRAINED,  /* SIGTERM, without time to drain, while the job runs */
    CANCELLED /* the job is cancelled while it runs, and its handler ends before the worker hears of that */
};

/* runs: how often the handler may be started. Killed at run.started, the worker may take it along before it
 * counts. */
static const struct step {
    enum fault_point point;
    enum story story;
    int passage;
    size_t runs_min;
    size_t runs_max;
} steps[] = {
    {FAULT_WAIT_SENT, IDLE, 1, 1, 1},
    {FAULT_WAIT_ANSWERED, IDLE, 1, 1, 1},
    {FAULT_TAKE_SENT, BEFORE, 1, 1, 1},
    {FAULT_TAKE_ANSWERED, BEFORE, 1, 1, 1},
    {FAULT_START_SENT, IDLE, 1, 1, 1},
    {FAULT_START_ANSWERED, IDLE, 1, 1, 1},
    {FAULT_LOOK_SENT, FLAKY, 1, 2, 2},
    {FAULT_LOOK_ANSWERED, FLAKY, 1, 2, 2},
    {FAULT_RUN_STARTED, IDLE, 1, 1, 2},
    {FAULT_RUN_ENDED, IDLE, 1, 2, 2},
    {FAULT_PAYLOAD_SENT, HEAVY, 1, 1, 2},
    {FAULT_PAYLOAD_ANSWERED, HEAVY, 1, 1, 2},
    {FAULT_STREAM_OPENED, LONG, 1, 2, 2},
    {FAULT_PROGRESS_SENT, TELLING, 1, 2, 2},
    {FAULT_LOG_SENT, NOISY, 1, 2, 2},
    {FAULT_LOG_ANSWERED, NOISY, 1, 2, 2},
    {FAULT_STORE_SENT, IDLE, 1, 2, 2},
    {FAULT_STORE_ANSWERED, IDLE, 1, 1, 1},
    {FAULT_SETTLE_SENT, IDLE, 1, 1, 1},
    {FAULT_SETTLE_ANSWERED, IDLE, 1, 1, 1},
    {FAULT_DISPOSE_SENT, HEAVY, 1, 1, 1},
    {FAULT_DISPOSE_ANSWERED, HEAVY, 1, 1, 1},
    {FAULT_REMOVE_SENT, CANCELLED, 1, 1, 1},
    {FAULT_REMOVE_ANSWERED, CANCELLED, 1, 1, 1},
    {FAULT_COMPARE_SENT, DRAINED, 1, 2, 2},
    {FAULT_COMPARE_ANSWERED, DRAINED, 1, 2, 2},
    {FAULT_GIVE_BACK_SENT, DRAINED, 1, 2, 2},
    {FAULT_GIVE_BACK_ANSWERED, DRAINED, 1, 2, 2},
    {FAULT_LEAVE_SENT, DRAINED, 1, 2, 2},
    {FAULT_LEAVE_ANSWERED, DRAINED, 1, 2, 2},
    {FAULT_RENEW_SENT, HELD, 20, 2, 2},
    {FAULT_RENEW_ANSWERED, HELD, 20, 2, 2},
    {FAULT_SILENT_SENT, ORPHAN, 1, 2, 2},
    {FAULT_SILENT_ANSWERED, ORPHAN, 1, 2, 2},
    {FAULT_LIST_SENT, ORPHAN, 1, 2, 2},
    {FAULT_LIST_ANSWERED, ORPHAN, 1, 2, 2},
    {FAULT_REAP_SENT, ORPHAN, 1, 2, 2},
    {FAULT_REAP_ANSWERED, ORPHAN, 1, 2, 2},
    {FAULT_DUE_SENT, FLAKY, 1, 2, 2},
    {FAULT_DUE_ANSWERED, FLAKY, 1, 2, 2},
    {FAULT_PROMOTE_SENT, FLAKY, 1, 2, 2},
    {FAULT_PROMOTE_ANSWERED, FLAKY, 1, 2, 2},
};

enum {
    STEPS = ARRAY_LENGTH(steps),
    WAIT_MS = 45000,
    NAME = 64,
    HEAVY_LENGTH = 300000,
    URL = 512,
    QUEUES_SIZE = 2048
};

#define LEASE "LEASE_MS=1000"

/* What the payload's first word asks for; a shell's script, in which $PWD is the scene's directory. */
static const char handlers[] =
    "{\"types\":{\"step\":{\"kind\":\"command\",\"content_type\":\"text/plain\",\"retry_delay_ms\":50,"
    "\"command\":[\"sh\",\"-c\",\"cd %s && echo $JOBGATE_JOB_ID >>starts && read -r what rest; case $what in "
    "noisy) echo noise >&2;; telling) echo '{\\\"fraction\\\":0.5}' >&3; sleep 0.2;; "
    "long) printf long; head -c 50331648 /dev/zero | tr '\\\\0' x; printf ' '; what=;; flaky) [ "
    "$JOBGATE_ATTEMPT -gt 1 ] || exit 75;; "
    "held) until [ -e go.$JOBGATE_QUEUE ]; do sleep 0.02; done;; esac; "
    "echo $what $rest by $JOBGATE_ATTEMPT\"]}}}";

struct place {
    const struct step *step;
    char queue[NAME];
    char *id;
    struct jobgate *worker;
    bool has_ended;
};

static struct scene s;
static struct place places[STEPS];
static struct jobgate *healthy;
static int signal_number; /* what the fault raises: SIGKILL or SIGSTOP */

static const char *name_of(const struct place *p)
{
    return fault_point_text(p->step->point);
}

/* Whether point and story are told in the table once. */
static void assert_every_point_has_a_step(void)
{
    for (enum fault_point point = FAULT_NONE + 1; point < FAULT_POINT_COUNT; point++) {
        size_t count = 0;

        for (size_t i = 0; i < STEPS; i++)
            count += steps[i].point == point;
        ck_assert_msg(count == 1, "the point %s has %zu steps", fault_point_text(point), count);
    }
}

static void open_scene(void)
{
    AUTO_BUF struct buf json = BUF(1 << 16);

    assert_every_point_has_a_step();
    scene_open(&s);
    buf_printf(&json, handlers, s.directory);
    jobgate_write_handlers(s.directory, json.data, s.handlers);
    scene_start_api(&s, NULL);
    for (size_t i = 0; i < STEPS; i++) {
        places[i] = (struct place){.step = &steps[i]};
        snprintf(places[i].queue, NAME, "%s", name_of(&places[i]));
        *strchr(places[i].queue, '.') = '-';
    }
}

static void close_scene(void)
{
    for (size_t i = 0; i < STEPS; i++) {
        jobgate_free(places[i].worker);
        free(places[i].id);
    }
    jobgate_free(healthy);
    scene_close(&s);
}

/* ---- the parts of a story ---- */

static bool is_stopped(const struct jobgate *g)
{
    char path[64];
    char text[256] = "";
    const char *state;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process_id(jobgate_process(g)));
    file = fopen(path, "re");
    if (!file)
        return false;
    state = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
    fclose(file);
    return state && state[1] && state[2] == 'T';
}

static bool is_hit(const struct place *p)
{
    return signal_number == SIGKILL ? process_has_ended(jobgate_process(p->worker), 0)
                                    : is_stopped(p->worker);
}

static bool is_held(const struct place *p)
{
    enum story story = p->step->story;

    return story == HELD || story == ORPHAN || story == DRAINED || story == CANCELLED;
}

static char *submit(const struct place *p)
{
    const char *what = is_held(p)                  ? "held"
                       : p->step->story == FLAKY   ? "flaky"
                       : p->step->story == NOISY   ? "noisy"
                       : p->step->story == LONG    ? "long"
                       : p->step->story == TELLING ? "telling"
                                                   : "plain";
    char query[128];
    AUTO(free) char *payload = mem_zalloc(HEAVY_LENGTH);
    size_t length;

    snprintf(query, sizeof(query), "type=step&queue=%s", p->queue);
    length = (size_t)snprintf(payload, HEAVY_LENGTH, "%s %s\n", what, p->queue);
    if (p->step->story == HEAVY)
        length = HEAVY_LENGTH;
    return jobgate_submit_raw(s.api, query, "text/plain", payload, length);
}

static size_t count_runs(const char *id)
{
    size_t length = 0;
    size_t count = 0;
    AUTO(free) char *text = scene_read(&s, "starts", &length);

    for (const char *at = text; at && (at = strstr(at, id)); at++)
        count++;
    return count;
}

static void wait_run(const struct place *p)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (count_runs(p->id) == 0)
        ck_assert_msg(wait_until(deadline_ms), "%s: the handler was not started", name_of(p));
}

static void let_go(const struct place *p)
{
    char name[NAME + 8];

    snprintf(name, sizeof(name), "go.%s", p->queue);
    scene_touch(&s, name);
}

static struct jobgate *start_worker(const char *queues, const char *fault, const char *drain)
{
    char queues_setting[QUEUES_SIZE];
    char fault_setting[128];

    snprintf(queues_setting, sizeof(queues_setting), "WORKER_QUEUES=%s", queues);
    snprintf(fault_setting, sizeof(fault_setting), "JOBGATE_FAULT=%s", fault);
    return scene_new_worker(&s, (const char *[]){LEASE, "KILL_GRACE_MS=100", "WORKER_CONCURRENCY=64",
                                    queues_setting, fault_setting, drain, NULL});
}

/* A worker that runs the job, and is killed. */
static void make_orphan(struct place *p)
{
    struct jobgate *victim = start_worker(p->queue, "", "DRAIN_S=20");

    p->id = submit(p);
    wait_run(p);
    jobgate_kill(victim);
    jobgate_free(victim);
}

static void start_faulty(struct place *p)
{
    char fault[128];

    snprintf(fault, sizeof(fault), "%s:%d:%s", name_of(p), p->step->passage,
        signal_number == SIGKILL ? "kill" : "stop");
    p->worker = start_worker(p->queue, fault, p->step->story == DRAINED ? "DRAIN_S=0" : "DRAIN_S=20");
}

/* Idle workers take before they wait: from then on a job comes by the wait. */
static void wait_until_they_wait(void)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        AUTO(free) char *clients = redis_server_text(s.redis, "INFO clients");
        const char *blocked = strstr(clients, "blocked_clients:");
        size_t wanted = 0;

        ck_assert_ptr_nonnull(blocked);
        for (size_t i = 0; i < STEPS; i++)
            wanted += !is_hit(&places[i]) && places[i].step->story != ORPHAN;
        if ((size_t)strtol(blocked + strlen("blocked_clients:"), NULL, 10) + 2 >= wanted)
            break;
        ck_assert_msg(wait_until(deadline_ms), "of %zu workers there wait: %.32s", wanted, blocked);
    }
}

static char *worker_score(const struct place *p)
{
    redisReply *reply =
        redis_server_command(s.redis, "ZRANGE jobgate:{%s.0}:workers 0 0 WITHSCORES", p->queue);
    char *score = mem_strdup(reply->elements == 2 ? reply->element[1]->str : "");

    freeReplyObject(reply);
    return score;
}

/* Right behind a heartbeat there is time until the next. */
static void cancel_behind_a_heartbeat(const struct place *p)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *before = worker_score(p);
    char url[URL];
    bool has_beaten = false;

    while (!has_beaten) {
        AUTO(free) char *now = worker_score(p);

        has_beaten = strcmp(now, before) != 0;
        ck_assert_msg(wait_until(deadline_ms), "%s: no heartbeat came", name_of(p));
    }
    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(s.api), p->id);
    http_ask(&(struct http_ask){.method = "DELETE", .url = url}, &reply);
    ck_assert_msg(
        reply.status / 100 == 2, "%s: the cancel got %d: %s", name_of(p), reply.status, reply.body.data);
    let_go(p);
}

static void run_story(struct place *p)
{
    if (!p->id)
        p->id = submit(p);
    if (p->step->story == DRAINED || p->step->story == CANCELLED)
        wait_run(p);
    if (p->step->story == DRAINED)
        process_signal(jobgate_process(p->worker), SIGTERM);
    if (p->step->story == CANCELLED)
        cancel_behind_a_heartbeat(p);
}

static void tell_stories(void)
{
    int64_t deadline_ms;

    for (size_t i = 0; i < STEPS; i++) {
        if (places[i].step->story == BEFORE)
            places[i].id = submit(&places[i]);
        if (places[i].step->story == ORPHAN)
            make_orphan(&places[i]);
        start_faulty(&places[i]);
    }
    wait_until_they_wait();
    for (size_t i = 0; i < STEPS; i++)
        run_story(&places[i]);
    deadline_ms = clock_steady_ms() + WAIT_MS;
    for (size_t i = 0; i < STEPS; i++) {
        while (!is_hit(&places[i])) {
            AUTO(free) char *said = process_output(jobgate_process(places[i].worker));

            ck_assert_msg(
                wait_until(deadline_ms), "the point %s was not passed:\n%s", name_of(&places[i]), said);
        }
        let_go(&places[i]);
    }
}

/* ---- what must be true afterwards ---- */

static const char *state_wanted(const struct place *p)
{
    return p->step->story == CANCELLED ? "cancelled" : "succeeded";
}

static void start_healthy(void)
{
    AUTO_BUF struct buf queues = BUF(QUEUES_SIZE);

    for (size_t i = 0; i < STEPS; i++)
        buf_printf(&queues, "%s%s", i ? "," : "", places[i].queue);
    healthy = start_worker(queues.data, "", "DRAIN_S=20");
}

static void wait_for_jobs(void)
{
    for (size_t i = 0; i < STEPS; i++)
        json_decref(jobgate_wait_for(s.api, places[i].id, state_wanted(&places[i])));
}

/* What lies in the store is what the job says, and was written by one of its attempts. Returns that attempt.
 */
static int assert_blob(const struct place *p, const json_t *job)
{
    const char *path = json_text_at(job, "/result/blob") + strlen("file://");
    const char *name = path + strlen(s.directory) + 1;
    char properties[URL];
    size_t length = 0;
    struct error e;

    ck_assert_msg(strncmp(path, s.directory, strlen(s.directory)) == 0, "%s: %s", name_of(p), path);
    snprintf(properties, sizeof(properties), "%s.properties", name);
    AUTO(free) char *text = scene_read(&s, properties, &length);
    AUTO(json) json_t *doc = text ? json_parse(text, length, &e) : NULL;

    ck_assert_msg(doc != NULL, "%s: the result has no properties", name_of(p));
    ck_assert_str_eq(json_text_at(doc, "/meta/jobid"), p->id);
    ck_assert_str_eq(json_text_at(doc, "/md5"), json_text_at(job, "/result/md5"));
    return (int)strtol(json_text_at(doc, "/meta/attempt"), NULL, 10);
}

static void assert_result(const struct place *p, const json_t *job)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *text = NULL;
    int attempt = assert_blob(p, job);
    size_t length = 0;

    ck_assert_int_ge(attempt, 1);
    ck_assert_int_le(attempt, (int)json_int_at(job, "/attempt"));
    jobgate_result(s.api, p->id, &reply);
    ck_assert_msg(reply.status == 200, "%s: the result got %d", name_of(p), reply.status);
    length = strcspn(reply.body.data, " ");
    ck_assert_uint_ge(asprintf(&text, "%.*s %s by %d\n", (int)length, reply.body.data, p->queue, attempt), 1);
    ck_assert_str_eq(reply.body.data, text);
    ck_assert_int_eq(json_int_at(job, "/result/size"), (json_int_t)reply.body.length);
}

static void assert_jobs(void)
{
    for (size_t i = 0; i < STEPS; i++) {
        const struct place *p = &places[i];
        AUTO(json) json_t *job = jobgate_job(s.api, p->id);
        size_t runs = count_runs(p->id);

        ck_assert_msg(strcmp(json_text_at(job, "/state"), state_wanted(p)) == 0, "%s: the job became %s",
            name_of(p), json_text_at(job, "/state"));
        ck_assert_msg(runs >= p->step->runs_min && runs <= p->step->runs_max,
            "%s: the handler was started %zu times", name_of(p), runs);
        if (p->step->story == CANCELLED)
            ck_assert_ptr_null(json_at(job, "/result"));
        else
            assert_result(p, job);
    }
}

/* Of a queue that has nothing to do there is left: jobs that will expire, counters, and who was reaped.
 * Cancelled jobs are told to a worker by a list that expires. */
static void assert_key(const char *key)
{
    const char *kind = strstr(key, "}:");

    ck_assert_msg(kind != NULL, "the key %s", key);
    kind += strlen("}:");
    if (strncmp(kind, "job:", 4) == 0 || strcmp(kind, "auditor") == 0 || strncmp(kind, "revoked:", 8) == 0)
        ck_assert_msg(redis_server_integer(s.redis, "TTL %s", key) > 0, "%s does not expire", key);
    else
        ck_assert_msg(strcmp(kind, "stats") == 0 || strcmp(kind, "reaped") == 0, "%s is left over", key);
}

static void assert_keys(void)
{
    redisReply *reply = redis_server_command(s.redis, "KEYS jobgate:{*");

    for (size_t i = 0; i < reply->elements; i++)
        assert_key(reply->element[i]->str);
    freeReplyObject(reply);
}

static size_t count_workers(const struct place *p)
{
    return (size_t)redis_server_integer(s.redis, "ZCARD jobgate:{%s.0}:workers", p->queue);
}

static void wait_workers(const struct place *p, size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (count_workers(p) != count)
        ck_assert_msg(wait_until(deadline_ms), "%s: %zu workers are registered, not %zu", name_of(p),
            count_workers(p), count);
}

static void wait_until_reaped(void)
{
    for (size_t i = 0; i < STEPS; i++)
        wait_workers(&places[i], 1);
}

START_TEST(a_worker_that_is_killed_at_any_step_loses_nothing)
{
    signal_number = SIGKILL;
    tell_stories();
    start_healthy();
    wait_for_jobs();
    wait_until_reaped();
    assert_jobs();
    ck_assert_int_eq(jobgate_stop(healthy), 0);
    assert_keys();
}
END_TEST

/* They go on under new names, those that were stopping end, and what they still had in hand changes nothing.
 */
static void thaw(void)
{
    for (size_t i = 0; i < STEPS; i++)
        process_signal(jobgate_process(places[i].worker), SIGCONT);
    for (size_t i = 0; i < STEPS; i++) {
        struct place *p = &places[i];

        p->has_ended = p->step->story == DRAINED;
        if (p->has_ended)
            ck_assert_msg(
                process_wait(jobgate_process(p->worker), WAIT_MS) == 0, "%s: no good end", name_of(p));
        wait_workers(p, p->has_ended ? 1 : 2);
    }
}

/* Each queue has its own worker alone again. */
static void assert_they_work(void)
{
    char *ids[STEPS] = {NULL};

    for (size_t i = 0; i < STEPS; i++)
        if (!places[i].has_ended)
            ids[i] = submit(&places[i]);
    for (size_t i = 0; i < STEPS; i++)
        if (ids[i])
            json_decref(jobgate_wait_for(s.api, ids[i], "succeeded"));
    for (size_t i = 0; i < STEPS; i++) {
        if (ids[i])
            ck_assert_int_eq(jobgate_stop(places[i].worker), 0);
        free(ids[i]);
    }
}

START_TEST(a_worker_that_is_frozen_at_any_step_changes_nothing_later)
{
    signal_number = SIGSTOP;
    tell_stories();
    start_healthy();
    wait_for_jobs();
    wait_until_reaped();
    assert_jobs();
    thaw();
    assert_jobs();
    ck_assert_int_eq(jobgate_stop(healthy), 0);
    assert_they_work();
    assert_jobs();
    assert_keys();
}
END_TEST

/* ---- what one worker does with itself, and with what others left ---- */

/* Redis forgets the settlement, and nobody reaps the worker: it finds out that its lease is over, cuts the
 * try off, and gives the job back, which does not count as a try. */
START_TEST(a_stored_result_counts_though_its_try_was_given_back)
{
    struct place *p = &places[0];
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    signal_number = SIGSTOP;
    p->worker = start_worker(p->queue, "settle.sent:1:stop", "DRAIN_S=20");
    p->id = submit(p);
    while (!is_hit(p))
        ck_assert_msg(wait_until(deadline_ms), "the worker does not stop");
    freeReplyObject(redis_server_command(s.redis, "SAVE"));
    redis_server_kill(s.redis);
    for (deadline_ms = clock_steady_ms() + 1500; wait_until(deadline_ms);)
        continue;
    process_signal(jobgate_process(p->worker), SIGCONT);
    free(process_find_line(jobgate_process(p->worker), "could not be renewed in time", WAIT_MS));
    redis_server_restart(s.redis);
    jobgate_wait_ready(s.api, 200);
    AUTO(json) json_t *job = jobgate_wait_for(s.api, p->id, "succeeded");

    ck_assert_int_eq(json_int_at(job, "/attempt"), 2);
    ck_assert_uint_eq(scene_count_log(p->worker, "were given back unfinished", ""), 1);
    ck_assert_uint_eq(count_runs(p->id), 1);
    assert_result(p, job);
}
END_TEST

/* A blocking move of a frozen worker may land in its list at any time, also when many others were reaped
 * since. */
START_TEST(what_lands_in_the_list_of_a_worker_that_was_reaped_long_ago_is_found)
{
    struct place *p = &places[0];
    int64_t now_ms = clock_unix_ms();

    p->id = submit(p);
    redis_server_integer(
        s.redis, "ZADD jobgate:{%s.0}:reaped %lld long-ago", p->queue, (long long)(now_ms - 3600000));
    for (int i = 0; i < 40; i++)
        redis_server_integer(
            s.redis, "ZADD jobgate:{%s.0}:reaped %lld of-late-%d", p->queue, (long long)now_ms, i);
    free(redis_server_text(
        s.redis, "LMOVE jobgate:{%s.0}:ready jobgate:{%s.0}:taken:long-ago RIGHT LEFT", p->queue, p->queue));
    p->worker = start_worker(p->queue, "", "DRAIN_S=20");
    json_decref(jobgate_wait_for(s.api, p->id, "succeeded"));
}
END_TEST

/* More than one round takes. Nobody claims from a paused queue, so the order can be seen. */
START_TEST(a_long_list_goes_back_in_its_order)
{
    enum { JOBS = 600 };
    AUTO_REPLY struct http_reply paused = {0};
    struct place *p = &places[0];
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    redisReply *held;
    char url[URL];

    for (int i = 0; i < JOBS; i++) {
        free(submit(p));
        free(redis_server_text(
            s.redis, "LMOVE jobgate:{%s.0}:ready jobgate:{%s.0}:taken:ghost RIGHT LEFT", p->queue, p->queue));
    }
    redis_server_integer(s.redis, "ZADD jobgate:{%s.0}:workers 1 ghost", p->queue);
    snprintf(url, sizeof(url), "%s/v1/queues/%s/pause", jobgate_url(s.api), p->queue);
    http_ask(&(struct http_ask){.method = "POST", .url = url}, &paused);
    ck_assert_int_eq(paused.status / 100, 2);
    p->worker = start_worker(p->queue, "", "DRAIN_S=20");
    while (redis_server_integer(s.redis, "LLEN jobgate:{%s.0}:held", p->queue) < JOBS)
        ck_assert_msg(wait_until(deadline_ms), "the jobs do not come back");
    held = redis_server_command(s.redis, "LRANGE jobgate:{%s.0}:held 0 -1", p->queue);
    for (size_t i = 1; i < held->elements; i++) /* taken from the right, and ids sort by time */
        ck_assert_msg(strcmp(held->element[i - 1]->str, held->element[i]->str) > 0, "%zu stands wrong", i);
    freeReplyObject(held);
}
END_TEST

/* A seam that is armed wrongly would prove nothing. */
START_TEST(a_fault_that_is_not_known_stops_the_start)
{
    static const char *const faults[][2] = {
        {"JOBGATE_FAULT=settle.lost:1:kill", "there is no such point"},
        {"JOBGATE_FAULT=settle.sent", "from 1 to"},
        {"JOBGATE_FAULT=settle.sent:0:kill", "from 1 to"},
        {"JOBGATE_FAULT=settle.sent:1:explode", "kill or stop, not \"explode\""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        AUTO(free) char *said = NULL;
        char path[PROCESS_PATH_SIZE];
        int status;

        snprintf(path, sizeof(path), "%s/jobgate-worker", getenv("JOBGATE_BIN"));
        status = process_run((const char *[]){path, NULL},
            (const char *[]){faults[i][0], redis_server_setting(s.redis), s.store, s.handlers, NULL}, WAIT_MS,
            &said);
        ck_assert_int_eq(status, 78);
        ck_assert_msg(strstr(said, faults[i][1]) != NULL, "%s", said);
    }
}
END_TEST

Suite *steps_suite(void)
{
    Suite *suite = suite_create("steps");
    TCase *all = tcase_create("steps");

    tcase_add_checked_fixture(all, open_scene, close_scene);
    tcase_add_test(all, a_worker_that_is_killed_at_any_step_loses_nothing);
    tcase_add_test(all, a_worker_that_is_frozen_at_any_step_changes_nothing_later);
    tcase_add_test(all, a_stored_result_counts_though_its_try_was_given_back);
    tcase_add_test(all, what_lands_in_the_list_of_a_worker_that_was_reaped_long_ago_is_found);
    tcase_add_test(all, a_long_list_goes_back_in_its_order);
    tcase_add_test(all, a_fault_that_is_not_known_stops_the_start);
    tcase_set_timeout(all, 120);
    suite_add_tcase(suite, all);
    return suite;
}
