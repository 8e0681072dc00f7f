/*
 * The queue protocol in a real Redis: its verbs, its keys, and what the worker makes of a record that
 * somebody else touched.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/support/scene.h"

Suite *protocol_suite(void);

#define SHARD "jobgate:{default.0}:"
#define READY SHARD "ready"
#define TAKEN SHARD "taken:somebody"

static struct scene s;

static void open_scene_with_both(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

/* ---- the verbs ---- */

static struct loop *loop;
static struct redis *redis;
static struct queue *queue;

static void open_scene_with_queue(void)
{
    struct redis_options options = {.component = "test", .timeout_ms = 10000};
    int64_t deadline_ms = clock_steady_ms() + 10000;
    struct redis_url url;
    struct error e;

    scene_open(&s);
    scene_start_api(&s, NULL);
    loop = loop_new();
    ck_assert(redis_url_parse(redis_server_url(s.redis), &url, &e));
    options.url = &url;
    options.scripts = queue_scripts;
    options.script_count = SCRIPT_COUNT;
    redis = redis_new(loop, &options);
    queue = queue_new(redis);
    while (!redis_is_ready(redis)) {
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
        ck_assert(wait_until(deadline_ms));
    }
}

static void close_scene_with_queue(void)
{
    redis_free(redis);
    queue_free(queue);
    loop_free(loop);
    scene_close(&s);
}

enum { ALL = 6, HELD = 4 };

/* Submits ALL jobs; the oldest HELD of them land in somebody's list as a blocking move puts them there. */
static void take_some(struct job_id ids[ALL])
{
    struct error e;

    for (int i = 0; i < ALL; i++) {
        AUTO(free) char *id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");

        ck_assert(id_parse(id, &ids[i], &e));
    }
    for (int i = 0; i < HELD; i++)
        free(redis_server_text(s.redis, "LMOVE " READY " " TAKEN " RIGHT LEFT"));
}

static void assert_ready(const struct job_id *ids, size_t count)
{
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " READY), (long long)count);
    for (size_t i = 0; i < count; i++) {
        AUTO(free)
        char *at = redis_server_text(s.redis, "LINDEX " READY " %d", -1 - (int)i); /* popped right */

        ck_assert_str_eq(at, ids[i].text);
    }
}

static void on_gave_back(void *arg, size_t count, const struct error *e)
{
    ck_assert_msg(!e, "%s", e ? e->text : "");
    *(int *)arg = (int)count;
}

static int give_back(const struct job_id *ids, size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + 10000;
    int moved = -1;
    struct error e;

    ck_assert(queue_give_back(queue, &ids->shard, "somebody", ids, count, on_gave_back, &moved, &e));
    while (moved < 0) {
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
        ck_assert(wait_until(deadline_ms));
    }
    return moved;
}

START_TEST(submission_is_a_record_a_place_and_a_counter)
{
    AUTO(free) char *id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    AUTO(free) char *place = redis_server_text(s.redis, "LINDEX " READY " 0");
    AUTO(free) char *count = redis_server_text(s.redis, "HGET " SHARD "stats submitted");

    ck_assert_str_eq(place, id);
    ck_assert_str_eq(count, "1");
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "job:%s", id), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "TTL " SHARD "job:%s", id), -1);
}
END_TEST

START_TEST(give_back_puts_them_before_the_others_in_their_order)
{
    struct job_id ids[ALL];

    take_some(ids);
    ck_assert_int_eq(give_back(&ids[2], 2), 2);
    ck_assert_int_eq(give_back(&ids[0], 2), 2);
    assert_ready(ids, ALL);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " TAKEN), 0);
}
END_TEST

/* Sent again after its answer was lost, it must not double them; nor may it give back what the list does not
 * hold. */
START_TEST(give_back_twice_gives_back_once)
{
    struct job_id ids[ALL];

    take_some(ids);
    ck_assert_int_eq(give_back(ids, 2), 2);
    ck_assert_int_eq(give_back(ids, 2), 0);
    ck_assert_int_eq(give_back(&ids[HELD], 2), 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " READY), ALL - 2);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " TAKEN), HELD - 2);
}
END_TEST

/* ---- the keys ---- */

/* A cluster puts keys together by what stands between their first braces. Source: Redis Cluster
 * specification, "Hash tags". */
