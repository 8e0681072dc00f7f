/*
 * Idempotency-Key and unique_key: a submission that is repeated, and a job of which there may be only one.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"
#include "tests/support/wire.h"

Suite *idempotency_suite(void);

#define SHARD "jobgate:{default.0}:"
#define ECHO_1 "{\"type\":\"echo\",\"payload\":1}"

enum { URL_SIZE = 512, CROWD = 64, REQUEST_SIZE = 1024 };

static struct scene s;
static struct jobgate *second; /* another api on the same Redis */

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
    second = scene_new_api(&s, NULL);
    jobgate_wait_ready(second, 200);
}

static void close_scene(void)
{
    jobgate_free(second);
    scene_close(&s);
}

/* Submits with a header's line ("Idempotency-Key: x"). */
static void submit_with(
    const struct jobgate *api, const char *header, const char *json, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *[]){"Content-Type: application/json", header, NULL},
                 .body = json,
                 .body_length = strlen(json)},
        reply);
}

/* Asserts that it is accepted; returns the id (free()). */
static char *id_with(const struct jobgate *api, const char *header, const char *json)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;
    AUTO(free) char *location = NULL;
    char path[URL_SIZE];

    submit_with(api, header, json, &reply);
    ck_assert_msg(reply.status == 202, "%s: %d %s", header, reply.status, reply.body.data);
    job = http_reply_json(&reply);
    location = http_reply_header(&reply, "Location");
    snprintf(path, sizeof(path), "/v1/jobs/%s", json_text_at(job, "/id"));
    ck_assert_str_eq(location, path);
    return mem_strdup(json_text_at(job, "/id"));
}

static json_t *refuse_with(const char *header, const char *json, int status, const char *code)
{
    AUTO_REPLY struct http_reply reply = {0};

    submit_with(s.api, header, json, &reply);
    return scene_problem(&reply, status, code);
}

static void assert_submitted(long long count)
{
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), count);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), count);
}

/* ---- Idempotency-Key ---- */

START_TEST(repeated_request_gets_the_same_job_from_every_api)
{
    AUTO(free) char *first = id_with(s.api, "Idempotency-Key: one", ECHO_1);
    AUTO(free) char *again = id_with(s.api, "Idempotency-Key: one", ECHO_1);
    AUTO(free) char *elsewhere = id_with(second, "Idempotency-Key: one", ECHO_1);
    AUTO(free) char *other = id_with(second, "Idempotency-Key: two", ECHO_1);
    AUTO(free) char *without = jobgate_submit(s.api, ECHO_1);

    ck_assert_str_eq(first, again);
    ck_assert_str_eq(first, elsewhere);
    ck_assert_str_ne(first, other);
    ck_assert_str_ne(first, without);
    assert_submitted(3);
}
END_TEST

/* The answer shows the job as it is by then. */
START_TEST(repeated_request_shows_the_job_as_it_stands)
{
    AUTO(free) char *id = id_with(s.api, "Idempotency-Key: one", ECHO_1);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;

    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "1", 1);
    submit_with(second, "Idempotency-Key: one", ECHO_1, &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    ck_assert_str_eq(json_text_at(job, "/id"), id);
    ck_assert_str_eq(json_text_at(job, "/state"), "succeeded");
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 1);
}
END_TEST

START_TEST(key_with_another_request_is_refused)
{
    static const char *const others[] = {"{\"type\":\"echo\",\"payload\":2}",
        "{\"type\":\"sleep\",\"payload\":1}", "{\"type\":\"echo\",\"payload\":1,\"delay_s\":1}",
        "{\"type\":\"echo\",\"payload\":1 }", "{\"payload\":1,\"type\":\"echo\"}"};

    free(id_with(s.api, "Idempotency-Key: one", ECHO_1));
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        json_decref(refuse_with("Idempotency-Key: one", others[i], 422, "key_reused"));
    assert_submitted(1);
}
END_TEST

