#include "common/net/ops.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/net/http_client.h"
#include "tests/support/exposition.h"
#include "tests/support/http.h"

Suite *ops_suite(void);

enum { BODY_LIMIT = 1 << 20 };

/* An answer, copied. */
struct answer {
    int status;
    char content_type[64];
    char cache_control[32];
    struct buf body;
};

static struct loop *l;
static struct ops *ops;
static struct metrics *metrics;
static struct http_client *client;
static struct answer answer;

static void open_all(void)
{
    struct error e = {0};

    l = loop_new();
    ops = ops_new(l, "127.0.0.1:0", &e);
    ck_assert_msg(ops != NULL, "%s", e.text);
    metrics = metrics_new();
    client = http_client_new(l, 2, 60);
    buf_init(&answer.body, BODY_LIMIT);
}

static void close_all(void)
{
    client = http_client_free(client);
    ops = ops_free(ops);
    metrics = metrics_free(metrics);
    l = loop_free(l);
    buf_release(&answer.body);
}

static void copy_header(const struct http_response *response, const char *name, char *out, size_t size)
{
    const char *value = http_response_header(response, name);

    snprintf(out, size, "%s", value ? value : "");
}

static void on_answer(void *UNUSED(arg), const struct http_response *response, const struct error *e)
{
    ck_assert_msg(!e, "%s", e ? e->text : "");
    answer.status = response->status;
    copy_header(response, "Content-Type", answer.content_type, sizeof(answer.content_type));
    copy_header(response, "Cache-Control", answer.cache_control, sizeof(answer.cache_control));
    buf_reset(&answer.body);
    buf_append(&answer.body, response->body.data, response->body.length);
    loop_stop(l);
}

static const struct http_events events = {.on_done = on_answer};

/* Asks and leaves what came in `answer`. */
static int get(const char *path)
{
    char url[128];
    struct http_request request = {
        .method = "GET", .url = url, .max_response_bytes = BODY_LIMIT, .timeout_ms = 10000};

    snprintf(url, sizeof(url), "http://%s%s", ops_address(ops), path);
    http_send(client, &request, &events, NULL);
    loop_run(l);
    return answer.status;
}

/* The answer's body as JSON (json_decref). */
static json_t *body_json(void)
{
    struct error e = {0};
    json_t *value = json_parse(answer.body.data, answer.body.length, &e);

    ck_assert_msg(value != NULL, "%s: %s", e.text, answer.body.data);
    return value;
}

struct part {
    bool is_well;
    const char *says;
    int asked;
};

static bool check_part(void *arg, char *text, size_t size)
{
    struct part *part = arg;

    part->asked++;
    snprintf(text, size, "%s", part->says);
    return part->is_well;
}

static const char *const health_paths[] = {"/healthz", "/health"};

START_TEST(health_is_well_as_long_as_the_loop_turns)
{
    struct part redis = {false, "away", 0};
    AUTO(json) json_t *body = NULL;

    ops_add_check(ops, "redis", true, check_part, &redis);
    ops_set_draining(ops);
    ck_assert_int_eq(get(health_paths[_i]), 200);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert_str_eq(answer.cache_control, "no-store");
    body = body_json();
    ck_assert(json_is_object(body));
    ck_assert_int_eq(redis.asked, 0);
}
END_TEST

/* A loop in a thread of its own, whose first callback holds it up until it is let go. */
struct held_loop {
    struct loop *loop;
    struct pulse *pulse;
    pthread_t thread;
    sem_t go;
};

static void hold_up(void *arg)
{
    struct held_loop *h = arg;

    sem_wait(&h->go);
}

static void *run_held(void *arg)
{
    struct held_loop *h = arg;

    loop_adopt(h->loop);
    loop_run(h->loop);
    return NULL;
}

static void start_held(struct held_loop *h)
{
    h->loop = loop_new();
    h->pulse = pulse_new(h->loop, NULL, NULL);
    sem_init(&h->go, 0, 0);
    loop_call_later(h->loop, hold_up, h);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, run_held, h), 0);
    loop_adopt(l);
}

static void stop_held_loop(void *arg)
{
    loop_stop(arg);
}

static void end_held(struct held_loop *h)
{
    loop_call_from_thread(h->loop, stop_held_loop, h->loop);
    pthread_join(h->thread, NULL);
    pulse_free(h->pulse);
    loop_free(h->loop);
    sem_destroy(&h->go);
}

