#include <check.h>

#include "common/blob/circuit.h"

Suite *circuit_suite(void);

static struct circuit c;

static void start(void)
{
    c = (struct circuit){0};
}

static void open_it(int64_t now_ms)
{
    for (int i = 1; i < CIRCUIT_FAILURES; i++)
        ck_assert(!circuit_failed(&c, now_ms));
    ck_assert(!circuit_is_open(&c));
    ck_assert(circuit_failed(&c, now_ms));
    ck_assert(circuit_is_open(&c));
}

START_TEST(it_opens_after_so_many_failures_in_a_row)
{
    ck_assert_int_eq(circuit_wait_ms(&c, 0), 0);
    for (int i = 1; i < CIRCUIT_FAILURES; i++)
        circuit_failed(&c, 0);
    ck_assert(!circuit_well(&c));
    ck_assert(circuit_admits(&c, 0));
    open_it(0);
    ck_assert(!circuit_admits(&c, 0));
    ck_assert_int_eq(circuit_wait_ms(&c, 0), CIRCUIT_FIRST_MS);
}
END_TEST

START_TEST(one_at_a_time_tries_whether_it_is_back)
{
    open_it(0);
    ck_assert(!circuit_admits(&c, CIRCUIT_FIRST_MS - 1));
    ck_assert(circuit_admits(&c, CIRCUIT_FIRST_MS));
    ck_assert(!circuit_admits(&c, CIRCUIT_FIRST_MS));
    ck_assert_int_gt(circuit_wait_ms(&c, CIRCUIT_FIRST_MS), 0);
    ck_assert(circuit_well(&c));
    ck_assert(!circuit_is_open(&c));
    ck_assert(circuit_admits(&c, CIRCUIT_FIRST_MS));
}
END_TEST

START_TEST(each_failure_of_the_one_doubles_the_wait)
{
    int64_t now_ms = 0;
    int64_t wait_ms = CIRCUIT_FIRST_MS;

    open_it(now_ms);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(circuit_wait_ms(&c, now_ms), wait_ms);
        now_ms += wait_ms;
        ck_assert(circuit_admits(&c, now_ms));
        ck_assert(!circuit_failed(&c, now_ms)); /* no news */
        wait_ms = wait_ms * 2 < CIRCUIT_LONGEST_MS ? wait_ms * 2 : CIRCUIT_LONGEST_MS;
    }
}
END_TEST

/* What was sent before it opened and fails later moves nothing. */
START_TEST(stragglers_do_not_count)
{
    open_it(0);
    for (int i = 0; i < 100; i++)
        ck_assert(!circuit_failed(&c, 500));
    ck_assert(circuit_admits(&c, CIRCUIT_FIRST_MS));
}
END_TEST

START_TEST(a_try_that_was_given_up_leaves_its_place)
{
    open_it(0);
    ck_assert(circuit_admits(&c, CIRCUIT_FIRST_MS));
    circuit_abandoned(&c);
    ck_assert(circuit_admits(&c, CIRCUIT_FIRST_MS));
}
END_TEST

Suite *circuit_suite(void)
{
    Suite *suite = suite_create("circuit");
    TCase *tcase = tcase_create("circuit");

    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_add_test(tcase, it_opens_after_so_many_failures_in_a_row);
    tcase_add_test(tcase, one_at_a_time_tries_whether_it_is_back);
    tcase_add_test(tcase, each_failure_of_the_one_doubles_the_wait);
    tcase_add_test(tcase, stragglers_do_not_count);
    tcase_add_test(tcase, a_try_that_was_given_up_leaves_its_place);
    suite_add_tcase(suite, tcase);
    return suite;
}
