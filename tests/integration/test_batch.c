/*
 * Batch: many submissions in one request, at two replicas of the api.
 */
#include <check.h>
#include <poll.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *batch_suite(void);

enum { URL_SIZE = 512, BODY_MAX = 8 << 20, ITEMS_MAX = 10000, TRIES = 20 };

#define SHARD "jobgate:{default.0}:"
#define BIG_BODIES "MAX_BODY=8388608"
#define JSON_ARRAY "Content-Type: application/json"
#define LINES "Content-Type: application/x-ndjson"

static struct scene s;
static struct jobgate *other;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *const[]){BIG_BODIES, NULL});
    other = scene_new_api(&s, (const char *const[]){BIG_BODIES, NULL});
    jobgate_wait_ready(other, 200);
}

static void close_scene(void)
{
    other = jobgate_free(other);
    scene_close(&s);
}

static void post(
    const struct jobgate *api, const char *type, const char *key, const char *body, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/batch", jobgate_url(api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *const[]){type, key, NULL},
                 .body = body,
                 .body_length = strlen(body)},
        reply);
}

/* Posts a batch and gives its answer (json_decref), which must have this status. */
static json_t *submit(
    const struct jobgate *api, const char *type, const char *key, const char *body, int status)
{
    AUTO_REPLY struct http_reply reply = {0};

    post(api, type, key, body, &reply);
    ck_assert_msg(reply.status == status, "%d: %.400s", reply.status, reply.body.data);
    return http_reply_json(&reply);
}

/* An array of so many jobs; each has its number as payload. options: further members, or "". */
static char *many(int count, const char *options)
{
    struct buf text;

    buf_init(&text, BODY_MAX);
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%c{\"type\":\"echo\",\"payload\":%d%s}", i ? ',' : '[', i, options);
    buf_append_text(&text, count ? "]" : "[]");
    ck_assert(!buf_is_overflown(&text));
    return buf_take(&text, NULL);
}

static const char *id_of(const json_t *answer, size_t item)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(answer, "items"), item), "id"));
}

static json_int_t status_of(const json_t *answer, size_t item)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(answer, "items"), item), "status"));
}

static void expect_submitted(const char *count)
{
    AUTO(free) char *counted = redis_server_text(s.redis, "HGET " SHARD "stats submitted");

    ck_assert_str_eq(counted, count);
}

/* ---- what is accepted ---- */

START_TEST(jobs_of_a_batch_are_run)
{
    AUTO(json)
    json_t *array = submit(s.api, JSON_ARRAY, NULL,
        "[{\"type\":\"cat\",\"payload\":{\"n\":9223372036854775807}}, "
        "{\"type\":\"cat\",\"queue\":\"default\","
        "\"metadata\":{\"a\":\"b\"},\"payload\":\"two\"}]",
        202);
    AUTO(json)
    json_t *lines = submit(other, LINES, NULL,
        "{\"type\":\"cat\",\"payload\":3}\n\n{\"type\":\"cat\",\"payload\":4,\"delay_s\":0.1}\n", 202);

    scene_start_worker(&s, NULL);
    ck_assert_int_eq(json_int_at(array, "/accepted"), 2);
    scene_expect_result(&s, id_of(array, 0), "{\"n\":9223372036854775807}", 25);
    scene_expect_result(&s, id_of(array, 1), "\"two\"", 5);
    scene_expect_result(&s, id_of(lines, 0), "3", 1);
    scene_expect_result(&s, id_of(lines, 1), "4", 1);
    {
        AUTO(json) json_t *job = jobgate_job(s.api, id_of(array, 1));

        ck_assert_str_eq(json_text_at(job, "/metadata/a"), "b");
    }
}
END_TEST

START_TEST(ten_thousand_jobs_are_accepted_in_their_order)
{
    AUTO(free) char *body = many(ITEMS_MAX, "");
    AUTO(json) json_t *answer = submit(s.api, JSON_ARRAY, NULL, body, 202);
    AUTO(free) char *first = NULL;
    AUTO(free) char *last = NULL;

    ck_assert_int_eq(json_int_at(answer, "/accepted"), ITEMS_MAX);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "items")), ITEMS_MAX);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), ITEMS_MAX);
    expect_submitted("10000");
    for (size_t i = 1; i < ITEMS_MAX; i++)
        ck_assert_str_gt(id_of(answer, i), id_of(answer, i - 1));
    first = redis_server_text(s.redis, "LINDEX " SHARD "ready -1");
    last = redis_server_text(s.redis, "LINDEX " SHARD "ready 0");
    ck_assert_str_eq(first, id_of(answer, 0));
    ck_assert_str_eq(last, id_of(answer, ITEMS_MAX - 1));
    jobgate_wait_metric(s.api, "jobgate_jobs_submitted_total", ITEMS_MAX);
}
END_TEST

