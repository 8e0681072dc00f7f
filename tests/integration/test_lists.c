/*
 * Lists: pages of jobs while jobs come and go.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/keyfile.h"

Suite *lists_suite(void);

enum { URL_SIZE = 1024, JOBS = 25, SEEN_MAX = 4000 };

#define SHARD "jobgate:{default.0}:"

static struct scene s;

/* The jobs of pages, in their order. */
struct seen {
    char ids[SEEN_MAX][128];
    size_t count;
    size_t pages;
};

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *const[]){"MAX_BODY=8388608", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static json_t *get_page(const char *query, const char *cursor)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs?%s%s%s", jobgate_url(s.api), query, cursor ? "&cursor=" : "",
        cursor ? cursor : "");
    http_get(url, &reply);
    ck_assert_msg(reply.status == 200, "%s: %d %s", url, reply.status, reply.body.data);
    return http_reply_json(&reply);
}

static void note(struct seen *seen, const json_t *page)
{
    const json_t *job;
    size_t i;

    seen->pages++;
    json_array_foreach(json_object_get(page, "jobs"), i, job)
    {
        ck_assert_uint_lt(seen->count, SEEN_MAX);
        snprintf(seen->ids[seen->count++], sizeof(seen->ids[0]), "%s", json_text_at(job, "/id"));
    }
}

/* Reads on from a cursor (NULL: from the beginning) to the end. */
static void read_all(const char *query, const char *cursor, struct seen *seen)
{
    AUTO(free) char *at = cursor ? mem_strdup(cursor) : NULL;

    do {
        AUTO(json) json_t *page = get_page(query, at);
        const json_t *next = json_object_get(page, "cursor");

        note(seen, page);
        free(at);
        at = next ? mem_strdup(json_string_value(next)) : NULL;
        ck_assert_uint_lt(seen->pages, 500);
    } while (at);
}

static size_t times_seen(const struct seen *seen, const char *id)
{
    size_t times = 0;

    for (size_t i = 0; i < seen->count; i++)
        times += strcmp(seen->ids[i], id) == 0;
    return times;
}

static void submit_many(char *ids[], size_t count, const char *json)
{
    for (size_t i = 0; i < count; i++)
        ids[i] = jobgate_submit(s.api, json);
}

static void free_many(char *ids[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
}

static void call(const char *method, const char *path)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s%s", jobgate_url(s.api), path);
    http_ask(&(struct http_ask){.method = method, .url = url}, &reply);
    ck_assert_msg(reply.status / 100 == 2, "%s: %d", path, reply.status);
}

static struct seen *new_seen(void)
{
    return mem_zalloc(sizeof(struct seen));
}

/* ---- each state ---- */

