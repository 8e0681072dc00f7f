/*
 * Operating: pause and resume, replay, shares of several queues, limits, what is shown of it all, and records
 * that somebody damaged.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *operate_suite(void);

#define SHARD "jobgate:{default.0}:"
#define ECHO_1 "{\"type\":\"echo\",\"payload\":1}"
#define GATED "echo x >>starts; while [ ! -e go ]; do sleep 0.02; done; echo done"

enum { WAIT_MS = 30000, TEXT_SIZE = 512 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    desk_write_types(&s, ",\"soon\":{%s,\"retry_delay_ms\":50,\"max_attempts\":2}");
}

static void close_scene(void)
{
    scene_close(&s);
}

static void set_paused(const char *queue, bool is_paused)
{
    AUTO(json) json_t *answer = NULL;
    char path[128];

    snprintf(path, sizeof(path), "/v1/queues/%s/%s", queue, is_paused ? "pause" : "resume");
    answer = desk_call(s.api, "POST", path, NULL, 200);
    ck_assert_str_eq(json_text_at(answer, "/queue"), queue);
    ck_assert_int_eq(json_is_true(json_at(answer, "/paused")), is_paused);
}

static void expect_echo(void)
{
    AUTO(free) char *id = jobgate_submit(s.api, ECHO_1);

    scene_expect_result(&s, id, "1", 1);
}

/* ---- pause ---- */

/* Whatever would put a job on the queue: a submission, a time that comes, a worker that vanishes. */
START_TEST(nothing_is_started_while_a_queue_is_paused)
{
    struct jobgate *second;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"LEASE_MS=1000", NULL});
    free(scene_submit_script(&s, "", GATED));
    scene_wait_lines(&s, "starts", 1);
    set_paused("default", true);
    for (int i = 0; i < 3; i++)
        free(scene_submit_script(&s, "", GATED));
    free(scene_submit_script(&s, "&delay_s=0.2", GATED));
    jobgate_kill(s.worker);
    second = scene_new_worker(&s, (const char *[]){"LEASE_MS=1000", NULL});
    desk_wait_counter(&s, "default", "lost", 1);
    desk_wait_integer(&s, 5, "LLEN " SHARD "held");
    desk_pass(500); /* in which one would be started */
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready"), 0);
    ck_assert_int_eq(desk_counter(&s, "default", "started"), 1);
    scene_touch(&s, "go");
    set_paused("default", false);
    desk_wait_counter(&s, "default", "succeeded", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 6);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "held"), 0);
    jobgate_free(second);
}
END_TEST

START_TEST(what_runs_when_a_queue_is_paused_goes_on_and_its_retry_waits)
{
    AUTO(free) char *runs = NULL;
    AUTO(free) char *fails = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    runs = scene_submit_script(&s, "", GATED);
    fails = jobgate_submit_raw(s.api, "type=soon", "text/x-sh", GATED "; [ $JOBGATE_ATTEMPT -gt 1 ]",
        strlen(GATED "; [ $JOBGATE_ATTEMPT -gt 1 ]"));
    scene_wait_lines(&s, "starts", 2);
    set_paused("default", true);
    scene_touch(&s, "go");
    scene_expect_result(&s, runs, "done\n", 5);
    desk_wait_integer(&s, 1, "LLEN " SHARD "held");
    desk_pass(300);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
    set_paused("default", false);
    scene_expect_result(&s, fails, "done\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 3);
}
END_TEST

START_TEST(pause_can_be_said_twice_and_is_of_one_queue)
{
    AUTO(free) char *held = NULL;
    AUTO(free) char *other = NULL;
    AUTO(json) json_t *shown = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=default,other", NULL});
    set_paused("default", true);
    set_paused("default", true);
    held = jobgate_submit(s.api, ECHO_1);
    other = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":2,\"queue\":\"other\"}");
    scene_expect_result(&s, other, "2", 1);
    ck_assert(desk_is_in(s.api, held, "queued"));
    shown = desk_call(s.api, "GET", "/v1/queues/default", NULL, 200);
    ck_assert(json_is_true(json_at(shown, "/paused")));
    ck_assert_int_eq(json_int_at(shown, "/waiting"), 1);
    set_paused("default", false);
    set_paused("default", false);
    scene_expect_result(&s, held, "1", 1);
    json_decref(desk_refused(s.api, "POST", "/v1/queues/NO/pause", NULL, 404, "not_found"));
    json_decref(desk_refused(s.api, "POST", "/v1/queues/-/resume", NULL, 404, "not_found"));
}
END_TEST

