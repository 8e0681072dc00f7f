/*
 * What an operator does to many jobs at once: replaying the dead ones of a queue, by type, and purging what
 * is dead, waits or is scheduled.
 */
#include <check.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *sweep_suite(void);

#define SHARD "jobgate:{default.0}:"
#define ECHO_1 "{\"type\":\"echo\",\"payload\":1}"
#define LATER "{\"type\":\"echo\",\"payload\":1,\"delay_s\":3600}"
/* Fails until the file `repaired` is there. */
#define BREAKS "[ -e repaired ] || exit 65; echo good"

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    desk_write_types(&s, ",\"other\":{%s}");
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static char *submit_breaking(const char *type)
{
    char query[64];

    snprintf(query, sizeof(query), "type=%s", type);
    return jobgate_submit_raw(s.api, query, "text/x-sh", BREAKS, strlen(BREAKS));
}

/* `count` dead jobs of a type. */
static void make_dead(const char *type, int count)
{
    long long before = desk_counter(&s, "default", "dead");

    for (int i = 0; i < count; i++)
        free(submit_breaking(type));
    desk_wait_counter(&s, "default", "dead", before + count);
}

/* Asks, and asserts how many went. */
static void sweep(const char *method, const char *below, const char *member, int count)
{
    AUTO(json) json_t *answer = NULL;
    char path[128];

    snprintf(path, sizeof(path), "/v1/queues/default/%s", below);
    answer = desk_call(s.api, method, path, NULL, 200);
    ck_assert_str_eq(json_text_at(answer, "/queue"), "default");
    ck_assert_int_eq(json_int_at(answer, member), count);
    ck_assert(json_is_true(json_at(answer, "/complete")));
}

static long long keys_of_jobs(void)
{
    redisReply *reply = redis_server_command(s.redis, "KEYS " SHARD "job:*");
    long long count = (long long)reply->elements;

    freeReplyObject(reply);
    return count;
}

/* ---- replay ---- */

START_TEST(dead_jobs_of_one_type_are_replayed)
{
    scene_start_worker(&s, NULL);
    make_dead("sh", 3);
    make_dead("other", 2);
    scene_touch(&s, "repaired");
    sweep("POST", "retry?type=other", "/replayed", 2);
    desk_wait_counter(&s, "default", "succeeded", 2);
    desk_wait_integer(&s, 3, "ZCARD " SHARD "dead");
    sweep("POST", "retry?type=other", "/replayed", 0);
    sweep("POST", "retry", "/replayed", 3);
    desk_wait_counter(&s, "default", "succeeded", 5);
    desk_wait_integer(&s, 0, "ZCARD " SHARD "dead");
    ck_assert_int_eq(desk_counter(&s, "default", "replayed"), 5);
}
END_TEST

/* More than one batch; those that die again are not replayed again by the same request. */
START_TEST(what_dies_again_is_replayed_once)
{
    scene_start_worker(&s, NULL);
    make_dead("sh", 130);
    sweep("POST", "retry", "/replayed", 130);
    desk_wait_counter(&s, "default", "dead", 260);
    desk_wait_integer(&s, 130, "ZCARD " SHARD "dead");
}
END_TEST

START_TEST(only_dead_jobs_can_be_replayed)
{
    free(jobgate_submit(s.api, ECHO_1));
    json_decref(desk_refused(s.api, "POST", "/v1/queues/default/retry?state=queued", NULL, 422, "invalid"));
    json_decref(desk_refused(s.api, "POST", "/v1/queues/default/retry?typo=sh", NULL, 400, "bad_request"));
    json_decref(desk_refused(s.api, "POST", "/v1/queues/NO/retry", NULL, 404, "not_found"));
}
END_TEST

/* ---- purge ---- */

START_TEST(purged_dead_jobs_are_forgotten)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    char path[128];

    scene_start_worker(&s, NULL);
    make_dead("sh", 130);
    make_dead("other", 1);
    id = submit_breaking("sh");
    json_decref(jobgate_wait_for(s.api, id, "dead"));
    sweep("DELETE", "jobs?state=dead&type=sh", "/purged", 131);
    desk_wait_integer(&s, 1, "ZCARD " SHARD "dead");
    ck_assert_int_eq(keys_of_jobs(), 1);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    desk_ask(s.api, "GET", path, NULL, &reply);
    ck_assert_int_eq(reply.status, 404);
    sweep("DELETE", "jobs?state=dead", "/purged", 1);
    ck_assert_int_eq(keys_of_jobs(), 0);
}
END_TEST

START_TEST(purged_waiting_jobs_are_cancelled_and_what_runs_goes_on)
{
    AUTO(free) char *runs = NULL;
    AUTO(free) char *waits = NULL;

    scene_start_worker(&s, (const char *[]){"WORKER_CONCURRENCY=1", NULL});
    runs = scene_submit_script(&s, "", "echo x >started; while [ ! -e go ]; do sleep 0.02; done; echo done");
    scene_wait_file(&s, "started");
    for (int i = 0; i < 130; i++)
        free(jobgate_submit(s.api, ECHO_1));
    waits = jobgate_submit(s.api, ECHO_1);
    sweep("DELETE", "jobs", "/purged", 131);
    ck_assert(desk_is_in(s.api, waits, "cancelled"));
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 131);
    scene_touch(&s, "go");
    scene_expect_result(&s, runs, "done\n", 5);
    ck_assert_int_eq(desk_counter(&s, "default", "started"), 1);
}
END_TEST

START_TEST(paused_and_scheduled_jobs_are_purged_where_they_stand)
{
    for (int i = 0; i < 3; i++)
        free(jobgate_submit(s.api, LATER));
    free(jobgate_submit(s.api, ECHO_1));
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/pause", NULL, 200));
    free(jobgate_submit(s.api, ECHO_1));
    sweep("DELETE", "jobs?state=queued", "/purged", 2);
    desk_wait_integer(&s, 0, "LLEN " SHARD "held");
    desk_wait_integer(&s, 3, "ZCARD " SHARD "scheduled");
    sweep("DELETE", "jobs?state=scheduled", "/purged", 3);
    desk_wait_integer(&s, 0, "ZCARD " SHARD "scheduled");
    ck_assert_int_eq(desk_counter(&s, "default", "cancelled"), 5);
    json_decref(desk_refused(s.api, "DELETE", "/v1/queues/default/jobs?state=running", NULL, 422, "invalid"));
}
END_TEST

Suite *sweep_suite(void)
{
    Suite *suite = suite_create("sweep");
    TCase *tests = tcase_create("sweep");

    tcase_add_checked_fixture(tests, open_scene, close_scene);
    tcase_set_timeout(tests, 90);
    tcase_add_test(tests, dead_jobs_of_one_type_are_replayed);
    tcase_add_test(tests, what_dies_again_is_replayed_once);
    tcase_add_test(tests, only_dead_jobs_can_be_replayed);
    tcase_add_test(tests, purged_dead_jobs_are_forgotten);
    tcase_add_test(tests, purged_waiting_jobs_are_cancelled_and_what_runs_goes_on);
    tcase_add_test(tests, paused_and_scheduled_jobs_are_purged_where_they_stand);
    suite_add_tcase(suite, tests);
    return suite;
}
