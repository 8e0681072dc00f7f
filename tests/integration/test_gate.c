/*
 * The gate: who asks, and how often that one may, over two replicas that share a rate.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/support/keyfile.h"

Suite *gate_suite(void);

enum { WAIT_MS = 30000, CONFIG = 78 };

static struct scene s;
static struct keyfile keys;
static const char *shop;

static void open_scene(void)
{
    scene_open(&s);
    keyfile_open(&keys, &s);
    shop = keyfile_add(&keys, "shop", "\"submit\",\"read\"", "");
    scene_start_api(&s, (const char *[]){"AUTH=keys", keys.setting, NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static int status_of(const struct jobgate *api, const char *key)
{
    AUTO_REPLY struct http_reply reply = {0};

    keyfile_ask(api, key, "GET", "/v1/queues", NULL, &reply);
    return reply.status;
}

static void wait_status(const char *key, int status)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (status_of(s.api, key) != status)
        ck_assert_msg(wait_until(deadline_ms), "it is never %d", status);
}

static void expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    AUTO(free) char *found = http_reply_header(reply, name);

    ck_assert_msg(
        found && strcmp(found, value) == 0, "%s is %s, not %s", name, found ? found : "absent", value);
}

/* ---- who ---- */

static void ask_with(const char *const *headers, struct http_reply *reply)
{
    char url[256];

    snprintf(url, sizeof(url), "%s/v1/queues", jobgate_url(s.api));
    http_ask(&(struct http_ask){.url = url, .headers = headers}, reply);
}

START_TEST(without_a_key_the_challenge_comes)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    ask_with(NULL, &reply);
    problem = scene_problem(&reply, 401, "unauthenticated");
    ck_assert_ptr_nonnull(json_at(problem, "/detail"));
    expect_header(&reply, "WWW-Authenticate", "Bearer realm=\"jobgate\"");
}
END_TEST

static const char *const wrong[] = {
    "Authorization: Bearer jobgate_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "Authorization: Bearer x",
    "X-API-Key: jobgate_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
};

START_TEST(a_wrong_key_is_nobody_s)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    ask_with((const char *[]){wrong[_i], NULL}, &reply);
    problem = scene_problem(&reply, 401, "unauthenticated");
    ck_assert_ptr_nonnull(json_at(problem, "/detail"));
    expect_header(&reply, "WWW-Authenticate", "Bearer realm=\"jobgate\", error=\"invalid_token\"");
    ck_assert_ptr_null(strstr(reply.body.data, "AAAA")); /* what may be a key is not said again */
}
END_TEST

START_TEST(a_key_comes_in_one_of_two_headers)
{
    char bearer[128];
    char other[128];

    snprintf(bearer, sizeof(bearer), "Authorization: bearer %s", shop);
    snprintf(other, sizeof(other), "X-API-Key: %s", shop);
    for (int i = 0; i < 3; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        const char *const headers[] = {i == 1 ? other : bearer, i == 2 ? other : NULL, NULL};

        ask_with(headers, &reply);
        ck_assert_int_eq(reply.status, i == 2 ? 401 : 200);
    }
}
END_TEST

START_TEST(what_a_key_lacks_is_named)
{
    const char *reader = keyfile_add(&keys, "reader", "\"read\"", "");
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    wait_status(reader, 200);
    keyfile_ask(s.api, reader, "POST", "/v1/jobs", "{\"type\":\"echo\"}", &reply);
    problem = scene_problem(&reply, 403, "forbidden");
    ck_assert_str_eq(json_text_at(problem, "/detail"), "this needs the scope submit; reader has read");
    expect_header(&reply, "WWW-Authenticate",
        "Bearer realm=\"jobgate\", error=\"insufficient_scope\", scope=\"submit\"");
}
END_TEST

static const struct limit_row {
    const char *json;
    int status;
} limit_rows[] = {
    {"{\"type\":\"echo\",\"queue\":\"small\"}", 202},
    {"{\"type\":\"echo\"}", 403},
    {"{\"type\":\"cat\",\"queue\":\"small\"}", 403},
};

START_TEST(a_key_may_be_for_some_queues_and_types)
{
    const char *narrow =
        keyfile_add(&keys, "narrow", "\"submit\",\"read\"", ",\"queues\":[\"small\"],\"types\":[\"echo\"]");

    wait_status(narrow, 200);
    for (size_t i = 0; i < ARRAY_LENGTH(limit_rows); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        keyfile_ask(s.api, narrow, "POST", "/v1/jobs", limit_rows[i].json, &reply);
        ck_assert_msg(reply.status == limit_rows[i].status, "%s: %d", limit_rows[i].json, reply.status);
    }
}
END_TEST

