#include "common/base/cron.h"
#include "common/base/clock.h"
#include "common/base/zone.h"

#include <check.h>

Suite *cron_suite(void);

/* ---- what is read ---- */

static const char *const bad[] = {
    "",
    " ",
    "*",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * 32 * *",
    "* * * 0 *",
    "* * * 13 *",
    "* * * * 8",
    "-1 * * * *",
    "1- * * * *",
    "*- * * * *",
    "*, * * * *",
    ",1 * * * *",
    "1,,2 * * * *",
    "5-3 * * * *",
    "*/0 * * * *",
    "*/ * * * *",
    "1/2/3 * * * *",
    "1-2-3 * * * *",
    "001 * * * *",
    "1.5 * * * *",
    "mon * * * *",
    "* * * * monday",
    "* * * * xyz",
    "* * L * *",
    "@never",
    "@reboot",
    "@daily *",
    "999999999999999999999 * * * *",
};

START_TEST(what_is_no_expression_is_refused)
{
    struct cron c = {.minutes = 77};
    struct error e;

    ck_assert_msg(!cron_parse(bad[_i], &c, &e), "\"%s\" was read", bad[_i]);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_uint_eq(c.minutes, 77);
}
END_TEST

START_TEST(a_refusal_says_which_field)
{
    struct cron c;
    struct error e;

    ck_assert(!cron_parse("0 25 * * *", &c, &e));
    ck_assert_str_eq(e.text, "the hour is \"25\": numbers from 0 to 23 are right, ranges (1-5), steps (*/10) "
                             "and lists with commas");
}
END_TEST

/* ---- what comes next ---- */

