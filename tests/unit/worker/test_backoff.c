#include "worker/backoff.h"

#include <check.h>

Suite *backoff_suite(void);

enum { DAY_MS = 86400000 };

static const struct wait_row {
    const char *name;
    int64_t delay_ms;
    int64_t delay_max_ms;
    int failures;
    int64_t longest_ms; /* the wait without its random part */
} wait_rows[] = {
    {"the first", 1000, 60000, 1, 1000},
    {"the second doubles", 1000, 60000, 2, 2000},
    {"the third doubles again", 1000, 60000, 3, 4000},
    {"the last below the ceiling", 1000, 60000, 6, 32000},
    {"the ceiling", 1000, 60000, 7, 60000},
    {"it stays at the ceiling", 1000, 60000, 8, 60000},
    {"far beyond the ceiling", 1000, 60000, 65535, 60000},
    {"exactly the ceiling", 1000, 8000, 4, 8000},
    {"a ceiling below the delay", 5000, 2000, 1, 2000},
    {"a ceiling that is the delay", 5000, 5000, 3, 5000},
    {"a day", 1000, DAY_MS, 100, DAY_MS},
    {"no delay", 0, 60000, 5, 0},
    {"no delay at all", 0, 0, 65535, 0},
    {"a millisecond", 1, 100, 1, 1},
};

/* Different in all their bits. */
static const uint32_t randoms[] = {
    0, 1, 511, 512, 1023, 1024, 0x7fffffff, 0x80000000, 0xfffffc00, UINT32_MAX};

START_TEST(the_wait_doubles_up_to_its_ceiling_less_a_fifth)
{
    const struct wait_row *row = &wait_rows[_i];
    const struct retry_policy policy = {
        .max_attempts = 1, .delay_ms = row->delay_ms, .delay_max_ms = row->delay_max_ms};

    for (size_t i = 0; i < ARRAY_LENGTH(randoms); i++) {
        int64_t wait_ms = backoff_ms(&policy, row->failures, randoms[i]);

        ck_assert_msg(wait_ms <= row->longest_ms && wait_ms >= row->longest_ms * 4 / 5, "%s: %lld ms",
            row->name, (long long)wait_ms);
    }
}
END_TEST

/* What failed together comes back all over the last fifth. */
START_TEST(waits_are_spread_over_a_fifth)
{
    const struct retry_policy policy = {.max_attempts = 1, .delay_ms = 10000, .delay_max_ms = 60000};
    int counts[4] = {0};
    uint32_t random = 12345;

    for (int i = 0; i < 4000; i++) {
        int64_t wait_ms;

        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        wait_ms = backoff_ms(&policy, 1, random);
        ck_assert(wait_ms >= 8000 && wait_ms <= 10000);
        counts[wait_ms == 10000 ? 3 : (wait_ms - 8000) / 500]++;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        ck_assert_msg(counts[i] > 800 && counts[i] < 1200, "%d of 4000 in quarter %zu", counts[i], i);
}
END_TEST

Suite *backoff_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *all = tcase_create("backoff");

    tcase_add_loop_test(all, the_wait_doubles_up_to_its_ceiling_less_a_fifth, 0, ARRAY_LENGTH(wait_rows));
    tcase_add_test(all, waits_are_spread_over_a_fifth);
    suite_add_tcase(suite, all);
    return suite;
}
