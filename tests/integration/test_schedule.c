/*
 * Schedules: jobs that run later, and jobs that are not to run any more.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *schedule_suite(void);

#define SHARD "jobgate:{default.0}:"

enum { BODY_SIZE = 512, HOUR_MS = 3600000 };

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

/* Submits an echo with further members of JSON; returns the answer (json_decref). */
static json_t *submit_with(const char *members)
{
    char body[2 * BODY_SIZE];

    snprintf(body, sizeof(body), "{\"type\":\"echo\",\"payload\":1,%s}", members);
    return desk_call(s.api, "POST", "/v1/jobs", body, 202);
}

/* `ms` from now as RFC 3339. */
static const char *from_now(int64_t ms, char text[CLOCK_RFC3339_SIZE])
{
    clock_format_rfc3339(clock_unix_ms() + ms, text);
    return text;
}

static void assert_runs_at_once(const json_t *job)
{
    ck_assert_str_eq(json_text_at(job, "/state"), "queued");
    ck_assert_ptr_null(json_at(job, "/run_at"));
}

/* ---- later ---- */

START_TEST(job_waits_for_its_delay)
{
    static const struct {
        const char *member;
        int64_t ms;
    } delays[] = {{"\"delay_s\":0.25", 250}, {"\"delay_s\":1", 1000}, {"\"delay_s\":1.5", 1500}};
    json_t *jobs[ARRAY_LENGTH(delays)];

    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        jobs[i] = submit_with(delays[i].member);
        ck_assert_str_eq(json_text_at(jobs[i], "/state"), "scheduled");
        ck_assert_int_ge(desk_time(jobs[i], "/run_at"), desk_time(jobs[i], "/created_at") + delays[i].ms - 1);
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready"), 0);
    scene_start_worker(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        AUTO(json) json_t *done = jobgate_wait_for(s.api, json_text_at(jobs[i], "/id"), "succeeded");

        ck_assert_int_ge(desk_time(done, "/started_at"), desk_time(jobs[i], "/run_at"));
        ck_assert_ptr_null(json_at(done, "/run_at"));
        json_decref(jobs[i]);
    }
}
END_TEST

START_TEST(delay_stands_in_the_query_too)
{
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=echo&delay_s=0.5", "text/plain", "1", 1);
    AUTO(json) json_t *job = jobgate_job(s.api, id);

    ck_assert_str_eq(json_text_at(job, "/state"), "scheduled");
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "1", 1);
}
END_TEST

START_TEST(job_waits_for_its_time)
{
    char time[CLOCK_RFC3339_SIZE];
    char member[BODY_SIZE];
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *done = NULL;

    snprintf(member, sizeof(member), "\"run_at\":\"%s\"", from_now(1000, time));
    job = submit_with(member);
    ck_assert_str_eq(json_text_at(job, "/state"), "scheduled");
    ck_assert_str_eq(json_text_at(job, "/run_at"), time);
    scene_start_worker(&s, NULL);
    done = jobgate_wait_for(s.api, json_text_at(job, "/id"), "succeeded");
    ck_assert_int_ge(desk_time(done, "/started_at"), desk_time(job, "/run_at"));
}
END_TEST

/* An offset is read, and of run_at and delay_s the later one counts. */
START_TEST(time_is_read_with_its_offset)
{
    AUTO(json) json_t *plain = submit_with("\"run_at\":\"2027-01-31T08:00:00.250+01:00\"");
    AUTO(json) json_t *both = submit_with("\"run_at\":\"2027-01-31T08:00:00Z\",\"delay_s\":1");
    AUTO(json) json_t *other = submit_with("\"run_at\":\"2001-01-31T08:00:00Z\",\"delay_s\":3600");

    ck_assert_str_eq(json_text_at(plain, "/run_at"), "2027-01-31T07:00:00.250Z");
    ck_assert_str_eq(json_text_at(both, "/run_at"), "2027-01-31T08:00:00.000Z");
    ck_assert_int_ge(desk_time(other, "/run_at"), desk_time(other, "/created_at") + HOUR_MS - 1);
}
END_TEST

START_TEST(time_that_has_passed_is_now)
{
    static const char *const members[] = {"\"run_at\":\"2001-01-31T08:00:00Z\"", "\"delay_s\":0",
        "\"delay_s\":0.0004", "\"run_at\":\"1970-01-01T00:00:00Z\",\"delay_s\":0"};

    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        AUTO(json) json_t *job = submit_with(members[i]);

        assert_runs_at_once(job);
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), (long long)ARRAY_LENGTH(members));
    scene_start_worker(&s, NULL);
    desk_wait_counter(&s, "default", "succeeded", (long long)ARRAY_LENGTH(members));
}
END_TEST

