/*
 * Leases: what becomes of the jobs of a worker that is killed, frozen or cut off, and what a worker that
 * comes back may still do.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"
#include "tests/support/stage.h"

Suite *lease_suite(void);

#define SHARD "jobgate:{default.0}:"
#define LEASE "LEASE_MS=1000"

/* Writes a line with its process and one with its worker, waits for the file `go`, and says which try it is.
 */
#define GATED                                                                                                \
    "echo $$ >>pids; echo x >>starts; while [ ! -e go ]; do sleep 0.02; done; echo by $JOBGATE_ATTEMPT"

static struct scene s;
static struct jobgate *second;

static void open_scene(void)
{
    scene_open(&s);
    second = NULL;
    scene_start_api(&s, NULL);
}

/* Redis keeps what it acknowledged, also when it is killed. */
static void open_lasting_scene(void)
{
    scene_open(&s);
    second = NULL;
    redis_server_free(s.redis);
    s.redis = redis_server_start((const char *[]){"--appendonly", "yes", "--appendfsync", "always", NULL});
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    jobgate_free(second);
    scene_close(&s);
}

static struct jobgate *start_second(const char *const *settings)
{
    second = scene_new_worker(&s, settings);
    jobgate_wait_ready(second, 200);
    return second;
}

static pid_t read_pid(size_t line)
{
    size_t length = 0;
    AUTO(free) char *text = scene_read(&s, "pids", &length);
    const char *at = text;

    while (line--)
        at += strcspn(at, "\n") + 1;
    return (pid_t)strtol(at, NULL, 10);
}

/* Of workers there is left in Redis: nothing but the names of those that were declared dead. */
static void assert_no_worker_is_left(void)
{
    redisReply *taken = redis_server_command(s.redis, "KEYS " SHARD "taken:*");

    ck_assert_uint_eq(taken->elements, 0);
    freeReplyObject(taken);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "workers " SHARD "slots"), 0);
}

/* ---- killed ---- */

START_TEST(jobs_of_a_killed_worker_run_elsewhere)
{
    enum { JOBS = 3 };
    char *ids[JOBS];
    AUTO(free) char *dead_one = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, "WORKER_CONCURRENCY=2", NULL});
    for (int i = 0; i < JOBS; i++)
        ids[i] = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 2);
    dead_one = desk_workers(&s, "default");
    dead_one[strcspn(dead_one, "\n")] = '\0';
    jobgate_kill(s.worker);
    start_second((const char *[]){LEASE, "WORKER_CONCURRENCY=4", NULL});
    scene_wait_lines(&s, "starts", 2 + JOBS);
    desk_wait_integer(&s, 1, "ZCARD " SHARD "workers");
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "taken:%s", dead_one), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "HEXISTS " SHARD "slots %s", dead_one), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "HLEN " SHARD "slots"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "reaped"), 1);
    scene_touch(&s, "go");
    for (int i = 0; i < JOBS; i++) {
        scene_expect_result(&s, ids[i], i < 2 ? "by 2\n" : "by 1\n", 5);
        free(ids[i]);
    }
    ck_assert_int_eq(desk_counter(&s, "default", "lost"), 2);
    ck_assert_int_eq(desk_counter(&s, "default", "succeeded"), JOBS);
    ck_assert_int_eq((int)jobgate_metric(second, "jobgate_jobs_reaped_total"), 2);
    ck_assert_int_eq(jobgate_stop(second), 0);
    assert_no_worker_is_left();
}
END_TEST

/* What the dead one held comes before what waits, in its order. */
START_TEST(jobs_of_a_killed_worker_go_before_those_that_wait)
{
    enum { JOBS = 5, HELD = 3 };
    AUTO(free) char *order = NULL;
    size_t length;

    for (int i = 0; i < JOBS; i++) {
        char script[128];

        snprintf(script, sizeof(script), "echo x >>starts; [ -e go ] && echo %d >>order || sleep 1000", i);
        free(scene_submit_script(&s, "", script));
    }
    scene_start_worker(&s, (const char *[]){LEASE, "WORKER_CONCURRENCY=3", NULL});
    scene_wait_lines(&s, "starts", HELD);
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/pause", NULL, 200));
    jobgate_kill(s.worker);
    start_second((const char *[]){LEASE, "WORKER_CONCURRENCY=1", NULL});
    desk_wait_counter(&s, "default", "lost", HELD);
    scene_touch(&s, "go");
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/resume", NULL, 200));
    desk_wait_counter(&s, "default", "succeeded", JOBS);
    order = scene_read(&s, "order", &length);
    ck_assert_str_eq(order, "0\n1\n2\n3\n4\n");
}
END_TEST

