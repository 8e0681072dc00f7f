#include "api/gate/jwt.h"

#include <check.h>
#include <time.h>

#include "tests/support/issuer.h"

Suite *jwt_suite(void);

static struct issuer *issuer;
static json_t *keys;

static void open_issuer(void)
{
    AUTO(free) char *text = NULL;
    struct error e = {0};

    issuer = issuer_new(NULL);
    issuer_add_key(issuer, "second", "ES256");
    text = issuer_jwks(issuer);
    keys = jwks_parse(text, strlen(text), &e);
    ck_assert_msg(keys != NULL, "%s", e.text);
}

static void close_issuer(void)
{
    json_decref(keys);
    issuer = issuer_free(issuer);
}

static struct caller *read_token(const char *token, struct error *e)
{
    struct token_rules rules = {ISSUER_NAME, ISSUER_AUDIENCE, (int64_t)time(NULL)};

    return token_read(keys, token, &rules, e);
}

START_TEST(a_token_says_who_and_what)
{
    AUTO(free)
    char *token = issuer_sign(issuer, _i ? "second" : "first", _i ? "second" : "first",
        _i ? "ES256" : "RS256", issuer_claims("[\"jobgate.submit\",\"read\",\"other\",\"submit,admin\"]"));
    struct error e = {0};
    struct caller *c = read_token(token, &e);

    ck_assert_msg(c != NULL, "%s", e.text);
    ck_assert_uint_eq(c->scopes, SCOPE_SUBMIT | SCOPE_READ);
    ck_assert_str_eq(c->owner, ISSUER_OWNER);
    ck_assert_str_eq(c->name, "an-app");
    ck_assert_int_gt(c->expires_ms, (int64_t)time(NULL) * 1000);
    caller_release(c);
}
END_TEST

/* One claim is set to this (NULL: it is absent), or one is shifted from now by seconds. */
static const struct claim_row {
    const char *name;
    const char *json;
    int64_t from_now_s;
    const char *words; /* NULL: it is right */
} claim_rows[] = {
    {"iss", "\"https://other.example\"", 0, "issuer"},
    {"iss", NULL, 0, "issuer"},
    {"iss", "[\"https://issuer.example/v2.0\"]", 0, "issuer"},
    {"aud", "\"api://other\"", 0, "audience"},
    {"aud", NULL, 0, "audience"},
    {"aud", "[\"api://other\",\"api://jobgate\"]", 0, NULL},
    {"aud", "[\"api://other\"]", 0, "audience"},
    {"aud", "[1,null]", 0, "audience"},
    {"exp", NULL, 0, "expired"},
    {"exp", "\"soon\"", 0, "expired"},
    {"exp", "", -TOKEN_LEEWAY_S - 5, "expired"},
    {"exp", "", -TOKEN_LEEWAY_S + 30, NULL},
    {"nbf", "", TOKEN_LEEWAY_S + 30, "not valid yet"},
    {"nbf", "", TOKEN_LEEWAY_S - 30, NULL},
    {"nbf", NULL, 0, NULL},
    {"nbf", "\"x\"", 0, "not valid yet"},
    {"oid", NULL, 0, "who has it"},
    {"oid", "\"a b\"", 0, "who has it"},
    {"oid", "\"a\\u0000b\"", 0, "who has it"},
    {"roles", NULL, 0, NULL},
    {"roles", "\"admin\"", 0, NULL},
    {"roles", "[1,null,[\"admin\"]]", 0, NULL},
};

