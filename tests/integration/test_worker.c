/*
 * The worker: how it runs handlers, how many, and what becomes of them and of their jobs when it ends.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/stage.h"

Suite *worker_suite(void);

#define READY "jobgate:{default.0}:ready"

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

/* Writes a line, waits for the file `go`, writes another. */
#define GATED "echo started >>starts; while [ ! -e go ]; do sleep 0.02; done; echo ended >>ends; echo done"

static void expect_state(const char *id, const char *state)
{
    AUTO(json) json_t *job = jobgate_job(s.api, id);

    ck_assert_str_eq(json_text_at(job, "/state"), state);
}

/* A counter of the queue, as Redis has it. */
static long long stat_of(const char *name)
{
    AUTO(free) char *digits = redis_server_text(s.redis, "HGET jobgate:{default.0}:stats %s", name);

    return digits ? strtoll(digits, NULL, 10) : 0;
}

/* ---- stopping ---- */

START_TEST(sigterm_finishes_what_runs_and_claims_no_more)
{
    AUTO(free) char *first = scene_submit_script(&s, "", GATED);
    AUTO(free) char *second = scene_submit_script(&s, "", GATED);
    AUTO(free) char *third = NULL;

    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=2", NULL});
    scene_wait_lines(&s, "starts", 2);
    third = scene_submit_script(&s, "", GATED);
    process_signal(jobgate_process(s.worker), SIGTERM);
    jobgate_wait_ready(s.worker, 503);
    ck_assert(!process_has_ended(jobgate_process(s.worker), 300));
    expect_state(first, "running");
    scene_touch(&s, "go");
    ck_assert_int_eq(process_wait(jobgate_process(s.worker), 30000), 0);
    scene_expect_result(&s, first, "done\n", 5);
    scene_expect_result(&s, second, "done\n", 5);
    expect_state(third, "queued");
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " READY), 1);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, third, "done\n", 5);
}
END_TEST

START_TEST(idle_worker_stops_at_once)
{
    scene_start_worker(&s, (const char *[]){"DRAIN_S=3600", NULL});
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
}
END_TEST

enum { CUT_OFF = 3, BEHIND = 3 };

/* Those that ran go back to the head, in their order, before those that waited; and the try that was cut off
 * does not count. */
START_TEST(jobs_that_the_drain_cuts_off_go_back_in_order)
{
    char *ids[CUT_OFF + BEHIND];

    for (int i = 0; i < CUT_OFF + BEHIND; i++) {
        char script[256];

        snprintf(script, sizeof(script),
            "echo $$ >>pids; if [ -e go ]; then echo %d >>order; else sleep 1000 & echo $! >>pids; wait; fi",
            i);
        ids[i] = scene_submit_script(&s, "", script);
    }
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=3", "DRAIN_S=1", NULL});
    scene_wait_lines(&s, "pids", 2 * CUT_OFF);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    for (int i = 0; i < CUT_OFF + BEHIND; i++) {
        AUTO(json) json_t *job = jobgate_job(s.api, ids[i]);
        AUTO(free) char *at = redis_server_text(s.redis, "LINDEX " READY " %d", -1 - i);

        ck_assert_str_eq(json_text_at(job, "/state"), "queued");
        ck_assert_int_eq(json_int_at(job, "/attempt"), i < CUT_OFF);
        ck_assert_str_eq(at, ids[i]);
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " READY), CUT_OFF + BEHIND);
    ck_assert_int_eq(stat_of("returned"), CUT_OFF);
    scene_touch(&s, "go");
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=1", NULL});
    for (int i = 0; i < CUT_OFF + BEHIND; i++) {
        json_decref(jobgate_wait_for(s.api, ids[i], "succeeded"));
        free(ids[i]);
    }
    {
        size_t length;
        AUTO(free) char *order = scene_read(&s, "order", &length);

        ck_assert_str_eq(order, "0\n1\n2\n3\n4\n5\n");
    }
}
END_TEST

static size_t read_pids(const char *name, pid_t pids[], size_t max)
{
    size_t length = 0;
    AUTO(free) char *text = scene_read(&s, name, &length);
    size_t count = 0;
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")) && *line && count < max)
        pids[count++] = (pid_t)strtol(line, NULL, 10);
    return count;
}

/* Whatever they started, and whatever signals they ignore. */
#define FAMILY                                                                                               \
    "trap '' TERM HUP INT; echo $$ >>pids; (trap '' TERM HUP; sleep 1000 & echo $! >>pids; wait) & echo $! " \
    ">>pids; wait"

START_TEST(handlers_die_with_a_worker_that_is_killed)
{
    pid_t pids[8];

    scene_start_worker(&s, NULL);
    for (int i = 0; i < 2; i++)
        free(scene_submit_script(&s, "", FAMILY));
    scene_wait_lines(&s, "pids", 6);
    ck_assert_uint_eq(read_pids("pids", pids, 8), 6);
    for (int i = 0; i < 6; i++)
        ck_assert(process_lives(pids[i]));
    jobgate_kill(s.worker);
    for (int i = 0; i < 6; i++)
        process_wait_gone(pids[i]);
}
END_TEST

START_TEST(time_limit_kills_grandchildren_too)
{
    AUTO(free) char *id = NULL;
    pid_t pids[16];
    size_t count;

    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "&timeout_s=1", FAMILY);
    scene_expect_dead(&s, id, "timeout", "1000 ms");
    count = read_pids("pids", pids, 16);
    ck_assert_uint_ge(count, 3);
    for (size_t i = 0; i < count; i++)
        process_wait_gone(pids[i]);
}
END_TEST

