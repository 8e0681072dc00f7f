/*
 * Callbacks: who named a callback_url is told of the end of the job, whatever its end and whoever dies, and
 * by nothing that leads where it must not. The receiver checks signature and event with the libraries that
 * receivers use.
 */
#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *callbacks_suite(void);

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SHARD "jobgate:{jobgate-callbacks.0}:"
#define NOTES "jobgate:{default.0}:callbacks"

enum { WAIT_MS = 30000, URL_SIZE = 256, BODY_SIZE = 1024 };

static const char *const allowing[] = {"CALLBACK_INSECURE=on", "CALLBACK_ALLOW=127.0.0.1", NULL};
static const char *const signing[] = {"CALLBACK_INSECURE=on", "CALLBACK_ALLOW=127.0.0.1",
    "CALLBACK_SECRETS=" SECRET "," OTHER, "PUBLIC_URL=https://jobs.example.com", "LEASE_MS=1000", NULL};

static struct scene s;
static struct process *receiver;
static int port;

static void open_scene(void)
{
    static const char *const argv[] = {"node", "tests/integration/receiver.js", SECRET, OTHER, NULL};
    AUTO(free) char *line = NULL;

    scene_open(&s);
    receiver = process_start(argv, NULL);
    line = process_find_line(receiver, "port ", WAIT_MS);
    ck_assert_ptr_nonnull(line);
    port = (int)strtol(line + 5, NULL, 10);
    scene_start_api(&s, allowing);
}

static void close_scene(void)
{
    receiver = process_free(receiver);
    scene_close(&s);
}

/* Submits a job of `type` with further members (`,"payload":1`), to be told at `path` of the receiver. */
static char *submit(const char *type, const char *path, const char *members)
{
    char body[BODY_SIZE];

    snprintf(body, sizeof(body), "{\"type\":\"%s\",\"callback_url\":\"http://127.0.0.1:%d%s\"%s}", type, port,
        path, members);
    return jobgate_submit(s.api, body);
}

/* Waits for the request of which `needle` is a part; returns what the receiver says of it (json_decref). */
static json_t *wait_told(const char *needle)
{
    AUTO(free) char *line = process_find_line(receiver, needle, WAIT_MS);
    struct error e;
    json_t *told;

    ck_assert_msg(line != NULL, "nothing with %s came", needle);
    told = json_parse(line, strlen(line), &e);
    ck_assert_msg(told != NULL, "%s", line);
    return told;
}

static size_t count_told(const char *needle)
{
    AUTO(free) char *said = process_output(receiver);
    size_t count = 0;

    for (const char *at = said; (at = strstr(at, needle)); at++)
        count++;
    return count;
}

/* Waits until it came so often, and no more often. */
static void wait_count(const char *needle, size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (count_told(needle) < count)
        ck_assert_msg(wait_until(deadline_ms), "%s came %zu times", needle, count_told(needle));
    ck_assert_uint_eq(count_told(needle), count);
}

/* ---- what is told ---- */

START_TEST(success_is_told_with_where_the_result_is)
{
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *told = NULL;
    char text[URL_SIZE];

    scene_start_worker(&s, signing);
    id = submit("echo", "/hook", ",\"payload\":{\"n\":1},\"metadata\":{\"order\":\"7\"}");
    told = wait_told(id);
    ck_assert_str_eq(json_text_at(told, "/method"), "POST");
    ck_assert_ptr_nonnull(strstr(json_text_at(told, "/type"), "application/cloudevents+json"));
    ck_assert_ptr_null(json_at(told, "/event/error"));
    ck_assert(json_is_true(json_at(told, "/signatures/0")) && json_is_true(json_at(told, "/signatures/1")));
    ck_assert_str_eq(json_text_at(told, "/event/specversion"), "1.0");
    ck_assert_str_eq(json_text_at(told, "/event/type"), "jobgate.job.succeeded");
    ck_assert_str_eq(json_text_at(told, "/event/source"), "https://jobs.example.com/v1/jobs");
    ck_assert_str_eq(json_text_at(told, "/event/subject"), id);
    ck_assert_str_eq(json_text_at(told, "/event/id"), json_text_at(told, "/id"));
    snprintf(text, sizeof(text), "https://jobs.example.com/v1/jobs/%s/result", id);
    ck_assert_str_eq(json_text_at(told, "/event/dataref"), text);
    ck_assert_str_eq(json_text_at(told, "/event/data/id"), id);
    ck_assert_str_eq(json_text_at(told, "/event/data/state"), "succeeded");
    ck_assert_str_eq(json_text_at(told, "/event/data/metadata/order"), "7");
    ck_assert_int_eq(json_int_at(told, "/event/data/result/size"), 7);
    desk_wait_integer(&s, 0, "ZCARD " NOTES);
    desk_wait_counter(&s, "jobgate-callbacks", "succeeded", 1);
    wait_count("\"url\":\"/hook\"", 1);
}
END_TEST