START_TEST(queues_of_others_are_not_shown)
{
    const char *narrow = keyfile_add(&keys, "narrow", "\"submit\",\"read\"", ",\"queues\":[\"small\"]");
    AUTO_REPLY struct http_reply reply = {0};

    wait_status(narrow, 200);
    keyfile_ask(s.api, shop, "POST", "/v1/jobs", "{\"type\":\"echo\",\"queue\":\"large\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    keyfile_ask(s.api, narrow, "POST", "/v1/jobs", "{\"type\":\"echo\",\"queue\":\"small\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    keyfile_ask(s.api, narrow, "GET", "/v1/queues", NULL, &reply);
    ck_assert_ptr_nonnull(strstr(reply.body.data, "small"));
    ck_assert_ptr_null(strstr(reply.body.data, "large"));
    keyfile_ask(s.api, narrow, "GET", "/v1/queues/large", NULL, &reply);
    ck_assert_int_eq(reply.status, 403);
    keyfile_ask(s.api, narrow, "GET", "/v1/jobs?queue=large", NULL, &reply);
    ck_assert_int_eq(reply.status, 403);
}
END_TEST

START_TEST(an_expired_key_is_nobody_s)
{
    const char *old = keyfile_add(&keys, "old", "\"read\"", ",\"expires_at\":\"2020-01-01T00:00:00Z\"");
    const char *young = keyfile_add(&keys, "young", "\"read\"", ",\"expires_at\":\"2999-01-01T00:00:00Z\"");

    wait_status(young, 200);
    ck_assert_int_eq(status_of(s.api, old), 401);
}
END_TEST

START_TEST(keys_come_and_go_without_a_restart)
{
    const char *second = keyfile_add(&keys, "second", "\"read\"", "");

    wait_status(second, 200);
    ck_assert_int_eq(status_of(s.api, shop), 200);
    keyfile_spoil(&keys, "{\"keys\":[{\"name\":\"cut");
    while (scene_count_log(s.api, "API_KEYS_FILE changed and is wrong", "error") == 0)
        ck_assert_int_eq(status_of(s.api, second), 200); /* the keys of before stay */
    ck_assert_int_eq(status_of(s.api, second), 200);
    keyfile_remove(&keys, "second");
    wait_status(shop, 200);
    ck_assert_int_eq(status_of(s.api, shop), 200);
}
END_TEST

START_TEST(a_key_that_was_taken_out_is_refused)
{
    char second[API_KEY_SIZE];

    snprintf(second, sizeof(second), "%s", keyfile_add(&keys, "second", "\"read\"", ""));
    wait_status(second, 200);
    keyfile_remove(&keys, "second");
    wait_status(second, 401);
    ck_assert_int_eq(status_of(s.api, shop), 200);
}
END_TEST

/* The key that the program makes opens the door; what stands in the file does not. */
START_TEST(the_program_makes_keys)
{
    AUTO(free) char *said = NULL;
    char path[PROCESS_PATH_SIZE];
    char key[API_KEY_SIZE] = "";
    size_t length;
    char *at;

    snprintf(path, sizeof(path), "%s/jobgate-api", getenv("JOBGATE_BIN"));
    ck_assert_int_eq(process_run((const char *[]){path, "--new-key", "made", "--scopes", "read,submit",
                                     "--rate", "50/s", "--queues", "default,bulk", NULL},
                         (const char *[]){keys.setting, NULL}, WAIT_MS, &said),
        0);
    at = strstr(said, API_KEY_PREFIX);
    ck_assert_ptr_nonnull(at);
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(at, "\n"), at);
    wait_status(key, 200);
    ck_assert_int_eq(status_of(s.api, shop), 200);
    at = scene_read(&s, "keys.json", &length);
    ck_assert_ptr_null(strstr(at, key + strlen(API_KEY_PREFIX)));
    free(at);
}
END_TEST

/* ---- how often ---- */

START_TEST(a_rate_counts_over_all_replicas)
{
    const char *slow = keyfile_add(&keys, "slow", "\"read\"", ",\"rate\":\"20/h\"");
    const char *probe = keyfile_add(&keys, "probe", "\"read\"", "");
    struct jobgate *second = scene_new_api(&s, (const char *[]){"AUTH=keys", keys.setting, NULL});
    int passed = 0;

    jobgate_wait_ready(second, 200);
    wait_status(probe, 200); /* the file that has this key has the other one too */
    for (int i = 0; i < 40; i++) {
        AUTO_REPLY struct http_reply reply = {0};

        keyfile_ask(i % 2 ? second : s.api, slow, "GET", "/v1/queues", NULL, &reply);
        ck_assert_msg(reply.status == 200 || reply.status == 429, "%d: %d %s%s", i, reply.status,
            reply.failure, reply.body.data);
        passed += reply.status == 200;
        ck_assert_int_eq(reply.status == 200, i < 20);
        expect_header(&reply, "RateLimit-Policy", "\"key\";q=20;w=3600");
    }
    ck_assert_int_eq(passed, 20);
    ck_assert_int_eq(status_of(second, shop), 200); /* another's rate is its own */
    jobgate_free(second);
}
END_TEST

START_TEST(who_asks_too_often_learns_how_long_to_wait)
{
    const char *slow = keyfile_add(&keys, "slow", "\"read\"", ",\"rate\":\"1/min\"");
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;
    AUTO(free) char *after = NULL;

    wait_status(slow, 200);
    keyfile_ask(s.api, slow, "GET", "/v1/queues", NULL, &reply);
    problem = scene_problem(&reply, 429, "rate_limited");
    after = http_reply_header(&reply, "Retry-After");
    ck_assert_ptr_nonnull(after);
    ck_assert(strtol(after, NULL, 10) >= 1 && strtol(after, NULL, 10) <= 60);
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "1 times in 60 s"));
    expect_header(&reply, "RateLimit", "\"key\";r=0;t=60");
    ck_assert(jobgate_metric(s.api, "jobgate_requests_refused_total{reason=\"rate_limited\"}") >= 1);
}
END_TEST