START_TEST(all_keys_of_a_queue_have_one_hash_tag)
{
    AUTO(free)
    char *good = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1,\"metadata\":{\"a\":\"b\"}}");
    AUTO(free) char *bad = jobgate_submit(s.api, "{\"type\":\"missing\"}");
    AUTO(free)
    char *running = scene_submit_script(&s, "", "echo x >>starts; while [ ! -e go ]; do sleep 0.02; done");
    AUTO(free) char *waiting = scene_submit_script(&s, "", "exit 1"); /* it is tried again later */
    redisReply *keys;
    size_t count = 0;

    json_decref(jobgate_wait_for(s.api, good, "succeeded"));
    json_decref(jobgate_wait_for(s.api, bad, "dead"));
    json_decref(jobgate_wait_for(s.api, waiting, "scheduled"));
    scene_wait_lines(&s, "starts", 1);
    keys = redis_server_command(s.redis, "KEYS *");
    for (size_t i = 0; i < keys->elements; i++) {
        const char *name = keys->element[i]->str;

        ck_assert_msg(strncmp(name, "jobgate:", 8) == 0, "%s", name);
        if (!strchr(name, '{'))
            continue; /* what spans queues */
        ck_assert_msg(strncmp(name, SHARD, strlen(SHARD)) == 0, "%s", name);
        count++;
    }
    ck_assert_uint_ge(count, 8); /* four jobs, taken, stats, dead, scheduled */
    freeReplyObject(keys);
    scene_touch(&s, "go");
}
END_TEST

START_TEST(records_of_jobs_that_succeeded_expire_and_of_the_others_do_not)
{
    AUTO(free) char *good = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    AUTO(free) char *bad = jobgate_submit(s.api, "{\"type\":\"missing\"}");
    long long left_s;

    json_decref(jobgate_wait_for(s.api, good, "succeeded"));
    json_decref(jobgate_wait_for(s.api, bad, "dead"));
    left_s = redis_server_integer(s.redis, "TTL " SHARD "job:%s", good);
    ck_assert_int_gt(left_s, 86000);
    ck_assert_int_le(left_s, 86400);
    ck_assert_int_eq(redis_server_integer(s.redis, "TTL " SHARD "job:%s", bad), -1);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD " SHARD "dead"), 1);
}
END_TEST

/* ---- records that somebody touched ---- */

/* The record of a job (free()). */
static char *read_record(const char *id, size_t *length)
{
    redisReply *reply = redis_server_command(s.redis, "GET " SHARD "job:%s", id);
    char *record = mem_dup(reply->str, (size_t)reply->len);

    *length = (size_t)reply->len;
    freeReplyObject(reply);
    return record;
}

static char *start_gated(void)
{
    char *id =
        scene_submit_script(&s, "", "echo x >>starts; while [ ! -e go ]; do sleep 0.02; done; echo done");

    scene_wait_lines(&s, "starts", 1);
    return id;
}

/* The handler ends; its worker may not touch the job any more, and goes on with others. */
static void expect_stale(const char *id)
{
    size_t before_length;
    size_t after_length;
    AUTO(free) char *before = read_record(id, &before_length);
    AUTO(free) char *after = NULL;
    AUTO(free) char *other = NULL;

    scene_touch(&s, "go");
    jobgate_wait_metric(s.worker, "jobgate_jobs_stale_total", 1);
    after = read_record(id, &after_length);
    ck_assert_uint_eq(before_length, after_length);
    ck_assert_int_eq(memcmp(before, after, before_length), 0);
    other = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    scene_expect_result(&s, other, "1", 1);
}

/* Redis says that the worker has another try of the job than it knows of. What it settles changes nothing;
 * and as it has no such try, it gives the job back, to be started once more. */
START_TEST(stale_attempt_settles_nothing_and_its_job_goes_back)
{
    AUTO(free) char *id = start_gated();
    AUTO(json) json_t *job = NULL;

    /* The attempt's number is in the bytes 2 and 3, big-endian (record.h). */
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s 3 %b", id, "\x02", (size_t)1);
    scene_touch(&s, "go");
    jobgate_wait_metric(s.worker, "jobgate_jobs_stale_total", 1);
    scene_expect_result(&s, id, "done\n", 5);
    job = jobgate_job(s.api, id);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 3);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1); /* the first try had stored its result */
    ck_assert_int_eq((int)jobgate_metric(s.worker, "jobgate_jobs_returned_total"), 1);
}
END_TEST

START_TEST(stale_worker_settles_nothing)
{
    AUTO(free) char *id = start_gated();
    size_t length;
    AUTO(free) char *record = read_record(id, &length);
    const char *worker = memmem(record, length, "\"worker\":\"", 10);

    ck_assert_ptr_nonnull(worker);
    redis_server_integer(s.redis, "SETRANGE " SHARD "job:%s %d %s", id, (int)(worker + 10 - record),
        "Z"); /* another one has it */
    expect_stale(id);
}
END_TEST