/* ---- replay ---- */

START_TEST(dead_job_is_replayed_as_if_it_were_new)
{
    static const char script[] = "echo x >>starts; [ -e repaired ] || exit 1; echo by $JOBGATE_ATTEMPT";
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *replayed = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    id = jobgate_submit_raw(s.api, "type=soon", "text/x-sh", script, strlen(script));
    scene_expect_dead(&s, id, "handler_failed", "exit status 1");
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
    json_decref(desk_call_job(s.api, "POST", id, "/retry", 200)); /* and again it has all its tries */
    scene_wait_lines(&s, "starts", 4);
    scene_expect_dead(&s, id, "handler_failed", "exit status 1");
    scene_touch(&s, "repaired");
    set_paused("default", true);
    replayed = desk_call_job(s.api, "POST", id, "/retry", 200);
    ck_assert_str_eq(json_text_at(replayed, "/state"), "queued");
    ck_assert_int_eq(json_int_at(replayed, "/attempt"), 4);
    ck_assert_ptr_null(json_at(replayed, "/error"));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "dead"), 0);
    set_paused("default", false);
    scene_expect_result(&s, id, "by 5\n", 5);
    ck_assert_int_eq(desk_counter(&s, "default", "replayed"), 2);
}
END_TEST

START_TEST(only_a_dead_job_is_replayed)
{
    AUTO(free) char *queued = NULL;
    AUTO(free) char *later = NULL;
    AUTO(free) char *cancelled = NULL;
    AUTO(free) char *good = NULL;
    const char *ids[4];

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    good = jobgate_submit(s.api, ECHO_1);
    scene_expect_result(&s, good, "1", 1);
    queued = jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"other\"}");
    later = jobgate_submit(s.api, "{\"type\":\"echo\",\"delay_s\":3600}");
    cancelled = jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"other\"}");
    json_decref(desk_call_job(s.api, "DELETE", cancelled, "", 200));
    ids[0] = good, ids[1] = queued, ids[2] = later, ids[3] = cancelled;
    for (int i = 0; i < 4; i++) {
        char path[TEXT_SIZE];

        snprintf(path, sizeof(path), "/v1/jobs/%s/retry", ids[i]);
        json_decref(desk_refused(s.api, "POST", path, NULL, 409, "conflict"));
    }
    ck_assert_int_eq(desk_counter(&s, "default", "replayed"), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{other.0}:ready"), 2);
    json_decref(desk_refused(s.api, "POST", "/v1/jobs/nothing/retry", NULL, 404, "not_found"));
}
END_TEST

/* ---- several queues ---- */

static void submit_many(const char *queue, int count)
{
    for (int i = 0; i < count; i++) {
        char options[64];

        snprintf(options, sizeof(options), "&queue=%s", queue);
        free(scene_submit_script(&s, options, "echo $JOBGATE_QUEUE >>order"));
    }
}

/* How many of the first `count` lines name the queue. */
static int count_starts(const char *order, const char *queue, int count)
{
    int starts = 0;

    for (; count-- && *order; order += strcspn(order, "\n") + 1)
        starts += strncmp(order, queue, strlen(queue)) == 0;
    return starts;
}