/* A body that is the payload itself: its options and its content type belong to the request. */
START_TEST(query_and_content_type_are_part_of_the_request)
{
    static const char *const asks[][2] = {{"type=echo", "Content-Type: text/plain"},
        {"type=echo&timeout_s=9", "Content-Type: text/plain"}, {"type=echo", "Content-Type: text/html"}};

    for (size_t i = 0; i < ARRAY_LENGTH(asks); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        char url[URL_SIZE];

        snprintf(url, sizeof(url), "%s/v1/jobs?%s", jobgate_url(s.api), asks[i][0]);
        http_ask(&(struct http_ask){.url = url,
                     .headers = (const char *[]){asks[i][1], "Idempotency-Key: one", NULL},
                     .body = "x",
                     .body_length = 1},
            &reply);
        ck_assert_int_eq(reply.status, i == 0 ? 202 : 422);
    }
    assert_submitted(1);
}
END_TEST

/* What was refused was not done: its key is free. */
START_TEST(key_of_a_refused_request_is_free)
{
    json_decref(refuse_with("Idempotency-Key: one", "{\"type\":\"echo\",\"delay_s\":-1}", 422, "invalid"));
    json_decref(refuse_with("Idempotency-Key: one", "{\"type\":", 400, "bad_json"));
    free(id_with(s.api, "Idempotency-Key: one", ECHO_1));
    assert_submitted(1);
}
END_TEST

START_TEST(key_is_remembered_for_as_long_as_the_setting_says)
{
    struct jobgate *brief = scene_new_api(&s, (const char *[]){"IDEMPOTENCY_S=60", NULL});
    redisReply *keys;
    long long left_s;

    jobgate_wait_ready(brief, 200);
    free(id_with(brief, "Idempotency-Key: one", ECHO_1));
    keys = redis_server_command(s.redis, "KEYS " SHARD "idem:*");
    ck_assert_uint_eq(keys->elements, 1);
    ck_assert_ptr_null(strstr(keys->element[0]->str, "one")); /* a hash, whatever callers write */
    left_s = redis_server_integer(s.redis, "TTL %s", keys->element[0]->str);
    ck_assert_int_gt(left_s, 20);
    ck_assert_int_le(left_s, 60);
    freeReplyObject(keys);
    jobgate_free(brief);
}
END_TEST

/* As many as fit into 255 bytes, in quotes or not. */
START_TEST(key_that_outlives_its_job_runs_nothing)
{
    AUTO(free) char *id = id_with(s.api, "Idempotency-Key: x", ECHO_1);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    redis_server_integer(s.redis, "DEL " SHARD "job:%s " SHARD "ready", id);
    submit_with(second, "Idempotency-Key: x", ECHO_1, &reply);
    problem = scene_problem(&reply, 410, "gone");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), id));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready"), 0);
}
END_TEST

START_TEST(keys_of_every_length_are_read_or_refused)
{
    static const struct {
        size_t length;
        bool is_quoted;
        int status;
    } keys[] = {{1, false, 202}, {1, true, 202}, {255, false, 202}, {255, true, 202}, {0, false, 400},
        {0, true, 400}, {256, false, 400}, {256, true, 400}, {4000, false, 400}};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO_BUF struct buf header = BUF(8192);

        buf_append_text(&header, keys[i].is_quoted ? "Idempotency-Key: \"" : "Idempotency-Key: ");
        for (size_t n = 0; n < keys[i].length; n++)
            buf_append_char(&header, 'k');
        if (keys[i].is_quoted)
            buf_append_char(&header, '"');
        if (keys[i].length == 0 && !keys[i].is_quoted) { /* curl's way to send an empty header */
            buf_reset(&header);
            buf_append_text(&header, "Idempotency-Key;");
        }
        submit_with(s.api, header.data, ECHO_1, &reply);
        ck_assert_msg(reply.status == keys[i].status, "a key of %zu bytes: %d %s", keys[i].length,
            reply.status, reply.body.data);
    }
    assert_submitted(2); /* with quotes it is the same key */
}
END_TEST

