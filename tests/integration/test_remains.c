/*
 * What is there of a job besides its result: the log of each try, and what is known of it after Redis forgot
 * it.
 */
#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *remains_suite(void);

#define SHARD "jobgate:{default.0}:"

enum { URL_SIZE = 512, WAIT_MS = 20000 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void open_scene_on_azurite(void)
{
    scene_open_on_azurite(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static void get_below(const char *id, const char *below, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s%s", jobgate_url(s.api), id, below);
    http_reply_release(reply); /* of the question before */
    http_get(url, reply);
}

static void expect_text(const char *id, const char *below, const char *text)
{
    AUTO_REPLY struct http_reply reply = {0};

    get_below(id, below, &reply);
    ck_assert_msg(reply.status == 200, "%s got %d: %s", below, reply.status, reply.body.data);
    ck_assert_str_eq(reply.body.data, text);
}

/* ---- logs ---- */

START_TEST(the_log_of_each_try_is_there)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *type = NULL;
    AUTO_REPLY struct http_reply part = {0};
    char url[URL_SIZE];

    desk_write_types(&s, ",\"flaky\":{%s,\"max_attempts\":2,\"retry_delay_ms\":50}");
    jobgate_stop(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, NULL);
    id = jobgate_submit_raw(s.api, "type=flaky", "text/x-sh", "echo try $JOBGATE_ATTEMPT >&2; exit 1", 37);
    json_decref(jobgate_wait_for(s.api, id, "dead"));
    expect_text(id, "/log", "try 2\n");
    expect_text(id, "/log?attempt=1", "try 1\n");
    json_decref(desk_call_job(s.api, "POST", id, "/retry", 200)); /* numbers go on, and no log is lost */
    scene_expect_dead(&s, id, "handler_failed", "");
    expect_text(id, "/log?attempt=2", "try 2\n");
    expect_text(id, "/log?attempt=4", "try 4\n");
    get_below(id, "/log", &reply);
    type = http_reply_header(&reply, "Content-Type");
    ck_assert_str_eq(type, "text/plain; charset=utf-8");
    snprintf(url, sizeof(url), "%s/v1/jobs/%s/log", jobgate_url(s.api), id);
    http_ask(&(struct http_ask){.url = url, .headers = (const char *[]){"Range: bytes=0-2", NULL}}, &part);
    ck_assert_int_eq(part.status, 206);
    ck_assert_str_eq(part.body.data, "try");
}
END_TEST

static const struct {
    const char *below;
    int status;
    const char *code;
} bad_logs[] = {
    {"/log?attempt=0", 422, "invalid"}, {"/log?attempt=x", 422, "invalid"},
    {"/log?try=1", 400, "bad_request"}, {"/log?attempt=2", 404, "not_found"}, /* there was none */
    {"/log", 404, "not_found"},                                               /* it wrote nothing */
};

START_TEST(a_log_that_is_not_there_is_told)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo silent");

    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    for (size_t i = 0; i < ARRAY_LENGTH(bad_logs); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        get_below(id, bad_logs[i].below, &reply);
        json_decref(scene_problem(&reply, bad_logs[i].status, bad_logs[i].code));
    }
}
END_TEST

/* ---- after Redis forgot ---- */

static void forget(const char *id)
{
    ck_assert_int_eq(redis_server_integer(s.redis, "DEL " SHARD "job:%s", id), 1);
    redis_server_integer(s.redis, "ZREM " SHARD "dead %s", id);
}

START_TEST(a_job_that_succeeded_is_told_from_its_result)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo done; echo said >&2");
    AUTO(json) json_t *before = jobgate_wait_for(s.api, id, "succeeded");
    AUTO(json) json_t *after = NULL;
    static const char *const same[] = {"/id", "/type", "/queue", "/state", "/created_at", "/started_at",
        "/result/href", "/result/md5", "/result/content_type", "/links/result"};

    forget(id);
    after = jobgate_job(s.api, id);
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
        ck_assert_str_eq(json_text_at(before, same[i]), json_text_at(after, same[i]));
    ck_assert_int_eq(json_int_at(after, "/attempt"), 1);
    ck_assert_int_eq(json_int_at(after, "/result/size"), 5);
    desk_time(after, "/finished_at");
    expect_text(id, "/result", "done\n");
    expect_text(id, "/log", "said\n");
}
END_TEST