START_TEST(queued_jobs_are_listed_in_their_order)
{
    AUTO(free) struct seen *seen = new_seen();
    AUTO(free) struct seen *held = new_seen();
    char *ids[JOBS];

    submit_many(ids, JOBS, "{\"type\":\"echo\"}");
    read_all("limit=10", NULL, seen);
    ck_assert_uint_eq(seen->count, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        ck_assert_str_eq(seen->ids[i], ids[i]);
    call("POST", "/v1/queues/default/pause");
    read_all("limit=7", NULL, held);
    ck_assert_uint_eq(held->count, JOBS);
    free_many(ids, JOBS);
}
END_TEST

START_TEST(scheduled_jobs_of_one_time_are_listed_once_each)
{
    AUTO(free) struct seen *seen = new_seen();
    char *ids[JOBS];
    AUTO(free) char *sooner = NULL;

    submit_many(ids, JOBS, "{\"type\":\"echo\",\"run_at\":\"2026-12-31T00:00:00Z\"}");
    sooner = jobgate_submit(s.api, "{\"type\":\"echo\",\"run_at\":\"2026-12-30T00:00:00Z\"}");
    read_all("state=scheduled&limit=4", NULL, seen);
    ck_assert_uint_eq(seen->count, JOBS + 1);
    ck_assert_str_eq(seen->ids[0], sooner);
    for (size_t i = 0; i < JOBS; i++)
        ck_assert_uint_eq(times_seen(seen, ids[i]), 1);
    free_many(ids, JOBS);
}
END_TEST

START_TEST(dead_jobs_are_listed_the_last_first)
{
    AUTO(free) struct seen *seen = new_seen();
    char *ids[JOBS];

    scene_start_worker(&s, (const char *const[]){"WORKER_CONCURRENCY=1", NULL});
    submit_many(ids, JOBS,
        "{\"type\":\"cat\",\"timeout_s\":1,\"max_attempts\":1,\"expires_at\":\"2020-01-01T00:00:00Z\"}");
    for (size_t i = 0; i < JOBS; i++)
        json_decref(jobgate_wait_for(s.api, ids[i], "dead"));
    read_all("state=dead&limit=4", NULL, seen);
    ck_assert_uint_eq(seen->count, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        ck_assert_uint_eq(times_seen(seen, ids[i]), 1);
    free_many(ids, JOBS);
}
END_TEST

START_TEST(running_jobs_are_listed)
{
    AUTO(free) struct seen *seen = new_seen();
    struct jobgate *second = scene_new_worker(&s, (const char *const[]){"WORKER_CONCURRENCY=8", NULL});
    char *ids[16];

    scene_start_worker(&s, (const char *const[]){"WORKER_CONCURRENCY=8", NULL});
    jobgate_wait_ready(second, 200);
    for (size_t i = 0; i < 16; i++)
        ids[i] = scene_submit_script(&s, "", "until test -e go; do sleep 0.1; done");
    for (size_t i = 0; i < 16; i++)
        json_decref(jobgate_wait_for(s.api, ids[i], "running"));
    read_all("state=running&limit=3", NULL, seen);
    ck_assert_uint_eq(seen->count, 16);
    for (size_t i = 0; i < 16; i++)
        ck_assert_uint_eq(times_seen(seen, ids[i]), 1);
    scene_touch(&s, "go");
    free_many(ids, 16);
    jobgate_free(second);
}
END_TEST

START_TEST(what_stands_in_no_list_is_refused)
{
    static const char *const queries[] = {"state=succeeded", "state=cancelled", "state=x", "cursor=1",
        "cursor=zz", "limit=0", "limit=201", "type=A", "owner=a%20b", "created_after=yesterday", "queue=A"};

    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        char url[URL_SIZE];

        snprintf(url, sizeof(url), "%s/v1/jobs?%s", jobgate_url(s.api), queries[i]);
        http_get(url, &reply);
        json_decref(scene_problem(&reply, 422, "invalid"));
    }
}
END_TEST

/* ---- while things move ---- */

/* The jobs at the head are taken between two pages, others come: those that stay are seen once, each. */
START_TEST(page_goes_on_where_the_last_one_ended)
{
    AUTO(free) struct seen *seen = new_seen();
    AUTO(json) json_t *first = NULL;
    char *ids[JOBS];
    char *more[JOBS];

    submit_many(ids, JOBS, "{\"type\":\"echo\"}");
    first = get_page("limit=10", NULL);
    note(seen, first);
    for (int i = 0; i < 5; i++) /* as a worker takes them */
        free(redis_server_text(s.redis, "RPOP " SHARD "ready"));
    submit_many(more, JOBS, "{\"type\":\"echo\"}");
    read_all("limit=10", json_text_at(first, "/cursor"), seen);
    ck_assert_uint_eq(seen->count, 2 * JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        ck_assert_uint_eq(times_seen(seen, ids[i]), 1);
        ck_assert_uint_eq(times_seen(seen, more[i]), 1);
    }
    free_many(ids, JOBS);
    free_many(more, JOBS);
}
END_TEST

/* The last one that was seen has gone, and all before it. */
START_TEST(page_goes_on_when_its_last_job_has_gone)
{
    AUTO(free) struct seen *seen = new_seen();
    AUTO(json) json_t *first = NULL;
    AUTO(json) json_t *scheduled = NULL;
    char *ids[JOBS];
    char *later[JOBS];

    submit_many(ids, JOBS, "{\"type\":\"echo\"}");
    first = get_page("limit=10", NULL);
    for (int i = 0; i < 15; i++)
        free(redis_server_text(s.redis, "RPOP " SHARD "ready"));
    read_all("limit=10", json_text_at(first, "/cursor"), seen);
    ck_assert_uint_eq(seen->count, 10);
    ck_assert_str_eq(seen->ids[0], ids[15]);

    submit_many(later, JOBS, "{\"type\":\"echo\",\"run_at\":\"2026-12-31T00:00:00Z\"}");
    scheduled = get_page("state=scheduled&limit=10", NULL);
    {
        char path[URL_SIZE];

        snprintf(path, sizeof(path), "/v1/jobs/%s", later[9]);
        call("DELETE", path);
        snprintf(path, sizeof(path), "/v1/jobs/%s", later[3]);
        call("DELETE", path);
    }
    seen->count = 0;
    read_all("state=scheduled&limit=10", json_text_at(scheduled, "/cursor"), seen);
    ck_assert_uint_eq(seen->count, JOBS - 10);
    ck_assert_str_eq(seen->ids[0], later[10]);
    free_many(ids, JOBS);
    free_many(later, JOBS);
}
END_TEST

START_TEST(long_list_is_paged_to_its_end)
{
    AUTO_BUF struct buf body = BUF(8 << 20);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) struct seen *seen = new_seen();
    AUTO(json) json_t *first = NULL;
    char url[URL_SIZE];

    for (int i = 0; i < 3000; i++)
        buf_printf(&body, "{\"type\":\"echo\"}\n");
    snprintf(url, sizeof(url), "%s/v1/jobs/batch", jobgate_url(s.api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *const[]){"Content-Type: application/x-ndjson", NULL},
                 .body = body.data,
                 .body_length = body.length},
        &reply);
    ck_assert_int_eq(reply.status, 202);
    first = get_page("limit=200", NULL);
    note(seen, first);
    for (int i = 0; i < 1000; i++) /* farther than its neighbourhood is looked at */
        free(redis_server_text(s.redis, "RPOP " SHARD "ready"));
    read_all("limit=200", json_text_at(first, "/cursor"), seen);
    ck_assert_uint_eq(seen->count, 200 + 2000);
}
END_TEST