static const struct next_row {
    const char *expression;
    const char *zone;
    const char *after;
    const char *next;
} rows[] = {
    {"* * * * *", "UTC", "2026-11-28T06:30:00Z", "2026-11-28T06:31:00Z"},
    {"* * * * *", "UTC", "2026-11-28T06:30:59Z", "2026-11-28T06:31:00Z"},
    {"*/15 * * * *", "UTC", "2026-11-28T06:30:00Z", "2026-11-28T06:45:00Z"},
    {"7/20 * * * *", "UTC", "2026-11-28T06:30:00Z", "2026-11-28T06:47:00Z"},
    {"5,35-37 * * * *", "UTC", "2026-11-28T06:35:30Z", "2026-11-28T06:36:00Z"},
    {"@hourly", "UTC", "2026-11-28T23:00:00Z", "2026-11-29T00:00:00Z"},
    {"@daily", "UTC", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
    {"@MIDNIGHT", "UTC", "2026-12-30T23:59:59Z", "2026-12-31T00:00:00Z"},
    {"@weekly", "UTC", "2026-11-28T06:30:00Z", "2026-11-29T00:00:00Z"},
    {"@monthly", "UTC", "2026-11-28T06:30:00Z", "2026-12-01T00:00:00Z"},
    {"@yearly", "UTC", "2026-11-28T06:30:00Z", "2027-01-01T00:00:00Z"},
    {"30 4 * * 1-5", "UTC", "2026-11-27T04:30:00Z", "2026-11-30T04:30:00Z"},
    {"30 4 * * MON-fri", "UTC", "2026-11-27T04:30:00Z", "2026-11-30T04:30:00Z"},
    {"0 0 * * 7", "UTC", "2026-11-28T06:30:00Z", "2026-11-29T00:00:00Z"},
    {"0 0 * * 6-7", "UTC", "2026-11-28T06:30:00Z", "2026-11-29T00:00:00Z"},
    {"0 12 1,15 * *", "UTC", "2026-11-28T06:30:00Z", "2026-12-01T12:00:00Z"},
    {"0 0 31 * *", "UTC", "2026-11-28T06:30:00Z", "2026-12-31T00:00:00Z"},
    {"0 0 31 feb,apr,dec *", "UTC", "2027-01-01T00:00:00Z", "2027-12-31T00:00:00Z"},
    {"0 0 29 2 *", "UTC", "2026-11-28T06:30:00Z", "2028-02-29T00:00:00Z"},
    {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
    /* either day may match when both are given */
    {"0 0 13 * 5", "UTC", "2026-11-28T06:30:00Z", "2026-12-04T00:00:00Z"},
    {"0 0 13 * 5", "UTC", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"},
    {"0 0 */2 * 5", "UTC", "2026-11-28T06:30:00Z", "2026-12-11T00:00:00Z"},
    /* another clock */
    {"0 9 * * *", "Europe/Berlin", "2026-11-28T06:30:00Z", "2026-11-28T08:00:00Z"},
    {"0 9 * * *", "Asia/Kolkata", "2026-11-28T06:30:00Z", "2026-11-29T03:30:00Z"},
    {"0 0 1 * *", "Pacific/Auckland", "2026-11-28T06:30:00Z", "2026-11-30T11:00:00Z"},
    /* the clock is set forward from 2:00 to 3:00: what falls between comes at 3:00, once */
    {"30 2 * * *", "Europe/Berlin", "2027-03-27T02:00:00Z", "2027-03-28T01:00:00Z"},
    {"30 2 * * *", "Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"},
    {"0,30 2 * * *", "Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z"},
    {"*/30 * * * *", "Europe/Berlin", "2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z"},
    /* a zone whose day loses its first hour: 2026-03-08 at 0:00 */
    {"0 0 * * *", "America/Havana", "2026-03-07T06:00:00Z", "2026-03-08T05:00:00Z"},
    {"30 0 * * 0", "America/Havana", "2026-03-07T06:00:00Z", "2026-03-08T05:00:00Z"},
    {"30 23 * * *", "America/Havana", "2026-03-08T04:30:00Z", "2026-03-09T03:30:00Z"},
    /* the clock is set back from 3:00 to 2:00: what names its hours comes the first time only */
    {"30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"},
    {"30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"},
    {"*/30 * * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z"},
    {"*/30 * * * *", "Europe/Berlin", "2027-10-31T01:00:00Z", "2027-10-31T01:30:00Z"},
    {"0 3 * * *", "Europe/Berlin", "2027-10-31T00:59:00Z", "2027-10-31T02:00:00Z"},
    /* half an hour back */
    {"45 1 * * *", "Australia/Lord_Howe", "2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z"},
};

START_TEST(the_next_moment_is_found)
{
    const struct next_row *row = &rows[_i];
    char found[CLOCK_RFC3339_SIZE];
    char wanted[CLOCK_RFC3339_SIZE];
    int64_t after_ms;
    int64_t wanted_ms;
    int64_t next_s = -1;
    struct cron c;
    struct error e;

    ck_assert_msg(cron_parse(row->expression, &c, &e), "%s: %s", row->expression, e.text);
    ck_assert(zone_check(row->zone, &e));
    ck_assert(clock_parse_rfc3339(row->after, &after_ms) && clock_parse_rfc3339(row->next, &wanted_ms));
    ck_assert(cron_next(&c, after_ms / 1000, zone_local, (void *)row->zone, &next_s, &e));
    clock_format_rfc3339(next_s * 1000, found);
    clock_format_rfc3339(wanted_ms, wanted);
    ck_assert_msg(strcmp(found, wanted) == 0, "%s (%s) after %s: %s, not %s", row->expression, row->zone,
        row->after, found, wanted);
}
END_TEST

START_TEST(day_that_no_month_has_never_comes)
{
    int64_t next_s = 77;
    struct cron c;
    struct error e;

    ck_assert(cron_parse("0 0 31 2,4,6,9,11 *", &c, &e));
    ck_assert(!cron_next(&c, 1795000000, zone_local, (void *)"UTC", &next_s, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_int_eq(next_s, 77);
}
END_TEST

/* ---- zones ---- */

static const char *const no_zones[] = {"", "Europe", "Europe/", "/Europe/Berlin", "../zoneinfo/UTC",
    "Europe/../Europe/Berlin", "Europe//Berlin", "tzdata.zi", "Europe/Berlin\n", "Mars/Olympus_Mons",
    "Europe/BerlinBerlinBerlinBerlinBerlinBerlinBerlinBerlinBerlinBerlinBerlin"};

START_TEST(what_is_no_zone_is_refused)
{
    struct error e;

    ck_assert_msg(!zone_check(no_zones[_i], &e), "\"%s\" is one", no_zones[_i]);
    ck_assert_int_eq(e.code, ERROR_INVALID);
}
END_TEST

START_TEST(the_process_keeps_its_own_zone)
{
    struct tm t;

    setenv("TZ", "America/New_York", 1);
    zone_local((void *)"Asia/Tokyo", 1795000000, &t);
    ck_assert_int_eq(t.tm_gmtoff, 9 * 3600);
    ck_assert_str_eq(getenv("TZ"), "America/New_York");
    unsetenv("TZ");
    zone_local((void *)"Asia/Tokyo", 1795000000, &t);
    ck_assert_ptr_null(getenv("TZ"));
}
END_TEST

Suite *cron_suite(void)
{
    Suite *suite = suite_create("cron");
    TCase *reading = tcase_create("reading");
    TCase *finding = tcase_create("finding");
    TCase *zones = tcase_create("zones");

    tcase_add_loop_test(reading, what_is_no_expression_is_refused, 0, ARRAY_LENGTH(bad));
    tcase_add_test(reading, a_refusal_says_which_field);
    suite_add_tcase(suite, reading);
    tcase_add_loop_test(finding, the_next_moment_is_found, 0, ARRAY_LENGTH(rows));
    tcase_add_test(finding, day_that_no_month_has_never_comes);
    suite_add_tcase(suite, finding);
    tcase_add_loop_test(zones, what_is_no_zone_is_refused, 0, ARRAY_LENGTH(no_zones));
    tcase_add_test(zones, the_process_keeps_its_own_zone);
    suite_add_tcase(suite, zones);
    return suite;
}
