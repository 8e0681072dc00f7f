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

static const struct good_row {
    const char *text;
    int64_t unix_ms;
} good_rows[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"2027-01-31T08:00:00Z", 1801382400000},
    {"2027-01-31t08:00:00z", 1801382400000},
    {"2027-01-31 08:00:00Z", 1801382400000}, /* for the sake of readability. Source: RFC 3339 section 5.6 */
    {"9999-12-31T23:59:59.999Z", 253402300799999},

    /* Source: RFC 3339 section 5.8, as far as it is after 1970. */
    {"1985-04-12T23:20:50.52Z", 482196050520},
    {"1996-12-19T16:39:57-08:00", 851042397000},
    {"1990-12-31T23:59:60Z", 662688000000},
    {"1990-12-31T15:59:60-08:00", 662688000000},

    /* offsets */
    {"2027-01-31T08:00:00+00:00", 1801382400000},
    {"2027-01-31T08:00:00-00:00", 1801382400000},
    {"2027-01-31T08:00:00.250+01:00", 1801378800250},
    {"2027-01-31T13:30:00+05:30", 1801382400000},
    {"2027-01-31T04:15:00-03:45", 1801382400000},
    {"2027-02-01T07:59:00+23:59", 1801382400000},
    {"2027-01-30T08:01:00-23:59", 1801382400000},
    {"1970-01-01T01:00:00+01:00", 0},
    {"1969-12-31T23:00:00-01:00", 0},

    /* leap years and seconds, ends of months */
    {"2000-02-29T00:00:00Z", 951782400000},
    {"2028-02-29T00:00:00Z", 1835395200000},
    {"2400-02-29T00:00:00Z", 13574563200000},
    {"2027-04-30T00:00:00Z", 1809043200000},
    {"2027-12-31T23:59:59Z", 1830297599000},
    {"2016-12-31T23:59:60Z", 1483228800000},
    {"2016-12-31T23:59:60.5Z", 1483228800500},

    /* fractions: beyond the third digit they are dropped */
    {"2027-01-31T08:00:00.0Z", 1801382400000},
    {"2027-01-31T08:00:00.1Z", 1801382400100},
    {"2027-01-31T08:00:00.12Z", 1801382400120},
    {"2027-01-31T08:00:00.123Z", 1801382400123},
    {"2027-01-31T08:00:00.1239Z", 1801382400123},
    {"2027-01-31T08:00:00.000999999999999999999999999999Z", 1801382400000},
    {"2027-01-31T08:00:00.999999999+01:00", 1801378800999},
};

START_TEST(a_time_is_read_with_any_offset)
{
    const struct good_row *row = &good_rows[_i];
    int64_t unix_ms = -1;

    setenv("TZ", "America/New_York", 1);
    tzset();
    ck_assert_msg(clock_parse_rfc3339(row->text, &unix_ms), "%s", row->text);
    ck_assert_msg(unix_ms == row->unix_ms, "%s: %lld", row->text, (long long)unix_ms);
}
END_TEST

