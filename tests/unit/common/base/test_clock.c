#include "common/base/clock.h"

#include <check.h>
#include <time.h>
#include <unistd.h>

Suite *clock_suite(void);

static const struct format_row {
    int64_t unix_ms;
    const char *rfc3339;
    const char *http_date;
} format_rows[] = {
    {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {999, "1970-01-01T00:00:00.999Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    /* Source: RFC 9110 section 5.6.7. */
    {784111777000, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
    {951782400001, "2000-02-29T00:00:00.001Z", "Tue, 29 Feb 2000 00:00:00 GMT"},
    {2147483648050, "2038-01-19T03:14:08.050Z", "Tue, 19 Jan 2038 03:14:08 GMT"},
    {253402300799999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"},
};

START_TEST(a_time_is_written_in_utc)
{
    const struct format_row *row = &format_rows[_i];
    char rfc3339[CLOCK_RFC3339_SIZE];
    char http_date[CLOCK_HTTP_DATE_SIZE];

    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    clock_format_rfc3339(row->unix_ms, rfc3339);
    clock_format_http_date(row->unix_ms, http_date);
    ck_assert_str_eq(rfc3339, row->rfc3339);
    ck_assert_str_eq(http_date, row->http_date);
}
END_TEST

START_TEST(a_test_owns_the_time)
{
    clock_set_for_test(1234);
    ck_assert_int_eq(clock_unix_ms(), 1234);
    clock_set_for_test(-1);
    ck_assert_int_le(llabs((long long)time(NULL) * 1000 - clock_unix_ms()), 2000);
}
END_TEST

START_TEST(the_steady_clock_goes_on)
{
    int64_t ms = clock_steady_ms();
    int64_t us = clock_steady_us();

    usleep(3000);
    ck_assert_int_ge(clock_steady_us() - us, 3000);
    ck_assert_int_ge(clock_steady_ms() - ms, 2);
    ck_assert_int_le(llabs(clock_steady_us() / 1000 - clock_steady_ms()), 1000);
}
END_TEST

Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *all = tcase_create("clock");

    tcase_add_loop_test(all, a_time_is_written_in_utc, 0, ARRAY_LENGTH(format_rows));
    tcase_add_test(all, a_test_owns_the_time);
    tcase_add_test(all, the_steady_clock_goes_on);
    suite_add_tcase(suite, all);
    return suite;
}