START_TEST(job_whose_record_is_gone_or_damaged_is_dropped)
{
    AUTO(free) char *good = NULL;
    redisReply *taken;

    jobgate_stop(s.worker);
    s.worker = jobgate_free(s.worker);
    for (int i = 0; i < 3; i++) {
        AUTO(free) char *id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");

        if (i == 0)
            redis_server_integer(s.redis, "DEL " SHARD "job:%s", id);
        else
            free(redis_server_text(s.redis, "SET " SHARD "job:%s %s", id, i == 1 ? "" : "1q"));
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "LPUSH " READY " %s", "this is no job's id"), 4);
    good = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, good, "1", 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "the job was not started", "default.0."), 3);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " READY), 0);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    taken = redis_server_command(s.redis, "KEYS " SHARD "taken:*");
    ck_assert_uint_eq(taken->elements, 0);
    freeReplyObject(taken);
}
END_TEST

/* Somebody's mistake, in the places that only workers read. */
static const struct stray {
    bool is_scheduled; /* else in the list */
    const char *text;
    bool is_found_waiting; /* by the blocking move, while the worker is idle */
} strays[] = {
    {false, "this is no job's id", false},
    {false, "this is no job's id", true},
    {false, "", false},
    {false, "other.0.01KA2B3C4D5E6F7G8H9JKMNPQR", false}, /* it would be looked for among the other's keys */
    {false, "default.1.01KA2B3C4D5E6F7G8H9JKMNPQR", true},
    {true, "\xff\xfe", false},
};

START_TEST(what_is_no_id_of_the_queue_is_removed)
{
    const struct stray *stray = &strays[_i];
    AUTO(free) char *good = NULL;
    redisReply *taken;

    if (!stray->is_found_waiting) {
        jobgate_stop(s.worker);
        s.worker = jobgate_free(s.worker);
    }
    redis_server_integer(s.redis, stray->is_scheduled ? "ZADD " SHARD "scheduled 1 %b" : "LPUSH " READY " %b",
        stray->text, strlen(stray->text));
    if (!stray->is_found_waiting)
        scene_start_worker(&s, NULL);
    jobgate_wait_metric(s.worker, "jobgate_queue_strays_total", 1);
    good = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    scene_expect_result(&s, good, "1", 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"error\"", "the id of none of its jobs"), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " READY " " SHARD "scheduled"), 0);
    taken = redis_server_command(s.redis, "KEYS " SHARD "taken:*");
    ck_assert_uint_eq(taken->elements, 0);
    freeReplyObject(taken);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
}
END_TEST

START_TEST(record_that_nobody_can_read_gets_500)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    char url[512];

    jobgate_stop(s.worker);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    free(redis_server_text(s.redis, "SET " SHARD "job:%s %s", id, "2q and what a later version writes"));
    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(s.api), id);
    http_get(url, &reply);
    json_decref(scene_problem(&reply, 500, "bad_record"));
    ck_assert_uint_eq(scene_count_log(s.api, "\"level\":\"error\"", id), 1);
}
END_TEST

Suite *protocol_suite(void)
{
    Suite *suite = suite_create("protocol");
    TCase *verbs = tcase_create("verbs");
    TCase *records = tcase_create("records");

    tcase_add_checked_fixture(verbs, open_scene_with_queue, close_scene_with_queue);
    tcase_add_test(verbs, submission_is_a_record_a_place_and_a_counter);
    tcase_add_test(verbs, give_back_puts_them_before_the_others_in_their_order);
    tcase_add_test(verbs, give_back_twice_gives_back_once);
    tcase_set_timeout(verbs, 60);
    suite_add_tcase(suite, verbs);
    tcase_add_checked_fixture(records, open_scene_with_both, close_scene);
    tcase_add_test(records, all_keys_of_a_queue_have_one_hash_tag);
    tcase_add_test(records, records_of_jobs_that_succeeded_expire_and_of_the_others_do_not);
    tcase_add_test(records, stale_attempt_settles_nothing_and_its_job_goes_back);
    tcase_add_loop_test(records, what_is_no_id_of_the_queue_is_removed, 0, (int)ARRAY_LENGTH(strays));
    tcase_add_test(records, stale_worker_settles_nothing);
    tcase_add_test(records, job_whose_record_is_gone_or_damaged_is_dropped);
    tcase_add_test(records, record_that_nobody_can_read_gets_500);
    tcase_set_timeout(records, 60);
    suite_add_tcase(suite, records);
    return suite;
}