static const struct bad_row {
    const char *name;
    const char *text;
} bad_rows[] = {
    {"nothing", ""},
    {"a word", "tomorrow"},
    {"a date alone", "2027-01-31"},
    {"a time alone", "08:00:00Z"},
    {"Unix seconds", "1801382400"},
    {"no offset", "2027-01-31T08:00:00"},
    {"no seconds", "2027-01-31T08:00Z"},
    {"an HTTP date", "Sun, 31 Jan 2027 08:00:00 GMT"},
    {"the basic form of ISO 8601", "20270131T080000Z"},
    {"a week", "2027-W04-7T08:00:00Z"},
    {"a year of two digits", "27-01-31T08:00:00Z"},
    {"a year of five digits", "12027-01-31T08:00:00Z"},
    {"a month of one digit", "2027-1-31T08:00:00Z"},
    {"a day of one digit", "2027-01-1T08:00:00Z"},
    {"an hour of one digit", "2027-01-31T8:00:00Z"},
    {"month 0", "2027-00-31T08:00:00Z"},
    {"month 13", "2027-13-31T08:00:00Z"},
    {"day 0", "2027-01-00T08:00:00Z"},
    {"day 32", "2027-01-32T08:00:00Z"},
    {"31 April", "2027-04-31T08:00:00Z"},
    {"29 February of no leap year", "2027-02-29T08:00:00Z"},
    {"29 February of 2100", "2100-02-29T08:00:00Z"},
    {"30 February", "2028-02-30T08:00:00Z"},
    {"hour 24", "2027-01-31T24:00:00Z"},
    {"minute 60", "2027-01-31T08:60:00Z"},
    {"second 61", "2027-01-31T08:00:61Z"},
    {"a sign before the year", "+2027-01-31T08:00:00Z"},
    {"a sign within", "2027-01-31T+8:00:00Z"},
    {"a blank before", " 2027-01-31T08:00:00Z"},
    {"a blank behind", "2027-01-31T08:00:00Z "},
    {"a newline behind", "2027-01-31T08:00:00Z\n"},
    {"an underscore between", "2027-01-31_08:00:00Z"},
    {"slashes", "2027/01/31T08:00:00Z"},
    {"dots", "2027-01-31T08.00.00Z"},
    {"a point without a fraction", "2027-01-31T08:00:00.Z"},
    {"a comma before the fraction", "2027-01-31T08:00:00,5Z"},
    {"a fraction of no digits", "2027-01-31T08:00:00.xZ"},
    {"a fraction without an offset", "2027-01-31T08:00:00.5"},
    {"an offset of hours", "2027-01-31T08:00:00+01"},
    {"an offset without a colon", "2027-01-31T08:00:00+0100"},
    {"an offset of one digit", "2027-01-31T08:00:00+1:00"},
    {"an offset of 24 hours", "2027-01-31T08:00:00+24:00"},
    {"an offset of 60 minutes", "2027-01-31T08:00:00+01:60"},
    {"an offset without a sign", "2027-01-31T08:00:0001:00"},
    {"an offset cut short", "2027-01-31T08:00:00+01:0"},
    {"two offsets", "2027-01-31T08:00:00Z+01:00"},
    {"the name of a zone", "2027-01-31T08:00:00CET"},
    {"digits of another script", "2027-01-31T08:00:0\xd9\xa0Z"},
    {"before 1970", "1969-12-31T23:59:59.999Z"},
    {"before 1970 by its offset", "1970-01-01T00:59:59+01:00"},
    {"the year 0", "0000-01-01T00:00:00Z"},
};

START_TEST(what_is_no_time_is_refused)
{
    int64_t unix_ms = 77;

    ck_assert_msg(!clock_parse_rfc3339(bad_rows[_i].text, &unix_ms), "%s", bad_rows[_i].name);
    ck_assert_int_eq(unix_ms, 77);
}
END_TEST

START_TEST(a_time_cut_anywhere_is_refused)
{
    static const char whole[] = "2027-01-31T08:00:00.250+01:00";
    char cut[sizeof(whole)];
    int64_t unix_ms;

    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        snprintf(cut, sizeof(cut), "%.*s", (int)length, whole);
        ck_assert_msg(!clock_parse_rfc3339(cut, &unix_ms), "%s", cut);
    }
}
END_TEST

START_TEST(what_was_written_is_read_back)
{
    char text[CLOCK_RFC3339_SIZE];
    int64_t unix_ms;

    clock_format_rfc3339(format_rows[_i].unix_ms, text);
    ck_assert(clock_parse_rfc3339(text, &unix_ms));
    ck_assert_int_eq(unix_ms, format_rows[_i].unix_ms);
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
    tcase_add_loop_test(all, a_time_is_read_with_any_offset, 0, ARRAY_LENGTH(good_rows));
    tcase_add_loop_test(all, what_is_no_time_is_refused, 0, ARRAY_LENGTH(bad_rows));
    tcase_add_test(all, a_time_cut_anywhere_is_refused);
    tcase_add_loop_test(all, what_was_written_is_read_back, 0, ARRAY_LENGTH(format_rows));
    tcase_add_test(all, a_test_owns_the_time);
    tcase_add_test(all, the_steady_clock_goes_on);
    suite_add_tcase(suite, all);
    return suite;
}