/* The result was stored, and its worker killed before it could say so. */
START_TEST(job_whose_result_is_stored_is_not_run_again)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "echo x >>starts; echo by $JOBGATE_ATTEMPT");
    AUTO(json) json_t *job = NULL;

    s.worker = scene_new_worker(&s, (const char *[]){LEASE, "JOBGATE_FAULT=store.answered:1:kill", NULL});
    ck_assert_int_eq(process_wait(jobgate_process(s.worker), 30000), -SIGKILL);
    start_second((const char *[]){LEASE, NULL});
    scene_expect_result(&s, id, "by 1\n", 5);
    job = jobgate_job(s.api, id);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 2);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_uint_eq(scene_count_log(second, "the job is not run again", id), 1);
}
END_TEST

/* ---- stopped well ---- */

START_TEST(worker_that_stops_well_leaves_no_registration)
{
    scene_start_worker(&s, (const char *[]){"LEASE_MS=3600000", "WORKER_QUEUES=default,other", NULL});
    start_second((const char *[]){"LEASE_MS=3600000", NULL});
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "workers"), 2);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD jobgate:{other.0}:workers"), 1);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "workers"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS jobgate:{other.0}:workers"), 0);
    ck_assert_int_eq(jobgate_stop(second), 0);
    assert_no_worker_is_left();
}
END_TEST

/* ---- frozen ---- */

START_TEST(worker_that_was_frozen_changes_nothing_and_goes_on_under_a_new_name)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *next = NULL;
    AUTO(free) char *names = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, NULL});
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    process_signal(jobgate_process(s.worker), SIGSTOP);
    start_second((const char *[]){LEASE, NULL});
    scene_wait_lines(&s, "starts", 2);
    scene_touch(&s, "go"); /* both handlers end, and both have a result */
    scene_expect_result(&s, id, "by 2\n", 5);
    process_signal(jobgate_process(s.worker), SIGCONT);
    desk_wait_integer(&s, 2, "ZCARD " SHARD "workers");
    jobgate_wait_ready(s.worker, 200);
    names = desk_workers(&s, "default");
    ck_assert_msg(strstr(names, "~1\n") != NULL, "%s", names);
    ck_assert_uint_eq(scene_count_log(s.worker, "was silent for so long", "~"), 0);
    ck_assert_uint_eq(scene_count_log(s.worker, "was silent for so long", "were given to others"), 1);
    scene_expect_result(&s, id, "by 2\n", 5);
    ck_assert_int_eq(desk_counter(&s, "default", "succeeded"), 1);
    jobgate_wait_metric(s.worker, "jobgate_jobs_running", 0);
    ck_assert_int_eq(jobgate_stop(second), 0);
    next = scene_submit_script(&s, "", "echo again");
    scene_expect_result(&s, next, "again\n", 6);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    assert_no_worker_is_left();
}
END_TEST

/* Its handlers are the worker's own, and end with its lease: nothing of the frozen one may still run. */
START_TEST(handlers_of_a_frozen_worker_are_killed_when_it_wakes)
{
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, NULL});
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    process_signal(jobgate_process(s.worker), SIGSTOP);
    start_second((const char *[]){LEASE, NULL});
    scene_wait_lines(&s, "starts", 2);
    ck_assert(process_lives(read_pid(0)));
    process_signal(jobgate_process(s.worker), SIGCONT);
    process_wait_gone(read_pid(0));
    ck_assert(process_lives(read_pid(1)));
    scene_touch(&s, "go");
    scene_expect_result(&s, id, "by 2\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
}
END_TEST

/* Idle, it may have a blocking move under way, which lands in the list of a name that nobody has any more. */
START_TEST(job_that_lands_in_the_list_of_a_reaped_worker_is_found)
{
    AUTO(free) char *name = NULL;
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, NULL});
    name = desk_workers(&s, "default");
    name[strcspn(name, "\n")] = '\0';
    jobgate_kill(s.worker);
    start_second((const char *[]){LEASE, NULL});
    desk_wait_integer(&s, 1, "ZCARD " SHARD "reaped");
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/pause", NULL, 200)); /* nobody else takes it */
    id = scene_submit_script(&s, "", "echo found");
    free(redis_server_text(s.redis, "LMOVE " SHARD "held " SHARD "taken:%s RIGHT LEFT", name));
    json_decref(desk_call(s.api, "POST", "/v1/queues/default/resume", NULL, 200));
    scene_expect_result(&s, id, "found\n", 6);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "taken:%s", name), 0);
}
END_TEST

/* ---- each has its own lease ---- */

