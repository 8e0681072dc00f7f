#include "worker/idset.h"

#include <check.h>

Suite *idset_suite(void);

enum { MANY = 20000 };

static struct idset set;

static void open_set(void)
{
    set = (struct idset){0};
}

static void close_set(void)
{
    idset_release(&set);
}

static const char *id_of(int number)
{
    static char text[64];

    snprintf(text, sizeof(text), "default.0.01KA2B3C4D5E6F7G8H%08d", number);
    return text;
}

START_TEST(an_empty_set_has_nothing)
{
    ck_assert(!idset_has(&set, id_of(1)));
    ck_assert(!idset_has(&set, ""));
    ck_assert_uint_eq(set.count, 0);
    idset_release(&set);
}
END_TEST

START_TEST(what_was_added_is_there_once)
{
    ck_assert(idset_add(&set, id_of(1)));
    ck_assert(!idset_add(&set, id_of(1)));
    ck_assert(idset_add(&set, ""));
    ck_assert(idset_has(&set, id_of(1)));
    ck_assert(idset_has(&set, ""));
    ck_assert(!idset_has(&set, id_of(2)));
    ck_assert_uint_eq(set.count, 2);
}
END_TEST

START_TEST(it_grows_and_forgets_nothing)
{
    for (int i = 0; i < MANY; i++)
        ck_assert(idset_add(&set, id_of(i)));
    ck_assert_uint_eq(set.count, MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert(idset_has(&set, id_of(i)));
        ck_assert(!idset_has(&set, id_of(MANY + i)));
        ck_assert(!idset_add(&set, id_of(i)));
    }
    ck_assert_uint_eq(set.count, MANY);
}
END_TEST

START_TEST(a_released_set_is_empty_and_may_be_used_again)
{
    ck_assert(idset_add(&set, id_of(1)));
    idset_release(&set);
    ck_assert_uint_eq(set.count, 0);
    ck_assert(!idset_has(&set, id_of(1)));
    ck_assert(idset_add(&set, id_of(1)));
}
END_TEST

Suite *idset_suite(void)
{
    Suite *suite = suite_create("idset");
    TCase *all = tcase_create("idset");

    tcase_add_checked_fixture(all, open_set, close_set);
    tcase_add_test(all, an_empty_set_has_nothing);
    tcase_add_test(all, what_was_added_is_there_once);
    tcase_add_test(all, it_grows_and_forgets_nothing);
    tcase_add_test(all, a_released_set_is_empty_and_may_be_used_again);
    suite_add_tcase(suite, all);
    return suite;
}
