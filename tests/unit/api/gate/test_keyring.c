#include "api/gate/keyring.h"

#include <check.h>

Suite *keyring_suite(void);

#define KEYS(entries) "{\"keys\":[" entries "]}"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SUM "\"sha256\":\"" HEX "\""
#define SUM2 "\"sha256\":\"1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define SCOPES "\"scopes\":[\"read\"]"

static struct keyring *parse(const char *text, struct error *e)
{
    return keyring_parse(text, strlen(text), e);
}

static const struct bad_row {
    const char *text;
    const char *words;
} bad_rows[] = {
    {"", "line 1"},
    {"[]", "{\"keys\""},
    {"{}", "{\"keys\""},
    {"{\"keys\":{}}", "{\"keys\""},
    {"{\"keys\":[],\"more\":1}", "{\"keys\""},
    {KEYS("1"), "keys[0] is not an object"},
    {KEYS("{}"), "keys[0].name"},
    {KEYS("{\"name\":\"a b\"," SUM "," SCOPES "}"), "keys[0].name is not 1 to 64"},
    {KEYS("{\"name\":\"a\\u0000b\"," SUM "," SCOPES "}"), "keys[0].name"},
    {KEYS("{\"name\":\"a\"," SCOPES "}"), "keys[0].sha256"},
    {KEYS("{\"name\":\"a\",\"sha256\":\"12\"," SCOPES "}"), "keys[0].sha256"},
    {KEYS("{\"name\":\"a\",\"sha256\":\"" HEX "00\"," SCOPES "}"), "keys[0].sha256"},
    {KEYS("{\"name\":\"a\",\"sha256\":"
          "\"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"," SCOPES "}"),
        "keys[0].sha256"},
    {KEYS("{\"name\":\"a\"," SUM "}"), "keys[0].scopes"},
    {KEYS("{\"name\":\"a\"," SUM ",\"scopes\":[]}"), "keys[0].scopes"},
    {KEYS("{\"name\":\"a\"," SUM ",\"scopes\":[\"write\"]}"), "keys[0].scopes"},
    {KEYS("{\"name\":\"a\"," SUM ",\"scopes\":\"read\"}"), "keys[0].scopes"},
    {KEYS("{\"name\":\"a\",\"owner\":\"\"," SUM "," SCOPES "}"), "keys[0].owner"},
    {KEYS("{\"name\":\"a\",\"owner\":null," SUM "," SCOPES "}"), "keys[0].owner"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"rate\":5}"), "keys[0].rate"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"rate\":\"0/s\"}"), "keys[0].rate"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"queues\":[]}"), "keys[0].queues"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"queues\":[\"A\"]}"), "keys[0].queues"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"types\":[1]}"), "keys[0].types"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"expires_at\":\"soon\"}"), "keys[0].expires_at"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES ",\"scope\":1}"), "a member scope"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES "},{\"name\":\"b\"," SUM "," SCOPES "}"),
        "keys[1].sha256 stands"},
    {KEYS("{\"name\":\"a\"," SUM "," SCOPES "},{\"name\":\"a\"," SUM2 "," SCOPES "}"),
        "two keys with the name a"},
};

START_TEST(what_is_wrong_is_named_with_its_place)
{
    struct error e = {0};

    ck_assert_ptr_null(parse(bad_rows[_i].text, &e));
    ck_assert_msg(
        strstr(e.text, bad_rows[_i].words) != NULL, "\"%s\" is not in \"%s\"", bad_rows[_i].words, e.text);
}
END_TEST