START_TEST(each_item_gets_its_verdict)
{
    AUTO(json)
    json_t *answer = submit(s.api, JSON_ARRAY, NULL,
        "[{\"type\":\"echo\"}, {\"type\":\"A b\",\"queue\":7,\"metadata\":{\"a/b\":1}}, 5, {\"type\": "
        "\"echo\" 1},"
        " {\"type\":\"echo\",\"queue\":\"other\"}, {\"type\":\"echo\",\"type\":\"echo\"},"
        " {\"type\":\"echo\",\"unique_key\":\"u\"}, {\"type\":\"echo\",\"unique_key\":\"u\"}]",
        207);

    ck_assert_int_eq(json_int_at(answer, "/accepted"), 4);
    ck_assert_int_eq(json_int_at(answer, "/refused"), 4);
    ck_assert_int_eq(status_of(answer, 0), 202);
    ck_assert_int_eq(status_of(answer, 1), 422);
    ck_assert_str_eq(json_text_at(answer, "/items/1/code"), "invalid");
    ck_assert_str_eq(json_text_at(answer, "/items/1/errors/0/pointer"), "/1/type");
    ck_assert_str_eq(json_text_at(answer, "/items/1/errors/1/pointer"), "/1/queue");
    ck_assert_str_eq(json_text_at(answer, "/items/1/errors/2/pointer"), "/1/metadata/a~1b");
    ck_assert_str_eq(json_text_at(answer, "/items/2/errors/0/pointer"), "/2");
    ck_assert_str_eq(json_text_at(answer, "/items/3/code"), "bad_json");
    ck_assert_int_eq(status_of(answer, 3), 400);
    ck_assert_int_eq(strncmp(id_of(answer, 4), "other.0.", 8), 0);
    ck_assert_int_eq(status_of(answer, 5), 400);
    ck_assert_str_eq(id_of(answer, 6), id_of(answer, 7)); /* the second gets the job of the first */
}
END_TEST

START_TEST(full_queue_takes_the_first_ones)
{
    AUTO(free) char *body = many(2500, "");
    AUTO(json) json_t *answer = NULL;
    struct jobgate *narrow =
        scene_new_api(&s, (const char *const[]){"QUEUE_DEPTH_MAX=1200", "QUEUES_MAX=1", NULL});

    jobgate_wait_ready(narrow, 200);
    answer = submit(narrow, JSON_ARRAY, NULL, body, 207);
    ck_assert_int_eq(json_int_at(answer, "/accepted"), 1200);
    ck_assert_int_eq(status_of(answer, 1199), 202);
    ck_assert_int_eq(status_of(answer, 1200), 429);
    ck_assert_str_eq(json_text_at(answer, "/items/1200/code"), "queue_full");
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 1200);
    {
        AUTO(json) json_t *queue = submit(narrow, LINES, NULL, "{\"type\":\"echo\",\"queue\":\"more\"}", 207);

        ck_assert_int_eq(status_of(queue, 0), 422);
    }
    jobgate_free(narrow);
}
END_TEST

/* ---- repetitions ---- */

START_TEST(same_key_gives_the_same_jobs_at_every_replica)
{
    AUTO(free) char *plain = many(1500, "");
    AUTO(free) char *later = many(20, ",\"delay_s\":3600,\"queue\":\"later\"");
    AUTO_BUF struct buf body = BUF(BODY_MAX);
    AUTO(json) json_t *first = NULL;
    AUTO(json) json_t *second = NULL;

    buf_append(&body, plain, strlen(plain) - 1);
    buf_append_char(&body, ',');
    buf_append_text(&body, later + 1);
    first = submit(s.api, JSON_ARRAY, "Idempotency-Key: k", body.data, 202);
    second = submit(other, JSON_ARRAY, "Idempotency-Key: k", body.data, 202);
    ck_assert_int_eq(json_int_at(first, "/accepted"), 1520);
    ck_assert(json_equal(first, second));
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 1500);
    ck_assert_int_eq(redis_server_integer(s.redis, "ZCARD jobgate:{later.0}:scheduled"), 20);
    expect_submitted("1500");
}
END_TEST

START_TEST(key_of_another_batch_is_refused_whole)
{
    AUTO(free) char *body = many(10, "");
    AUTO(free) char *longer = many(11, "");
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply empty = {0};

    json_decref(submit(s.api, JSON_ARRAY, "Idempotency-Key: k", body, 202));
    post(other, JSON_ARRAY, "Idempotency-Key: k", longer, &reply);
    json_decref(scene_problem(&reply, 422, "key_reused"));
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 10);
    post(other, JSON_ARRAY, "Idempotency-Key: \"\"", body, &empty);
    json_decref(scene_problem(&empty, 400, "bad_request"));
}
END_TEST

