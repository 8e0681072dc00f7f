/*
 * Cancel: jobs that wait, that run and that have ended.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"
#include "tests/support/stage.h"

Suite *cancel_suite(void);

#define SHARD "jobgate:{default.0}:"
#define LEASE "LEASE_MS=1000" /* a heartbeat, which brings the news, each 250 ms */

enum { URL_SIZE = 512 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
}

static void open_scene_on_azurite(void)
{
    scene_open_on_azurite(&s);
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static void cancel(const char *id)
{
    AUTO(json) json_t *job = desk_call_job(s.api, "DELETE", id, "", 200);

    ck_assert_str_eq(json_text_at(job, "/id"), id);
    ck_assert_str_eq(json_text_at(job, "/state"), "cancelled");
    desk_time(job, "/finished_at");
}

static json_t *refuse_to_cancel(const char *id, int status, const char *code)
{
    char path[URL_SIZE];

    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    return desk_refused(s.api, "DELETE", path, NULL, status, code);
}

static void expect_no_result(const char *id)
{
    AUTO_REPLY struct http_reply reply = {0};

    jobgate_result(s.api, id, &reply);
    ck_assert_msg(reply.status == 404 || reply.status == 409, "the result of a cancelled job got %d: %s",
        reply.status, reply.body.data);
}

/* Another job of the worker, after which everything before it would have been started. */
static void expect_others_to_run(void)
{
    AUTO(free) char *other = scene_submit_script(&s, "", "echo other");

    scene_expect_result(&s, other, "other\n", 6);
}

/* ---- what waits ---- */

START_TEST(cancelled_job_is_never_run)
{
    AUTO(free) char *queued = scene_submit_script(&s, "", "echo x >>starts");
    AUTO(free) char *later = scene_submit_script(&s, "&delay_s=0.5", "echo x >>starts");
    AUTO(free) char *kept = scene_submit_script(&s, "&delay_s=0.5", "echo x >>starts; echo kept");

    cancel(queued);
    cancel(later);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "scheduled"), 1);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, kept, "kept\n", 5);
    expect_others_to_run();
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert(desk_is_in(s.api, queued, "cancelled"));
    ck_assert(desk_is_in(s.api, later, "cancelled"));
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 2);
    ck_assert_int_eq(desk_counter(&s, "default", "started"), 2);
    ck_assert_int_gt(redis_server_integer(s.redis, "TTL " SHARD "job:%s", queued), 0);
    ck_assert_int_gt(redis_server_integer(s.redis, "TTL " SHARD "job:%s", later), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready " SHARD "scheduled"), 0);
}
END_TEST

START_TEST(cancelled_job_shows_neither_payload_nor_result)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo something that nobody needs any more");
    AUTO(json) json_t *job = NULL;
    AUTO(free) char *record = NULL;

    cancel(id);
    job = jobgate_job(s.api, id);
    ck_assert_ptr_null(json_at(job, "/result"));
    ck_assert_ptr_null(json_at(job, "/error"));
    record = redis_server_text(s.redis, "GETRANGE " SHARD "job:%s 10 -1", id);
    ck_assert_ptr_null(strstr(record, "nobody needs"));
    expect_no_result(id);
}
END_TEST

/* One that failed and waits for its next try. */
START_TEST(job_between_two_tries_is_cancelled)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo x >>starts; exit 1");

    scene_start_worker(&s, NULL);
    json_decref(jobgate_wait_for(s.api, id, "scheduled"));
    cancel(id);
    desk_pass(1200); /* in which it would have been tried again */
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
}
END_TEST

START_TEST(cancelling_twice_says_the_same)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "exit 1");
    AUTO(json) json_t *first = desk_call_job(s.api, "DELETE", id, "", 200);
    AUTO(json) json_t *again = desk_call_job(s.api, "DELETE", id, "", 200);

    ck_assert(json_equal(first, again));
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 1);
}
END_TEST

START_TEST(job_that_nobody_knows_cannot_be_cancelled)
{
    static const char *const ids[] = {"default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", "nothing", "default.0.x"};

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        json_decref(refuse_to_cancel(ids[i], 404, "not_found"));
}
END_TEST

