/*
 * Schedules: written, shown and removed through the api; submitted by workers, each time once. A test does
 * not wait for the clock: it sets the time that Redis keeps.
 */
#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *schedules_suite(void);

#define DUE "jobgate:{schedules}:due"
#define ECHO_JOB "\"job\":{\"type\":\"echo\",\"payload\":{\"n\":12345678901234567}}"
#define MINUTELY "{\"cron\":\"* * * * *\"," ECHO_JOB "}"
#define HOURLY "{\"cron\":\"@hourly\"," ECHO_JOB "}"
#define GATED "{\"cron\":\"@hourly\",%s\"job\":{\"type\":\"wait\"}}"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, PATH_SIZE = 256, BODY_SIZE = 512 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    desk_write_types(&s, ",\"wait\":{\"kind\":\"builtin\",\"builtin\":\"sleep\"}");
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static json_t *put(const char *name, const char *body, int status)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/v1/schedules/%s", name);
    return desk_call(s.api, "PUT", path, body, status);
}

static json_t *show(const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/v1/schedules/%s", name);
    return desk_call(s.api, "GET", path, NULL, 200);
}

/* Sets when it is due: so long ago, and at a full minute. Returns that time. */
static int64_t make_due(const char *name, int64_t ago_ms)
{
    int64_t due_ms = (clock_unix_ms() - ago_ms) / MINUTE_MS * MINUTE_MS;

    redis_server_integer(s.redis, "ZADD " DUE " %lld /%s", (long long)due_ms, name);
    return due_ms;
}

/* Waits until it was planned, or came and was planned anew. Returns it (json_decref). */
static json_t *wait_planned(const char *name)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;

    for (;;) {
        json_t *schedule = show(name);
        const json_t *next = json_at(schedule, "/next_at");

        if (next && desk_time(schedule, "/next_at") > clock_unix_ms())
            return schedule;
        ck_assert_msg(wait_until(deadline_ms), "%s is not planned", name);
        json_decref(schedule);
    }
}

/* ---- writing and showing ---- */

START_TEST(schedule_is_written_shown_replaced_and_removed)
{
    AUTO(json)
    json_t *made = put("nightly",
        "{\"cron\":\"30 2 * * "
        "*\",\"timezone\":\"Europe/Berlin\",\"overlap\":\"allow\",\"catch_up\":\"none\"," ECHO_JOB "}",
        201);
    AUTO(json) json_t *shown = show("nightly");
    AUTO(json) json_t *replaced = NULL;
    AUTO_REPLY struct http_reply gone = {0};

    ck_assert(json_equal(made, shown));
    ck_assert_str_eq(json_text_at(shown, "/name"), "nightly");
    ck_assert_str_eq(json_text_at(shown, "/cron"), "30 2 * * *");
    ck_assert_str_eq(json_text_at(shown, "/timezone"), "Europe/Berlin");
    ck_assert_str_eq(json_text_at(shown, "/overlap"), "allow");
    ck_assert_str_eq(json_text_at(shown, "/catch_up"), "none");
    ck_assert(json_is_false(json_at(shown, "/paused")));
    ck_assert_int_eq(json_int_at(shown, "/job/payload/n"), 12345678901234567);
    replaced = put("nightly", HOURLY, 200);
    ck_assert_str_eq(json_text_at(replaced, "/timezone"), "UTC");
    ck_assert_str_eq(json_text_at(replaced, "/overlap"), "skip");
    ck_assert_str_eq(json_text_at(replaced, "/catch_up"), "one");
    desk_ask(s.api, "DELETE", "/v1/schedules/nightly", NULL, &gone);
    ck_assert_int_eq(gone.status, 204);
    ck_assert_uint_eq(gone.body.length, 0);
    json_decref(desk_refused(s.api, "GET", "/v1/schedules/nightly", NULL, 404, "not_found"));
    json_decref(desk_refused(s.api, "DELETE", "/v1/schedules/nightly", NULL, 404, "not_found"));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " DUE " jobgate:{schedules}:text "
                                                   "jobgate:{schedules}:record jobgate:{schedules}:names"),
        0);
}
END_TEST

