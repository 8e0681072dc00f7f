#include "common/base/buf.h"

#include <check.h>

Suite *buf_suite(void);

START_TEST(an_empty_buffer_is_an_empty_string)
{
    struct buf b = BUF(10);

    ck_assert_str_eq(b.data, "");
    ck_assert_uint_eq(b.length, 0);
    buf_release(&b);
    ck_assert_str_eq(b.data, "");
}
END_TEST

START_TEST(appends_add_up_and_stay_terminated)
{
    AUTO_BUF struct buf b = BUF(1000);

    ck_assert(buf_append(&b, "ab\0c", 4));
    ck_assert(buf_append_text(&b, "def"));
    ck_assert(buf_append_char(&b, '!'));
    ck_assert(buf_printf(&b, "%d-%s", 42, "x"));
    ck_assert(buf_append(&b, NULL, 0));
    ck_assert_uint_eq(b.length, 12);
    ck_assert_mem_eq(b.data, "ab\0cdef!42-x", 13);
}
END_TEST

START_TEST(it_grows_to_its_ceiling_and_not_past_it)
{
    AUTO_BUF struct buf b = BUF(100);

    for (int i = 0; i < 100; i++)
        ck_assert(buf_append_char(&b, 'x'));
    ck_assert(!buf_is_overflown(&b));
    ck_assert(!buf_append_char(&b, 'y'));
    ck_assert(buf_is_overflown(&b));
    ck_assert_uint_eq(b.length, 100);
    ck_assert_uint_le(b.size, 101);
    ck_assert_str_eq(b.data + 99, "x");
}
END_TEST

START_TEST(an_append_past_the_ceiling_appends_nothing_and_stops_later_ones)
{
    AUTO_BUF struct buf b = BUF(5);

    ck_assert(buf_append_text(&b, "abc"));
    ck_assert(!buf_append_text(&b, "def"));
    ck_assert(!buf_printf(&b, "%s", "d"));
    ck_assert(!buf_append_int(&b, 1));
    ck_assert_str_eq(b.data, "abc");
    buf_reset(&b);
    ck_assert_str_eq(b.data, "");
    ck_assert(buf_append_text(&b, "defgh"));
    ck_assert_str_eq(b.data, "defgh");
}
END_TEST

START_TEST(a_ceiling_of_nothing_holds_nothing)
{
    AUTO_BUF struct buf b = BUF(0);

    ck_assert(buf_append(&b, "", 0));
    ck_assert(!buf_append_char(&b, 'x'));
    ck_assert_str_eq(b.data, "");
}
END_TEST

START_TEST(no_ceiling_is_a_ceiling_too)
{
    AUTO_BUF struct buf b = BUF(SIZE_MAX);

    ck_assert(buf_append_text(&b, "abc"));
    ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX - 2));
    ck_assert(buf_is_overflown(&b));
    ck_assert_str_eq(b.data, "abc");
}
END_TEST

START_TEST(what_was_reserved_counts_when_added)
{
    AUTO_BUF struct buf b = BUF(1000);
    char *at = buf_reserve(&b, 500);

    ck_assert_ptr_nonnull(at);
    memset(at, 'a', 3);
    ck_assert_uint_eq(b.length, 0);
    buf_added(&b, 3);
    ck_assert_str_eq(b.data, "aaa");
    buf_added(&b, 0);
    ck_assert_uint_eq(b.length, 3);
}
END_TEST

START_TEST(taking_empties_the_buffer)
{
    AUTO_BUF struct buf b = BUF(100);
    size_t length = 99;
    char *empty = buf_take(&b, &length);
    char *taken;

    ck_assert_str_eq(empty, "");
    ck_assert_uint_eq(length, 0);
    buf_append_text(&b, "abc");
    taken = buf_take(&b, &length);
    ck_assert_uint_eq(length, 3);
    ck_assert_str_eq(taken, "abc");
    ck_assert_str_eq(b.data, "");
    ck_assert(buf_append_text(&b, "next"));
    free(empty);
    free(taken);
}
END_TEST

static const struct int_row {
    int64_t value;
    const char *text;
} int_rows[] = {
    {0, "0"},
    {7, "7"},
    {-1, "-1"},
    {10, "10"},
    {1234567890123, "1234567890123"},
    {INT64_MAX, "9223372036854775807"},
    {INT64_MIN, "-9223372036854775808"},
};

START_TEST(an_integer_is_written_in_full)
{
    AUTO_BUF struct buf b = BUF(100);

    ck_assert(buf_append_int(&b, int_rows[_i].value));
    ck_assert_str_eq(b.data, int_rows[_i].text);
}
END_TEST

START_TEST(wiping_leaves_nothing_behind)
{
    AUTO_BUF struct buf b = BUF(64);
    const char *bytes;

    buf_wipe(&b);
    buf_append_text(&b, "secret");
    bytes = b.data;
    buf_wipe(&b);
    ck_assert_uint_eq(b.length, 0);
    ck_assert_ptr_eq(b.data, bytes);
    for (size_t i = 0; i < 7; i++)
        ck_assert_int_eq(bytes[i], 0);
    ck_assert(buf_append_text(&b, "again"));
}
END_TEST

Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *all = tcase_create("buf");

    tcase_add_test(all, an_empty_buffer_is_an_empty_string);
    tcase_add_test(all, wiping_leaves_nothing_behind);
    tcase_add_test(all, appends_add_up_and_stay_terminated);
    tcase_add_test(all, it_grows_to_its_ceiling_and_not_past_it);
    tcase_add_test(all, an_append_past_the_ceiling_appends_nothing_and_stops_later_ones);
    tcase_add_test(all, a_ceiling_of_nothing_holds_nothing);
    tcase_add_test(all, no_ceiling_is_a_ceiling_too);
    tcase_add_test(all, what_was_reserved_counts_when_added);
    tcase_add_test(all, taking_empties_the_buffer);
    tcase_add_loop_test(all, an_integer_is_written_in_full, 0, ARRAY_LENGTH(int_rows));
    suite_add_tcase(suite, all);
    return suite;
}
