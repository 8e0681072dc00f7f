/*
 * Absence: Redis or the blob store is not there, goes away, stands still or forgets; and comes back. Both
 * programs say so once, go on with what they can, and recover by themselves.
 */
#include <check.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"

Suite *absence_suite(void);

#define READY "jobgate:{default.0}:ready"

enum { URL_SIZE = 512 };

static struct scene s;

static void close_scene(void)
{
    scene_close(&s);
}

static void open_scene(void)
{
    scene_open(&s);
}

/* Redis keeps what it acknowledged, also when it is killed. */
static void open_lasting_scene(void)
{
    scene_open(&s);
    redis_server_free(s.redis);
    s.redis = redis_server_start((const char *[]){"--appendonly", "yes", "--appendfsync", "always", NULL});
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void wait_ms(int64_t ms)
{
    for (int64_t end_ms = clock_steady_ms() + ms; wait_until(end_ms);)
        continue;
}

#define GATED "echo started >>starts; while [ ! -e go ]; do sleep 0.02; done; echo ended >>ends; echo done"

/* A submission that may be refused. */
static int try_to_submit(char **id)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    *id = NULL;
    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    http_post_json(url, "{\"type\":\"echo\",\"payload\":1}", &reply);
    if (reply.status == 202) {
        AUTO(json) json_t *job = http_reply_json(&reply);

        *id = mem_strdup(json_text_at(job, "/id"));
    } else {
        AUTO(free) char *retry = http_reply_header(&reply, "Retry-After");

        ck_assert_ptr_nonnull(retry);
        json_decref(scene_problem(&reply, 503, "redis_away"));
    }
    return reply.status;
}

/* The result, sooner or later: 409 and 503 are no news while things come back. */
static void expect_result_in_the_end(const char *id, const char *expected)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;

    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};

        jobgate_result(s.api, id, &reply);
        if (reply.status == 200) {
            ck_assert_str_eq(reply.body.data, expected);
            return;
        }
        ck_assert_msg(reply.status == 409 || reply.status == 503, "%d %s", reply.status, reply.body.data);
        ck_assert_msg(wait_until(deadline_ms), "still %d %s", reply.status, reply.body.data);
    }
}

/* Until one is accepted, and that job is done. */
static void expect_work_to_go_on(void)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;
    AUTO(free) char *id = NULL;

    while (try_to_submit(&id) != 202)
        ck_assert(wait_until(deadline_ms));
    expect_result_in_the_end(id, "1");
}

static void expect_check(const struct jobgate *g, const char *name, bool is_ok)
{
    AUTO(json) json_t *readiness = scene_readiness(g);
    const json_t *check = json_object_get(json_at(readiness, "/checks"), name);

    ck_assert_msg(json_is_boolean(json_object_get(check, "ok")), "no check %s", name);
    ck_assert_int_eq(json_is_true(json_object_get(check, "ok")), is_ok);
    ck_assert_str_ne(json_text_at(check, "/detail"), "");
}

static size_t count_warnings(const struct jobgate *g)
{
    return scene_count_log(g, "\"level\":\"warn\"", " away: ") +
           scene_count_log(g, "\"level\":\"warn\"", "the blob store cannot be used");
}

/* ---- from the start ---- */