START_TEST(claims_are_checked)
{
    const struct claim_row *row = &claim_rows[_i];
    json_t *claims = issuer_claims("[\"read\"]");
    AUTO(free) char *token = NULL;
    struct error e = {0};
    struct caller *c;

    if (!row->json)
        json_object_del(claims, row->name);
    else if (*row->json)
        json_object_set_new(claims, row->name, json_loads(row->json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
    else
        json_object_set_new(claims, row->name, json_integer((json_int_t)time(NULL) + row->from_now_s));
    token = issuer_sign(issuer, "first", "first", "RS256", claims);
    c = read_token(token, &e);
    ck_assert_msg(!c == !!row->words, "%s %s: %s", row->name, row->json ? row->json : "absent", e.text);
    if (row->words)
        ck_assert_msg(strstr(e.text, row->words) != NULL, "%s", e.text);
    else if (strcmp(row->name, "roles") == 0)
        ck_assert_uint_eq(c->scopes, 0);
    caller_release(c);
}
END_TEST

START_TEST(a_token_that_was_changed_is_refused)
{
    AUTO(free) char *token = issuer_sign(issuer, "first", "first", "RS256", issuer_claims("[\"read\"]"));
    struct error e = {0};

    for (size_t i = 0; token[i]; i += 7) {
        char before = token[i];

        if (!token[i + 1]) /* some bits of the last character mean nothing */
            break;
        token[i] = before == 'A' ? 'B' : 'A';
        ck_assert_ptr_null(read_token(token, &e));
        ck_assert_int_eq(e.code, ERROR_UNAUTHENTICATED);
        token[i] = before;
    }
    caller_release(read_token(token, &e));
}
END_TEST

/* Each would let somebody in who must not. */
START_TEST(tricks_with_the_algorithm_do_not_help)
{
    static const char *const crafted[] = {"eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.e30.", /* alg none */
        "eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.e30.AAAA",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.e30.AAAA", /* HS256 */
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",                    /* no kid */
        "eyJhbGciOiJSUzI1NiIsImtpZCI6Im90aGVyIn0.e30.AAAA", /* an unknown kid */
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZpcnN0IiwiY3JpdCI6WyJ4Il19.e30.AAAA", "", "a", "a.b", "a.b.c", "..",
        "a.b.c.d", "e30.e30.e30", "bm90IGpzb24.e30.AAAA", "a b.e30.AAAA"};
    struct error e = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(crafted); i++) {
        ck_assert_msg(!read_token(crafted[i], &e), "%s", crafted[i]);
        ck_assert_int_eq(e.code, ERROR_UNAUTHENTICATED);
    }
}
END_TEST

START_TEST(another_key_s_signature_is_refused)
{
    AUTO(free) char *token = issuer_sign(issuer, "second", "first", "ES256", issuer_claims("[\"admin\"]"));
    struct error e = {0};

    ck_assert_ptr_null(read_token(token, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "signature"));
}
END_TEST

static const char *const bad_sets[] = {"", "{}", "[]", "{\"keys\":[]}", "{\"keys\":{}}",
    "{\"keys\":[1,null,{}]}", "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAAA\"}]}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"a\",\"x\":\"A\",\"y\":\"A\"}]}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"A\",\"y\":\"A\",\"use\":\"enc\"}]}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"A\",\"y\":\"A\",\"alg\":\"HS256\"}]}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A\",\"y\":\"A\"}]}"};

START_TEST(a_set_without_a_key_of_ours_is_refused)
{
    struct error e = {0};

    ck_assert_ptr_null(jwks_parse(bad_sets[_i], strlen(bad_sets[_i]), &e));
}
END_TEST

Suite *jwt_suite(void)
{
    Suite *suite = suite_create("jwt");
    TCase *t = tcase_create("token");

    tcase_add_unchecked_fixture(t, open_issuer, close_issuer);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_token_says_who_and_what, 0, 2);
    tcase_add_loop_test(t, claims_are_checked, 0, ARRAY_LENGTH(claim_rows));
    tcase_add_test(t, a_token_that_was_changed_is_refused);
    tcase_add_test(t, tricks_with_the_algorithm_do_not_help);
    tcase_add_test(t, another_key_s_signature_is_refused);
    tcase_add_loop_test(t, a_set_without_a_key_of_ours_is_refused, 0, ARRAY_LENGTH(bad_sets));
    suite_add_tcase(suite, t);
    return suite;
}