START_TEST(every_end_is_told)
{
    AUTO(free) char *cancelled = NULL;
    AUTO(free) char *purged = NULL;
    AUTO(free) char *expired = NULL;
    AUTO(json) json_t *told = NULL;

    scene_start_worker(&s, signing);
    free(submit("fail", "/dead", ",\"payload\":{\"code\":\"bad_payload\",\"message\":\"no good\"}"));
    told = wait_told("/dead");
    ck_assert_str_eq(json_text_at(told, "/event/type"), "jobgate.job.dead");
    ck_assert_str_eq(json_text_at(told, "/event/data/error/message"), "no good");
    ck_assert_ptr_null(json_at(told, "/event/dataref"));
    cancelled = submit("echo", "/cancelled", ",\"delay_s\":3600");
    json_decref(desk_call_job(s.api, "DELETE", cancelled, "", 200));
    json_decref(told);
    told = wait_told("/cancelled");
    ck_assert_str_eq(json_text_at(told, "/event/type"), "jobgate.job.cancelled");
    purged = submit("echo", "/purged", ",\"delay_s\":3600");
    json_decref(desk_call(s.api, "DELETE", "/v1/queues/default/jobs?state=scheduled", NULL, 200));
    json_decref(told);
    told = wait_told("/purged");
    ck_assert_str_eq(json_text_at(told, "/event/subject"), purged);
    expired = submit("echo", "/expired", ",\"expires_at\":\"2020-01-01T00:00:00Z\"");
    json_decref(told);
    told = wait_told("/expired");
    ck_assert_str_eq(json_text_at(told, "/event/data/error/code"), "expired");
    ck_assert_str_eq(json_text_at(told, "/event/subject"), expired);
}
END_TEST

START_TEST(who_named_no_url_is_not_told)
{
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, signing);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"metadata\":{\"callback_url\":\"http://127.0.0.1:1/\"}}");
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    desk_wait_integer(&s, 0, "ZCARD " NOTES);
    ck_assert_int_eq(desk_counter(&s, "jobgate-callbacks", "submitted"), 0);
}
END_TEST

/* ---- when it does not come through ---- */

/* Lets the one callback that waits for its next try have it now. */
static void hurry(void)
{
    AUTO(free) char *id = NULL;

    desk_wait_integer(&s, 1, "ZCARD " SHARD "scheduled");
    redisReply *reply = redis_server_command(s.redis, "ZRANGE " SHARD "scheduled 0 0");
    id = mem_strdup(reply->element[0]->str);
    freeReplyObject(reply);
    redis_server_integer(s.redis, "ZADD " SHARD "scheduled 1 %s", id);
}

START_TEST(failed_callback_is_tried_again_and_is_the_same)
{
    AUTO(json) json_t *first = NULL;

    scene_start_worker(&s, signing);
    free(submit("echo", "/once-broken", ""));
    first = wait_told("/once-broken");
    hurry();
    desk_wait_counter(&s, "jobgate-callbacks", "succeeded", 1);
    wait_count("/once-broken", 2);
    wait_count(json_text_at(first, "/id"), 4); /* webhook-id and the event's, twice */
    ck_assert_int_eq(desk_counter(&s, "jobgate-callbacks", "retried"), 1);
}
END_TEST

