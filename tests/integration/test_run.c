/*
 * Run: submissions whose caller waits for the end, and gets the job or its result.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *run_suite(void);

enum { URL_SIZE = 512, BIG = 3 << 20 };

#define WAITERS "jobgate_http_waiters"

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *const[]){"MAX_BODY=8388608", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

/* POST of a text to a path, with one more header or NULL. */
static void post(const char *path, const char *header, const char *body, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s%s", jobgate_url(s.api), path);
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *const[]){"Content-Type: text/plain", header, NULL},
                 .body = body,
                 .body_length = strlen(body)},
        reply);
}

static void submit_and_wait(const char *prefer, const char *json, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *const[]){"Content-Type: application/json", prefer, NULL},
                 .body = json,
                 .body_length = strlen(json)},
        reply);
}

static void expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    AUTO(free) char *found = http_reply_header(reply, name);

    ck_assert_msg(
        value ? found && strcmp(found, value) == 0 : !found, "%s: %s", name, found ? found : "absent");
}

/* Asserts that the answer is 202 with a job, and where to ask for it; returns its id (free()). */
static char *expect_accepted(const struct http_reply *reply)
{
    AUTO(json) json_t *job = NULL;
    char *id;
    char place[URL_SIZE];

    ck_assert_msg(reply->status == 202, "%d: %s", reply->status, reply->body.data);
    job = http_reply_json(reply);
    id = mem_strdup(json_text_at(job, "/id"));
    snprintf(place, sizeof(place), "/v1/jobs/%s", id);
    expect_header(reply, "Location", place);
    return id;
}

/* ---- submissions that wait ---- */

START_TEST(submission_that_waits_gets_the_finished_job)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;

    scene_start_worker(&s, NULL);
    submit_and_wait("Prefer: wait=30", "{\"type\":\"echo\",\"payload\":5}", &reply);
    ck_assert_int_eq(reply.status, 200);
    job = http_reply_json(&reply);
    ck_assert_str_eq(json_text_at(job, "/state"), "succeeded");
    expect_header(&reply, "Preference-Applied", "wait=30");
}
END_TEST

START_TEST(submission_whose_wait_is_over_gets_202)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *id = NULL;

    submit_and_wait("Prefer: wait=1", "{\"type\":\"echo\",\"payload\":5}", &reply);
    id = expect_accepted(&reply);
    expect_header(&reply, "Preference-Applied", "wait=1");
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "5", 1);
}
END_TEST

START_TEST(submission_is_not_held_unless_asked_to)
{
    AUTO_REPLY struct http_reply plain = {0};
    AUTO_REPLY struct http_reply reply = {0};

    submit_and_wait(NULL, "{\"type\":\"echo\",\"payload\":5}", &plain);
    free(expect_accepted(&plain));
    expect_header(&plain, "Preference-Applied", NULL);
    submit_and_wait("Prefer: respond-async", "{\"type\":\"echo\",\"payload\":5}", &reply);
    free(expect_accepted(&reply));
    expect_header(&reply, "Preference-Applied", "respond-async");
}
END_TEST

/* ---- runs ---- */

START_TEST(run_answers_with_the_result)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *where = NULL;

    scene_start_worker(&s, NULL);
    post("/v1/run/cat?queue=default", NULL, "to be or not to be", &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, "to be or not to be");
    expect_header(&reply, "Content-Type", "text/plain");
    where = http_reply_header(&reply, "Content-Location");
    ck_assert_msg(where && strncmp(where, "/v1/jobs/default.0.", 19) == 0, "%s", where);
    {
        AUTO_REPLY struct http_reply again = {0};
        char url[URL_SIZE];

        snprintf(url, sizeof(url), "%s%s", jobgate_url(s.api), where);
        http_get(url, &again);
        ck_assert_str_eq(again.body.data, "to be or not to be");
    }
}
END_TEST

START_TEST(run_answers_with_a_result_that_redis_keeps)
{
    AUTO_REPLY struct http_reply reply = {0};

    scene_start_worker(&s, (const char *const[]){"RESULT_STORE=large", NULL});
    post("/v1/run/cat", "Prefer: wait=30", "inline", &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, "inline");
}
END_TEST

START_TEST(run_streams_a_large_result)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *text = mem_alloc(BIG + 1);

    memset(text, 'x', BIG);
    text[BIG] = '\0';
    scene_start_worker(&s, NULL);
    post("/v1/run/cat", NULL, text, &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(reply.body.length, BIG);
}
END_TEST