/* The end is kept beside everything else, so it may take a moment. */
static json_t *wait_recalled(const char *id)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};

        get_below(id, "", &reply);
        if (reply.status == 200)
            return http_reply_json(&reply);
        ck_assert_msg(wait_until(deadline_ms), "it got %d: %s", reply.status, reply.body.data);
    }
}

START_TEST(a_job_that_died_is_told_from_its_status)
{
    AUTO(free) char *id = scene_submit_script(&s, "&max_attempts=1", "echo no >&2; exit 3");
    AUTO(json) json_t *after = NULL;
    AUTO_REPLY struct http_reply reply = {0};

    json_decref(jobgate_wait_for(s.api, id, "dead"));
    forget(id);
    after = wait_recalled(id);
    ck_assert_str_eq(json_text_at(after, "/state"), "dead");
    ck_assert_str_eq(json_text_at(after, "/error/code"), "handler_failed");
    ck_assert_ptr_nonnull(strstr(json_text_at(after, "/error/message"), "exit status 3"));
    ck_assert_str_eq(json_text_at(after, "/type"), "sh");
    get_below(id, "/result", &reply);
    json_decref(scene_problem(&reply, 409, "conflict"));
}
END_TEST

START_TEST(a_job_that_was_cancelled_is_told_from_its_status)
{
    AUTO(free) char *id = scene_submit_script(&s, "&delay_s=3600", "exit 3");
    AUTO(json) json_t *after = NULL;

    json_decref(desk_call_job(s.api, "DELETE", id, "", 200));
    forget(id);
    after = wait_recalled(id);
    ck_assert_str_eq(json_text_at(after, "/state"), "cancelled");
}
END_TEST

/* It is dead, replayed, and succeeds: its first end is told no more. */
START_TEST(a_replayed_job_is_told_from_its_last_end)
{
    AUTO(free) char *id = scene_submit_script(&s, "&max_attempts=1", "[ -e go ] || exit 3; echo well");
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    const char *state = "";
    AUTO(json) json_t *after = NULL;

    json_decref(jobgate_wait_for(s.api, id, "dead"));
    scene_touch(&s, "go");
    json_decref(desk_call_job(s.api, "POST", id, "/retry", 200));
    scene_expect_result(&s, id, "well\n", 5);
    forget(id);
    do {
        json_decref(after);
        after = wait_recalled(id);
        state = json_text_at(after, "/state");
        ck_assert_msg(wait_until(deadline_ms), "it is told to be %s", state);
    } while (strcmp(state, "succeeded") != 0);
}
END_TEST

START_TEST(a_job_that_nobody_knows_is_not_found)
{
    AUTO_REPLY struct http_reply reply = {0};

    get_below("default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", "", &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
    get_below("default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", "/log", &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
}
END_TEST

/* ---- how long ---- */

START_TEST(a_type_may_have_a_retention_of_its_own)
{
    AUTO(free) char *id = NULL;
    long long left_s;

    desk_write_types(&s, ",\"short\":{%s,\"retention_s\":120}");
    jobgate_stop(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, NULL);
    id = jobgate_submit_raw(s.api, "type=short", "text/x-sh", "echo 1", 6);
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    left_s = redis_server_integer(s.redis, "TTL " SHARD "job:%s", id);
    ck_assert_int_gt(left_s, 60);
    ck_assert_int_le(left_s, 120);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open, close_scene);
    tcase_set_timeout(one, 90);
    suite_add_tcase(suite, one);
    return one;
}

Suite *remains_suite(void)
{
    Suite *suite = suite_create("remains");
    TCase *directory = add_case(suite, "directory", open_scene);
    TCase *azurite = add_case(suite, "azurite", open_scene_on_azurite);

    tcase_add_test(directory, the_log_of_each_try_is_there);
    tcase_add_test(directory, a_log_that_is_not_there_is_told);
    tcase_add_test(directory, a_job_that_succeeded_is_told_from_its_result);
    tcase_add_test(directory, a_job_that_died_is_told_from_its_status);
    tcase_add_test(directory, a_job_that_was_cancelled_is_told_from_its_status);
    tcase_add_test(directory, a_replayed_job_is_told_from_its_last_end);
    tcase_add_test(directory, a_job_that_nobody_knows_is_not_found);
    tcase_add_test(directory, a_type_may_have_a_retention_of_its_own);
    tcase_add_test(azurite, a_job_that_succeeded_is_told_from_its_result);
    tcase_add_test(azurite, a_replayed_job_is_told_from_its_last_end);
    return suite;
}