START_TEST(both_start_without_redis_and_without_the_store)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply health = {0};
    const struct jobgate *programs[2];
    char url[URL_SIZE];

    scene_open_on_azurite(&s);
    redis_server_kill(s.redis);
    azurite_kill(s.azurite);
    programs[0] = s.api = scene_new_api(&s, NULL);
    programs[1] = s.worker = scene_new_worker(&s, NULL);
    jobgate_wait_ready(s.api, 503);
    jobgate_wait_ready(s.worker, 503);
    ck_assert_int_eq(try_to_submit(&id), 503);
    wait_ms(3500); /* in which a program that complains each second would have done so three times */
    for (int i = 0; i < 2; i++) {
        expect_check(programs[i], "redis", false);
        expect_check(programs[i], "blob_store", false);
        ck_assert_uint_eq(scene_count_log(programs[i], "\"level\":\"warn\"", " away: "), 1);
        ck_assert_uint_eq(
            scene_count_log(programs[i], "\"level\":\"warn\"", "the blob store cannot be used"), 1);
        ck_assert_uint_eq(scene_count_log(programs[i], "\"level\":\"error\"", ""), 0);
    }
    snprintf(url, sizeof(url), "%s/healthz", jobgate_ops_url(s.api));
    http_get(url, &health);
    ck_assert_int_eq(health.status, 200);
    redis_server_restart(s.redis);
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 503);
    expect_check(s.worker, "redis", true);
    ck_assert_int_eq(try_to_submit(&id), 202);
    azurite_restart(s.azurite);
    jobgate_wait_ready(s.worker, 200);
    scene_expect_result(&s, id, "1", 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(scene_count_log(programs[i], "redis", "answers again"), 1);
        ck_assert_uint_eq(count_warnings(programs[i]), 2);
    }
    scene_close(&s);
}
END_TEST

START_TEST(both_stop_well_while_everything_is_away)
{
    scene_open_on_azurite(&s);
    redis_server_kill(s.redis);
    azurite_kill(s.azurite);
    s.api = scene_new_api(&s, NULL);
    s.worker = scene_new_worker(&s, (const char *[]){"DRAIN_S=1", NULL});
    jobgate_wait_ready(s.worker, 503);
    ck_assert_int_eq(jobgate_stop(s.api), 0);
    ck_assert_int_ge(jobgate_stop(s.worker), 0); /* by itself, and not by a signal */
    scene_close(&s);
}
END_TEST

/* ---- Redis ---- */

START_TEST(job_that_runs_while_redis_is_killed_is_settled_when_it_is_back)
{
    AUTO(free) char *id = scene_submit_script(&s, "", GATED);

    scene_wait_lines(&s, "starts", 1);
    redis_server_kill(s.redis);
    jobgate_wait_ready(s.worker, 503);
    scene_touch(&s, "go");
    scene_wait_lines(&s, "ends", 1);
    redis_server_restart(s.redis);
    jobgate_wait_ready(s.api, 200);
    expect_result_in_the_end(id, "done\n");
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"warn\"", " away: "), 1);
    expect_work_to_go_on();
}
END_TEST

/* Again and again, under a stream of jobs: each of those that were accepted is done in the end. */
START_TEST(redis_that_comes_and_goes_loses_nothing)
{
    enum { JOBS = 60 };
    char *ids[JOBS];

    for (int i = 0; i < JOBS; i++) {
        if (i % 20 == 10) {
            redis_server_kill(s.redis);
            redis_server_restart(s.redis);
        }
        for (int64_t deadline_ms = clock_steady_ms() + 30000; try_to_submit(&ids[i]) != 202;)
            ck_assert(wait_until(deadline_ms));
    }
    jobgate_wait_ready(s.api, 200);
    for (int i = 0; i < JOBS; i++) {
        expect_result_in_the_end(ids[i], "1");
        free(ids[i]);
    }
}
END_TEST

/* Nothing is on its disk: what it knew is gone, and what runs belongs to nobody any more. */
START_TEST(redis_that_forgot_everything_is_worked_with_anew)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    redis_server_kill(s.redis);
    redis_server_restart(s.redis);
    expect_work_to_go_on();
    scene_touch(&s, "go");
    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(s.api), id);
    http_get(url, &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    expect_work_to_go_on();
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
}
END_TEST

