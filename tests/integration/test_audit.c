/*
 * The audit: what stands where it must not is found, named in the log and counted, and what stands right is
 * not. Each fault is planted by hand in a queue that is paused, so that no worker moves what was planted.
 */
#include <check.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *audit_suite(void);

#define SHARD "jobgate:{default.0}:"
#define MISPLACED "jobgate_queue_misplaced_jobs{queue=\"default\"}"
#define ECHO "{\"type\":\"echo\",\"payload\":1}"
#define LATER "{\"type\":\"echo\",\"payload\":1,\"delay_s\":3600}"

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"AUDIT_S=1", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static void pause_queue(void)
{
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/pause", NULL, 200));
}

/* Waits until `count` audits and one more are complete. */
static void wait_for_audits(int count)
{
    double wanted;

    jobgate_wait_metric(s.worker, "jobgate_audits_total", 1);
    wanted = 1 + count;
    while (jobgate_metric(s.worker, "jobgate_audits_total") < wanted)
        desk_pass(50);
}

static void expect_misplaced(int count, const char *id)
{
    jobgate_wait_metric(s.worker, MISPLACED, count);
    if (count)
        ck_assert_uint_ge(scene_count_log(s.worker, "\"level\":\"error\"", id), 1);
}

static char *make_dead(void)
{
    char *id = scene_submit_script(&s, "", "exit 65");

    json_decref(jobgate_wait_for(s.api, id, "dead"));
    return id;
}

START_TEST(queue_in_order_counts_nothing)
{
    AUTO(free) char *cancelled = NULL;
    AUTO(free) char *good = NULL;

    free(make_dead());
    good = jobgate_submit(s.api, ECHO);
    scene_expect_result(&s, good, "1", 1);
    pause_queue();
    for (int i = 0; i < 300; i++) /* more than a page of the audit */
        free(jobgate_submit(s.api, ECHO));
    free(jobgate_submit(s.api, LATER));
    cancelled = jobgate_submit(s.api, ECHO);
    json_decref(desk_call_job(s.api, "DELETE", cancelled, "", 200));
    wait_for_audits(3);
    ck_assert_double_eq(jobgate_metric(s.worker, MISPLACED), 0);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"error\"", "stands in"), 0);
}
END_TEST

START_TEST(queued_job_that_stands_nowhere_is_found)
{
    AUTO(free) char *id = NULL;

    pause_queue();
    id = jobgate_submit(s.api, ECHO);
    ck_assert_int_eq(redis_server_integer(s.redis, "LREM " SHARD "held 0 %s", id), 1);
    expect_misplaced(1, id);
    ck_assert_int_eq(redis_server_integer(s.redis, "LPUSH " SHARD "held %s", id), 1);
    expect_misplaced(0, id);
}
END_TEST

START_TEST(job_that_stands_twice_is_found)
{
    AUTO(free) char *id = NULL;

    pause_queue();
    id = jobgate_submit(s.api, ECHO);
    ck_assert_int_eq(redis_server_integer(s.redis, "LPUSH " SHARD "held %s", id), 2);
    expect_misplaced(1, id);
    ck_assert_int_eq(redis_server_integer(s.redis, "LREM " SHARD "held 1 %s", id), 1);
    expect_misplaced(0, id);
}
END_TEST

START_TEST(job_that_waits_and_is_scheduled_too_is_found)
{
    AUTO(free) char *id = NULL;

    pause_queue();
    id = jobgate_submit(s.api, ECHO);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZADD " SHARD "scheduled 9999999999999 %s", id), 1);
    expect_misplaced(1, id);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZREM " SHARD "scheduled %s", id), 1);
    expect_misplaced(0, id);
}
END_TEST

START_TEST(id_without_a_record_is_found)
{
    AUTO(free) char *id = NULL;

    pause_queue();
    id = jobgate_submit(s.api, ECHO);
    ck_assert_int_eq(redis_server_integer(s.redis, "DEL " SHARD "job:%s", id), 1);
    expect_misplaced(1, id);
    ck_assert_int_eq(redis_server_integer(s.redis, "LREM " SHARD "held 0 %s", id), 1);
    expect_misplaced(0, id);
}
END_TEST

START_TEST(scheduled_and_dead_jobs_that_stand_nowhere_are_found)
{
    AUTO(free) char *dead = make_dead();
    AUTO(free) char *later = jobgate_submit(s.api, LATER);

    ck_assert_int_eq(redis_server_integer(s.redis, "ZREM " SHARD "scheduled %s", later), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZREM " SHARD "dead %s", dead), 1);
    expect_misplaced(2, dead);
    ck_assert_uint_ge(scene_count_log(s.worker, "\"level\":\"error\"", later), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZADD " SHARD "scheduled 9999999999999 %s", later), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZADD " SHARD "dead 1 %s", dead), 1);
    expect_misplaced(0, dead);
}
END_TEST

/* What a reaper left behind would look like. */
START_TEST(running_job_of_a_worker_that_nobody_knows_is_found)
{
    AUTO(free) char *id = NULL;
    struct jobgate *ghost;
    AUTO(free) char *names = NULL;

    s.worker = jobgate_free(s.worker);
    ghost = scene_new_worker(&s, NULL);
    id = scene_submit_script(&s, "", "sleep 600");
    json_decref(jobgate_wait_for(s.api, id, "running"));
    jobgate_kill(ghost);
    names = desk_workers(&s, "default"); /* the first worker was killed too, and is still there */
    for (char *rest = names, *name; (name = strsep(&rest, "\n")) && *name;)
        ck_assert_int_eq(redis_server_integer(s.redis, "ZREM " SHARD "workers %s", name), 1);
    jobgate_free(ghost);
    scene_start_worker(&s, (const char *[]){"AUDIT_S=1", NULL});
    expect_misplaced(1, id);
}
END_TEST

Suite *audit_suite(void)
{
    Suite *suite = suite_create("audit");
    TCase *tests = tcase_create("audit");

    tcase_add_checked_fixture(tests, open_scene, close_scene);
    tcase_set_timeout(tests, 90);
    tcase_add_test(tests, queue_in_order_counts_nothing);
    tcase_add_test(tests, queued_job_that_stands_nowhere_is_found);
    tcase_add_test(tests, job_that_stands_twice_is_found);
    tcase_add_test(tests, job_that_waits_and_is_scheduled_too_is_found);
    tcase_add_test(tests, id_without_a_record_is_found);
    tcase_add_test(tests, scheduled_and_dead_jobs_that_stand_nowhere_are_found);
    tcase_add_test(tests, running_job_of_a_worker_that_nobody_knows_is_found);
    suite_add_tcase(suite, tests);
    return suite;
}