START_TEST(queues_get_their_shares)
{
    enum { A = 40, B = 25, C = 15, FIRST = 50 };
    AUTO(free) char *order = NULL;
    size_t length;
    int a;
    int b;
    int c;

    scene_start_api(&s, NULL);
    submit_many("c", C);
    submit_many("b", B);
    submit_many("a", A);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=c:1,a:6,b:3", "WORKER_CONCURRENCY=1", NULL});
    scene_wait_lines(&s, "order", A + B + C);
    order = scene_read(&s, "order", &length);
    a = count_starts(order, "a", FIRST);
    b = count_starts(order, "b", FIRST);
    c = count_starts(order, "c", FIRST);
    ck_assert_msg(abs(a - 30) <= 4 && abs(b - 15) <= 3 && abs(c - 5) <= 2,
        "of %d starts a had %d, b %d, c %d", FIRST, a, b, c);
    ck_assert_int_ge(count_starts(order, "c", 15), 1);
}
END_TEST

/* Without weights all are alike; one that has nothing leaves its share to the others. */
START_TEST(queues_without_weights_are_alike_and_empty_ones_cost_nothing)
{
    enum { EACH = 20, FIRST = 24 };
    AUTO(free) char *order = NULL;
    size_t length;
    int a;

    scene_start_api(&s, NULL);
    submit_many("a", EACH);
    submit_many("b", EACH);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=empty:100,a,b", "WORKER_CONCURRENCY=1", NULL});
    scene_wait_lines(&s, "order", 2 * EACH);
    order = scene_read(&s, "order", &length);
    a = count_starts(order, "a", FIRST);
    ck_assert_msg(abs(a - FIRST / 2) <= 4, "of %d starts a had %d", FIRST, a);
}
END_TEST

START_TEST(strict_order_serves_the_first_queue_first)
{
    enum { EACH = 12 };
    AUTO(free) char *order = NULL;
    size_t length;

    scene_start_api(&s, NULL);
    submit_many("c", EACH);
    submit_many("b", EACH);
    submit_many("a", EACH);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=a:1,b:100,c", "WORKER_QUEUE_ORDER=strict",
                               "WORKER_CONCURRENCY=1", NULL});
    scene_wait_lines(&s, "order", 3 * EACH);
    order = scene_read(&s, "order", &length);
    ck_assert_int_eq(count_starts(order, "a", EACH), EACH);
    ck_assert_int_eq(count_starts(order, "b", 2 * EACH), EACH);
    ck_assert_int_eq(count_starts(order, "c", 2 * EACH), 0);
}
END_TEST

/* Says how the worker's start is refused: the setting's name and what is wrong. */
START_TEST(weights_that_are_none_stop_the_start)
{
    static const char *const wrong[][2] = {{"WORKER_QUEUES=a:0", "the weight of a"},
        {"WORKER_QUEUES=a:1,b:1001", "the weight of b"}, {"WORKER_QUEUES=a:", "the weight of a"},
        {"WORKER_QUEUES=a:-1", "the weight of a"}, {"WORKER_QUEUES=a:1.5", "the weight of a"},
        {"WORKER_QUEUES=a:2:3", "the weight of a"}, {"WORKER_QUEUES=a:1,a:2", "a stands there twice"},
        {"WORKER_QUEUES=:1", "not a queue's name"}};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        AUTO(free) char *said = NULL;
        char path[PROCESS_PATH_SIZE];
        int status;

        snprintf(path, sizeof(path), "%s/jobgate-worker", getenv("JOBGATE_BIN"));
        status = process_run((const char *[]){path, "--check-config", NULL},
            (const char *[]){wrong[i][0], redis_server_setting(s.redis), s.store, s.handlers, NULL}, WAIT_MS,
            &said);
        ck_assert_int_ne(status, 0);
        ck_assert_msg(
            strstr(said, "WORKER_QUEUES") && strstr(said, wrong[i][1]), "%s: %s", wrong[i][0], said);
    }
}
END_TEST