START_TEST(schedules_are_listed_in_pages)
{
    AUTO(json) json_t *first = NULL;
    AUTO(json) json_t *second = NULL;
    char path[PATH_SIZE];

    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%d", i);
        json_decref(put(name, HOURLY, 201));
    }
    first = desk_call(s.api, "GET", "/v1/schedules?limit=3", NULL, 200);
    ck_assert_uint_eq(json_array_size(json_at(first, "/schedules")), 3);
    ck_assert_str_eq(json_text_at(first, "/schedules/0/name"), "s0");
    snprintf(path, sizeof(path), "/v1/schedules?limit=3&cursor=%s", json_text_at(first, "/cursor"));
    second = desk_call(s.api, "GET", path, NULL, 200);
    ck_assert_uint_eq(json_array_size(json_at(second, "/schedules")), 2);
    ck_assert_str_eq(json_text_at(second, "/schedules/1/name"), "s4");
    ck_assert_ptr_null(json_at(second, "/cursor"));
}
END_TEST

static const struct bad_row {
    const char *body;
    const char *pointer;
    const char *words;
} bad[] = {
    {"{" ECHO_JOB "}", "/cron", "is missing"},
    {"{\"cron\":\"@daily\"}", "/job", "is missing"},
    {"{\"cron\":\"61 * * * *\"," ECHO_JOB "}", "/cron", "the minute is \"61\""},
    {"{\"cron\":\"0 0 31 2 *\"," ECHO_JOB "}", "/cron", "no such day"},
    {"{\"cron\":5," ECHO_JOB "}", "/cron", "is not a text"},
    {"{\"cron\":\"@daily\",\"timezone\":\"Mars\"," ECHO_JOB "}", "/timezone", "Europe/Berlin"},
    {"{\"cron\":\"@daily\",\"timezone\":\"../../etc/passwd\"," ECHO_JOB "}", "/timezone", "no time zone"},
    {"{\"cron\":\"@daily\",\"overlap\":\"maybe\"," ECHO_JOB "}", "/overlap", "\"skip\""},
    {"{\"cron\":\"@daily\",\"catch_up\":1," ECHO_JOB "}", "/catch_up", "\"one\""},
    {"{\"cron\":\"@daily\",\"paused\":\"no\"," ECHO_JOB "}", "/paused", "true or false"},
    {"{\"cron\":\"@daily\",\"typo\":1," ECHO_JOB "}", "/typo", "is not known"},
    {"{\"cron\":\"@daily\",\"job\":{\"payload\":1}}", "/job/type", "is missing"},
    {"{\"cron\":\"@daily\",\"job\":{\"type\":\"echo\",\"queue\":\"NO\"}}", "/job/queue", "is not a name"},
    {"{\"cron\":\"@daily\",\"job\":{\"type\":\"echo\",\"delay_s\":1}}", "/job/delay_s", "not for the job"},
    {"{\"cron\":\"@daily\",\"job\":{\"type\":\"echo\",\"unique_key\":\"a\"}}", "/job/unique_key",
        "not for the job"},
    {"{\"cron\":\"@daily\",\"job\":5}", "/job", "is not a JSON object"},
    {"[]", "", "is not a JSON object"},
};

START_TEST(what_is_wrong_is_refused_by_its_place)
{
    const struct bad_row *row = &bad[_i];
    AUTO(json) json_t *problem = desk_refused(s.api, "PUT", "/v1/schedules/a", row->body, 422, "invalid");
    const json_t *errors = json_at(problem, "/errors");
    bool is_told = false;

    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *one = json_array_get(errors, i);

        is_told = is_told || (strcmp(json_text_at(one, "/pointer"), row->pointer) == 0 &&
                                 strstr(json_text_at(one, "/detail"), row->words));
    }
    ck_assert_msg(is_told, "%s: %s", row->body, row->pointer);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS jobgate:{schedules}:names"), 0);
}
END_TEST

