/*
 * Isolation: who may do what to whose job, for every route that there is, against two replicas. A route
 * without a row fails.
 */
#include <check.h>

#include "api/routes.h"
#include "common/base/json.h"
#include "tests/support/keyfile.h"

Suite *isolation_suite(void);

enum { PATH_SIZE = 512 };

#define SCHEDULE "{\"cron\":\"@yearly\",\"job\":{\"type\":\"echo\"}}"

/* Who asks, of a job that the owner "mine" has. */
enum asker { NOBODY, FORGER, OWN_SUBMIT, OWN_READ, OTHER, ADMIN, ASKERS };

static const char *const asker_names[] = {
    "nobody", "a forged key", "the owner, submit", "the owner, read", "another owner", "an admin"};

static struct scene s;
static struct jobgate *second;
static struct keyfile keys;
static char asker_keys[ASKERS][API_KEY_SIZE];
static char mine[API_KEY_SIZE];

static void add(enum asker asker, const char *name, const char *scopes, const char *members)
{
    snprintf(asker_keys[asker], API_KEY_SIZE, "%s", keyfile_add(&keys, name, scopes, members));
}

static void open_scene(void)
{
    char hash[API_KEY_HASH_SIZE];

    scene_open(&s);
    keyfile_open(&keys, &s);
    snprintf(mine, sizeof(mine), "%s", keyfile_add(&keys, "mine", "\"submit\",\"read\"", ""));
    api_key_generate(asker_keys[FORGER], hash);
    add(OWN_SUBMIT, "own-submit", "\"submit\"", ",\"owner\":\"mine\"");
    add(OWN_READ, "own-read", "\"read\"", ",\"owner\":\"mine\"");
    add(OTHER, "other", "\"submit\",\"read\"", "");
    add(ADMIN, "admin", "\"admin\"", "");
    scene_start_api(&s, (const char *[]){"AUTH=keys", keys.setting, NULL});
    second = scene_new_api(&s, (const char *[]){"AUTH=keys", keys.setting, NULL});
    jobgate_wait_ready(second, 200);
}

static void close_scene(void)
{
    second = jobgate_free(second);
    scene_close(&s);
}