/* ---- filters ---- */

START_TEST(jobs_are_filtered)
{
    AUTO(free) struct seen *typed = new_seen();
    AUTO(free) struct seen *timed = new_seen();
    AUTO(free) struct seen *empty = new_seen();
    AUTO(free) char *cat = NULL;
    AUTO(free) char *cancelled = NULL;
    AUTO(json) json_t *job = NULL;
    char *ids[JOBS];
    char query[URL_SIZE];

    submit_many(ids, JOBS, "{\"type\":\"echo\"}");
    usleep(5000);
    cat = jobgate_submit(s.api, "{\"type\":\"cat\"}");
    cancelled = jobgate_submit(s.api, "{\"type\":\"cat\"}");
    snprintf(query, sizeof(query), "/v1/jobs/%s", cancelled);
    call("DELETE", query);
    read_all("type=cat&limit=1", NULL, typed);
    ck_assert_uint_eq(
        typed->count, 1); /* the cancelled one still stands in the list, and is none that is queued */
    ck_assert_str_eq(typed->ids[0], cat);
    job = jobgate_job(s.api, cat);
    snprintf(query, sizeof(query), "limit=3&created_before=%s", json_text_at(job, "/created_at"));
    read_all(query, NULL, timed);
    ck_assert_uint_eq(timed->count, JOBS);
    snprintf(query, sizeof(query), "created_after=%s&type=echo", json_text_at(job, "/created_at"));
    read_all(query, NULL, empty);
    ck_assert_uint_eq(empty->count, 0);
    free_many(ids, JOBS);
}
END_TEST

/* A filter that leaves out nearly all: each request does a bounded part of the work, and all together find
 * it. */
START_TEST(rare_job_is_found_in_bounded_steps)
{
    AUTO_BUF struct buf body = BUF(8 << 20);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) struct seen *seen = new_seen();
    char url[URL_SIZE];

    for (int i = 0; i < 5000; i++)
        buf_printf(&body, "{\"type\":\"%s\"}\n", i == 4500 ? "cat" : "echo");
    snprintf(url, sizeof(url), "%s/v1/jobs/batch", jobgate_url(s.api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *const[]){"Content-Type: application/x-ndjson", NULL},
                 .body = body.data,
                 .body_length = body.length},
        &reply);
    ck_assert_int_eq(reply.status, 202);
    read_all("type=cat", NULL, seen);
    ck_assert_uint_eq(seen->count, 1);
    ck_assert_uint_ge(seen->pages, 3);
}
END_TEST