/* ---- limits ---- */

static void expect_later(const char *json, int status, const char *code)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *retry = NULL;

    desk_ask(s.api, "POST", "/v1/jobs", json, &reply);
    json_decref(scene_problem(&reply, status, code));
    retry = http_reply_header(&reply, "Retry-After");
    ck_assert_ptr_nonnull(retry);
    ck_assert_int_ge(strtol(retry, NULL, 10), 1);
}

START_TEST(queue_that_is_full_answers_429)
{
    scene_start_api(&s, (const char *[]){"QUEUE_DEPTH_MAX=4", NULL});
    for (int i = 0; i < 3; i++)
        free(jobgate_submit(s.api, ECHO_1));
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1,\"delay_s\":0.5}"));
    for (int i = 0; i < 2; i++) {
        expect_later(ECHO_1, 429, "queue_full");
        expect_later("{\"type\":\"echo\",\"delay_s\":1}", 429, "queue_full");
    }
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"other\"}"));
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 4);
    set_paused("default", true);
    expect_later(ECHO_1, 429, "queue_full");
    set_paused("default", false);
    scene_start_worker(&s, NULL);
    desk_wait_counter(&s, "default", "succeeded", 4);
    expect_echo();
}
END_TEST

START_TEST(queue_that_is_one_too_many_is_refused)
{
    AUTO(json) json_t *problem = NULL;

    scene_start_api(&s, (const char *[]){"QUEUES_MAX=2", NULL});
    free(jobgate_submit(s.api, ECHO_1));
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"second\"}"));
    problem =
        desk_refused(s.api, "POST", "/v1/jobs", "{\"type\":\"echo\",\"queue\":\"third\"}", 422, "invalid");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "third"));
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "2"));
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"second\"}"));
    ck_assert_int_eq(redis_server_integer(s.redis, "SCARD jobgate:queues"), 2);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS jobgate:{third.0}:ready"), 0);
}
END_TEST

static void set_memory(const char *limit)
{
    free(redis_server_text(s.redis, "CONFIG SET maxmemory %s", limit));
}

static void wait_for_status(int status)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};

        desk_ask(s.api, "POST", "/v1/jobs", ECHO_1, &reply);
        if (reply.status == status)
            return;
        ck_assert_msg(wait_until(deadline_ms), "a submission gets %d, not %d", reply.status, status);
    }
}

/* With a maximum that its memory is far beyond, Redis refuses whatever it may refuse. */
START_TEST(full_redis_takes_no_jobs_and_finishes_those_it_has)
{
    static const char script[] = "[ $JOBGATE_ATTEMPT -gt 1 ] && echo done";
    enum { JOBS = 8 };
    AUTO(free) char *running = NULL;
    AUTO(free) char *waiting = NULL;
    AUTO(free) char *fails = NULL;
    AUTO(free) char *later = NULL;
    AUTO(free) char *cancelled = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=2", "LEASE_MS=2000", NULL});
    running = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    later = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1,\"delay_s\":2.5}");
    set_paused("default", true);
    for (int i = 0; i < JOBS; i++)
        free(jobgate_submit(s.api, ECHO_1));
    waiting = scene_submit_script(&s, "", "echo waited");
    fails = jobgate_submit_raw(s.api, "type=soon", "text/x-sh", script, strlen(script));
    cancelled = jobgate_submit(s.api, ECHO_1);
    set_memory("100kb");
    wait_for_status(503);
    expect_later(ECHO_1, 503, "redis_full");
    json_decref(desk_call_job(s.api, "DELETE", cancelled, "", 200));
    set_paused("default", false);
    scene_touch(&s, "go");
    scene_expect_result(&s, running, "done\n", 5);
    scene_expect_result(&s, waiting, "waited\n", 7);
    scene_expect_result(&s, fails, "done\n", 5);
    scene_expect_result(&s, later, "1", 1);
    ck_assert_int_eq(desk_counter(&s, "default", "succeeded"), JOBS + 4);
    expect_later(ECHO_1, 503, "redis_full");
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready " SHARD "scheduled"), 0);
    ck_assert_uint_eq(scene_count_log(s.worker, "could not be renewed", ""), 0);
    set_memory("0");
    wait_for_status(202);
    expect_echo();
}
END_TEST

