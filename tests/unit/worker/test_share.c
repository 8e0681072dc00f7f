#include "worker/share.h"

#include <check.h>

Suite *share_suite(void);

enum { QUEUES_MAX = 8, ROUNDS = 1000 };

/* The weights of one run; 0 behind the last. */
static const struct weight_row {
    const char *name;
    int weights[QUEUES_MAX];
} weight_rows[] = {
    {"one queue", {3}},
    {"equal ones", {1, 1, 1}},
    {"as in the manual", {6, 3, 1}},
    {"the least first", {1, 3, 6}},
    {"far apart", {1000, 1}},
    {"far apart, the least first", {1, 1000}},
    {"prime to each other", {7, 11, 13, 17}},
    {"many", {1, 2, 3, 4, 5, 6, 7, 8}},
};

static struct share shares[QUEUES_MAX];
static size_t count;
static int weight_sum;
static size_t totals[QUEUES_MAX];

static void set_up(const int *weights)
{
    for (count = 0; count < QUEUES_MAX && weights[count]; count++) {
        shares[count] = (struct share){.weight = weights[count], .wants = true};
        weight_sum += weights[count];
    }
}

/* Grants `slots` and adds up what each got. Returns how many were granted. */
static size_t grant(size_t slots)
{
    size_t granted = 0;

    for (size_t i = 0; i < count; i++)
        shares[i].granted = 77;
    share_by_weight(shares, count, slots);
    for (size_t i = 0; i < count; i++) {
        if (!shares[i].wants && shares[i].granted)
            ck_abort_msg("queue %zu got what it did not want", i);
        totals[i] += shares[i].granted;
        granted += shares[i].granted;
    }
    return granted;
}

static void expect_proportions(const char *name, size_t slots)
{
    for (size_t i = 0; i < count; i++) {
        double fair = (double)slots * shares[i].weight / weight_sum;

        ck_assert_msg((double)totals[i] > fair - (double)count && (double)totals[i] < fair + (double)count,
            "%s: queue %zu got %zu of %zu slots", name, i, totals[i], slots);
    }
}

/* How the slots come: one by one, in small and in large lots. */
static const size_t lots[] = {1, 2, 3, 16, 997};

START_TEST(shares_follow_the_weights)
{
    const struct weight_row *row = &weight_rows[_i / (int)ARRAY_LENGTH(lots)];
    size_t lot = lots[_i % (int)ARRAY_LENGTH(lots)];
    size_t slots = 0;

    set_up(row->weights);
    for (int i = 0; i < ROUNDS; i++, slots += lot) {
        ck_assert_uint_eq(grant(lot), lot);
        expect_proportions(row->name, slots + lot);
    }
}
END_TEST

START_TEST(no_weight_gets_its_slots_in_one_stretch)
{
    static const int weights[] = {5, 1, 1, 0};
    char order[8] = "";

    set_up(weights);
    for (int i = 0; i < 7; i++) {
        share_by_weight(shares, count, 1);
        order[i] = shares[0].granted ? 'a' : shares[1].granted ? 'b' : 'c';
    }
    /* Source: nginx's smooth weighted round robin, whose example this is: a, a, b, a, c, a, a. */
    ck_assert_str_eq(order, "aabacaa");
}
END_TEST

START_TEST(who_wants_nothing_gets_nothing_and_leaves_all_to_the_others)
{
    static const int weights[] = {6, 3, 1, 0};

    set_up(weights);
    shares[0].wants = false;
    weight_sum = 4;
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(grant(4), 4);
    ck_assert_uint_eq(totals[0], 0);
    ck_assert_uint_eq(totals[1], 3000);
    ck_assert_uint_eq(totals[2], 1000);
    shares[1].wants = shares[2].wants = false;
    ck_assert_uint_eq(grant(4), 0);
}
END_TEST

START_TEST(no_slot_is_granted_out_of_nothing)
{
    static const int weights[] = {6, 3, 1, 0};

    set_up(weights);
    ck_assert_uint_eq(grant(0), 0);
    share_by_weight(NULL, 0, 5);
}
END_TEST

/* A queue that was idle for long has no arrears to collect: the others go on at once. */
START_TEST(who_was_away_does_not_take_all_when_it_comes_back)
{
    static const int weights[] = {1, 1, 0};

    set_up(weights);
    shares[0].wants = false;
    grant(10 * ROUNDS);
    shares[0].wants = true;
    memset(totals, 0, sizeof(totals));
    ck_assert_uint_eq(grant(10), 10);
    ck_assert_uint_ge(totals[0], 4);
    ck_assert_uint_ge(totals[1], 4);
}
END_TEST

/* Queues that come and go at random: whoever stays waits for a bounded number of slots. */
START_TEST(no_queue_starves)
{
    const struct weight_row *row = &weight_rows[_i];
    size_t waited[QUEUES_MAX] = {0};
    uint32_t random = 12345;

    set_up(row->weights);
    for (int i = 0; i < 10 * ROUNDS; i++) {
        for (size_t q = 0; q < count; q++) {
            random = random * 1664525 + 1013904223;
            if (random >> 16 < 6000)
                shares[q].wants = !shares[q].wants;
        }
        grant(1);
        for (size_t q = 0; q < count; q++) {
            waited[q] = shares[q].wants && !shares[q].granted ? waited[q] + 1 : 0;
            if (waited[q] > (size_t)weight_sum * count)
                ck_abort_msg("%s: queue %zu waits for %zu slots", row->name, q, waited[q]);
        }
    }
}
END_TEST

static const struct strict_row {
    const char *name;
    bool wants[4];
    size_t slots;
    size_t granted[4];
} strict_rows[] = {
    {"all want", {true, true, true, true}, 5, {5, 0, 0, 0}},
    {"the first wants nothing", {false, true, true, true}, 5, {0, 5, 0, 0}},
    {"the last alone wants", {false, false, false, true}, 5, {0, 0, 0, 5}},
    {"a gap", {false, true, false, true}, 1, {0, 1, 0, 0}},
    {"nobody wants", {false, false, false, false}, 5, {0, 0, 0, 0}},
    {"no slots", {true, true, true, true}, 0, {0, 0, 0, 0}},
};

START_TEST(strictly_the_first_that_wants_gets_all)
{
    const struct strict_row *row = &strict_rows[_i];

    for (size_t i = 0; i < 4; i++)
        shares[i] = (struct share){.weight = (int)i + 1, .wants = row->wants[i], .granted = 77};
    share_strictly(shares, 4, row->slots);
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(
            shares[i].granted == row->granted[i], "%s: queue %zu got %zu", row->name, i, shares[i].granted);
    share_strictly(NULL, 0, 5);
}
END_TEST

Suite *share_suite(void)
{
    Suite *suite = suite_create("share");
    TCase *all = tcase_create("share");

    tcase_set_timeout(all, 20);
    tcase_add_loop_test(
        all, shares_follow_the_weights, 0, (int)(ARRAY_LENGTH(weight_rows) * ARRAY_LENGTH(lots)));
    tcase_add_test(all, no_weight_gets_its_slots_in_one_stretch);
    tcase_add_test(all, who_wants_nothing_gets_nothing_and_leaves_all_to_the_others);
    tcase_add_test(all, no_slot_is_granted_out_of_nothing);
    tcase_add_test(all, who_was_away_does_not_take_all_when_it_comes_back);
    tcase_add_loop_test(all, no_queue_starves, 0, ARRAY_LENGTH(weight_rows));
    tcase_add_loop_test(all, strictly_the_first_that_wants_gets_all, 0, ARRAY_LENGTH(strict_rows));
    suite_add_tcase(suite, all);
    return suite;
}