START_TEST(run_that_fails_answers_with_what_it_failed_of)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    scene_start_worker(&s, NULL);
    post("/v1/run/sh?max_attempts=1", NULL, "echo no such customer >&2; exit 65", &reply);
    problem = scene_problem(&reply, 422, "bad_payload");
    ck_assert_str_eq(json_text_at(problem, "/state"), "dead");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "no such customer"));
    ck_assert_int_eq(strncmp(json_text_at(problem, "/job"), "default.0.", 10), 0);
}
END_TEST

START_TEST(run_that_takes_longer_gets_202)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply async = {0};
    AUTO(free) char *id = NULL;
    AUTO(free) char *other = NULL;

    post("/v1/run/cat", "Prefer: wait=1", "later", &reply);
    id = expect_accepted(&reply);
    post("/v1/run/cat", "Prefer: respond-async", "later too", &async);
    other = expect_accepted(&async);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "later", 5);
    scene_expect_result(&s, other, "later too", 9);
}
END_TEST

START_TEST(run_is_repeated_by_its_key)
{
    AUTO_REPLY struct http_reply first = {0};
    AUTO_REPLY struct http_reply second = {0};
    AUTO_REPLY struct http_reply other = {0};
    AUTO(free) char *job = NULL;

    scene_start_worker(&s, NULL);
    post("/v1/run/sh", "Idempotency-Key: k", "echo x >>runs; echo result", &first);
    ck_assert_int_eq(first.status, 200);
    job = http_reply_header(&first, "Operation-Location");
    post("/v1/run/sh", "Idempotency-Key: k", "echo x >>runs; echo result", &second);
    ck_assert_int_eq(second.status, 200);
    ck_assert_str_eq(second.body.data, "result\n");
    expect_header(&second, "Operation-Location", job);
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 1);
    post("/v1/run/cat", "Idempotency-Key: k", "echo x >>runs; echo result", &other); /* another type */
    json_decref(scene_problem(&other, 422, "key_reused"));
}
END_TEST

START_TEST(run_refuses_what_it_cannot_read)
{
    AUTO_REPLY struct http_reply name = {0};
    AUTO_REPLY struct http_reply twice = {0};
    AUTO_REPLY struct http_reply unknown = {0};

    post("/v1/run/A%20B", NULL, "x", &name);
    json_decref(scene_problem(&name, 422, "invalid"));
    post("/v1/run/cat?type=sh", NULL, "x", &twice);
    json_decref(scene_problem(&twice, 422, "invalid"));
    post("/v1/run/cat?colour=1", NULL, "x", &unknown);
    json_decref(scene_problem(&unknown, 422, "invalid"));
}
END_TEST

/* ---- remembered results ---- */

/* A worker with two types that note each run and give back the payload: `kept` once there is a file `go`,
 * unless it is "bad"; `brief` at once, and remembered for a second. Waits until the api knows them. */
static void start_remembering_worker(void)
{
    AUTO_BUF struct buf file = BUF(4096);
    char setting[PROCESS_PATH_SIZE + 32];
    char url[URL_SIZE];
    bool is_known = false;

    buf_printf(&file,
        "{\"types\": {\"kept\": {\"kind\": \"command\", \"cache_s\": 600, \"command\": [\"/bin/sh\", \"-c\", "
        "\"cd %s; "
        "echo x >>runs; until test -e go; do sleep 0.05; done; read p; test $p != bad || exit 65; echo "
        "$p\"]}, "
        "\"brief\": {\"kind\": \"command\", \"cache_s\": 1, \"command\": [\"/bin/sh\", \"-c\", \"echo x "
        ">>%s/runs; "
        "cat\"]}}}",
        s.directory, s.directory);
    jobgate_write_handlers(s.directory, file.data, setting);
    scene_start_worker(&s, (const char *const[]){setting, NULL});
    snprintf(url, sizeof(url), "%s/v1/types", jobgate_url(s.api));
    for (int64_t until = clock_steady_ms() + 30000; !is_known && wait_until(until);) {
        AUTO_REPLY struct http_reply reply = {0};

        http_get(url, &reply);
        is_known = strstr(reply.body.data, "\"cache_s\":600") != NULL;
    }
    ck_assert(is_known);
}

static void expect_run(
    const char *path, const char *header, const char *payload, int status, const char *cache_status)
{
    AUTO_REPLY struct http_reply reply = {0};

    post(path, header, payload, &reply);
    ck_assert_msg(reply.status == status, "%d: %s", reply.status, reply.body.data);
    if (status == 200)
        ck_assert_str_eq(reply.body.data, payload);
    expect_header(&reply, "Cache-Status", cache_status);
}