/* Above the mark, and far from the maximum: nothing fails for want of memory, and new jobs are refused. */
START_TEST(high_water_refuses_before_redis_is_full)
{
    AUTO(free) char *id = NULL;

    scene_start_api(&s, (const char *[]){"REDIS_HIGH_WATER_PERCENT=10", NULL});
    id = jobgate_submit(s.api, ECHO_1);
    set_memory("5mb"); /* an empty Redis uses more than a tenth of it */
    wait_for_status(503);
    expect_later(ECHO_1, 503, "redis_full");
    free(redis_server_text(s.redis, "SET room yes")); /* it takes other things */
    ck_assert_uint_eq(scene_count_log(s.api, "submissions get 503", "\"level\":\"warn\""), 1);
    set_memory("1gb");
    wait_for_status(202);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "1", 1);
}
END_TEST

/* A Redis that may evict drops what was accepted: the operator is told, once. */
START_TEST(redis_that_evicts_is_warned_of)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    free(redis_server_text(s.redis, "CONFIG SET maxmemory-policy allkeys-lru"));
    scene_start_api(&s, NULL);
    while (scene_count_log(s.api, "\"level\":\"warn\"", "allkeys-lru") == 0)
        ck_assert(wait_until(deadline_ms));
    desk_pass(1200); /* in which it looks again */
    ck_assert_uint_eq(scene_count_log(s.api, "\"level\":\"warn\"", "allkeys-lru"), 1);
}
END_TEST

/* ---- what is shown ---- */

static void expect_number(const json_t *value, const char *pointer, json_int_t wanted)
{
    ck_assert_msg(json_int_at(value, pointer) == wanted, "%s is %lld, not %lld", pointer,
        (long long)json_int_at(value, pointer), (long long)wanted);
}

/* Waits until the ops port's /v1/stats says so; returns it (json_decref). */
static json_t *wait_for_stats(const char *pointer, json_int_t wanted)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char url[TEXT_SIZE];

    snprintf(url, sizeof(url), "%s/v1/stats", jobgate_ops_url(s.api));
    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};
        json_t *stats;
        const json_t *value;

        http_get(url, &reply);
        ck_assert_int_eq(reply.status, 200);
        stats = http_reply_json(&reply);
        value = json_at(stats, pointer);
        if (value && json_integer_value(value) == wanted)
            return stats;
        ck_assert_msg(
            wait_until(deadline_ms), "%s is not %lld: %s", pointer, (long long)wanted, reply.body.data);
        json_decref(stats);
    }
}

/* Two queues, one worker on both: of `default` two run, three wait, one is scheduled, one dead, one cancelled
 * and one succeeded; of `other` one waits, and it is paused. */
static void make_a_scene(void)
{
    AUTO(free) char *dead = NULL;
    AUTO(free) char *good = NULL;
    AUTO(free) char *gone = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=2", "WORKER_QUEUES=default,other", NULL});
    set_paused("other", true);
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"queue\":\"other\"}"));
    dead = scene_submit_script(&s, "", "exit 65");
    json_decref(jobgate_wait_for(s.api, dead, "dead"));
    good = jobgate_submit(s.api, ECHO_1);
    json_decref(jobgate_wait_for(s.api, good, "succeeded"));
    for (int i = 0; i < 5; i++)
        free(scene_submit_script(&s, "", GATED));
    scene_wait_lines(&s, "starts", 2);
    free(scene_submit_script(&s, "&delay_s=3600", GATED));
    gone = scene_submit_script(&s, "&delay_s=3600", GATED);
    json_decref(desk_call_job(s.api, "DELETE", gone, "", 200));
}