START_TEST(health_is_lost_while_a_loop_stands_still)
{
    enum { LIMIT_MS = 3000 };
    struct held_loop held;
    struct pulse *well = pulse_new(l, NULL, NULL);
    AUTO(json) json_t *body = NULL;

    start_held(&held);
    ops_add_pulse(ops, "well", well, LIMIT_MS * 100);
    ops_add_pulse(ops, "held", held.pulse, LIMIT_MS);
    ck_assert_int_eq(get("/healthz"), 200);
    while (get("/healthz") == 200)
        usleep(50000);
    ck_assert_int_eq(answer.status, 503);
    body = body_json();
    ck_assert_str_eq(json_text_at(body, "/status"), "stuck");
    ck_assert_int_ge(json_integer_value(json_at(body, "/silent_s/held")), LIMIT_MS / 1000);
    ck_assert_ptr_null(json_at(body, "/silent_s/well"));
    sem_post(&held.go);
    while (get("/healthz") != 200)
        usleep(50000);
    end_held(&held);
    pulse_free(well);
}
END_TEST

/* What is away for everybody must not take everybody out. */
START_TEST(it_accepts_from_when_all_was_well_once_until_it_drains)
{
    struct part redis = {false, "connection refused", 0};
    struct part store = {false, "refused", 0};
    AUTO(json) json_t *body = NULL;

    ops_add_check(ops, "redis", true, check_part, &redis);
    ops_add_check(ops, "blob_store", false, check_part, &store);
    ck_assert_int_eq(get("/acceptz"), 503);
    redis.is_well = true;
    ck_assert_int_eq(get("/acceptz"), 200);
    redis.is_well = false;
    ck_assert_int_eq(get("/readyz"), 503);
    ck_assert_int_eq(get("/acceptz"), 200);
    body = body_json();
    ck_assert(json_is_true(json_at(body, "/accepts")));
    ck_assert_str_eq(json_text_at(body, "/status"), "not ready");
    ck_assert_str_eq(json_text_at(body, "/checks/redis/detail"), "connection refused");
    ops_set_draining(ops);
    ck_assert_int_eq(get("/acceptz"), 503);
}
END_TEST

START_TEST(nothing_to_check_is_ready)
{
    AUTO(json) json_t *body = NULL;

    ck_assert_int_eq(get("/readyz"), 200);
    body = body_json();
    ck_assert_str_eq(json_text_at(body, "/status"), "ready");
    ck_assert(json_is_object(json_at(body, "/checks")));
}
END_TEST

static const struct ready_row {
    const char *name;
    bool redis_is_well; /* required */
    bool store_is_well; /* required */
    bool extra_is_well; /* not required */
    bool is_draining;
    int status;
    const char *says;
} ready_rows[] = {
    {"all is well", true, true, true, false, 200, "ready"},
    {"what is not required is ill", true, true, false, false, 200, "ready"},
    {"the first required one is ill", false, true, true, false, 503, "not ready"},
    {"the second required one is ill", true, false, true, false, 503, "not ready"},
    {"all are ill", false, false, false, false, 503, "not ready"},
    {"draining, all well", true, true, true, true, 503, "draining"},
    {"draining and ill", false, true, true, true, 503, "draining"},
};

static void expect_check(const json_t *body, const char *name, const struct part *part)
{
    char pointer[64];

    snprintf(pointer, sizeof(pointer), "/checks/%s/ok", name);
    ck_assert(json_is_boolean(json_at(body, pointer)));
    ck_assert_int_eq(json_is_true(json_at(body, pointer)), part->is_well);
    snprintf(pointer, sizeof(pointer), "/checks/%s/detail", name);
    ck_assert_str_eq(json_text_at(body, pointer), part->says);
    ck_assert_int_eq(part->asked, 1);
}

START_TEST(ready_is_what_the_required_checks_say)
{
    const struct ready_row *row = &ready_rows[_i];
    struct part redis = {row->redis_is_well, "connected", 0};
    struct part store = {row->store_is_well, "it says \"no\"\n\\o/", 0};
    struct part extra = {row->extra_is_well, "", 0};
    AUTO(json) json_t *body = NULL;

    ops_add_check(ops, "redis", true, check_part, &redis);
    ops_add_check(ops, "extra", false, check_part, &extra);
    ops_add_check(ops, "blob_store", true, check_part, &store);
    if (row->is_draining)
        ops_set_draining(ops);
    ck_assert_msg(get("/readyz") == row->status, "%s: %d", row->name, answer.status);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert_str_eq(answer.cache_control, "no-store");
    body = body_json();
    ck_assert_str_eq(json_text_at(body, "/status"), row->says);
    expect_check(body, "redis", &redis);
    expect_check(body, "blob_store", &store);
    expect_check(body, "extra", &extra);
}
END_TEST

START_TEST(readiness_comes_and_goes)
{
    struct part redis = {true, "connected", 0};

    ops_add_check(ops, "redis", true, check_part, &redis);
    ck_assert_int_eq(get("/readyz"), 200);
    redis.is_well = false;
    ck_assert_int_eq(get("/readyz"), 503);
    redis.is_well = true;
    ck_assert_int_eq(get("/readyz"), 200);
    ops_set_draining(ops);
    ck_assert_int_eq(get("/readyz"), 503);
}
END_TEST

enum { CHECKS = 16 };