START_TEST(quotes_are_not_part_of_the_key)
{
    AUTO(free) char *quoted = id_with(s.api, "Idempotency-Key: \"a key\"", ECHO_1);
    AUTO(free) char *plain = id_with(s.api, "Idempotency-Key: a key", ECHO_1);
    AUTO(free) char *half = id_with(s.api, "Idempotency-Key: \"a key", ECHO_1);

    ck_assert_str_eq(quoted, plain);
    ck_assert_str_ne(quoted, half);
    assert_submitted(2);
}
END_TEST

/* Sends `request` on many connections to both apis before the first answer is read. Returns how many
 * different jobs were named; every answer has the status. */
static size_t ask_at_once(const char *request, int status)
{
    AUTO(json) json_t *ids = json_object();
    int fds[CROWD];

    for (int i = 0; i < CROWD; i++)
        fds[i] = wire_connect(jobgate_url(i % 2 ? second : s.api), 0);
    for (int i = 0; i < CROWD; i++)
        ck_assert(wire_say(fds[i], request));
    for (int i = 0; i < CROWD; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *job = NULL;

        ck_assert(wire_hear(fds[i], &reply));
        ck_assert_msg(reply.status == status, "%d, not %d: %s", reply.status, status, reply.body.data);
        job = http_reply_json(&reply);
        json_object_set_new(ids, json_text_at(job, "/id"), json_true());
        close(fds[i]);
    }
    return json_object_size(ids);
}

static void write_request(char request[REQUEST_SIZE], const char *header, const char *json)
{
    snprintf(request, REQUEST_SIZE,
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s"
        "Content-Length: %zu\r\n\r\n%s",
        header, strlen(json), json);
}

START_TEST(concurrent_requests_with_one_key_make_one_job)
{
    char request[REQUEST_SIZE];

    write_request(request, "Idempotency-Key: one\r\n", ECHO_1);
    ck_assert_uint_eq(ask_at_once(request, 202), 1);
    assert_submitted(1);
}
END_TEST

/* ---- unique_key ---- */

#define UNIQUE(type, key) "{\"type\":\"" type "\",\"payload\":1,\"unique_key\":\"" key "\"}"

START_TEST(second_submission_is_answered_with_the_live_job)
{
    AUTO(free) char *first = jobgate_submit(s.api, UNIQUE("sleep", "a"));
    AUTO(free) char *again = jobgate_submit(second, UNIQUE("sleep", "a"));
    AUTO(free) char *other_key = jobgate_submit(s.api, UNIQUE("sleep", "b"));
    AUTO(free) char *other_type = jobgate_submit(s.api, UNIQUE("echo", "a"));
    AUTO(free)
    char *other_payload = jobgate_submit(s.api, "{\"type\":\"sleep\",\"payload\":2,\"unique_key\":\"a\"}");
    AUTO(free) char *raw = jobgate_submit_raw(s.api, "type=sleep&unique_key=a", "text/plain", "1", 1);

    ck_assert_str_eq(first, again);
    ck_assert_str_eq(first, other_payload);
    ck_assert_str_eq(first, raw);
    ck_assert_str_ne(first, other_key);
    ck_assert_str_ne(first, other_type);
    assert_submitted(3);
}
END_TEST

