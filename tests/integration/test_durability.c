/*
 * SUBMIT_DURABILITY: what must have happened to a job before its 202, shown on a real replica and a real
 * append-only file.
 */
#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"

Suite *durability_suite(void);

#define SHARD "jobgate:{default.0}:"
#define ECHO_1 "{\"type\":\"echo\",\"payload\":1}"

enum { WAIT_MS = 30000, URL_SIZE = 512 };

static struct scene s;
static struct redis_server *replica;

static void open_scene(void)
{
    scene_open(&s);
}

static void close_scene(void)
{
    replica = redis_server_free(replica);
    scene_close(&s);
}

static void submit_as(const char *key, struct http_reply *reply)
{
    char url[URL_SIZE];
    char header[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    snprintf(header, sizeof(header), "Idempotency-Key: %s", key);
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *[]){"Content-Type: application/json", header, NULL},
                 .body = ECHO_1,
                 .body_length = strlen(ECHO_1)},
        reply);
}

/* Submits until it is accepted; returns the job's id (free()). */
static char *submit_until_accepted(const char *key)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *job = NULL;

        submit_as(key, &reply);
        if (reply.status == 202) {
            job = http_reply_json(&reply);
            return mem_strdup(json_text_at(job, "/id"));
        }
        ck_assert_msg(wait_until(deadline_ms), "still %d: %s", reply.status, reply.body.data);
    }
}

/* Asserts a 503 that says that the job may be there all the same, and `words`. */
static void expect_unsure(const char *key, const char *words)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;
    AUTO(free) char *retry = NULL;

    submit_as(key, &reply);
    problem = scene_problem(&reply, 503, "redis_busy");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "may have been accepted"));
    ck_assert_msg(strstr(json_text_at(problem, "/detail"), words) != NULL, "\"%s\" is not in \"%s\"", words,
        json_text_at(problem, "/detail"));
    retry = http_reply_header(&reply, "Retry-After");
    ck_assert_ptr_nonnull(retry);
}

static void start_replica(void)
{
    static char port[8];
    static const char *options[] = {
        "--replicaof", "127.0.0.1", port, "--repl-diskless-sync-delay", "0", NULL};

    snprintf(port, sizeof(port), "%d", redis_server_port(s.redis));
    replica = redis_server_start(options);
}

static void start_api(const char *durability)
{
    scene_start_api(&s, (const char *[]){durability, "REDIS_TIMEOUT_MS=1000", NULL});
}

/* ---- replica ---- */

START_TEST(job_that_was_acknowledged_survives_a_failover)
{
    AUTO(free) char *id = NULL;

    start_replica();
    start_api("SUBMIT_DURABILITY=replica");
    id = submit_until_accepted("a");
    redis_server_kill(s.redis);
    ck_assert_int_eq(redis_server_integer(replica, "EXISTS " SHARD "job:%s", id), 1);
    ck_assert_int_eq(redis_server_integer(replica, "LLEN " SHARD "ready"), 1);
}
END_TEST

START_TEST(without_a_replica_the_caller_is_told_that_it_is_not_sure)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *listed = NULL;

    start_api("SUBMIT_DURABILITY=replica");
    expect_unsure("a", "0 of 1 replicas");
    expect_unsure("a", "0 of 1 replicas"); /* and so is who repeats it, as long as it is so */
    ck_assert_uint_eq(scene_count_log(s.api, "\"level\":\"error\"", "SUBMIT_DURABILITY"), 1);
    start_replica();
    id = submit_until_accepted("a");
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 1);
    listed = redis_server_text(s.redis, "LINDEX " SHARD "ready 0");
    ck_assert_str_eq(listed, id);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "1", 1);
}
END_TEST

START_TEST(two_replicas_are_two)
{
    start_replica();
    scene_start_api(&s,
        (const char *[]){"SUBMIT_DURABILITY=replica", "SUBMIT_REPLICAS=2", "REDIS_TIMEOUT_MS=1000", NULL});
    desk_wait_integer(&s, 1, "WAIT 1 100");
    expect_unsure("a", "1 of 2 replicas");
}
END_TEST

/* ---- fsync ---- */

static bool has_waitaof(void)
{
    AUTO(free) char *info = redis_server_text(s.redis, "INFO server");
    const char *version = strstr(info, "redis_version:");
    int major = 0;
    int minor = 0;

    ck_assert_ptr_nonnull(version);
    ck_assert_int_eq(sscanf(version, "redis_version:%d.%d", &major, &minor), 2); /* NOLINT: small numbers */
    return major > 7 || (major == 7 && minor >= 2);
}

/* A Redis that has no WAITAOF, or no file, refuses; it never pretends. */
START_TEST(fsync_means_that_the_file_has_it)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *said = NULL;

    if (!has_waitaof()) {
        start_api("SUBMIT_DURABILITY=fsync");
        expect_unsure("a", "Redis 7.2");
        return;
    }
    start_api("SUBMIT_DURABILITY=fsync");
    expect_unsure("a", "appendonly");
    freeReplyObject(redis_server_command(s.redis, "CONFIG SET appendonly yes"));
    freeReplyObject(redis_server_command(s.redis, "CONFIG SET appendfsync always"));
    id = submit_until_accepted("b");
    said = redis_server_text(s.redis, "INFO persistence");
    ck_assert_ptr_nonnull(strstr(said, "aof_enabled:1"));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "job:%s", id), 1);
}
END_TEST

START_TEST(memory_asks_for_nothing)
{
    start_api("SUBMIT_DURABILITY=memory");
    free(submit_until_accepted("a"));
    free(submit_until_accepted("b"));
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 2);
}
END_TEST

Suite *durability_suite(void)
{
    Suite *suite = suite_create("durability");
    TCase *tests = tcase_create("durability");

    tcase_add_checked_fixture(tests, open_scene, close_scene);
    tcase_set_timeout(tests, 90);
    tcase_add_test(tests, job_that_was_acknowledged_survives_a_failover);
    tcase_add_test(tests, without_a_replica_the_caller_is_told_that_it_is_not_sure);
    tcase_add_test(tests, two_replicas_are_two);
    tcase_add_test(tests, fsync_means_that_the_file_has_it);
    tcase_add_test(tests, memory_asks_for_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