START_TEST(there_are_as_many_as_may_be)
{
    s.api = jobgate_free(s.api);
    scene_start_api(&s, (const char *[]){"SCHEDULES_MAX=2", NULL});
    json_decref(put("a", HOURLY, 201));
    json_decref(put("b", HOURLY, 201));
    json_decref(desk_refused(s.api, "PUT", "/v1/schedules/c", HOURLY, 422, "invalid"));
    json_decref(put("b", MINUTELY, 200));
    json_decref(desk_refused(s.api, "PUT", "/v1/schedules/NO", HOURLY, 404, "not_found"));
}
END_TEST

/* ---- coming ---- */

START_TEST(schedule_comes_when_it_is_due)
{
    AUTO(json) json_t *planned = NULL;
    AUTO(json) json_t *came = NULL;
    int64_t due_ms;

    scene_start_worker(&s, NULL);
    json_decref(put("tick", HOURLY, 201));
    planned = wait_planned("tick");
    ck_assert_int_eq(desk_time(planned, "/next_at") % HOUR_MS, 0);
    ck_assert_ptr_null(json_at(planned, "/last"));
    due_ms = make_due("tick", 0);
    desk_wait_counter(&s, "default", "succeeded", 1);
    came = wait_planned("tick");
    ck_assert_int_eq(desk_time(came, "/last/at"), due_ms);
    scene_expect_result(&s, json_text_at(came, "/last/job_id"), "{\"n\":12345678901234567}", 23);
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 1);
}
END_TEST

/* Two workers look; and what one of them did and could not note comes again. */
START_TEST(each_time_comes_once)
{
    struct jobgate *second;
    int64_t due_ms[8];
    char name[16];

    scene_start_worker(&s, NULL);
    second = scene_new_worker(&s, NULL);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        json_decref(put(name, HOURLY, 201));
        json_decref(wait_planned(name));
    }
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        due_ms[i] = make_due(name, 0);
    }
    desk_wait_counter(&s, "default", "succeeded", 8);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        json_decref(wait_planned(name));
        redis_server_integer(s.redis, "ZADD " DUE " %lld /%s", (long long)due_ms[i], name);
    }
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        json_decref(wait_planned(name));
    }
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 8);
    jobgate_free(second);
}
END_TEST

static void expect_submitted(const char *name, long long count)
{
    json_decref(wait_planned(name));
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), count);
}

START_TEST(missed_times_are_made_up_for_as_the_schedule_says)
{
    int64_t due_ms;
    AUTO(json) json_t *one = NULL;

    scene_start_worker(&s, NULL);
    json_decref(put("none", "{\"cron\":\"@hourly\",\"catch_up\":\"none\"," ECHO_JOB "}", 201));
    json_decref(wait_planned("none"));
    make_due("none", 5 * HOUR_MS);
    expect_submitted("none", 0);
    json_decref(put("one", HOURLY, 201));
    json_decref(wait_planned("one"));
    make_due("one", 5 * HOUR_MS);
    expect_submitted("one", 1);
    one = show("one");
    ck_assert_int_gt(desk_time(one, "/last/at"), clock_unix_ms() - HOUR_MS - MINUTE_MS);
    json_decref(
        put("all", "{\"cron\":\"@hourly\",\"catch_up\":\"all\",\"overlap\":\"allow\"," ECHO_JOB "}", 201));
    json_decref(wait_planned("all"));
    due_ms = (clock_unix_ms() / HOUR_MS - 3) * HOUR_MS;
    redis_server_integer(s.redis, "ZADD " DUE " %lld /all", (long long)due_ms);
    expect_submitted("all", 1 + 4 + (clock_unix_ms() / HOUR_MS - 3 - due_ms / HOUR_MS));
}
END_TEST

START_TEST(nothing_comes_while_the_last_has_not_ended)
{
    AUTO(json) json_t *first = NULL;
    AUTO(json) json_t *second = NULL;
    char body[BODY_SIZE];

    s.api = jobgate_free(s.api);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/pause", NULL, 200));
    snprintf(body, sizeof(body), GATED, "");
    json_decref(put("skips", body, 201));
    json_decref(wait_planned("skips"));
    make_due("skips", 2 * MINUTE_MS);
    first = wait_planned("skips");
    make_due("skips", MINUTE_MS);
    second = wait_planned("skips");
    ck_assert_int_eq(desk_counter(&s, "default", "submitted"), 1);
    ck_assert_str_eq(json_text_at(second, "/last/skipped_for"), json_text_at(first, "/last/job_id"));
    snprintf(body, sizeof(body), GATED, "\"overlap\":\"allow\",");
    json_decref(put("skips", body, 200));
    json_decref(wait_planned("skips"));
    make_due("skips", 0);
    expect_submitted("skips", 2);
}
END_TEST