static void assert_default_queue(const json_t *queue)
{
    ck_assert_str_eq(json_text_at(queue, "/name"), "default");
    ck_assert(json_is_false(json_at(queue, "/paused")));
    expect_number(queue, "/waiting", 3);
    expect_number(queue, "/scheduled", 1);
    expect_number(queue, "/running", 2);
    expect_number(queue, "/dead", 1);
    expect_number(queue, "/workers", 1);
    expect_number(queue, "/slots", 2);
    expect_number(queue, "/totals/submitted", 9);
    expect_number(queue, "/totals/started", 4);
    expect_number(queue, "/totals/succeeded", 1);
    expect_number(queue, "/totals/dead", 1);
    expect_number(queue, "/totals/cancelled", 1);
    expect_number(queue, "/totals/retried", 0);
    expect_number(queue, "/totals/lost", 0);
    ck_assert(json_is_number(json_at(queue, "/oldest_age_s")));
    ck_assert(json_number_value(json_at(queue, "/oldest_age_s")) > 0);
}

static void assert_sums(const json_t *stats)
{
    expect_number(stats, "/waiting", 4);
    expect_number(stats, "/scheduled", 1);
    expect_number(stats, "/running", 2);
    expect_number(stats, "/demand", 5); /* not the one that waits in the paused queue */
    expect_number(stats, "/dead", 1);
    expect_number(stats, "/workers", 1);
    expect_number(stats, "/slots", 2);
    assert_default_queue(json_at(stats, "/queues/default"));
    expect_number(stats, "/queues/other/waiting", 1);
    expect_number(stats, "/queues/other/demand", 0);
    ck_assert(json_is_true(json_at(stats, "/queues/other/paused")));
}

START_TEST(queues_and_workers_are_shown_as_they_are)
{
    AUTO(json) json_t *queue = NULL;
    AUTO(json) json_t *queues = NULL;
    AUTO(json) json_t *workers = NULL;
    AUTO(json) json_t *stats = NULL;
    AUTO(json) json_t *unknown = NULL;
    AUTO(free) char *name = NULL;

    make_a_scene();
    queue = desk_call(s.api, "GET", "/v1/queues/default", NULL, 200);
    assert_default_queue(queue);
    queues = desk_call(s.api, "GET", "/v1/queues", NULL, 200);
    ck_assert_uint_eq(json_array_size(json_at(queues, "/queues")), 2);
    stats = desk_call(s.api, "GET", "/v1/stats", NULL, 200);
    assert_sums(stats);
    workers = desk_call(s.api, "GET", "/v1/workers", NULL, 200);
    ck_assert_uint_eq(json_array_size(json_at(workers, "/workers")), 1);
    name = desk_workers(&s, "default");
    name[strcspn(name, "\n")] = '\0';
    ck_assert_str_eq(json_text_at(workers, "/workers/0/name"), name);
    expect_number(workers, "/workers/0/slots", 2);
    expect_number(workers, "/workers/0/running", 2);
    desk_time(workers, "/workers/0/last_heartbeat_at");
    unknown = desk_call(s.api, "GET", "/v1/queues/nobody-used-it", NULL, 200);
    expect_number(unknown, "/waiting", 0);
    json_decref(desk_refused(s.api, "GET", "/v1/queues/NO", NULL, 404, "not_found"));
    scene_touch(&s, "go");
}
END_TEST