/* Each leaves a line with its number. */
static void assert_each_once(size_t count)
{
    bool seen[256] = {false};
    size_t length;
    AUTO(free) char *text = scene_read(&s, "all", &length);

    ck_assert_uint_eq(scene_count_lines(&s, "all"), count);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
        size_t number = strtoul(line, NULL, 10);

        ck_assert_uint_lt(number, count);
        ck_assert_msg(!seen[number], "job %zu ran twice", number);
        seen[number] = true;
    }
}

START_TEST(due_jobs_are_promoted_once_by_two_workers)
{
    enum { JOBS = 120 };
    struct jobgate *second;

    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=4", NULL});
    second = scene_new_worker(&s, (const char *[]){"WORKER_CONCURRENCY=4", NULL});
    for (int i = 0; i < JOBS; i++) {
        char script[64];

        snprintf(script, sizeof(script), "echo %d >>all", i);
        free(scene_submit_script(&s, i % 2 ? "&delay_s=0.7" : "&delay_s=0.3", script));
    }
    desk_wait_counter(&s, "default", "succeeded", JOBS);
    assert_each_once(JOBS);
    ck_assert_int_eq(desk_counter(&s, "default", "started"), JOBS);
    ck_assert_int_eq((int)(jobgate_metric(s.worker, "jobgate_jobs_promoted_total") +
                           jobgate_metric(second, "jobgate_jobs_promoted_total")),
        JOBS);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "scheduled"), 0);
    jobgate_free(second);
}
END_TEST

/* Those of a worker that vanished are promoted by another, in the order of their times. */
START_TEST(due_jobs_run_in_the_order_of_their_times)
{
    static const char *const delays[] = {"&delay_s=0.9", "&delay_s=0.3", "&delay_s=0.6"};
    size_t length;
    AUTO(free) char *text = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        char script[64];

        snprintf(script, sizeof(script), "echo %zu >>all", i);
        free(scene_submit_script(&s, delays[i], script));
    }
    desk_pass(1000); /* so that all of them are due */
    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=1", NULL});
    desk_wait_counter(&s, "default", "succeeded", (long long)ARRAY_LENGTH(delays));
    text = scene_read(&s, "all", &length);
    ck_assert_str_eq(text, "1\n2\n0\n");
}
END_TEST

/* ---- not any more ---- */

static char *submit_expiring(int64_t ms, const char *more)
{
    char time[CLOCK_RFC3339_SIZE];
    char options[BODY_SIZE];

    snprintf(options, sizeof(options), "&expires_at=%s%s", from_now(ms, time), more);
    return scene_submit_script(&s, options, "echo x >>starts; echo done");
}

START_TEST(job_that_was_not_started_in_time_is_dead)
{
    AUTO(free) char *queued = submit_expiring(300, "");
    AUTO(free) char *passed = submit_expiring(-HOUR_MS, "");
    AUTO(free) char *scheduled = submit_expiring(300, "&delay_s=0.5");
    AUTO(free) char *in_time = submit_expiring(HOUR_MS, "");
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *replayed = NULL;

    desk_pass(400);
    scene_start_worker(&s, NULL);
    scene_expect_dead(&s, queued, "expired", "expires_at");
    scene_expect_dead(&s, passed, "expired", "expires_at");
    scene_expect_dead(&s, scheduled, "expired", "expires_at");
    scene_expect_result(&s, in_time, "done\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "dead"), 3);
    job = jobgate_job(s.api, queued);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 0);
    ck_assert_int_lt(desk_time(job, "/expires_at"), desk_time(job, "/finished_at"));
    replayed = desk_call_job(s.api, "POST", queued, "/retry", 200); /* it would expire at once */
    ck_assert_ptr_null(json_at(replayed, "/expires_at"));
    scene_expect_result(&s, queued, "done\n", 5);
}
END_TEST

/* expires_at is about the start: one that was started in time is tried again whenever that is. */
START_TEST(job_that_was_started_in_time_is_tried_again)
{
    char time[CLOCK_RFC3339_SIZE];
    char options[BODY_SIZE];
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, NULL);
    snprintf(options, sizeof(options), "&expires_at=%s", from_now(2500, time));
    id = scene_submit_script(
        &s, options, "echo x >>starts; [ $JOBGATE_ATTEMPT -gt 1 ] || { sleep 3; exit 1; }; echo done");
    scene_expect_result(&s, id, "done\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
}
END_TEST