START_TEST(paused_schedule_waits_and_a_removed_one_never_comes)
{
    scene_start_worker(&s, NULL);
    json_decref(put("held", "{\"cron\":\"* * * * *\",\"paused\":true," ECHO_JOB "}", 201));
    json_decref(put("gone", HOURLY, 201));
    json_decref(put("comes", HOURLY, 201));
    json_decref(wait_planned("gone"));
    json_decref(wait_planned("comes"));
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " DUE), 2);
    {
        AUTO_REPLY struct http_reply reply = {0};

        desk_ask(s.api, "DELETE", "/v1/schedules/gone", NULL, &reply);
        ck_assert_int_eq(reply.status, 204);
    }
    make_due("comes", 0);
    expect_submitted("comes", 1);
    json_decref(put("held", HOURLY, 200));
    json_decref(wait_planned("held"));
}
END_TEST

START_TEST(damaged_schedule_is_told_and_hinders_no_other)
{
    AUTO(json) json_t *damaged = NULL;

    scene_start_worker(&s, NULL);
    json_decref(put("bad", HOURLY, 201));
    json_decref(put("good", HOURLY, 201));
    json_decref(wait_planned("good"));
    json_decref(wait_planned("bad"));
    redis_server_integer(s.redis, "HSET jobgate:{schedules}:record /bad rubbish");
    make_due("bad", 0);
    make_due("good", 0);
    expect_submitted("good", 1);
    damaged = wait_planned("bad");
    ck_assert_ptr_nonnull(json_text_at(damaged, "/last/error"));
    ck_assert_uint_ge(scene_count_log(s.worker, "\"level\":\"error\"", "/bad"), 1);
}
END_TEST

/* It is all in Redis. */
START_TEST(schedules_outlive_everything_but_redis)
{
    s.api = jobgate_free(s.api);
    scene_start_api(&s, NULL);
    json_decref(put("later", HOURLY, 201));
    s.api = jobgate_free(s.api);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
    json_decref(wait_planned("later"));
    jobgate_kill(s.worker);
    s.worker = jobgate_free(s.worker);
    make_due("later", 0);
    scene_start_worker(&s, NULL);
    expect_submitted("later", 1);
}
END_TEST

Suite *schedules_suite(void)
{
    Suite *suite = suite_create("schedules");
    TCase *writing = tcase_create("writing");
    TCase *coming = tcase_create("coming");

    tcase_add_checked_fixture(writing, open_scene, close_scene);
    tcase_set_timeout(writing, 60);
    tcase_add_test(writing, schedule_is_written_shown_replaced_and_removed);
    tcase_add_test(writing, schedules_are_listed_in_pages);
    tcase_add_loop_test(writing, what_is_wrong_is_refused_by_its_place, 0, ARRAY_LENGTH(bad));
    tcase_add_test(writing, there_are_as_many_as_may_be);
    suite_add_tcase(suite, writing);
    tcase_add_checked_fixture(coming, open_scene, close_scene);
    tcase_set_timeout(coming, 120);
    tcase_add_test(coming, schedule_comes_when_it_is_due);
    tcase_add_test(coming, each_time_comes_once);
    tcase_add_test(coming, missed_times_are_made_up_for_as_the_schedule_says);
    tcase_add_test(coming, nothing_comes_while_the_last_has_not_ended);
    tcase_add_test(coming, paused_schedule_waits_and_a_removed_one_never_comes);
    tcase_add_test(coming, damaged_schedule_is_told_and_hinders_no_other);
    tcase_add_test(coming, schedules_outlive_everything_but_redis);
    suite_add_tcase(suite, coming);
    return suite;
}