START_TEST(remembered_result_answers_for_the_same_payload)
{
    start_remembering_worker();
    scene_touch(&s, "go");
    expect_run("/v1/run/kept", NULL, "one\n", 200, "jobgate; fwd=miss; stored");
    expect_run("/v1/run/kept", NULL, "one\n", 200, "jobgate; hit");
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 1);
    expect_run("/v1/run/kept", NULL, "two\n", 200, "jobgate; fwd=miss; stored");
    expect_run("/v1/run/kept", "Cache-Control: no-cache", "one\n", 200, NULL);
    expect_run("/v1/run/kept", "Idempotency-Key: k", "one\n", 200, NULL);
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 4);
}
END_TEST

START_TEST(failure_is_not_remembered)
{
    start_remembering_worker();
    scene_touch(&s, "go");
    expect_run("/v1/run/kept", NULL, "bad\n", 422, "jobgate; fwd=miss; stored");
    expect_run("/v1/run/kept", NULL, "bad\n", 422, "jobgate; fwd=miss; stored");
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 2);
}
END_TEST

START_TEST(result_is_forgotten_in_time)
{
    size_t left = 1;

    start_remembering_worker();
    expect_run("/v1/run/brief", NULL, "one\n", 200, "jobgate; fwd=miss; stored");
    for (int64_t until = clock_steady_ms() + 30000; left && wait_until(until);) {
        redisReply *keys = redis_server_command(s.redis, "KEYS jobgate:{default.0}:idem:*");

        left = keys->elements;
        freeReplyObject(keys);
    }
    ck_assert_uint_eq(left, 0);
    expect_run("/v1/run/brief", NULL, "one\n", 200, "jobgate; fwd=miss; stored");
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 2);
}
END_TEST

/* Says a run on a connection of its own, and waits until so many wait. */
static int say_run(const char *type, const char *body, int waiters)
{
    AUTO_BUF struct buf text = BUF(4096);
    int fd = wire_connect(jobgate_url(s.api), 0);

    buf_printf(&text,
        "POST /v1/run/%s HTTP/1.1\r\nHost: a\r\nPrefer: wait=5\r\nContent-Length: %zu\r\n\r\n%s", type,
        strlen(body), body);
    ck_assert(wire_say(fd, text.data));
    jobgate_wait_metric(s.api, WAITERS, waiters);
    return fd;
}

static void hear_run(int fd, const char *result, const char *cache_status)
{
    AUTO_REPLY struct http_reply reply = {0};

    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    close(fd);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, result);
    expect_header(&reply, "Cache-Status", cache_status);
}

START_TEST(same_run_at_the_same_time_is_run_once)
{
    int first;
    int second;

    start_remembering_worker();
    first = say_run("kept", "one\n", 1);
    second = say_run("kept", "one\n", 2);
    scene_touch(&s, "go");
    hear_run(first, "one\n", "jobgate; fwd=miss; stored");
    hear_run(second, "one\n", "jobgate; fwd=miss; collapsed");
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 1);
}
END_TEST

/* ---- what goes wrong while they wait ---- */

START_TEST(stopping_answers_a_run_with_its_job)
{
    AUTO_REPLY struct http_reply reply = {0};
    int fd = say_run("cat", "x", 1);

    ck_assert_int_eq(jobgate_stop(s.api), 0);
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    free(expect_accepted(&reply));
    close(fd);
}
END_TEST

/* It was accepted: that Redis is away now makes no error of it. */
START_TEST(redis_that_goes_away_makes_no_error_of_an_accepted_run)
{
    AUTO_REPLY struct http_reply reply = {0};
    int fd = say_run("cat", "x", 1);

    redis_server_kill(s.redis);
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    free(expect_accepted(&reply));
    close(fd);
}
END_TEST

Suite *run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("run");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, submission_that_waits_gets_the_finished_job);
    tcase_add_test(tcase, submission_whose_wait_is_over_gets_202);
    tcase_add_test(tcase, submission_is_not_held_unless_asked_to);
    tcase_add_test(tcase, run_answers_with_the_result);
    tcase_add_test(tcase, run_answers_with_a_result_that_redis_keeps);
    tcase_add_test(tcase, run_streams_a_large_result);
    tcase_add_test(tcase, run_that_fails_answers_with_what_it_failed_of);
    tcase_add_test(tcase, run_that_takes_longer_gets_202);
    tcase_add_test(tcase, run_is_repeated_by_its_key);
    tcase_add_test(tcase, run_refuses_what_it_cannot_read);
    tcase_add_test(tcase, remembered_result_answers_for_the_same_payload);
    tcase_add_test(tcase, failure_is_not_remembered);
    tcase_add_test(tcase, result_is_forgotten_in_time);
    tcase_add_test(tcase, same_run_at_the_same_time_is_run_once);
    tcase_add_test(tcase, stopping_answers_a_run_with_its_job);
    tcase_add_test(tcase, redis_that_goes_away_makes_no_error_of_an_accepted_run);
    suite_add_tcase(suite, tcase);
    return suite;
}
