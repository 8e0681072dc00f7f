/*
 * Tokens of Entra ID at the gate: the real api, a fake issuer that rotates its keys.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/support/issuer.h"
#include "tests/support/keyfile.h"

Suite *entra_suite(void);

enum { WAIT_MS = 60000, SETTING_SIZE = 128 };

static struct scene s;
static struct keyfile keys;
static struct issuer *issuer;
static const char *shop;

static void open_scene(void)
{
    char url[SETTING_SIZE];

    scene_open(&s);
    keyfile_open(&keys, &s);
    shop = keyfile_add(&keys, "shop", "\"submit\",\"read\"", "");
    issuer = issuer_new(s.directory);
    snprintf(url, sizeof(url), "ENTRA_JWKS_URL=%s", issuer_url(issuer));
    scene_start_api(&s, (const char *[]){"AUTH=keys,entra", keys.setting, url, "ENTRA_ISSUER=" ISSUER_NAME,
                            "ENTRA_AUDIENCE=" ISSUER_AUDIENCE, "ENTRA_RATE=1000/s", NULL});
}

static void close_scene(void)
{
    issuer = issuer_free(issuer);
    scene_close(&s);
}

static int status_of(const char *credentials, const char *method, const char *json)
{
    AUTO_REPLY struct http_reply reply = {0};

    keyfile_ask(s.api, credentials, method, "/v1/jobs", json, &reply);
    return reply.status;
}

START_TEST(a_token_opens_what_its_roles_allow)
{
    AUTO(free) char *reader = issuer_sign(issuer, "first", "first", "RS256", issuer_claims("[\"read\"]"));
    AUTO(free)
    char *both =
        issuer_sign(issuer, "first", "first", "RS256", issuer_claims("[\"jobgate.submit\",\"read\"]"));
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;

    ck_assert_int_eq(status_of(reader, "GET", NULL), 200);
    ck_assert_int_eq(status_of(reader, "POST", "{\"type\":\"echo\"}"), 403);
    keyfile_ask(s.api, both, "POST", "/v1/jobs", "{\"type\":\"echo\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    ck_assert_str_eq(json_text_at(job, "/owner"), ISSUER_OWNER);
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "RateLimit-Policy: \"key\";q=1000;w=1"));
    ck_assert_int_eq(status_of(shop, "GET", NULL), 200); /* keys do as well */
}
END_TEST

START_TEST(a_wrong_token_is_nobody_s)
{
    json_t *claims = issuer_claims("[\"admin\"]");
    AUTO(free) char *expired = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    json_object_set_new(claims, "exp", json_integer(1000));
    expired = issuer_sign(issuer, "first", "first", "RS256", claims);
    keyfile_ask(s.api, expired, "GET", "/v1/jobs", NULL, &reply);
    problem = scene_problem(&reply, 401, "unauthenticated");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "expired"));
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "error=\"invalid_token\""));
    ck_assert_int_eq(status_of("eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.e30.AAAA", "GET", NULL), 401);
}
END_TEST

/* A key that is new is fetched when a token names it; one that nobody has does not make the api ask at will.
 */
START_TEST(keys_rotate)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    AUTO(free) char *first = issuer_sign(issuer, "first", "first", "RS256", issuer_claims("[\"read\"]"));
    AUTO(free) char *unknown = issuer_sign(issuer, "first", "nobody", "RS256", issuer_claims("[\"read\"]"));
    AUTO(free) char *second = NULL;
    size_t asked;

    ck_assert_int_eq(status_of(first, "GET", NULL), 200);
    asked = issuer_count_asked(issuer);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(status_of(unknown, "GET", NULL), 401);
    ck_assert_uint_le(issuer_count_asked(issuer), asked + 2);
    issuer_add_key(issuer, "second", "ES256");
    second = issuer_sign(issuer, "second", "second", "ES256", issuer_claims("[\"read\"]"));
    while (status_of(second, "GET", NULL) != 200)
        ck_assert(wait_until(deadline_ms));
    ck_assert_int_eq(status_of(first, "GET", NULL), 200);
}
END_TEST

START_TEST(without_keys_of_the_issuer_nobody_is_known)
{
    AUTO(free) char *token = issuer_sign(issuer, "first", "first", "RS256", issuer_claims("[\"read\"]"));
    struct jobgate *api =
        scene_new_api(&s, (const char *[]){"AUTH=entra", "ENTRA_JWKS_URL=http://127.0.0.1:1/keys",
                              "ENTRA_ISSUER=" ISSUER_NAME, "ENTRA_AUDIENCE=" ISSUER_AUDIENCE, NULL});
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    jobgate_wait_ready(api, 200);
    keyfile_ask(api, token, "GET", "/v1/jobs", NULL, &reply);
    problem = scene_problem(&reply, 503, "identity_away");
    ck_assert_ptr_nonnull(json_at(problem, "/detail"));
    jobgate_free(api);
}
END_TEST

Suite *entra_suite(void)
{
    Suite *suite = suite_create("entra");
    TCase *t = tcase_create("entra");

    tcase_add_checked_fixture(t, open_scene, close_scene);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_token_opens_what_its_roles_allow);
    tcase_add_test(t, a_wrong_token_is_nobody_s);
    tcase_add_test(t, keys_rotate);
    tcase_add_test(t, without_keys_of_the_issuer_nobody_is_known);
    suite_add_tcase(suite, t);
    return suite;
}