START_TEST(cursor_is_good_for_its_own_list_alone)
{
    AUTO(json) json_t *page = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    char *ids[JOBS];
    char url[URL_SIZE];

    submit_many(ids, JOBS, "{\"type\":\"echo\"}");
    page = get_page("limit=5", NULL);
    snprintf(url, sizeof(url), "%s/v1/jobs?limit=5&type=echo&cursor=%s", jobgate_url(s.api),
        json_text_at(page, "/cursor"));
    http_get(url, &reply);
    json_decref(scene_problem(&reply, 422, "invalid"));
    free_many(ids, JOBS);
}
END_TEST

START_TEST(owner_lists_its_own_jobs)
{
    struct keyfile keys;
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply own = {0};
    AUTO_REPLY struct http_reply refused = {0};
    AUTO_REPLY struct http_reply filtered = {0};
    AUTO(json) json_t *page = NULL;
    AUTO(json) json_t *all = NULL;
    char first[API_KEY_SIZE];
    char second[API_KEY_SIZE];
    char admin[API_KEY_SIZE];
    struct jobgate *api;

    keyfile_open(&keys, &s);
    snprintf(first, sizeof(first), "%s", keyfile_add(&keys, "first", "\"submit\",\"read\"", ""));
    snprintf(second, sizeof(second), "%s", keyfile_add(&keys, "second", "\"submit\",\"read\"", ""));
    snprintf(admin, sizeof(admin), "%s", keyfile_add(&keys, "admin", "\"admin\"", ""));
    api = scene_new_api(&s, (const char *const[]){"AUTH=keys", keys.setting, NULL});
    jobgate_wait_ready(api, 200);
    for (int i = 0; i < 6; i++) {
        AUTO_REPLY struct http_reply submitted = {0};

        keyfile_ask(api, i % 2 ? first : second, "POST", "/v1/jobs", "{\"type\":\"echo\"}", &submitted);
        ck_assert_int_eq(submitted.status, 202);
    }
    keyfile_ask(api, first, "GET", "/v1/jobs", NULL, &own);
    page = http_reply_json(&own);
    ck_assert_uint_eq(json_array_size(json_object_get(page, "jobs")), 3);
    keyfile_ask(api, first, "GET", "/v1/jobs?owner=second", NULL, &refused);
    json_decref(scene_problem(&refused, 403, "forbidden"));
    keyfile_ask(api, admin, "GET", "/v1/jobs", NULL, &reply);
    all = http_reply_json(&reply);
    ck_assert_uint_eq(json_array_size(json_object_get(all, "jobs")), 6);
    keyfile_ask(api, admin, "GET", "/v1/jobs?owner=second", NULL, &filtered);
    ck_assert_ptr_null(strstr(filtered.body.data, "\"owner\":\"first\""));
    ck_assert_ptr_nonnull(strstr(filtered.body.data, "\"owner\":\"second\""));
    jobgate_free(api);
}
END_TEST

Suite *lists_suite(void)
{
    Suite *suite = suite_create("lists");
    TCase *tcase = tcase_create("lists");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, queued_jobs_are_listed_in_their_order);
    tcase_add_test(tcase, scheduled_jobs_of_one_time_are_listed_once_each);
    tcase_add_test(tcase, dead_jobs_are_listed_the_last_first);
    tcase_add_test(tcase, running_jobs_are_listed);
    tcase_add_test(tcase, what_stands_in_no_list_is_refused);
    tcase_add_test(tcase, page_goes_on_where_the_last_one_ended);
    tcase_add_test(tcase, page_goes_on_when_its_last_job_has_gone);
    tcase_add_test(tcase, long_list_is_paged_to_its_end);
    tcase_add_test(tcase, jobs_are_filtered);
    tcase_add_test(tcase, rare_job_is_found_in_bounded_steps);
    tcase_add_test(tcase, cursor_is_good_for_its_own_list_alone);
    tcase_add_test(tcase, owner_lists_its_own_jobs);
    suite_add_tcase(suite, tcase);
    return suite;
}