START_TEST(a_key_is_found_and_no_other)
{
    AUTO_BUF struct buf text = BUF(4096);
    char key[API_KEY_SIZE];
    char other[API_KEY_SIZE];
    char hash[API_KEY_HASH_SIZE];
    char other_hash[API_KEY_HASH_SIZE];
    struct error e = {0};
    struct keyring *k;
    const struct caller *c;

    api_key_generate(key, hash);
    api_key_generate(other, other_hash);
    ck_assert_str_ne(key, other);
    ck_assert_uint_eq(strlen(key), 51);
    ck_assert_int_eq(strncmp(key, API_KEY_PREFIX, strlen(API_KEY_PREFIX)), 0);
    buf_printf(&text,
        "{\"keys\":[{\"name\":\"shop-2\",\"owner\":\"shop\",\"sha256\":\"%s\",\"scopes\":[\"submit\"],"
        "\"rate\":\"5/"
        "min\",\"queues\":[\"a\"],\"types\":[\"b\",\"c\"],\"expires_at\":\"2027-01-31T00:00:00Z\"},"
        "{\"name\":\"x\"," SUM "," SCOPES "}]}",
        hash);
    k = parse(text.data, &e);
    ck_assert_msg(k != NULL, "%s", e.text);
    ck_assert_uint_eq(keyring_count(k), 2);
    c = keyring_find(k, key);
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->name, "shop-2");
    ck_assert_str_eq(c->owner, "shop");
    ck_assert_uint_eq(c->scopes, SCOPE_SUBMIT);
    ck_assert_int_eq(c->rate.burst, 5);
    ck_assert_int_eq(c->rate.period_ms, 60000);
    ck_assert_int_eq(c->expires_ms, 1801353600000);
    ck_assert(caller_may_use_type(c, "c", &e));
    ck_assert(!caller_may_use_queue(c, "b", &e));
    ck_assert_str_eq(keyring_at(k, 1)->owner, "x");
    ck_assert_ptr_null(keyring_find(k, other));
    ck_assert_ptr_null(keyring_find(k, ""));
    ck_assert_ptr_null(keyring_find(k, hash)); /* the hash is not the key */
    key[20] ^= 1;
    ck_assert_ptr_null(keyring_find(k, key));
    keyring_free(k);
}
END_TEST

START_TEST(an_empty_ring_knows_nobody)
{
    struct error e = {0};
    struct keyring *k = parse("{\"keys\":[]}", &e);

    ck_assert_msg(k != NULL, "%s", e.text);
    ck_assert_ptr_null(keyring_find(k, "jobgate_x"));
    ck_assert_ptr_null(keyring_free(k));
    ck_assert_ptr_null(keyring_free(NULL));
}
END_TEST

START_TEST(a_file_that_is_not_there_is_said)
{
    struct error e = {0};

    ck_assert_ptr_null(keyring_load("/nowhere/keys.json", &e));
    ck_assert_msg(strstr(e.text, "/nowhere/keys.json: No such file") != NULL, "%s", e.text);
}
END_TEST

static const struct rate_row {
    const char *text;
    int64_t burst; /* 0: it is refused */
    int64_t period_ms;
} rate_rows[] = {
    {"1/s", 1, 1000},
    {"100/s", 100, 1000},
    {"1000000/min", 1000000, 60000},
    {"5/h", 5, 3600000},
    {"0/s", 0, 0},
    {"1000001/s", 0, 0},
    {"-1/s", 0, 0},
    {"+1/s", 0, 0},
    {" 1/s", 0, 0},
    {"1", 0, 0},
    {"1/", 0, 0},
    {"1/d", 0, 0},
    {"1/s ", 0, 0},
    {"1.5/s", 0, 0},
    {"99999999999999999999/s", 0, 0},
    {"", 0, 0},
};

START_TEST(rates_are_read)
{
    const struct rate_row *row = &rate_rows[_i];
    struct rate rate = {0};
    struct error e;

    ck_assert_int_eq(rate_parse(row->text, &rate, &e), row->burst != 0);
    ck_assert_int_eq(rate.burst, row->burst);
    ck_assert_int_eq(rate.period_ms, row->period_ms);
}
END_TEST

Suite *keyring_suite(void)
{
    Suite *suite = suite_create("keyring");
    TCase *t = tcase_create("keyring");

    tcase_add_loop_test(t, what_is_wrong_is_named_with_its_place, 0, ARRAY_LENGTH(bad_rows));
    tcase_add_test(t, a_key_is_found_and_no_other);
    tcase_add_test(t, an_empty_ring_knows_nobody);
    tcase_add_test(t, a_file_that_is_not_there_is_said);
    tcase_add_loop_test(t, rates_are_read, 0, ARRAY_LENGTH(rate_rows));
    suite_add_tcase(suite, t);
    return suite;
}