START_TEST(redis_that_stands_still_is_taken_for_away)
{
    AUTO(free) char *running = NULL;
    AUTO(free) char *id = NULL;

    scene_start_api(&s, (const char *[]){"REDIS_TIMEOUT_MS=500", NULL});
    scene_start_worker(&s, (const char *[]){"REDIS_TIMEOUT_MS=500", NULL});
    running = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    redis_server_pause(s.redis);
    for (int i = 0; i < 3; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        char url[URL_SIZE];

        snprintf(url, sizeof(url), "%s/v1/jobs?type=echo", jobgate_url(s.api));
        http_ask(&(struct http_ask){.url = url, .body = "x", .body_length = 1, .timeout_ms = 10000}, &reply);
        json_decref(scene_problem(&reply, 503, "redis_away"));
    }
    jobgate_wait_ready(s.api, 503);
    jobgate_wait_ready(s.worker, 503);
    scene_touch(&s, "go");
    scene_wait_lines(&s, "ends", 1);
    redis_server_resume(s.redis);
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 200);
    expect_result_in_the_end(running, "done\n");
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    expect_work_to_go_on();
}
END_TEST

START_TEST(scripts_that_redis_forgot_are_loaded_again)
{
    AUTO(free) char *running = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    running = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    free(redis_server_text(s.redis, "SCRIPT FLUSH"));
    expect_work_to_go_on();
    free(redis_server_text(s.redis, "SCRIPT FLUSH"));
    scene_touch(&s, "go");
    expect_result_in_the_end(running, "done\n");
    expect_work_to_go_on();
}
END_TEST

/* A client that an operator kills (CLIENT KILL, a failover) is connected anew. */
START_TEST(connections_that_redis_cuts_are_made_anew)
{
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_ge(redis_server_integer(s.redis, "CLIENT KILL TYPE normal SKIPME yes"), 2);
        expect_work_to_go_on();
    }
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 200);
}
END_TEST

/* ---- the blob store ---- */

static void kill_store(void)
{
    azurite_kill(s.azurite);
}

static void restart_store(void)
{
    azurite_restart(s.azurite);
}

static void freeze_store(void)
{
    azurite_pause(s.azurite);
}

static void thaw_store(void)
{
    azurite_resume(s.azurite);
}

/* How the store goes away and comes back: empty, or as it was. */
static const struct {
    void (*go)(void);
    void (*come)(void);
} absences[] = {{kill_store, restart_store}, {freeze_store, thaw_store}};

/* The result is kept and written when the store is back; no attempt is used up, nothing else is claimed
 * meanwhile. */
START_TEST(result_waits_for_a_store_that_is_away)
{
    AUTO(free) char *running = NULL;
    AUTO(free) char *waiting = NULL;
    AUTO(json) json_t *job = NULL;

    scene_open_on_azurite(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"BLOB_TIMEOUT_MS=500", "BLOB_DEADLINE_MS=1000", NULL});
    running = scene_submit_script(&s, "", "echo a word >&2; " GATED);
    scene_wait_lines(&s, "starts", 1);
    absences[_i].go();
    scene_touch(&s, "go");
    scene_wait_lines(&s, "ends", 1);
    jobgate_wait_ready(s.worker, 503);
    expect_check(s.worker, "redis", true);
    expect_check(s.worker, "blob_store", false);
    waiting = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    wait_ms(1500); /* in which it would have been claimed, and the running one given up */
    job = jobgate_job(s.api, running);
    ck_assert_str_eq(json_text_at(job, "/state"), "running");
    json_decref(job);
    job = jobgate_job(s.api, waiting);
    ck_assert_str_eq(json_text_at(job, "/state"), "queued");
    ck_assert_int_eq(json_int_at(job, "/attempt"), 0);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"warn\"", "the blob store cannot be used"), 1);
    absences[_i].come();
    scene_expect_result(&s, running, "done\n", 5);
    scene_expect_result(&s, waiting, "1", 1);
    json_decref(job);
    job = jobgate_job(s.api, running);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 1);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    jobgate_wait_ready(s.worker, 200);
    scene_close(&s);
}
END_TEST