/* The second looks every 250 ms, and has waited a lease of its own since it came. */
START_TEST(nobody_is_reaped_by_a_shorter_lease_than_its_own)
{
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){"LEASE_MS=600000", NULL});
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    process_signal(jobgate_process(s.worker), SIGSTOP);
    start_second((const char *[]){"LEASE_MS=1000", NULL});
    desk_pass(4000);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "workers"), 2);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "reaped"), 0);
    process_signal(jobgate_process(s.worker), SIGCONT);
    scene_touch(&s, "go");
    scene_expect_result(&s, id, "by 1\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
}
END_TEST

/* ---- cut off ---- */

static void kill_redis(void)
{
    redis_server_kill(s.redis);
}

static void restart_redis(void)
{
    redis_server_restart(s.redis);
}

static void freeze_redis(void)
{
    redis_server_pause(s.redis);
}

static void thaw_redis(void)
{
    redis_server_resume(s.redis);
}

static const struct {
    void (*go)(void);
    void (*come)(void);
} absences[] = {{kill_redis, restart_redis}, {freeze_redis, thaw_redis}};

/* Nobody else can know that it lives: it stops what another may be starting. */
START_TEST(worker_that_cannot_renew_kills_its_handlers)
{
    AUTO(free) char *id = NULL;

    scene_start_worker(&s, (const char *[]){LEASE, "REDIS_TIMEOUT_MS=300", NULL});
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    absences[_i].go();
    process_wait_gone(read_pid(0));
    jobgate_wait_metric(s.worker, "jobgate_worker_leases_lost_total", 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"error\"", "could not be renewed"), 1);
    absences[_i].come();
    scene_wait_lines(&s, "starts", 2);
    scene_touch(&s, "go");
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 2);
    ck_assert_int_eq(desk_counter(&s, "default", "succeeded"), 1);
}
END_TEST

/* After a restart of Redis all heartbeats are old, and everybody is alive. */
START_TEST(nobody_is_reaped_right_after_a_restart_of_redis)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *before = NULL;
    AUTO(free) char *after = NULL;
    const char *const settings[] = {"LEASE_MS=8000", NULL}; /* a look for silent ones every 2 s */

    scene_start_worker(&s, settings);
    id = scene_submit_script(&s, "", GATED);
    scene_wait_lines(&s, "starts", 1);
    start_second(settings);
    before = desk_workers(&s, "default");
    process_signal(jobgate_process(second), SIGSTOP);
    process_signal(jobgate_process(s.worker), SIGSTOP);
    for (char *rest = before, *name; (name = strsep(&rest, "\n")) && *name;)
        redis_server_integer(s.redis, "ZADD " SHARD "workers XX 1 %s", name);
    redis_server_kill(s.redis);
    redis_server_restart(s.redis);
    process_signal(jobgate_process(second), SIGCONT);
    jobgate_wait_ready(second, 200);
    desk_pass(2500); /* in which it looks once */
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "workers"), 2);
    process_signal(jobgate_process(s.worker), SIGCONT);
    scene_touch(&s, "go");
    scene_expect_result(&s, id, "by 1\n", 5);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "reaped"), 0);
    ck_assert_int_eq(desk_counter(&s, "default", "lost"), 0);
    after = desk_workers(&s, "default");
    ck_assert_ptr_null(strstr(after, "~"));
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

Suite *lease_suite(void)
{
    Suite *suite = suite_create("lease");
    TCase *vanished = add_case(suite, "vanished", open_scene);
    TCase *lasting = add_case(suite, "lasting_redis", open_lasting_scene);

    tcase_add_test(vanished, jobs_of_a_killed_worker_run_elsewhere);
    tcase_add_test(vanished, jobs_of_a_killed_worker_go_before_those_that_wait);
    tcase_add_test(vanished, job_whose_result_is_stored_is_not_run_again);
    tcase_add_test(vanished, worker_that_stops_well_leaves_no_registration);
    tcase_add_test(vanished, worker_that_was_frozen_changes_nothing_and_goes_on_under_a_new_name);
    tcase_add_test(vanished, handlers_of_a_frozen_worker_are_killed_when_it_wakes);
    tcase_add_test(vanished, nobody_is_reaped_by_a_shorter_lease_than_its_own);
    tcase_add_test(vanished, job_that_lands_in_the_list_of_a_reaped_worker_is_found);
    tcase_add_loop_test(lasting, worker_that_cannot_renew_kills_its_handlers, 0, (int)ARRAY_LENGTH(absences));
    tcase_add_test(lasting, nobody_is_reaped_right_after_a_restart_of_redis);
    return suite;
}