/* What a handler leaves behind in its group ends with it, also when it succeeded. */
START_TEST(handler_that_ends_takes_its_children_along)
{
    AUTO(free) char *id = NULL;
    pid_t pids[4];

    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "", "sleep 1000 >/dev/null 2>&1 & echo $! >>pids; echo done");
    scene_expect_result(&s, id, "done\n", 5);
    ck_assert_uint_eq(read_pids("pids", pids, 4), 1);
    process_wait_gone(pids[0]);
}
END_TEST

/* ---- how many ---- */

START_TEST(no_more_run_at_once_than_the_setting_says)
{
    enum { JOBS = 12, AT_ONCE = 3 };
    size_t length;
    AUTO(free) char *counts = NULL;
    long most = 0;

    for (int i = 0; i < JOBS; i++)
        free(scene_submit_script(
            &s, "", "mkdir -p run; touch run/$$; " GATED "; ls run | wc -l >>counts; rm run/$$"));
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=3", NULL});
    scene_wait_lines(&s, "starts", AT_ONCE);
    usleep(300000); /* in which a further one would begin */
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), AT_ONCE);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " READY), JOBS - AT_ONCE);
    ck_assert_int_eq((int)jobgate_metric(s.worker, "jobgate_jobs_running"), AT_ONCE);
    scene_touch(&s, "go");
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"sh\",state=\"succeeded\"}", JOBS);
    counts = scene_read(&s, "counts", &length);
    ck_assert_uint_eq(scene_count_lines(&s, "counts"), JOBS);
    for (char *rest = counts, *line; (line = strsep(&rest, "\n"));)
        most = strtol(line, NULL, 10) > most ? strtol(line, NULL, 10) : most;
    ck_assert_int_le(most, AT_ONCE);
}
END_TEST

/* A full house still lets in whatever comes when there is room, one by one. */
START_TEST(slot_that_becomes_free_is_used)
{
    AUTO(free) char *blocker = scene_submit_script(&s, "", GATED);

    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=2", NULL});
    scene_wait_lines(&s, "starts", 1);
    for (int i = 0; i < 20; i++) {
        AUTO(free) char *id = jobgate_submit(s.api, "{\"type\":\"cat\",\"payload\":1}");

        scene_expect_result(&s, id, "1", 1);
    }
    expect_state(blocker, "running");
    scene_touch(&s, "go");
    scene_expect_result(&s, blocker, "done\n", 5);
}
END_TEST