/* Whatever way the first one ended, a new one is accepted; while it lives, in whatever state, none is. */
START_TEST(key_is_free_when_its_job_has_ended)
{
    AUTO(free)
    char *scheduled =
        jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1,\"delay_s\":3600,\"unique_key\":\"later\"}");
    AUTO(free) char *while_scheduled = jobgate_submit(s.api, UNIQUE("echo", "later"));
    AUTO(free) char *good = jobgate_submit(s.api, UNIQUE("echo", "good"));
    AUTO(free) char *bad = jobgate_submit(s.api, UNIQUE("missing", "bad"));
    AUTO(free)
    char *running = jobgate_submit(s.api, "{\"type\":\"sleep\",\"payload\":1000,"
                                          "\"unique_key\":\"runs\"}");
    AUTO(free) char *while_running = NULL;
    AUTO(free) char *after_good = NULL;
    AUTO(free) char *after_bad = NULL;
    AUTO(free) char *after_cancel = NULL;

    ck_assert_str_eq(scheduled, while_scheduled);
    scene_start_worker(&s, NULL);
    json_decref(jobgate_wait_for(s.api, good, "succeeded"));
    json_decref(jobgate_wait_for(s.api, bad, "dead"));
    json_decref(jobgate_wait_for(s.api, running, "running"));
    while_running = jobgate_submit(second, UNIQUE("sleep", "runs"));
    ck_assert_str_eq(running, while_running);
    json_decref(desk_call_job(s.api, "DELETE", scheduled, "", 200));
    after_good = jobgate_submit(second, UNIQUE("echo", "good"));
    after_bad = jobgate_submit(second, UNIQUE("missing", "bad"));
    after_cancel = jobgate_submit(second, UNIQUE("echo", "later"));
    ck_assert_str_ne(after_good, good);
    ck_assert_str_ne(after_bad, bad);
    ck_assert_str_ne(after_cancel, scheduled);
    scene_expect_result(&s, after_good, "1", 1);
    scene_expect_result(&s, after_cancel, "1", 1);
}
END_TEST

/* The job that had the key is not in Redis any more. */
START_TEST(key_whose_job_was_forgotten_is_free)
{
    AUTO(free) char *first = jobgate_submit(s.api, UNIQUE("echo", "a"));
    AUTO(free) char *next = NULL;

    redis_server_integer(s.redis, "DEL " SHARD "job:%s", first);
    redis_server_integer(s.redis, "DEL " SHARD "ready");
    next = jobgate_submit(s.api, UNIQUE("echo", "a"));
    ck_assert_str_ne(first, next);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 1);
}
END_TEST

START_TEST(concurrent_submissions_with_one_unique_key_make_one_job)
{
    AUTO(free) char *old = jobgate_submit(s.api, UNIQUE("echo", "a"));
    char request[REQUEST_SIZE];

    write_request(request, "", UNIQUE("sleep", "a"));
    ck_assert_uint_eq(ask_at_once(request, 202), 1);
    assert_submitted(2);
    json_decref(desk_call_job(s.api, "DELETE", old, "", 200)); /* and where the key had a job that ended */
    write_request(request, "", UNIQUE("echo", "a"));
    ck_assert_uint_eq(ask_at_once(request, 202), 1);
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 3);
}
END_TEST

Suite *idempotency_suite(void)
{
    Suite *suite = suite_create("idempotency");
    TCase *key = tcase_create("idempotency_key");
    TCase *unique = tcase_create("unique_key");

    tcase_add_checked_fixture(key, open_scene, close_scene);
    tcase_add_test(key, repeated_request_gets_the_same_job_from_every_api);
    tcase_add_test(key, repeated_request_shows_the_job_as_it_stands);
    tcase_add_test(key, key_with_another_request_is_refused);
    tcase_add_test(key, query_and_content_type_are_part_of_the_request);
    tcase_add_test(key, key_of_a_refused_request_is_free);
    tcase_add_test(key, key_is_remembered_for_as_long_as_the_setting_says);
    tcase_add_test(key, key_that_outlives_its_job_runs_nothing);
    tcase_add_test(key, keys_of_every_length_are_read_or_refused);
    tcase_add_test(key, quotes_are_not_part_of_the_key);
    tcase_add_test(key, concurrent_requests_with_one_key_make_one_job);
    tcase_set_timeout(key, 60);
    suite_add_tcase(suite, key);
    tcase_add_checked_fixture(unique, open_scene, close_scene);
    tcase_add_test(unique, second_submission_is_answered_with_the_live_job);
    tcase_add_test(unique, key_is_free_when_its_job_has_ended);
    tcase_add_test(unique, key_whose_job_was_forgotten_is_free);
    tcase_add_test(unique, concurrent_submissions_with_one_unique_key_make_one_job);
    tcase_set_timeout(unique, 60);
    suite_add_tcase(suite, unique);
    return suite;
}