START_TEST(there_may_be_16_checks)
{
    static const char *const names[CHECKS] = {
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
    struct part parts[CHECKS];
    AUTO(json) json_t *body = NULL;

    for (int i = 0; i < CHECKS; i++) {
        parts[i] = (struct part){i != CHECKS - 1, "words", 0};
        ops_add_check(ops, names[i], true, check_part, &parts[i]);
    }
    ck_assert_int_eq(get("/readyz"), 503);
    body = body_json();
    ck_assert_uint_eq(json_object_size(json_at(body, "/checks")), CHECKS);
}
END_TEST

START_TEST(metrics_are_a_valid_exposition)
{
    struct metrics *other = metrics_new();

    for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
        series_observe(metrics_series(metrics, metric, "queue=\"default\""), 0.5);
    metrics_add(metrics, METRIC_JOBS_SUBMITTED, 2);
    metrics_add(other, METRIC_JOBS_SUBMITTED, 3);
    ops_add_metrics(ops, metrics);
    ops_add_metrics(ops, other);
    ck_assert_int_eq(get("/metrics"), 200);
    ck_assert_str_eq(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    exposition_check(answer.body.data);
    ck_assert_double_eq(exposition_value(answer.body.data, "jobgate_jobs_submitted_total"), 5);
    ck_assert_double_gt(exposition_value(answer.body.data, "process_resident_memory_bytes"), 0);
    metrics_free(other);
}
END_TEST

/* Found by this test: the process's own metrics were written into the first set, whether there was one or
 * not. */
START_TEST(metrics_without_a_set_are_empty)
{
    ck_assert_int_eq(get("/metrics"), 200);
    exposition_check(answer.body.data);
}
END_TEST

static void write_page(void *arg, struct buf *out)
{
    buf_printf(out, "{\"page\":\"%s\"}", (const char *)arg);
}

START_TEST(pages_are_served_at_their_paths)
{
    char first[] = "first";
    char second[] = "second";

    ops_add_page(ops, "/v1/stats", write_page, first);
    ops_add_page(ops, "/v1/other", write_page, second);
    ck_assert_int_eq(get("/v1/stats?pretty=1"), 200);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert_str_eq(answer.body.data, "{\"page\":\"first\"}");
    ck_assert_int_eq(get("/v1/other"), 200);
    ck_assert_str_eq(answer.body.data, "{\"page\":\"second\"}");
}
END_TEST

static const char *const unknown_paths[] = {"/", "/v1/jobs", "/healthz/", "/METRICS", "/readyz/x"};

START_TEST(other_paths_are_not_found)
{
    AUTO(json) json_t *body = NULL;

    ck_assert_int_eq(get(unknown_paths[_i]), 404);
    ck_assert_str_eq(answer.content_type, "application/problem+json");
    body = body_json();
    ck_assert(json_is_object(body));
}
END_TEST

static const struct listen_row {
    const char *name;
    const char *listen;
} bad_listens[] = {
    {"no address", "nowhere"},
    {"not ours", "192.0.2.1:0"},
    {"in use", NULL},
};

START_TEST(an_address_that_cannot_be_had_is_invalid)
{
    const char *listen = bad_listens[_i].listen ? bad_listens[_i].listen : ops_address(ops);
    struct error e = {0};

    ck_assert_msg(!ops_new(l, listen, &e), "%s", bad_listens[_i].name);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_str_ne(e.text, "");
}
END_TEST

START_TEST(freeing_nothing_is_allowed)
{
    ck_assert_ptr_null(ops_free(NULL));
}
END_TEST

Suite *ops_suite(void)
{
    Suite *suite = suite_create("ops");
    TCase *all = tcase_create("ops");

    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_set_timeout(all, 20);
    tcase_add_loop_test(all, health_is_well_as_long_as_the_loop_turns, 0, ARRAY_LENGTH(health_paths));
    tcase_add_test(all, health_is_lost_while_a_loop_stands_still);
    tcase_add_test(all, it_accepts_from_when_all_was_well_once_until_it_drains);
    tcase_add_test(all, nothing_to_check_is_ready);
    tcase_add_loop_test(all, ready_is_what_the_required_checks_say, 0, ARRAY_LENGTH(ready_rows));
    tcase_add_test(all, readiness_comes_and_goes);
    tcase_add_test(all, there_may_be_16_checks);
    tcase_add_test(all, metrics_are_a_valid_exposition);
    tcase_add_test(all, metrics_without_a_set_are_empty);
    tcase_add_test(all, pages_are_served_at_their_paths);
    tcase_add_loop_test(all, other_paths_are_not_found, 0, ARRAY_LENGTH(unknown_paths));
    tcase_add_loop_test(all, an_address_that_cannot_be_had_is_invalid, 0, ARRAY_LENGTH(bad_listens));
    tcase_add_test(all, freeing_nothing_is_allowed);
    suite_add_tcase(suite, all);
    return suite;
}
