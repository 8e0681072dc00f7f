/*
 * Retry: how often a job is tried and when, and who is to blame when a try does not end well: the handler
 * that failed, the one that died, or the worker that vanished.
 */
#include <check.h>
#include <signal.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *retry_suite(void);

#define SHARD "jobgate:{default.0}:"

static struct scene s;

/* Types of the tests here: tried again at once, and with waits that nobody lives to see. */
static const char types[] =
    ",\"soon\":{%s,\"max_attempts\":4,\"retry_delay_ms\":20,\"retry_delay_max_ms\":40}"
    ",\"late\":{%s,\"max_attempts\":9,\"retry_delay_ms\":100000,\"retry_delay_max_ms\":250000}"
    ",\"brief\":{%s,\"max_attempts\":2,\"retry_delay_ms\":20,\"timeout_s\":1}"
    ",\"fragile\":{%s,\"max_attempts\":3,\"max_crashes\":2,\"retry_delay_ms\":20}";

static void open_scene(void)
{
    scene_open(&s);
    desk_write_types(&s, types);
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static char *submit(const char *query, const char *script)
{
    return jobgate_submit_raw(s.api, query, "text/x-sh", script, strlen(script));
}

/* Waits for the end of the job, which is dead after so many tries. */
static void expect_dead_after(const char *id, int tries, const char *code, const char *words)
{
    AUTO(json) json_t *job = NULL;

    scene_expect_dead(&s, id, code, words);
    job = jobgate_job(s.api, id);
    ck_assert_int_eq(json_int_at(job, "/attempt"), tries);
}

/* ---- how often ---- */

/* What the handler does, how often it is started, and how the job ends. */
static const struct ending {
    const char *query;
    const char *script; /* leaves a line in a file of its own with each start */
    int tries;
    const char *code;
    const char *words;
} endings[] = {
    {"type=soon", "echo x >>starts0; exit 1", 4, "handler_failed", "exit status 1"},
    {"type=soon&max_attempts=2", "echo x >>starts1; exit 3", 2, "handler_failed", "exit status 3"},
    {"type=soon&max_attempts=6", "echo x >>starts2; exit 1", 6, "handler_failed", "exit status 1"},
    {"type=soon&max_attempts=1", "echo x >>starts3; exit 1", 1, "handler_failed", "exit status 1"},
    {"type=soon", "echo x >>starts4; echo too bad >&2; exit 65", 1, "bad_payload", "too bad"},
    {"type=soon", "echo x >>starts5; exit 75", 4, "try_later", "exit status 75"},
    {"type=brief", "echo x >>starts6; sleep 1000", 2, "timeout", "1000 ms"},
    {"type=fragile", "echo x >>starts7; kill -SEGV $$", 2, "handler_killed", "SIGSEGV"},
    {"type=fragile", "echo x >>starts8; kill -KILL $$", 2, "handler_killed", "memory"},
};

START_TEST(tries_are_as_many_as_type_and_job_say)
{
    char *ids[ARRAY_LENGTH(endings)];
    AUTO(free) char *neighbour = submit("type=fragile", "echo well");

    scene_start_worker(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
        ids[i] = submit(endings[i].query, endings[i].script);
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        const struct ending *e = &endings[i];
        char file[32];

        expect_dead_after(ids[i], e->tries, e->code, e->words);
        snprintf(file, sizeof(file), "starts%zu", i);
        ck_assert_msg((int)scene_count_lines(&s, file) == e->tries, "%s ran %zu times, not %d", e->script,
            scene_count_lines(&s, file), e->tries);
        free(ids[i]);
    }
    scene_expect_result(&s, neighbour, "well\n", 5);
    ck_assert_int_eq(desk_counter(&s, "default", "dead"), (long long)ARRAY_LENGTH(endings));
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "dead"), (long long)ARRAY_LENGTH(endings));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "scheduled"), 0);
}
END_TEST

START_TEST(try_that_succeeds_ends_it)
{
    AUTO(free) char *id = submit("type=soon", "echo x >>starts; [ $JOBGATE_ATTEMPT -ge 3 ] && echo done");
    AUTO(json) json_t *job = NULL;

    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "done\n", 5);
    job = jobgate_job(s.api, id);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 3);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 3);
    ck_assert_int_eq(desk_counter(&s, "default", "retried"), 2);
    ck_assert_int_eq((int)jobgate_metric(s.worker, "jobgate_jobs_retried_total"), 2);
}
END_TEST

/* One crash leaves all three failures that the type allows, and three failures would have left a crash. */
START_TEST(crashes_are_counted_apart_from_failures)
{
    AUTO(free)
    char *id = submit("type=fragile", "echo x >>starts; [ $JOBGATE_ATTEMPT -eq 2 ] && kill -SEGV $$; exit 1");

    scene_start_worker(&s, NULL);
    expect_dead_after(id, 4, "handler_failed", "exit status 1");
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 4);
}
END_TEST

/* ---- when ---- */

/* Lets a job's wait be over: what it waits for stands in Redis alone. */
static void make_due(const char *id)
{
    redis_server_integer(s.redis, "ZADD " SHARD "scheduled XX 1 %s", id);
}

/* Returns by how much the next try is put off, from the start of the one that failed. */
static int64_t wait_for_delay(const char *id, int attempt)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;

    for (;;) {
        AUTO(json) json_t *job = jobgate_job(s.api, id);

        if (desk_is_in(s.api, id, "scheduled") && json_int_at(job, "/attempt") == attempt &&
            strcmp(json_text_at(job, "/state"), "scheduled") == 0) {
            ck_assert_str_eq(json_text_at(job, "/error/code"), "handler_failed");
            return desk_time(job, "/run_at") - desk_time(job, "/started_at");
        }
        ck_assert_msg(wait_until(deadline_ms), "try %d is not followed by a scheduled one", attempt);
    }
}

