#include "common/redis/redis.h"

#include <check.h>

Suite *request_suite(void);

static struct redis_request q;

static void open_request(void)
{
    redis_request_init(&q);
}

static void close_request(void)
{
    redis_request_release(&q);
}

static void expect(const char *bytes, size_t length)
{
    ck_assert(!buf_is_overflown(&q.bytes));
    ck_assert_msg(q.bytes.length == length && memcmp(q.bytes.data, bytes, length) == 0, "%zu bytes: %s",
        q.bytes.length, q.bytes.data);
}

#define EXPECT(bytes) expect(bytes, sizeof(bytes) - 1)

START_TEST(a_command_is_an_array_of_bulk_strings)
{
    redis_request_begin(&q, 3);
    redis_request_add_text(&q, "SET");
    redis_request_add(&q, "k\r\n\0y", 5);
    redis_request_add_text(&q, "");
    EXPECT("*3\r\n$3\r\nSET\r\n$5\r\nk\r\n\0y\r\n$0\r\n\r\n");
}
END_TEST

static const struct int_row {
    int64_t value;
    const char *bytes;
} int_rows[] = {
    {0, "*1\r\n$1\r\n0\r\n"},
    {-1, "*1\r\n$2\r\n-1\r\n"},
    {1795236093447, "*1\r\n$13\r\n1795236093447\r\n"},
    {INT64_MAX, "*1\r\n$19\r\n9223372036854775807\r\n"},
    {INT64_MIN, "*1\r\n$20\r\n-9223372036854775808\r\n"},
};

START_TEST(a_number_is_written_as_digits)
{
    redis_request_begin(&q, 1);
    redis_request_add_int(&q, int_rows[_i].value);
    expect(int_rows[_i].bytes, strlen(int_rows[_i].bytes));
}
END_TEST

START_TEST(beginning_empties_what_was_there)
{
    redis_request_begin(&q, 2);
    redis_request_add_text(&q, "GET");
    redis_request_add_text(&q, "a long key that is forgotten");
    redis_request_begin(&q, 1);
    redis_request_add_text(&q, "PING");
    EXPECT("*1\r\n$4\r\nPING\r\n");
}
END_TEST

START_TEST(a_script_goes_by_its_name_with_its_keys_counted)
{
    static const struct script script = {"submit", "return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"};

    redis_request_begin_script(&q, &script, 2, 1);
    redis_request_add_text(&q, "key1");
    redis_request_add_text(&q, "key2");
    redis_request_add_int(&q, 77);
    EXPECT("*6\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n$1\r\n2\r\n"
           "$4\r\nkey1\r\n$4\r\nkey2\r\n$2\r\n77\r\n");
}
END_TEST

START_TEST(a_script_may_have_neither_keys_nor_arguments)
{
    static const struct script script = {"x", "return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"};

    redis_request_begin_script(&q, &script, 0, 0);
    EXPECT("*3\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n$1\r\n0\r\n");
}
END_TEST

enum { BIG = 3 << 20 };

START_TEST(a_large_argument_goes_whole)
{
    char *data = calloc(1, BIG);
    const char head[] = "*1\r\n$3145728\r\n";

    ck_assert_ptr_nonnull(data);
    redis_request_begin(&q, 1);
    redis_request_add(&q, data, BIG);
    ck_assert_uint_eq(q.bytes.length, sizeof(head) - 1 + BIG + 2);
    ck_assert_mem_eq(q.bytes.data, head, sizeof(head) - 1);
    ck_assert_mem_eq(q.bytes.data + sizeof(head) - 1, data, BIG);
    ck_assert_mem_eq(q.bytes.data + q.bytes.length - 2, "\r\n", 2);
    free(data);
}
END_TEST

Suite *request_suite(void)
{
    Suite *suite = suite_create("request");
    TCase *all = tcase_create("request");

    tcase_add_checked_fixture(all, open_request, close_request);
    tcase_add_test(all, a_command_is_an_array_of_bulk_strings);
    tcase_add_loop_test(all, a_number_is_written_as_digits, 0, ARRAY_LENGTH(int_rows));
    tcase_add_test(all, beginning_empties_what_was_there);
    tcase_add_test(all, a_script_goes_by_its_name_with_its_keys_counted);
    tcase_add_test(all, a_script_may_have_neither_keys_nor_arguments);
    tcase_add_test(all, a_large_argument_goes_whole);
    suite_add_tcase(suite, all);
    return suite;
}