/* ---- what is none ---- */

static const struct mistake {
    const char *member;
    const char *pointer;
} mistakes[] = {
    {"\"delay_s\":-1", "/delay_s"},
    {"\"delay_s\":31536001", "/delay_s"},
    {"\"delay_s\":\"1\"", "/delay_s"},
    {"\"delay_s\":null", "/delay_s"},
    {"\"delay_s\":[1]", "/delay_s"},
    {"\"run_at\":\"tomorrow\"", "/run_at"},
    {"\"run_at\":\"2027-01-31\"", "/run_at"},
    {"\"run_at\":\"2027-01-31T08:00:00\"", "/run_at"},
    {"\"run_at\":\"2027-02-30T08:00:00Z\"", "/run_at"},
    {"\"run_at\":\"2027-01-31T25:00:00Z\"", "/run_at"},
    {"\"run_at\":\"2027-01-31T08:00:00Z and more\"", "/run_at"},
    {"\"run_at\":\"2027-01-31T08:00:00Z\\u0000\"", "/run_at"},
    {"\"run_at\":\"9999-01-31T08:00:00Z\"", "/run_at"},
    {"\"run_at\":1800000000", "/run_at"},
    {"\"run_at\":\"\"", "/run_at"},
    {"\"expires_at\":\"soon\"", "/expires_at"},
    {"\"expires_at\":\"9999-01-31T08:00:00Z\"", "/expires_at"},
    {"\"expires_at\":false", "/expires_at"},
    {"\"max_attempts\":0", "/max_attempts"},
    {"\"max_attempts\":101", "/max_attempts"},
    {"\"max_attempts\":1.5", "/max_attempts"},
    {"\"timeout_s\":0", "/timeout_s"},
    {"\"timeout_s\":86401", "/timeout_s"},
    {"\"unique_key\":\"\"", "/unique_key"},
    {"\"unique_key\":7", "/unique_key"},
};

START_TEST(what_is_no_time_and_no_number_is_refused_by_name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
        AUTO(json) json_t *problem = NULL;
        char body[2 * BODY_SIZE];

        snprintf(body, sizeof(body), "{\"type\":\"echo\",\"payload\":1,%s}", mistakes[i].member);
        problem = desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid");
        ck_assert_uint_eq(json_array_size(json_at(problem, "/errors")), 1);
        ck_assert_str_eq(json_text_at(problem, "/errors/0/pointer"), mistakes[i].pointer);
        ck_assert_str_ne(json_text_at(problem, "/errors/0/detail"), "");
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "DBSIZE"), 0);
}
END_TEST

START_TEST(wrong_parameters_are_refused_by_name)
{
    static const char *const wrong[][2] = {{"delay_s=x", "delay_s"}, {"delay_s=-0.5", "delay_s"},
        {"delay_s=1e9", "delay_s"}, {"run_at=now", "run_at"}, {"expires_at=2027", "expires_at"},
        {"max_attempts=many", "max_attempts"}};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        AUTO(json) json_t *problem = NULL;
        char path[128];

        snprintf(path, sizeof(path), "/v1/jobs?type=echo&%s", wrong[i][0]);
        problem = desk_refused(s.api, "POST", path, NULL, 422, "invalid");
        ck_assert_uint_eq(json_array_size(json_at(problem, "/errors")), 1);
        ck_assert_str_eq(json_text_at(problem, "/errors/0/parameter"), wrong[i][1]);
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "DBSIZE"), 0);
}
END_TEST

Suite *schedule_suite(void)
{
    Suite *suite = suite_create("schedule");
    TCase *all = tcase_create("schedule");

    tcase_add_checked_fixture(all, open_scene, close_scene);
    tcase_add_test(all, job_waits_for_its_delay);
    tcase_add_test(all, delay_stands_in_the_query_too);
    tcase_add_test(all, job_waits_for_its_time);
    tcase_add_test(all, time_is_read_with_its_offset);
    tcase_add_test(all, time_that_has_passed_is_now);
    tcase_add_test(all, due_jobs_are_promoted_once_by_two_workers);
    tcase_add_test(all, due_jobs_run_in_the_order_of_their_times);
    tcase_add_test(all, job_that_was_not_started_in_time_is_dead);
    tcase_add_test(all, job_that_was_started_in_time_is_tried_again);
    tcase_add_test(all, what_is_no_time_and_no_number_is_refused_by_name);
    tcase_add_test(all, wrong_parameters_are_refused_by_name);
    tcase_set_timeout(all, 60);
    suite_add_tcase(suite, all);
    return suite;
}