/* Doubled each time up to the ceiling, less up to a fifth; what a try takes comes on top of it. */
START_TEST(waits_grow_and_have_a_ceiling)
{
    static const int64_t whole[] = {100000, 200000, 250000, 250000};
    enum { TRY_MS = 45000 };
    AUTO(free) char *id = submit("type=late", "exit 1");

    scene_start_worker(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(whole); i++) {
        int64_t delay_ms = wait_for_delay(id, (int)i + 1);

        ck_assert_msg(delay_ms >= whole[i] * 4 / 5 && delay_ms <= whole[i] + TRY_MS,
            "try %zu is put off by %lld ms", i + 2, (long long)delay_ms);
        make_due(id);
    }
}
END_TEST

/* What fails together does not come back together. */
START_TEST(waits_differ)
{
    enum { JOBS = 12 };
    char *ids[JOBS];
    int64_t least = INT64_MAX;
    int64_t most = 0;

    for (int i = 0; i < JOBS; i++)
        ids[i] = submit("type=late", "exit 1");
    scene_start_worker(&s, NULL);
    for (int i = 0; i < JOBS; i++) {
        int64_t delay_ms = wait_for_delay(ids[i], 1);

        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
        free(ids[i]);
    }
    ck_assert_int_ge(most - least, 1000); /* of 20,000 ms */
}
END_TEST

/* ---- whose fault ---- */

/* Keeps a worker running until both counts are reached, as a cluster does. Returns how many died. */
static int keep_a_worker(const char *const *settings, long long succeeded, long long dead)
{
    int64_t deadline_ms = clock_steady_ms() + 60000;
    int deaths = 0;

    while (
        desk_counter(&s, "default", "succeeded") < succeeded || desk_counter(&s, "default", "dead") < dead) {
        if (!s.worker)
            s.worker = scene_new_worker(&s, settings);
        if (process_has_ended(jobgate_process(s.worker), 0)) {
            deaths++;
            s.worker = jobgate_free(s.worker);
        }
        ck_assert_msg(wait_until(deadline_ms), "after %d deaths of workers %lld succeeded, %lld are dead",
            deaths, desk_counter(&s, "default", "succeeded"), desk_counter(&s, "default", "dead"));
    }
    return deaths;
}

/* The neighbours run when the worker is killed, each time that they run beside the one that does it. */
START_TEST(job_that_kills_its_workers_is_dead_and_its_neighbours_are_not)
{
    enum { NEIGHBOURS = 2, MOST_LOST = 2 };
    char *neighbours[NEIGHBOURS];
    AUTO(free) char *pill = NULL;

    neighbours[0] = submit("type=soon", "echo x >>starts; sleep 1; echo well");
    pill = submit("type=soon", "echo x >>pills; sleep 0.2; kill -KILL $PPID; sleep 1000");
    for (int i = 1; i < NEIGHBOURS; i++)
        neighbours[i] = submit("type=soon", "echo x >>starts; sleep 1; echo well");
    ck_assert_int_eq(
        keep_a_worker((const char *[]){"LEASE_MS=500", "MAX_LOST=2", NULL}, NEIGHBOURS, 1), MOST_LOST + 1);
    scene_expect_dead(&s, pill, "worker_lost", "3 workers vanished");
    for (int i = 0; i < NEIGHBOURS; i++) {
        scene_expect_result(&s, neighbours[i], "well\n", 5);
        free(neighbours[i]);
    }
    ck_assert_uint_eq(scene_count_lines(&s, "pills"), MOST_LOST + 1);
    ck_assert_uint_gt(scene_count_lines(&s, "starts"), NEIGHBOURS);
}
END_TEST

/* It fails by itself once, and had vanished with its worker before: the failures that it may have are left.
 */
START_TEST(lost_worker_is_not_the_jobs_failure)
{
    AUTO(free)
    char *id = submit("type=soon&max_attempts=2",
        "echo x >>starts; [ $JOBGATE_ATTEMPT -eq 1 ] && { sleep 1000 & wait; }; exit 1");

    scene_start_worker(&s, (const char *[]){"LEASE_MS=500", NULL});
    scene_wait_lines(&s, "starts", 1);
    jobgate_kill(s.worker);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, (const char *[]){"LEASE_MS=500", NULL});
    expect_dead_after(id, 3, "handler_failed", "exit status 1");
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 3);
    ck_assert_int_eq(desk_counter(&s, "default", "lost"), 1);
}
END_TEST

Suite *retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *all = tcase_create("retry");

    tcase_add_checked_fixture(all, open_scene, close_scene);
    tcase_add_test(all, tries_are_as_many_as_type_and_job_say);
    tcase_add_test(all, try_that_succeeds_ends_it);
    tcase_add_test(all, crashes_are_counted_apart_from_failures);
    tcase_add_test(all, waits_grow_and_have_a_ceiling);
    tcase_add_test(all, waits_differ);
    tcase_add_test(all, job_that_kills_its_workers_is_dead_and_its_neighbours_are_not);
    tcase_add_test(all, lost_worker_is_not_the_jobs_failure);
    tcase_set_timeout(all, 90);
    suite_add_tcase(suite, all);
    return suite;
}