START_TEST(result_asked_while_the_store_is_away_gets_503)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply status = {0};
    AUTO(free) char *retry = NULL;
    char url[URL_SIZE];

    scene_open_on_azurite(&s);
    scene_start_api(&s, (const char *[]){"BLOB_TIMEOUT_MS=500", "BLOB_DEADLINE_MS=1000", NULL});
    scene_start_worker(&s, NULL);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    scene_expect_result(&s, id, "1", 1);
    azurite_pause(s.azurite);
    jobgate_result(s.api, id, &reply);
    ck_assert_msg(reply.status == 503 || reply.status == 504, "%d %s", reply.status, reply.body.data);
    retry = http_reply_header(&reply, "Retry-After");
    ck_assert(retry || reply.status == 504);
    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(s.api), id);
    http_get(url, &status);
    ck_assert_int_eq(status.status, 200);
    azurite_resume(s.azurite);
    scene_expect_result(&s, id, "1", 1);
    scene_close(&s);
}
END_TEST

/* A file stands where the directory should be; then it goes. */
START_TEST(directory_that_cannot_be_used_is_waited_for)
{
    AUTO(free) char *id = NULL;
    char path[PROCESS_PATH_SIZE + 16];

    scene_touch(&s, "blobs");
    snprintf(path, sizeof(path), "%s/blobs", s.directory);
    s.api = scene_new_api(&s, NULL);
    s.worker = scene_new_worker(&s, NULL);
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 503);
    expect_check(s.worker, "blob_store", false);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    ck_assert_int_eq(unlink(path), 0);
    jobgate_wait_ready(s.worker, 200);
    scene_expect_result(&s, id, "1", 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"warn\"", "the blob store cannot be used"), 1);
}
END_TEST

/* What lies there is away for a while, and the result of a job that ends meanwhile is kept. */
START_TEST(result_waits_for_a_directory_that_is_away)
{
    AUTO(free) char *id = NULL;
    char path[PROCESS_PATH_SIZE + 16];
    char aside[PROCESS_PATH_SIZE + 16];

    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    snprintf(path, sizeof(path), "%s/blobs", s.directory);
    snprintf(aside, sizeof(aside), "%s/aside", s.directory);
    ck_assert_int_eq(rename(path, aside), 0);
    scene_touch(&s, "blobs");
    scene_touch(&s, "go");
    scene_wait_lines(&s, "ends", 1);
    jobgate_wait_ready(s.worker, 503);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rename(aside, path), 0);
    scene_expect_result(&s, id, "done\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
    TCase *one = tcase_create(name);

    if (open)
        tcase_add_checked_fixture(one, open, close_scene);
    tcase_set_timeout(one, 90);
    suite_add_tcase(suite, one);
    return one;
}

Suite *absence_suite(void)
{
    Suite *suite = suite_create("absence");
    TCase *start = add_case(suite, "start", NULL);
    TCase *lasting = add_case(suite, "lasting_redis", open_lasting_scene);
    TCase *redis = add_case(suite, "redis", open_scene);
    TCase *store = add_case(suite, "store", NULL);
    TCase *directory = add_case(suite, "directory", open_scene);

    tcase_add_test(start, both_start_without_redis_and_without_the_store);
    tcase_add_test(start, both_stop_well_while_everything_is_away);
    tcase_add_test(lasting, job_that_runs_while_redis_is_killed_is_settled_when_it_is_back);
    tcase_add_test(lasting, redis_that_comes_and_goes_loses_nothing);
    tcase_add_test(redis, redis_that_forgot_everything_is_worked_with_anew);
    tcase_add_test(redis, redis_that_stands_still_is_taken_for_away);
    tcase_add_test(redis, scripts_that_redis_forgot_are_loaded_again);
    tcase_add_test(redis, connections_that_redis_cuts_are_made_anew);
    tcase_add_loop_test(store, result_waits_for_a_store_that_is_away, 0, (int)ARRAY_LENGTH(absences));
    tcase_add_test(store, result_asked_while_the_store_is_away_gets_503);
    tcase_add_test(directory, directory_that_cannot_be_used_is_waited_for);
    tcase_add_test(directory, result_waits_for_a_directory_that_is_away);
    return suite;
}