START_TEST(ops_port_says_the_same)
{
    AUTO(json) json_t *stats = NULL;

    make_a_scene();
    stats = wait_for_stats("/queues/default/totals/cancelled", 1);
    assert_sums(stats);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"waiting\"}", 3);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"scheduled\"}", 1);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"running\"}", 2);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"dead\"}", 1);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"other\",state=\"waiting\"}", 1);
    jobgate_wait_metric(s.api, "jobgate_queue_paused{queue=\"other\"}", 1);
    jobgate_wait_metric(s.api, "jobgate_queue_paused{queue=\"default\"}", 0);
    jobgate_wait_metric(s.api, "jobgate_queue_workers{queue=\"default\"}", 1);
    ck_assert(jobgate_metric(s.api, "jobgate_queue_oldest_age_seconds{queue=\"default\"}") > 0);
    set_paused("other", false);
    scene_touch(&s, "go");
    json_decref(wait_for_stats("/queues/default/totals/succeeded", 6));
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"waiting\"}", 0);
    jobgate_wait_metric(s.api, "jobgate_queue_jobs{queue=\"default\",state=\"running\"}", 0);
    jobgate_wait_metric(s.api, "jobgate_queue_oldest_age_seconds{queue=\"default\"}", 0);
}
END_TEST

/* ---- damaged records ---- */

static void set_record(const char *id, const void *bytes, size_t length)
{
    redisReply *reply = redis_server_command(s.redis, "SET " SHARD "job:%s %b", id, bytes, length);

    freeReplyObject(reply);
}

static char *read_record(const char *id, size_t *length)
{
    redisReply *reply = redis_server_command(s.redis, "GET " SHARD "job:%s", id);
    char *record = mem_dup(reply->str, (size_t)reply->len);

    *length = (size_t)reply->len;
    freeReplyObject(reply);
    return record;
}

static void damage_by_type(const char *id)
{
    redis_server_integer(s.redis, "DEL " SHARD "job:%s", id);
    redis_server_integer(s.redis, "LPUSH " SHARD "job:%s a b", id);
}

static void damage_by_garbage(const char *id)
{
    set_record(id, "\xff\x00 nothing that anybody wrote \x80", 29);
}

static void damage_by_emptying(const char *id)
{
    set_record(id, "", 0);
}

static void damage_by_cutting(const char *id)
{
    size_t length;
    AUTO(free) char *record = read_record(id, &length);

    set_record(id, record, 20);
}

/* A state that nobody knows: the record's second byte. */
static void damage_the_state(const char *id)
{
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s 1 Z", id);
}

/* The spec stands behind twelve bytes; it begins {"type":". */
static void damage_the_text(const char *id)
{
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s 21 %b", id, "\xc3\x28", (size_t)2);
}

static void damage_the_fields(const char *id)
{
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s 14 X", id);
}

static void damage_the_length(const char *id)
{
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s 8 %b", id, "\xff\xff", (size_t)2);
}

static void (*const damages[])(const char *id) = {damage_by_type, damage_by_garbage, damage_by_emptying,
    damage_by_cutting, damage_the_state, damage_the_text, damage_the_fields, damage_the_length};

enum { DAMAGES = ARRAY_LENGTH(damages) };

static void submit_each(char *ids[DAMAGES], const char *json)
{
    for (size_t i = 0; i < DAMAGES; i++)
        ids[i] = jobgate_submit(s.api, json);
}

static void damage_each(char *const ids[DAMAGES])
{
    for (size_t i = 0; i < DAMAGES; i++)
        damages[i](ids[i]);
}

/* Each is dead and says why; it can be replayed, which cannot mend it, and is dead again. */
static void expect_set_aside(char *ids[DAMAGES])
{
    desk_wait_counter(&s, "default", "dead", DAMAGES);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "dead"), DAMAGES);
    for (size_t i = 0; i < DAMAGES; i++) {
        scene_expect_dead(&s, ids[i], "bad_record", "");
        json_decref(desk_call_job(s.api, "POST", ids[i], "/retry", 200));
        scene_expect_dead(&s, ids[i], "no_handler", "");
        free(ids[i]);
    }
    expect_echo();
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready " SHARD "scheduled"), 0);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "workers"), 0);
}