/* ---- many ---- */

static double finished(const struct jobgate *g, const char *type)
{
    char name[128];

    snprintf(name, sizeof(name), "jobgate_jobs_finished_total{type=\"%s\",state=\"succeeded\"}", type);
    return jobgate_metric(g, name);
}

static void assert_lists_are_empty(void)
{
    redisReply *taken = redis_server_command(s.redis, "KEYS jobgate:*:taken:*");

    ck_assert_uint_eq(taken->elements, 0);
    freeReplyObject(taken);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " READY), 0);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two workers share them; each handler leaves a line with its number. */
START_TEST(none_of_many_is_lost_and_none_runs_twice)
{
    enum { JOBS = 200 };
    struct jobgate *second;
    char *ids[JOBS];
    char *lines[JOBS + 2];
    size_t count = 0;
    size_t length;
    AUTO(free) char *text = NULL;

    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=4", "WORKER_BATCH=3", NULL});
    second = scene_new_worker(&s, (const char *[]){"WORKER_CONCURRENCY=4", NULL});
    jobgate_wait_ready(second, 200);
    for (int i = 0; i < JOBS; i++) {
        char script[64];

        snprintf(script, sizeof(script), "echo %04d >>all; echo %d", i, i);
        ids[i] = scene_submit_script(&s, "", script);
    }
    for (int i = 0; i < JOBS; i++) {
        char expected[16];

        snprintf(expected, sizeof(expected), "%d\n", i);
        scene_expect_result(&s, ids[i], expected, strlen(expected));
        free(ids[i]);
    }
    text = scene_read(&s, "all", &length);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
        ck_assert_uint_lt(count, JOBS + 1);
        lines[count++] = line;
    }
    ck_assert_uint_eq(count, JOBS);
    qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(strtol(lines[i], NULL, 10), (long)i);
    ck_assert_int_eq((int)(finished(s.worker, "sh") + finished(second, "sh")), JOBS);
    ck_assert_int_eq(jobgate_stop(second), 0);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    assert_lists_are_empty();
    jobgate_free(second);
}
END_TEST

START_TEST(counters_agree_after_many_small_jobs)
{
    enum { JOBS = 500 };
    struct jobgate *second;

    for (int i = 0; i < JOBS; i++)
        free(jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}"));
    scene_start_worker(&s, NULL);
    second = scene_new_worker(&s, NULL);
    for (int64_t deadline_ms = clock_steady_ms() + 30000; stat_of("succeeded") < JOBS;)
        ck_assert(wait_until(deadline_ms));
    ck_assert_int_eq(stat_of("submitted"), JOBS);
    ck_assert_int_eq(stat_of("started"), JOBS);
    ck_assert_int_eq(stat_of("succeeded"), JOBS);
    ck_assert_int_eq(stat_of("dead"), 0);
    ck_assert_int_eq(jobgate_stop(second), 0);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    assert_lists_are_empty();
    jobgate_free(second);
}
END_TEST

/* SIGTERM in the middle of a stream of jobs, again and again: each job is done, and once. */
START_TEST(workers_that_come_and_go_lose_nothing)
{
    enum { JOBS = 120 };

    for (int i = 0; i < JOBS; i++)
        free(scene_submit_script(&s, "", "echo x >>all; sleep 0.02"));
    for (int i = 1; i < 4; i++) {
        scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=4", NULL});
        scene_wait_lines(&s, "all", (size_t)i * 20);
        ck_assert_int_eq(jobgate_stop(s.worker), 0);
        s.worker = jobgate_free(s.worker);
    }
    scene_start_worker(&s, NULL);
    for (int64_t deadline_ms = clock_steady_ms() + 30000; stat_of("succeeded") < JOBS;)
        ck_assert(wait_until(deadline_ms));
    ck_assert_uint_eq(scene_count_lines(&s, "all"), JOBS);
    ck_assert_int_eq(stat_of("succeeded"), JOBS);
}
END_TEST

/* ---- what a handler gets ---- */