static long long scripts_called(void)
{
    AUTO(free) char *info = redis_server_text(s.redis, "INFO commandstats");
    const char *at = strstr(info, "cmdstat_evalsha:calls=");

    return at ? strtoll(at + strlen("cmdstat_evalsha:calls="), NULL, 10) : 0;
}

START_TEST(most_requests_cost_no_round_trip_for_their_rate)
{
    enum { ASKS = 200 };
    const char *fast = keyfile_add(&keys, "fast", "\"read\"", ",\"rate\":\"10000/s\"");
    long long before;

    wait_status(fast, 200);
    before = scripts_called();
    for (int i = 0; i < ASKS; i++) {
        AUTO_REPLY struct http_reply reply = {0};

        keyfile_ask(s.api, fast, "GET", "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL, &reply);
        ck_assert_int_eq(reply.status, 404);
    }
    ck_assert_int_lt(scripts_called() - before, ASKS / 2);
}
END_TEST

START_TEST(without_redis_a_rate_holds_nobody_up)
{
    const char *slow = keyfile_add(&keys, "slow", "\"read\"", ",\"rate\":\"1/h\"");

    wait_status(slow, 200);
    wait_status(slow, 429);
    redis_server_kill(s.redis);
    wait_status(shop, 503);
    ck_assert_int_ne(status_of(s.api, slow), 200);
}
END_TEST

/* ---- settings ---- */

static const struct settings_row {
    const char *settings[3];
    const char *words;
} settings_rows[] = {
    {{"AUTH=password"}, "AUTH: \"password\" is none of"},
    {{"AUTH=none,keys"}, "AUTH: "},
    {{"AUTH=keys"}, "API_KEYS_FILE: is not set"},
    {{"AUTH=keys", "API_KEYS_FILE=/nowhere/k.json"}, "/nowhere/k.json: No such file"},
    {{"API_LISTEN=0.0.0.0:0"}, "AUTH=none lets everybody in"},
};

START_TEST(wrong_settings_stop_it)
{
    const struct settings_row *row = &settings_rows[_i];
    AUTO(free) char *said = NULL;
    char path[PROCESS_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/jobgate-api", getenv("JOBGATE_BIN"));
    ck_assert_int_eq(
        process_run((const char *[]){path, "--check-config", NULL}, row->settings, WAIT_MS, &said), CONFIG);
    ck_assert_msg(strstr(said, row->words) != NULL, "%s", said);
}
END_TEST

START_TEST(insecure_lets_none_listen_everywhere)
{
    AUTO(free) char *said = NULL;
    char path[PROCESS_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/jobgate-api", getenv("JOBGATE_BIN"));
    ck_assert_int_eq(process_run((const char *[]){path, "--insecure", "--check-config", NULL},
                         (const char *[]){"API_LISTEN=0.0.0.0:0", s.store, NULL}, WAIT_MS, &said),
        0);
}
END_TEST

Suite *gate_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *t = tcase_create("who");
    TCase *rates = tcase_create("how often");

    tcase_add_checked_fixture(t, open_scene, close_scene);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, without_a_key_the_challenge_comes);
    tcase_add_loop_test(t, a_wrong_key_is_nobody_s, 0, ARRAY_LENGTH(wrong));
    tcase_add_test(t, a_key_comes_in_one_of_two_headers);
    tcase_add_test(t, what_a_key_lacks_is_named);
    tcase_add_test(t, a_key_may_be_for_some_queues_and_types);
    tcase_add_test(t, queues_of_others_are_not_shown);
    tcase_add_test(t, an_expired_key_is_nobody_s);
    tcase_add_test(t, keys_come_and_go_without_a_restart);
    tcase_add_test(t, a_key_that_was_taken_out_is_refused);
    tcase_add_test(t, the_program_makes_keys);
    tcase_add_loop_test(t, wrong_settings_stop_it, 0, ARRAY_LENGTH(settings_rows));
    tcase_add_test(t, insecure_lets_none_listen_everywhere);
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(rates, open_scene, close_scene);
    tcase_set_timeout(rates, 120);
    tcase_add_test(rates, a_rate_counts_over_all_replicas);
    tcase_add_test(rates, who_asks_too_often_learns_how_long_to_wait);
    tcase_add_test(rates, most_requests_cost_no_round_trip_for_their_rate);
    tcase_add_test(rates, without_redis_a_rate_holds_nobody_up);
    suite_add_tcase(suite, rates);
    return suite;
}