START_TEST(job_that_has_ended_cannot_be_cancelled)
{
    AUTO(free) char *good = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    AUTO(free) char *bad = jobgate_submit(s.api, "{\"type\":\"missing\"}");
    AUTO(json) json_t *succeeded = NULL;
    AUTO(json) json_t *dead = NULL;

    scene_start_worker(&s, NULL);
    json_decref(jobgate_wait_for(s.api, good, "succeeded"));
    json_decref(jobgate_wait_for(s.api, bad, "dead"));
    succeeded = refuse_to_cancel(good, 409, "conflict");
    dead = refuse_to_cancel(bad, 409, "conflict");
    ck_assert_str_eq(json_text_at(succeeded, "/state"), "succeeded");
    ck_assert_str_eq(json_text_at(dead, "/state"), "dead");
    scene_expect_result(&s, good, "1", 1);
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 0);
}
END_TEST

/* ---- what runs ---- */

static void wait_until_gone(const char *file)
{
    size_t length = 0;
    AUTO(free) char *text = scene_read(&s, file, &length);

    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;)
        process_wait_gone((pid_t)strtol(line, NULL, 10));
}

static size_t count_alive(const char *file)
{
    size_t length = 0;
    size_t count = 0;
    AUTO(free) char *text = scene_read(&s, file, &length);

    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;)
        count += process_lives((pid_t)strtol(line, NULL, 10));
    return count;
}

START_TEST(handler_of_a_cancelled_job_is_asked_to_end)
{
    AUTO(free)
    char *id = scene_submit_script(&s, "",
        "trap 'echo x >>asked; exit 0' TERM; echo $$ >>pids; echo x >>starts; while :; do sleep 0.05; done");

    scene_start_worker(&s, (const char *[]){LEASE, "KILL_GRACE_MS=60000", NULL});
    scene_wait_lines(&s, "starts", 1);
    cancel(id);
    scene_wait_lines(&s, "asked", 1);
    wait_until_gone("pids");
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"sh\",state=\"cancelled\"}", 1);
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
    expect_no_result(id);
    expect_others_to_run();
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 1);
}
END_TEST

/* With whatever it started. */
START_TEST(handler_that_does_not_listen_is_killed_with_its_group)
{
    AUTO(free)
    char *id = scene_submit_script(&s, "",
        "trap 'echo x >>asked' TERM; echo $$ >>pids; (trap '' TERM; echo x >>starts; while :; do sleep 0.05; "
        "done) & echo $! >>pids; while :; do sleep 0.05; done");

    scene_start_worker(&s, (const char *[]){LEASE, "KILL_GRACE_MS=400", NULL});
    scene_wait_lines(&s, "starts", 1);
    scene_wait_lines(&s, "pids", 2);
    cancel(id);
    wait_until_gone("pids");
    ck_assert_uint_ge(scene_count_lines(&s, "asked"), 1);
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"sh\",state=\"cancelled\"}", 1);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
    expect_others_to_run();
}
END_TEST

START_TEST(builtin_that_sleeps_is_cancelled)
{
    AUTO(free) char *id = jobgate_submit(s.api, "{\"type\":\"sleep\",\"payload\":1000}");

    scene_start_worker(&s, (const char *[]){LEASE, "WORKER_CONCURRENCY=1", NULL});
    json_decref(jobgate_wait_for(s.api, id, "running"));
    cancel(id);
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"sleep\",state=\"cancelled\"}", 1);
    expect_others_to_run();
}
END_TEST

/* Two workers hold many, and each ends those that are its own. */
START_TEST(many_are_cancelled_while_they_run)
{
    enum { JOBS = 16 };
    struct jobgate *second;
    char *ids[JOBS];

    scene_start_worker(&s, (const char *[]){LEASE, "WORKER_CONCURRENCY=8", NULL});
    second = scene_new_worker(&s, (const char *[]){LEASE, "WORKER_CONCURRENCY=8", NULL});
    for (int i = 0; i < JOBS; i++)
        ids[i] = scene_submit_script(&s, "", "echo $$ >>pids; sleep 1000");
    scene_wait_lines(&s, "pids", JOBS);
    for (int i = 0; i < JOBS; i++)
        if (i % 4)
            cancel(ids[i]);
    for (int64_t deadline_ms = clock_steady_ms() + 30000; count_alive("pids") > JOBS / 4;)
        ck_assert(wait_until(deadline_ms));
    ck_assert_uint_eq(count_alive("pids"), JOBS / 4);
    for (int i = 0; i < JOBS; i++)
        ck_assert(desk_is_in(s.api, ids[i], i % 4 ? "cancelled" : "running"));
    for (int i = 0; i < JOBS; i++)
        free(ids[i]);
    jobgate_free(second);
}
END_TEST