static const struct row {
    enum evhttp_cmd_type method;
    const char *pattern;
    const char *body;     /* NULL: none */
    int expected[ASKERS]; /* in the order of enum asker */
    bool is_cancelled;    /* the job, before: its stream ends by itself */
} rows[] = {
    {EVHTTP_REQ_POST, "/v1/jobs", "{\"type\":\"echo\"}", {401, 401, 202, 403, 202, 202}, false},
    {EVHTTP_REQ_POST, "/v1/jobs/batch", "[{\"type\":\"echo\"}]", {401, 401, 202, 403, 202, 202}, false},
    {EVHTTP_REQ_POST, "/v1/run/{}", "{}", {401, 401, 202, 403, 202, 202}, false},
    {EVHTTP_REQ_GET, "/v1/schedules", NULL, {401, 401, 403, 200, 200, 200}, false},
    {EVHTTP_REQ_PUT, "/v1/schedules/{}", SCHEDULE, {401, 401, 201, 403, 201, 201}, false},
    {EVHTTP_REQ_GET, "/v1/schedules/{}", NULL, {401, 401, 403, 200, 404, 404}, false},
    {EVHTTP_REQ_DELETE, "/v1/schedules/{}", NULL, {401, 401, 204, 403, 404, 404}, false},
    {EVHTTP_REQ_GET, "/v1/jobs", NULL, {401, 401, 403, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/v1/jobs/{}", NULL, {401, 401, 403, 200, 404, 200}, false},
    {EVHTTP_REQ_DELETE, "/v1/jobs/{}", NULL, {401, 401, 200, 403, 404, 200}, false},
    {EVHTTP_REQ_POST, "/v1/jobs/{}/retry", NULL, {401, 401, 409, 403, 404, 409}, false},
    {EVHTTP_REQ_GET, "/v1/jobs/{}/result", NULL, {401, 401, 403, 409, 404, 409}, false},
    {EVHTTP_REQ_GET, "/v1/jobs/{}/log", NULL, {401, 401, 403, 404, 404, 404}, false}, /* it has none yet */
    {EVHTTP_REQ_POST, "/v1/uploads", NULL, {401, 401, 201, 403, 201, 201}, false},
    {EVHTTP_REQ_PUT, "/v1/uploads/{}/{}", "a part", {401, 401, 200, 403, 200, 200},
        false}, /* each has its own */
    {EVHTTP_REQ_GET, "/v1/jobs/{}/events", NULL, {401, 401, 403, 200, 404, 200}, true},
    {EVHTTP_REQ_GET, "/openapi.json", NULL, {200, 200, 200, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/docs", NULL, {200, 200, 200, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/docs/docs.js", NULL, {200, 200, 200, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/docs/docs.css", NULL, {200, 200, 200, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/v1/types", NULL, {401, 401, 403, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/v1/queues", NULL, {401, 401, 403, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/v1/queues/{}", NULL, {401, 401, 403, 200, 200, 200}, false},
    {EVHTTP_REQ_GET, "/v1/workers", NULL, {401, 401, 403, 403, 403, 200}, false},
    {EVHTTP_REQ_GET, "/v1/stats", NULL, {401, 401, 403, 403, 403, 200}, false},
    {EVHTTP_REQ_POST, "/v1/queues/{}/retry", NULL, {401, 401, 403, 403, 403, 200}, false},
    {EVHTTP_REQ_DELETE, "/v1/queues/{}/jobs", NULL, {401, 401, 403, 403, 403, 200}, false},
    {EVHTTP_REQ_POST, "/v1/queues/{}/pause", NULL, {401, 401, 403, 403, 403, 200}, false},
    {EVHTTP_REQ_POST, "/v1/queues/{}/resume", NULL, {401, 401, 403, 403, 403, 200}, false},
};

static const char *method_name(enum evhttp_cmd_type method)
{
    switch (method) {
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    default:
        return "GET";
    }
}

static const struct row *find_row(const struct route *route)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].method == route->method && strcmp(rows[i].pattern, route->pattern) == 0)
            return &rows[i];
    ck_abort_msg("%s %s has no row in the table of isolation: say who may do it", method_name(route->method),
        route->pattern);
}

/* A job of the owner "mine", by the replica that is not asked afterwards. */
static void submit_mine(const struct jobgate *api, char id[JOB_ID_SIZE])
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;

    keyfile_ask(api, mine, "POST", "/v1/jobs", "{\"type\":\"echo\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    ck_assert_str_eq(json_text_at(job, "/owner"), "mine");
    snprintf(id, JOB_ID_SIZE, "%s", json_text_at(job, "/id"));
}

static bool begins(const struct route *route, const char *text)
{
    return strncmp(route->pattern, text, strlen(text)) == 0;
}

/* The path of a route, with what the owner "mine" has in the place of its parameter. */
static void write_path(const struct route *route, const char *id, char path[PATH_SIZE])
{
    const char *hole = strchr(route->pattern, '{');
    const char *value = begins(route, "/v1/queues/")      ? "default"
                        : begins(route, "/v1/run/")       ? "echo"
                        : !begins(route, "/v1/schedules") ? id
                        : route->method == EVHTTP_REQ_PUT ? "of-each"
                                                          : "mine";

    if (begins(route, "/v1/uploads/"))
        snprintf(path, PATH_SIZE, "/v1/uploads/%s/1", id);
    else if (hole)
        snprintf(path, PATH_SIZE, "%.*s%s%s", (int)(hole - route->pattern), route->pattern, value, hole + 2);
    else
        snprintf(path, PATH_SIZE, "%s", route->pattern);
}

static void expect(const struct route *route, const struct row *row, enum asker asker, size_t turn)
{
    const struct jobgate *asked = turn % 2 ? s.api : second;
    const char *key = asker == NOBODY ? NULL : asker_keys[asker];
    AUTO_REPLY struct http_reply reply = {0};
    char id[JOB_ID_SIZE];
    char path[PATH_SIZE];

    submit_mine(turn % 2 ? second : s.api, id);
    if (begins(route, "/v1/schedules/")) {
        keyfile_ask(asked, mine, "PUT", "/v1/schedules/mine", SCHEDULE, &reply);
        ck_assert(reply.status == 200 || reply.status == 201);
    }
    if (row->is_cancelled) {
        snprintf(path, sizeof(path), "/v1/jobs/%s", id);
        keyfile_ask(asked, mine, "DELETE", path, NULL, &reply);
        ck_assert_int_eq(reply.status, 200);
    }
    write_path(route, id, path);
    keyfile_ask(asked, key, method_name(route->method), path, row->body, &reply);
    ck_assert_msg(reply.status == row->expected[asker], "%s %s by %s: %d, not %d: %s",
        method_name(route->method), path, asker_names[asker], reply.status, row->expected[asker],
        reply.body.data);
}

START_TEST(every_route_lets_those_in_that_may)
{
    size_t turn = 0;

    for (const struct route *route = routes(); route->pattern; route++)
        for (enum asker asker = NOBODY; asker < ASKERS; asker++)
            expect(route, find_row(route), asker, turn++);
}
END_TEST

START_TEST(every_row_is_a_route)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct route *route = routes();

        while (route->pattern &&
               !(route->method == rows[i].method && strcmp(route->pattern, rows[i].pattern) == 0))
            route++;
        ck_assert_msg(route->pattern != NULL, "%s is no route", rows[i].pattern);
    }
}
END_TEST

