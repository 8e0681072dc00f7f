#include "api/queue_register.h"

#include <check.h>

Suite *queue_register_suite(void);

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"

enum { MANY = 1000 };

static struct queue_register *known;

static void open_register(void)
{
    known = queue_register_new();
}

static void close_register(void)
{
    known = queue_register_free(known);
}

START_TEST(it_knows_what_was_added)
{
    ck_assert(!queue_register_knows(known, "default"));
    queue_register_add(known, "default");
    queue_register_add(known, N63);
    queue_register_add(known, "default");
    ck_assert(queue_register_knows(known, "default"));
    ck_assert(queue_register_knows(known, N63));
    ck_assert(!queue_register_knows(known, "defaul"));
    ck_assert(!queue_register_knows(known, "default2"));
    ck_assert(!queue_register_knows(known, ""));
}
END_TEST

START_TEST(it_forgets_all_and_may_be_filled_again)
{
    queue_register_forget(known);
    queue_register_add(known, "a");
    queue_register_add(known, "b");
    queue_register_forget(known);
    ck_assert(!queue_register_knows(known, "a"));
    ck_assert(!queue_register_knows(known, "b"));
    queue_register_add(known, "b");
    ck_assert(queue_register_knows(known, "b"));
    ck_assert(!queue_register_knows(known, "a"));
}
END_TEST

START_TEST(it_holds_many)
{
    char name[16];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "q%d", i);
        queue_register_add(known, name);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "q%d", i);
        ck_assert(queue_register_knows(known, name));
    }
    ck_assert(!queue_register_knows(known, "q1000"));
}
END_TEST

START_TEST(freeing_nothing_is_allowed)
{
    ck_assert_ptr_null(queue_register_free(NULL));
}
END_TEST

Suite *queue_register_suite(void)
{
    Suite *suite = suite_create("queue_register");
    TCase *all = tcase_create("queue_register");

    tcase_add_checked_fixture(all, open_register, close_register);
    tcase_add_test(all, it_knows_what_was_added);
    tcase_add_test(all, it_forgets_all_and_may_be_filled_again);
    tcase_add_test(all, it_holds_many);
    tcase_add_test(all, freeing_nothing_is_allowed);
    suite_add_tcase(suite, all);
    return suite;
}