START_TEST(damaged_jobs_that_wait_are_set_aside)
{
    char *ids[DAMAGES];

    scene_start_api(&s, NULL);
    submit_each(ids, ECHO_1);
    damage_each(ids);
    scene_start_worker(&s, NULL);
    expect_set_aside(ids);
}
END_TEST

START_TEST(damaged_jobs_that_are_scheduled_are_set_aside)
{
    char *ids[DAMAGES];

    scene_start_api(&s, NULL);
    submit_each(ids, "{\"type\":\"echo\",\"payload\":1,\"delay_s\":0.5}");
    damage_each(ids);
    scene_start_worker(&s, NULL);
    expect_set_aside(ids);
}
END_TEST

/* While their handlers run; then they end, or their worker vanishes. */
static void damage_what_runs(char *ids[DAMAGES], const char *const *settings)
{
    scene_start_api(&s, NULL);
    scene_start_worker(&s, settings);
    for (size_t i = 0; i < DAMAGES; i++)
        ids[i] = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", DAMAGES);
    damage_each(ids);
}

START_TEST(damaged_jobs_that_run_are_set_aside_when_they_end)
{
    char *ids[DAMAGES];
    long long ended;

    damage_what_runs(ids, NULL);
    scene_touch(&s, "go");
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    ended = desk_counter(&s, "default", "dead") + desk_counter(&s, "default", "succeeded");
    ck_assert_int_eq(ended, DAMAGES);
    expect_echo();
    for (size_t i = 0; i < DAMAGES; i++)
        free(ids[i]);
}
END_TEST

START_TEST(damaged_jobs_of_a_worker_that_vanished_are_set_aside)
{
    char *ids[DAMAGES];

    damage_what_runs(ids, (const char *[]){"LEASE_MS=1000", NULL});
    jobgate_kill(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, (const char *[]){"LEASE_MS=1000", NULL});
    expect_set_aside(ids);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open_scene, close_scene);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
    return one;
}

Suite *operate_suite(void)
{
    Suite *suite = suite_create("operate");
    TCase *pause = add_case(suite, "pause");
    TCase *replay = add_case(suite, "replay");
    TCase *shares = add_case(suite, "shares");
    TCase *limits = add_case(suite, "limits");
    TCase *shown = add_case(suite, "shown");
    TCase *damaged = add_case(suite, "damaged");

    tcase_add_test(pause, nothing_is_started_while_a_queue_is_paused);
    tcase_add_test(pause, what_runs_when_a_queue_is_paused_goes_on_and_its_retry_waits);
    tcase_add_test(pause, pause_can_be_said_twice_and_is_of_one_queue);
    tcase_add_test(replay, dead_job_is_replayed_as_if_it_were_new);
    tcase_add_test(replay, only_a_dead_job_is_replayed);
    tcase_add_test(shares, queues_get_their_shares);
    tcase_add_test(shares, queues_without_weights_are_alike_and_empty_ones_cost_nothing);
    tcase_add_test(shares, strict_order_serves_the_first_queue_first);
    tcase_add_test(shares, weights_that_are_none_stop_the_start);
    tcase_add_test(limits, queue_that_is_full_answers_429);
    tcase_add_test(limits, queue_that_is_one_too_many_is_refused);
    tcase_add_test(limits, full_redis_takes_no_jobs_and_finishes_those_it_has);
    tcase_add_test(limits, high_water_refuses_before_redis_is_full);
    tcase_add_test(limits, redis_that_evicts_is_warned_of);
    tcase_add_test(shown, queues_and_workers_are_shown_as_they_are);
    tcase_add_test(shown, ops_port_says_the_same);
    tcase_add_test(damaged, damaged_jobs_that_wait_are_set_aside);
    tcase_add_test(damaged, damaged_jobs_that_are_scheduled_are_set_aside);
    tcase_add_test(damaged, damaged_jobs_that_run_are_set_aside_when_they_end);
    tcase_add_test(damaged, damaged_jobs_of_a_worker_that_vanished_are_set_aside);
    return suite;
}