START_TEST(another_s_upload_is_no_payload)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *upload = NULL;
    char path[PATH_SIZE];
    char body[PATH_SIZE];

    keyfile_ask(s.api, mine, "POST", "/v1/uploads", NULL, &reply);
    ck_assert_int_eq(reply.status, 201);
    upload = http_reply_json(&reply);
    snprintf(path, sizeof(path), "/v1/uploads/%s/1", json_text_at(upload, "/id"));
    http_reply_release(&reply);
    keyfile_ask(s.api, mine, "PUT", path, "a part", &reply);
    ck_assert_int_eq(reply.status, 200);
    snprintf(body, sizeof(body), "{\"type\":\"echo\",\"payload_ref\":\"%s\"}", json_text_at(upload, "/id"));
    http_reply_release(&reply);
    keyfile_ask(second, asker_keys[OTHER], "POST", "/v1/jobs", body, &reply);
    json_decref(scene_problem(&reply, 422, "invalid"));
    http_reply_release(&reply);
    keyfile_ask(second, mine, "POST", "/v1/jobs", body, &reply);
    ck_assert_int_eq(reply.status, 202);
}
END_TEST

START_TEST(another_s_job_looks_like_none)
{
    AUTO_REPLY struct http_reply hidden = {0};
    AUTO_REPLY struct http_reply missing = {0};
    char id[JOB_ID_SIZE];
    char path[PATH_SIZE];

    submit_mine(s.api, id);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    keyfile_ask(second, asker_keys[OTHER], "GET", path, NULL, &hidden);
    snprintf(path, sizeof(path), "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV");
    keyfile_ask(second, asker_keys[OTHER], "GET", path, NULL, &missing);
    ck_assert_int_eq(hidden.status, 404);
    ck_assert_int_eq(missing.status, 404);
    ck_assert_str_eq(hidden.body.data, missing.body.data);
}
END_TEST

static size_t count_listed(enum asker asker)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *page = NULL;

    keyfile_ask(second, asker_keys[asker], "GET", "/v1/jobs", NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    page = http_reply_json(&reply);
    return json_array_size(json_object_get(page, "jobs"));
}

START_TEST(a_list_holds_one_s_own_jobs)
{
    AUTO_REPLY struct http_reply reply = {0};
    char id[JOB_ID_SIZE];

    submit_mine(s.api, id);
    submit_mine(second, id);
    keyfile_ask(s.api, asker_keys[OTHER], "POST", "/v1/jobs", "{\"type\":\"echo\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    ck_assert_uint_eq(count_listed(OWN_READ), 2);
    ck_assert_uint_eq(count_listed(OTHER), 1);
    ck_assert_uint_eq(count_listed(ADMIN), 3);
}
END_TEST

/* The same Idempotency-Key and the same unique_key of two owners are two. */
START_TEST(keys_of_two_owners_do_not_meet)
{
    static const char body[] = "{\"type\":\"echo\",\"unique_key\":\"same\"}";
    char ids[2][JOB_ID_SIZE];

    for (int i = 0; i < 2; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *job = NULL;

        keyfile_ask(i ? second : s.api, i ? asker_keys[OTHER] : mine, "POST", "/v1/jobs", body, &reply);
        ck_assert_int_eq(reply.status, 202);
        job = http_reply_json(&reply);
        snprintf(ids[i], JOB_ID_SIZE, "%s", json_text_at(job, "/id"));
    }
    ck_assert_str_ne(ids[0], ids[1]);
}
END_TEST

Suite *isolation_suite(void)
{
    Suite *suite = suite_create("isolation");
    TCase *t = tcase_create("two replicas");

    tcase_add_checked_fixture(t, open_scene, close_scene);
    tcase_set_timeout(t, 180);
    tcase_add_test(t, every_route_lets_those_in_that_may);
    tcase_add_test(t, every_row_is_a_route);
    tcase_add_test(t, another_s_job_looks_like_none);
    tcase_add_test(t, another_s_upload_is_no_payload);
    tcase_add_test(t, a_list_holds_one_s_own_jobs);
    tcase_add_test(t, keys_of_two_owners_do_not_meet);
    suite_add_tcase(suite, t);
    return suite;
}