/* When the next try of the callback comes, in seconds from now. */
static double next_try_s(void)
{
    AUTO(json)
    json_t *listed = desk_call(s.api, "GET", "/v1/jobs?queue=jobgate-callbacks&state=scheduled", NULL, 200);

    return (double)(desk_time(json_at(listed, "/jobs/0"), "/run_at") - clock_unix_ms()) / 1e3;
}

START_TEST(tries_follow_the_schedule_and_what_the_receiver_asks_for)
{
    double wait_s;

    scene_start_worker(&s, signing);
    free(submit("echo", "/status/500", ""));
    desk_wait_integer(&s, 1, "ZCARD " SHARD "scheduled");
    wait_s = next_try_s();
    ck_assert_msg(wait_s > -1 && wait_s <= 5, "the first one after %f s", wait_s);
    hurry();
    desk_wait_counter(&s, "jobgate-callbacks", "retried", 2);
    wait_s = next_try_s();
    ck_assert_msg(wait_s > 200 && wait_s <= 300, "the second one after %f s", wait_s);
    json_decref(desk_call(s.api, "DELETE", "/v1/queues/jobgate-callbacks/jobs?state=scheduled", NULL, 200));
    free(submit("echo", "/later", ""));
    desk_wait_integer(&s, 1, "ZCARD " SHARD "scheduled");
    wait_s = next_try_s();
    ck_assert_msg(wait_s > 3500 && wait_s <= 3601, "as asked after %f s", wait_s);
}
END_TEST

static void expect_dead_callback(const char *words)
{
    AUTO(json) json_t *listed = NULL;

    desk_wait_integer(&s, 1, "ZCARD " SHARD "dead");
    listed = desk_call(s.api, "GET", "/v1/jobs?queue=jobgate-callbacks&state=dead", NULL, 200);
    ck_assert_msg(strstr(json_text_at(listed, "/jobs/0/error/message"), words) != NULL,
        "\"%s\" is not in \"%s\"", words, json_text_at(listed, "/jobs/0/error/message"));
}

START_TEST(receiver_that_is_gone_is_not_asked_again)
{
    scene_start_worker(&s, signing);
    free(submit("echo", "/status/410", ""));
    expect_dead_callback("410");
    wait_count("/status/410", 1);
    ck_assert_int_eq(desk_counter(&s, "jobgate-callbacks", "retried"), 0);
}
END_TEST

START_TEST(redirect_is_not_followed)
{
    scene_start_worker(&s, signing);
    free(submit("echo", "/redirect", ""));
    desk_wait_counter(&s, "jobgate-callbacks", "retried", 1);
    ck_assert_uint_eq(count_told("/target"), 0);
}
END_TEST

/* The end is noted in the step that ends the job; who dies in between is followed by another. */
START_TEST(end_is_told_whoever_dies)
{
    AUTO(free) char *id = NULL;

    id = submit("echo", "/cut", ",\"delay_s\":3600");
    json_decref(desk_call_job(s.api, "DELETE", id, "", 200)); /* no worker has run yet */
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " NOTES), 1);
    scene_start_worker(&s, signing);
    json_decref(wait_told(id));
    desk_wait_counter(&s, "jobgate-callbacks", "succeeded", 1);
    jobgate_kill(s.worker);
    s.worker = jobgate_free(s.worker);
    redis_server_integer(
        s.redis, "ZADD " NOTES " 1 %s", id); /* as if it had died before it took the note away */
    scene_start_worker(&s, signing);
    desk_wait_integer(&s, 0, "ZCARD " NOTES);
    ck_assert_int_eq(desk_counter(&s, "jobgate-callbacks", "submitted"), 1);
    wait_count("\"url\":\"/cut\"", 1);
}
END_TEST

/* A worker that noted nothing itself finds the queue. */
START_TEST(callbacks_are_delivered_by_any_worker)
{
    scene_start_worker(&s, signing);
    free(submit("echo", "/status/500", ""));
    desk_wait_integer(&s, 1, "ZCARD " SHARD "scheduled");
    jobgate_stop(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, signing);
    hurry();
    desk_wait_counter(&s, "jobgate-callbacks", "retried", 2);
}
END_TEST

