#include "common/net/pulse.h"
#include "common/base/clock.h"

#include <check.h>

Suite *pulse_suite(void);

static struct loop *l;

static void open_loop(void)
{
    l = loop_new();
}

static void close_loop(void)
{
    l = loop_free(l);
}

struct part {
    bool is_well;
    int asked;
};

static bool ask(void *arg)
{
    struct part *part = arg;

    part->asked++;
    loop_stop(l);
    return part->is_well;
}

START_TEST(it_beats_while_the_loop_turns_and_all_is_well)
{
    struct part part = {true, 0};
    struct pulse *p = pulse_new(l, ask, &part);
    int64_t start_ms = clock_steady_ms();

    ck_assert_int_lt(pulse_age_ms(p, start_ms), 1000);
    loop_run(l);
    ck_assert_int_eq(part.asked, 1);
    ck_assert_int_lt(pulse_age_ms(p, start_ms), 0); /* it has beaten since */
    loop_run(l);
    ck_assert_int_eq(part.asked, 2);
    pulse_free(p);
}
END_TEST

START_TEST(it_does_not_beat_when_its_part_is_ill)
{
    struct part part = {false, 0};
    struct pulse *p = pulse_new(l, ask, &part);
    int64_t start_ms = clock_steady_ms();

    loop_run(l);
    ck_assert_int_eq(part.asked, 1);
    ck_assert_int_ge(pulse_age_ms(p, start_ms), 0);
    part.is_well = true;
    loop_run(l);
    ck_assert_int_lt(pulse_age_ms(p, start_ms), 0);
    pulse_free(p);
}
END_TEST

START_TEST(a_loop_that_stands_still_is_silent)
{
    struct pulse *p = pulse_new(l, NULL, NULL);

    ck_assert_int_ge(pulse_age_ms(p, clock_steady_ms() + PULSE_LIMIT_MS + 1), PULSE_LIMIT_MS);
    pulse_free(p);
}
END_TEST

Suite *pulse_suite(void)
{
    Suite *s = suite_create("pulse");
    TCase *c = tcase_create("pulse");

    tcase_add_checked_fixture(c, open_loop, close_loop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, it_beats_while_the_loop_turns_and_all_is_well);
    tcase_add_test(c, it_does_not_beat_when_its_part_is_ill);
    tcase_add_test(c, a_loop_that_stands_still_is_silent);
    suite_add_tcase(s, c);
    return s;
}
