#include "api/live/etag.h"

#include <check.h>

Suite *etag_suite(void);

#define TAG "W/\"0123\""

static const struct row {
    const char *if_none_match;
    bool matches;
} rows[] = {
    {"", false},
    {"*", true},
    {" *", true},
    {"W/\"0123\"", true},
    {"\"0123\"", true},
    {"w/\"0123\"", false},
    {"0123", false},
    {"\"012\"", false},
    {"\"01234\"", false},
    {"\"a\", W/\"b\" , W/\"0123\"", true},
    {"\"a,\"\t,\"0123\"", true},
    {"\"a\"", false},
    {"\"0123", false},
    {"\"a\" x \"0123\"", false},
    {",,\"0123\"", true},
};

START_TEST(tags_are_compared_weakly)
{
    ck_assert_msg(
        etag_matches(rows[_i].if_none_match, TAG) == rows[_i].matches, "%s", rows[_i].if_none_match);
}
END_TEST

START_TEST(another_resource_has_another_tag)
{
    char first[ETAG_SIZE];
    char same[ETAG_SIZE];
    char other[ETAG_SIZE];

    etag_write("abc", 3, first);
    etag_write("abc", 3, same);
    etag_write("abd", 3, other);
    ck_assert_str_eq(first, same);
    ck_assert_str_ne(first, other);
    ck_assert_uint_eq(strlen(first), ETAG_SIZE - 1);
    ck_assert(etag_matches(first, first));
}
END_TEST

Suite *etag_suite(void)
{
    Suite *suite = suite_create("etag");
    TCase *tcase = tcase_create("etag");

    tcase_add_loop_test(tcase, tags_are_compared_weakly, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tcase, another_resource_has_another_tag);
    suite_add_tcase(suite, tcase);
    return suite;
}