/* ---- where it must not lead ---- */

static const struct refused_row {
    const char *url;
    const char *words;
} refused[] = {
    {"ftp://example.com/", "is not a URL"},
    {"example.com/hook", "is not a URL"},
    {"https://user:password@example.com/", "without user"},
    {"https://example.com/#fragment", "without user"},
    {"https:///hook", "is not a URL"},
    {"http://example.com/hook", "https"},
    {"https://127.0.0.1/hook", "must not reach"},
    {"https://10.0.0.1/hook", "must not reach"},
    {"https://169.254.169.254/metadata", "must not reach"},
    {"https://[::1]/hook", "must not reach"},
    {"https://[fe80::1]/hook", "must not reach"},
    {"https://0x7f000001/hook", "must not reach"},
};

START_TEST(url_that_leads_inside_is_refused_at_the_door)
{
    const struct refused_row *row = &refused[_i];
    AUTO(json) json_t *problem = NULL;
    char body[BODY_SIZE];

    s.api = jobgate_free(s.api);
    scene_start_api(&s, NULL);
    snprintf(body, sizeof(body), "{\"type\":\"echo\",\"callback_url\":\"%s\"}", row->url);
    problem = desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid");
    ck_assert_str_eq(json_text_at(problem, "/errors/0/pointer"), "/callback_url");
    ck_assert_msg(strstr(json_text_at(problem, "/errors/0/detail"), row->words) != NULL, "%s: %s", row->url,
        json_text_at(problem, "/errors/0/detail"));
}
END_TEST

/* A name that resolves to an address inside: only the worker can see that. */
START_TEST(name_that_leads_inside_is_refused_when_it_is_resolved)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char body[BODY_SIZE];

    scene_start_worker(&s, (const char *[]){"CALLBACK_INSECURE=on", NULL});
    snprintf(body, sizeof(body), "{\"type\":\"echo\",\"callback_url\":\"http://localhost:%d/inside\"}", port);
    free(jobgate_submit(s.api, body));
    desk_wait_counter(&s, "jobgate-callbacks", "retried", 1);
    while (scene_count_log(s.worker, "must not be reached", "localhost") == 0)
        ck_assert(wait_until(deadline_ms));
    ck_assert_uint_eq(count_told("/inside"), 0);
}
END_TEST

START_TEST(own_queues_and_types_are_not_for_callers)
{
    json_decref(desk_refused(
        s.api, "POST", "/v1/jobs", "{\"type\":\"echo\",\"queue\":\"jobgate-callbacks\"}", 422, "invalid"));
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", "{\"type\":\"jobgate-callback\"}", 422, "invalid"));
}
END_TEST

Suite *callbacks_suite(void)
{
    Suite *suite = suite_create("callbacks");
    TCase *tests = tcase_create("callbacks");

    tcase_add_checked_fixture(tests, open_scene, close_scene);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, success_is_told_with_where_the_result_is);
    tcase_add_test(tests, every_end_is_told);
    tcase_add_test(tests, who_named_no_url_is_not_told);
    tcase_add_test(tests, failed_callback_is_tried_again_and_is_the_same);
    tcase_add_test(tests, tries_follow_the_schedule_and_what_the_receiver_asks_for);
    tcase_add_test(tests, receiver_that_is_gone_is_not_asked_again);
    tcase_add_test(tests, redirect_is_not_followed);
    tcase_add_test(tests, end_is_told_whoever_dies);
    tcase_add_test(tests, callbacks_are_delivered_by_any_worker);
    tcase_add_loop_test(tests, url_that_leads_inside_is_refused_at_the_door, 0, ARRAY_LENGTH(refused));
    tcase_add_test(tests, name_that_leads_inside_is_refused_when_it_is_resolved);
    tcase_add_test(tests, own_queues_and_types_are_not_for_callers);
    suite_add_tcase(suite, tests);
    return suite;
}