START_TEST(handler_finds_its_job_in_its_environment)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply result = {0};
    char line[256];

    scene_start_worker(&s, (const char *[]){"REDIS_TIMEOUT_MS=1999", NULL});
    id = scene_submit_script(&s, "", "env");
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    jobgate_result(s.api, id, &result);
    snprintf(line, sizeof(line), "JOBGATE_JOB_ID=%s\n", id);
    ck_assert_ptr_nonnull(strstr(result.body.data, line));
    ck_assert_ptr_nonnull(strstr(result.body.data, "JOBGATE_TYPE=sh\n"));
    ck_assert_ptr_nonnull(strstr(result.body.data, "JOBGATE_QUEUE=default\n"));
    ck_assert_ptr_nonnull(strstr(result.body.data, "JOBGATE_ATTEMPT=1\n"));
    ck_assert_ptr_nonnull(strstr(result.body.data, "JOBGATE_DEADLINE="));
    ck_assert_ptr_nonnull(strstr(result.body.data, "PATH="));
    ck_assert_ptr_null(strstr(result.body.data, "REDIS_"));
    ck_assert_ptr_null(strstr(result.body.data, "BLOB_URL"));
    ck_assert_ptr_null(strstr(result.body.data, "HANDLERS_FILE"));
}
END_TEST

START_TEST(builtins_do_their_work)
{
    static const char sum[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    AUTO(free) char *hashed = NULL;
    AUTO(free) char *slept = NULL;
    AUTO(free) char *echoed = NULL;

    scene_start_worker(&s, NULL);
    hashed = jobgate_submit_raw(s.api, "type=sha256", "text/plain", "abc", 3);
    slept = jobgate_submit(s.api, "{\"type\":\"sleep\",\"payload\":{\"seconds\":0.05}}");
    echoed = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":\"x\"}");
    scene_expect_result(&s, hashed, sum, strlen(sum));
    scene_expect_result(&s, slept, "{\"seconds\":0.05}", 16);
    scene_expect_result(&s, echoed, "\"x\"", 3);
}
END_TEST

/* A handler that never reads its payload, however large, and one that answers before it has read it. */
START_TEST(payload_that_nobody_reads_does_no_harm)
{
    enum { LENGTH = 1000000 };
    static const char script[] = "echo early; exit 0\n";
    AUTO(free) char *payload = mem_zalloc(LENGTH);
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, NULL);
    memset(payload, '#', LENGTH); /* the shell reads in pieces, and not all of them */
    memcpy(payload, script, sizeof(script) - 1);
    id = jobgate_submit_raw(s.api, "type=sh", "text/plain", payload, LENGTH);
    scene_expect_result(&s, id, "early\n", 6);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open_scene, close_scene);
    tcase_set_timeout(one, 90);
    suite_add_tcase(suite, one);
    return one;
}

Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *stopping = add_case(suite, "stopping");
    TCase *many = add_case(suite, "many");
    TCase *handlers = add_case(suite, "handlers");

    tcase_add_test(stopping, sigterm_finishes_what_runs_and_claims_no_more);
    tcase_add_test(stopping, idle_worker_stops_at_once);
    tcase_add_test(stopping, jobs_that_the_drain_cuts_off_go_back_in_order);
    tcase_add_test(stopping, handlers_die_with_a_worker_that_is_killed);
    tcase_add_test(stopping, time_limit_kills_grandchildren_too);
    tcase_add_test(stopping, handler_that_ends_takes_its_children_along);
    tcase_add_test(many, no_more_run_at_once_than_the_setting_says);
    tcase_add_test(many, slot_that_becomes_free_is_used);
    tcase_add_test(many, none_of_many_is_lost_and_none_runs_twice);
    tcase_add_test(many, counters_agree_after_many_small_jobs);
    tcase_add_test(many, workers_that_come_and_go_lose_nothing);
    tcase_add_test(handlers, handler_finds_its_job_in_its_environment);
    tcase_add_test(handlers, builtins_do_their_work);
    tcase_add_test(handlers, payload_that_nobody_reads_does_no_harm);
    return suite;
}
