#include <check.h>

#include "worker/retention.h"

Suite *retention_suite(void);

#define ID "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"

static const struct {
    const char *name;
    const char *id; /* NULL: none of ours */
} names[] = {
    {"results/a0/default/" ID, ID},
    {"logs/a0/default/" ID "/3", ID},
    {"payloads/a0/default/" ID "/0123-17", ID},
    {"results/a0/default/x", NULL},
    {"results/a0/" ID, NULL},
    {"results/a0/default/" ID "x", NULL},
    {"results/a0/default/", NULL},
    {"results", NULL},
};

START_TEST(a_blob_belongs_to_the_job_of_its_name)
{
    struct job_id id;

    ck_assert_msg(retention_job_of(names[_i].name, &id) == (names[_i].id != NULL), "%s", names[_i].name);
    if (names[_i].id)
        ck_assert_str_eq(id.text, names[_i].id);
}
END_TEST

enum { HOUR_S = 3600 };

static const struct {
    const char *expires;
    int64_t modified_ms;
    bool is_over; /* at 2026-11-21T03:34:22Z, with a retention of an hour */
} ages[] = {
    {"2026-11-21T03:34:21.999Z", 0, true}, {"2026-11-21T03:34:22.001Z", 0, false},
    {"2026-11-21T03:34:22.001Z", 1, false}, /* what it says itself counts */
    {"", INT64_C(1795232062000) - HOUR_S * 1000 - 1, true},
    {"", INT64_C(1795232062000) - HOUR_S * 1000, false},
    {"soon", INT64_C(1795232062000) - HOUR_S * 1000 - 1, true}, {"", 0, false}, /* nothing is known of it */
};

START_TEST(it_has_expired_or_not)
{
    struct blob_properties p = {.modified_ms = ages[_i].modified_ms};

    snprintf(p.expires, sizeof(p.expires), "%s", ages[_i].expires);
    ck_assert_msg(retention_is_over(&p, HOUR_S, INT64_C(1795232062000)) == ages[_i].is_over, "row %d", _i);
}
END_TEST

START_TEST(a_round_begins_at_least_each_hour)
{
    ck_assert_int_eq(retention_period_s(60), 6);
    ck_assert_int_eq(retention_period_s(10), 5);
    ck_assert_int_eq(retention_period_s(600), 60);
    ck_assert_int_eq(retention_period_s(31536000), 3600);
}
END_TEST

Suite *retention_suite(void)
{
    Suite *suite = suite_create("retention");
    TCase *tcase = tcase_create("retention");

    tcase_add_loop_test(tcase, a_blob_belongs_to_the_job_of_its_name, 0, ARRAY_LENGTH(names));
    tcase_add_loop_test(tcase, it_has_expired_or_not, 0, ARRAY_LENGTH(ages));
    tcase_add_test(tcase, a_round_begins_at_least_each_hour);
    suite_add_tcase(suite, tcase);
    return suite;
}
