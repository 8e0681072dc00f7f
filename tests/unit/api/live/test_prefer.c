#include "api/live/prefer.h"

#include <check.h>

Suite *prefer_suite(void);

static const struct row {
    const char *value;
    bool respond_async;
    int64_t wait_s; /* -1: none */
} rows[] = {
    {"", false, -1},
    {"wait=10", false, 10},
    {"WAIT = 10", false, 10},
    {"wait=\"10\"", false, 10},
    {"wait=0", false, 0},
    {"wait=99999999999999999999999", false, 9999999999},
    {"wait", false, -1},
    {"wait=", false, -1},
    {"wait=-1", false, -1},
    {"wait=1.5", false, -1},
    {"wait=1s", false, -1},
    {"wait=5, wait=9", false, 5},
    {"respond-async", true, -1},
    {"respond-async, wait=7", true, 7},
    {"wait=7,respond-async", true, 7},
    {"respond-async; wait=7", true, -1}, /* a parameter, and no preference */
    {"handling=lenient; a=b; c, wait=3", false, 3},
    {"return=\"a, wait=4\", wait=3", false, 3},
    {"return=\"a\\\", wait=4\", wait=3", false, 3},
    {"return=\"a, wait=3", false, -1}, /* the quotes never close */
    {",, ,wait=3,", false, 3},
    {"a b, wait=3", false, -1},
    {"wait=3 4", false, 3},
    {"\xff, wait=3", false, -1},
    {"respond-asyncs, waits=3", false, -1},
};

START_TEST(preferences_are_read)
{
    const struct row *row = &rows[_i];
    struct prefer prefer = {0};

    prefer_parse(row->value, &prefer);
    ck_assert_msg(prefer.respond_async == row->respond_async, "%s: respond-async", row->value);
    ck_assert_msg(prefer.has_wait == (row->wait_s >= 0), "%s: wait", row->value);
    ck_assert_msg(prefer.wait_s == (row->wait_s >= 0 ? row->wait_s : 0), "%s: %lld", row->value,
        (long long)prefer.wait_s);
}
END_TEST

START_TEST(headers_add_up)
{
    struct prefer prefer = {0};

    prefer_parse("respond-async", &prefer);
    prefer_parse("wait=4", &prefer);
    prefer_parse("wait=5", &prefer);
    ck_assert(prefer.respond_async && prefer.has_wait);
    ck_assert_int_eq(prefer.wait_s, 4);
}
END_TEST

Suite *prefer_suite(void)
{
    Suite *suite = suite_create("prefer");
    TCase *tcase = tcase_create("prefer");

    tcase_add_loop_test(tcase, preferences_are_read, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tcase, headers_add_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