/* Its worker vanishes before it hears of that. */
START_TEST(cancelled_job_of_a_worker_that_vanished_does_not_come_back)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo x >>starts; sleep 1000");

    scene_start_worker(&s, (const char *[]){LEASE, NULL});
    scene_wait_lines(&s, "starts", 1);
    process_signal(jobgate_process(s.worker), SIGSTOP);
    cancel(id);
    jobgate_kill(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, (const char *[]){LEASE, NULL});
    desk_wait_integer(&s, 1, "ZCARD " SHARD "workers");
    expect_others_to_run();
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
    ck_assert_int_eq(desk_counter(&s, "default", "lost"), 0);
}
END_TEST

/* ---- what is being stored ---- */

/* Results in the container whose name has this id. */
static size_t count_blobs(const char *id)
{
    AUTO_REPLY struct http_reply reply = {0};
    size_t count = 0;

    azurite_get(s.azurite, "jobgate", "restype=container&comp=list", &reply);
    ck_assert_int_eq(reply.status, 200);
    for (const char *at = reply.body.data; (at = strstr(at, "<Name>results/")); at++)
        count += memmem(at, strcspn(at + 1, "<") + 1, id, strlen(id)) != NULL;
    return count;
}

/* Cancelled while the store stands still over its result: when that is written, it is removed again. */
START_TEST(job_cancelled_while_it_is_stored_leaves_no_blob)
{
    AUTO(free) char *first = NULL;
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, "BLOB_TIMEOUT_MS=30000", NULL});
    first = scene_submit_script(&s, "", "echo first");
    scene_expect_result(&s, first, "first\n", 6);
    ck_assert_uint_eq(count_blobs(first), 1);
    id = scene_submit_script(&s, "", "echo x >>starts; while [ ! -e go ]; do sleep 0.02; done; echo done");
    scene_wait_lines(&s, "starts", 1);
    azurite_pause(s.azurite);
    scene_touch(&s, "go");
    desk_pass(500); /* so that the result is on its way */
    cancel(id);
    desk_pass(500); /* in which the worker hears of it */
    azurite_resume(s.azurite);
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"sh\",state=\"cancelled\"}", 1);
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    ck_assert_uint_eq(count_blobs(id), 0);
    ck_assert_uint_eq(count_blobs(first), 1);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
    expect_no_result(id);
    expect_others_to_run();
}
END_TEST

/* The store went away with the result half-way: whether it arrived nobody knows until the store is back. */
START_TEST(job_cancelled_while_the_store_is_away_leaves_no_blob)
{
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, "BLOB_TIMEOUT_MS=300", "BLOB_DEADLINE_MS=600", NULL});
    id = scene_submit_script(&s, "", "echo x >>starts; while [ ! -e go ]; do sleep 0.02; done; echo done");
    scene_wait_lines(&s, "starts", 1);
    azurite_pause(s.azurite);
    scene_touch(&s, "go");
    jobgate_wait_ready(s.worker, 503);
    cancel(id);
    desk_pass(500); /* in which the worker hears of it */
    azurite_resume(s.azurite);
    jobgate_wait_ready(s.worker, 200);
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    expect_others_to_run();
    ck_assert_uint_eq(count_blobs(id), 0);
    ck_assert(desk_is_in(s.api, id, "cancelled"));
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open, close_scene);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
    return one;
}

Suite *cancel_suite(void)
{
    Suite *suite = suite_create("cancel");
    TCase *waiting = add_case(suite, "waiting", open_scene);
    TCase *running = add_case(suite, "running", open_scene);
    TCase *storing = add_case(suite, "storing", open_scene_on_azurite);

    tcase_add_test(waiting, cancelled_job_is_never_run);
    tcase_add_test(waiting, cancelled_job_shows_neither_payload_nor_result);
    tcase_add_test(waiting, job_between_two_tries_is_cancelled);
    tcase_add_test(waiting, cancelling_twice_says_the_same);
    tcase_add_test(waiting, job_that_nobody_knows_cannot_be_cancelled);
    tcase_add_test(waiting, job_that_has_ended_cannot_be_cancelled);
    tcase_add_test(running, handler_of_a_cancelled_job_is_asked_to_end);
    tcase_add_test(running, handler_that_does_not_listen_is_killed_with_its_group);
    tcase_add_test(running, builtin_that_sleeps_is_cancelled);
    tcase_add_test(running, many_are_cancelled_while_they_run);
    tcase_add_test(running, cancelled_job_of_a_worker_that_vanished_does_not_come_back);
    tcase_add_test(storing, job_cancelled_while_it_is_stored_leaves_no_blob);
    tcase_add_test(storing, job_cancelled_while_the_store_is_away_leaves_no_blob);
    return suite;
}
