#include "worker/plan.h"
#include "common/base/clock.h"

#include <check.h>

Suite *plan_suite(void);

static const struct step_row {
    const char *name;
    const char *cron;
    const char *catch_up;
    const char *due; /* "" = it was never planned */
    const char *now;
    const char *tick; /* "" = it does not fire */
    const char *next;
} rows[] = {
    {"a new one waits for its first time", "0 * * * *", "one", "", "2026-11-28T06:30:00Z", "",
        "2026-11-28T07:00:00Z"},
    {"in time", "0 * * * *", "one", "2026-11-28T07:00:00Z", "2026-11-28T07:00:00.020Z",
        "2026-11-28T07:00:00Z", "2026-11-28T08:00:00Z"},
    {"a little late is in time", "0 * * * *", "none", "2026-11-28T07:00:00Z", "2026-11-28T07:00:59Z",
        "2026-11-28T07:00:00Z", "2026-11-28T08:00:00Z"},
    {"missed: none", "0 * * * *", "none", "2026-11-28T07:00:00Z", "2026-11-28T09:30:00Z", "",
        "2026-11-28T10:00:00Z"},
    {"missed: one for all, that of the last", "0 * * * *", "one", "2026-11-28T07:00:00Z",
        "2026-11-28T09:30:00Z", "2026-11-28T09:00:00Z", "2026-11-28T10:00:00Z"},
    {"missed: all, one after the other", "0 * * * *", "all", "2026-11-28T07:00:00Z", "2026-11-28T09:30:00Z",
        "2026-11-28T07:00:00Z", "2026-11-28T08:00:00Z"},
    {"missed for long: one", "* * * * *", "one", "2026-01-01T00:00:00Z", "2026-11-28T09:30:00Z",
        "2026-11-28T09:30:00Z", "2026-11-28T09:31:00Z"},
    {"missed for long: all of a week", "0 * * * *", "all", "2026-01-01T00:00:00Z", "2026-11-28T09:30:00Z",
        "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"},
    {"missed for long and seldom: one", "@yearly", "one", "2026-01-01T00:00:00Z", "2026-11-28T09:30:00Z",
        "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
    {"missed for long and seldom: all of a week are none", "@yearly", "all", "2026-01-01T00:00:00Z",
        "2026-11-28T09:30:00Z", "", "2027-01-01T00:00:00Z"},
    {"read before its time", "0 * * * *", "one", "2026-11-28T07:00:00Z", "2026-11-28T06:59:59Z", "",
        "2026-11-28T07:00:00Z"},
};

static int64_t time_of(const char *text)
{
    int64_t unix_ms = 0;

    ck_assert(!*text || clock_parse_rfc3339(text, &unix_ms));
    return unix_ms;
}

static void read_plan(const char *cron, const char *catch_up, struct plan *out)
{
    char text[512];
    struct error e = {0};

    snprintf(text, sizeof(text),
        "{\"cron\":\"%s\",\"timezone\":\"UTC\",\"overlap\":\"skip\",\"catch_up\":\"%s\",\"job\":{\"type\":"
        "\"echo\",\"queue\":\"bulk\"}}",
        cron, catch_up);
    ck_assert_msg(plan_read(text, strlen(text), out, &e), "%s: %s", text, e.text);
}

START_TEST(what_is_done_and_when_it_comes_again)
{
    const struct step_row *row = &rows[_i];
    struct plan plan;
    struct plan_step step;

    read_plan(row->cron, row->catch_up, &plan);
    plan_decide(&plan, time_of(row->due), time_of(row->now), &step);
    ck_assert_msg(step.fires == (*row->tick != '\0'), "%s", row->name);
    if (step.fires)
        ck_assert_msg(step.tick_ms == time_of(row->tick), "%s: %lld", row->name, (long long)step.tick_ms);
    ck_assert_msg(step.next_ms == time_of(row->next), "%s: %lld", row->name, (long long)step.next_ms);
}
END_TEST

START_TEST(what_is_kept_is_read)
{
    static const char text[] =
        "{\"name\":\"n\",\"cron\":\"@daily\",\"timezone\":\"Asia/Tokyo\",\"overlap\":\"allow\","
        "\"catch_up\":\"all\",\"paused\":false,\"job\":{\"type\":\"echo\"}}";
    struct plan plan;
    struct error e;

    ck_assert(plan_read(text, strlen(text), &plan, &e));
    ck_assert_str_eq(plan.timezone, "Asia/Tokyo");
    ck_assert_str_eq(plan.queue, "default");
    ck_assert(plan.may_overlap);
    ck_assert_int_eq(plan.catch_up, CATCH_UP_ALL);
    read_plan("@daily", "one", &plan);
    ck_assert_str_eq(plan.queue, "bulk");
    ck_assert(!plan.may_overlap);
}
END_TEST

static const char *const damaged[] = {"", "{", "[]", "{}", "{\"cron\":\"@daily\"}",
    "{\"cron\":\"@daily\",\"timezone\":\"Mars\",\"job\":{}}",
    "{\"cron\":\"x\",\"timezone\":\"UTC\",\"job\":{}}", "{\"cron\":1,\"timezone\":2,\"job\":3}",
    "{\"cron\":\"@daily\",\"timezone\":\"UTC\",\"job\":{\"queue\":\"NO NAME\"}}"};

START_TEST(what_somebody_damaged_is_refused)
{
    struct plan plan;
    struct error e;

    ck_assert_msg(!plan_read(damaged[_i], strlen(damaged[_i]), &plan, &e), "%s", damaged[_i]);
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");

    tcase_add_loop_test(tests, what_is_done_and_when_it_comes_again, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tests, what_is_kept_is_read);
    tcase_add_loop_test(tests, what_somebody_damaged_is_refused, 0, ARRAY_LENGTH(damaged));
    suite_add_tcase(suite, tests);
    return suite;
}