/* With a key a part of a batch is accepted whole or not at all, so that a repetition can make up for it. */
START_TEST(repetition_makes_up_for_what_had_no_room)
{
    AUTO(free) char *body = many(2000, "");
    AUTO(json) json_t *first = NULL;
    AUTO(json) json_t *second = NULL;
    struct jobgate *narrow = scene_new_api(&s, (const char *const[]){"QUEUE_DEPTH_MAX=1500", NULL});

    jobgate_wait_ready(narrow, 200);
    first = submit(narrow, JSON_ARRAY, "Idempotency-Key: k", body, 207);
    ck_assert_int_eq(json_int_at(first, "/accepted"), 1000);
    second = submit(other, JSON_ARRAY, "Idempotency-Key: k", body, 202);
    ck_assert_str_eq(id_of(first, 999), id_of(second, 999));
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN " SHARD "ready"), 2000);
    jobgate_free(narrow);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_no_batch_is_refused_whole)
{
    static const struct {
        const char *type;
        const char *body;
        int status;
        const char *code;
    } rows[] = {
        {JSON_ARRAY, "{\"type\":\"echo\"}", 400, "bad_json"},
        {JSON_ARRAY, "[{\"type\":\"echo\"}", 400, "bad_json"},
        {JSON_ARRAY, "[{\"type\":\"echo\"},]", 400, "bad_json"},
        {JSON_ARRAY, "[{\"type\":\"echo\"}] x", 400, "bad_json"},
        {"Content-Type: text/plain", "[{\"type\":\"echo\"}]", 422, "invalid"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        post(s.api, rows[i].type, NULL, rows[i].body, &reply);
        json_decref(scene_problem(&reply, rows[i].status, rows[i].code));
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready"), 0);
}
END_TEST

START_TEST(batch_is_bounded)
{
    AUTO(free) char *body = many(ITEMS_MAX + 1, "");
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;
    AUTO(json) json_t *empty = submit(s.api, JSON_ARRAY, NULL, "[]", 202);

    post(s.api, JSON_ARRAY, NULL, body, &reply);
    problem = scene_problem(&reply, 413, "too_big");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "10000"));
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "ready"), 0);
    ck_assert_int_eq(json_int_at(empty, "/accepted"), 0);
}
END_TEST

START_TEST(batch_without_redis_gets_503)
{
    AUTO(free) char *body = many(10, "");
    AUTO_REPLY struct http_reply reply = {0};

    redis_server_kill(s.redis);
    jobgate_wait_metric(s.api, "jobgate_redis_up", 0);
    post(s.api, JSON_ARRAY, NULL, body, &reply);
    json_decref(scene_problem(&reply, 503, "redis_away"));
}
END_TEST

/* ---- beside others ---- */

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

START_TEST(others_are_served_while_a_batch_is_worked_off)
{
    AUTO(free) char *body = many(ITEMS_MAX, "");
    AUTO_BUF struct buf request = BUF(BODY_MAX);
    int overtaken = 0;

    buf_printf(&request,
        "POST /v1/jobs/batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
        "%zu\r\n\r\n",
        strlen(body));
    buf_append_text(&request, body);
    for (int i = 0; i < TRIES && !overtaken; i++) {
        AUTO_REPLY struct http_reply batch = {0};
        AUTO_REPLY struct http_reply small = {0};
        int slow = wire_connect(jobgate_url(s.api), 0);
        int quick = wire_connect(jobgate_url(s.api), 0);

        ck_assert(wire_send(slow, request.data, request.length));
        ck_assert(wire_say(quick, "GET /v1/queues/default HTTP/1.1\r\nHost: a\r\n\r\n"));
        ck_assert_msg(wire_hear(quick, &small), "%s", small.failure);
        overtaken += !is_readable(slow);
        ck_assert_msg(wire_hear(slow, &batch), "%s", batch.failure);
        ck_assert_int_eq(batch.status, 202);
        ck_assert_int_eq(small.status, 200);
        close(slow);
        close(quick);
    }
    ck_assert_msg(overtaken, "in %d tries nobody was served before the batch", TRIES);
}
END_TEST

START_TEST(caller_that_vanishes_harms_nobody)
{
    AUTO(free) char *body = many(ITEMS_MAX, "");
    AUTO_BUF struct buf head = BUF(URL_SIZE);
    int fd = wire_connect(jobgate_url(s.api), 0);

    buf_printf(&head,
        "POST /v1/jobs/batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
        "%zu\r\n\r\n",
        strlen(body));
    ck_assert(wire_send(fd, head.data, head.length) && wire_send(fd, body, strlen(body)));
    close(fd);
    jobgate_wait_metric(s.api, "jobgate_http_requests_in_flight", 0);
    free(jobgate_submit(s.api, "{\"type\":\"echo\"}"));
    ck_assert_int_eq(jobgate_stop(s.api), 0);
}
END_TEST

Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, jobs_of_a_batch_are_run);
    tcase_add_test(tcase, ten_thousand_jobs_are_accepted_in_their_order);
    tcase_add_test(tcase, each_item_gets_its_verdict);
    tcase_add_test(tcase, full_queue_takes_the_first_ones);
    tcase_add_test(tcase, same_key_gives_the_same_jobs_at_every_replica);
    tcase_add_test(tcase, key_of_another_batch_is_refused_whole);
    tcase_add_test(tcase, repetition_makes_up_for_what_had_no_room);
    tcase_add_test(tcase, what_is_no_batch_is_refused_whole);
    tcase_add_test(tcase, batch_is_bounded);
    tcase_add_test(tcase, batch_without_redis_gets_503);
    tcase_add_test(tcase, others_are_served_while_a_batch_is_worked_off);
    tcase_add_test(tcase, caller_that_vanishes_harms_nobody);
    suite_add_tcase(suite, tcase);
    return suite;
}
