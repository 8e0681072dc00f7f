#include "api/gate/caller.h"

#include <check.h>

Suite *caller_suite(void);

static struct caller *caller;

static void open_caller(void)
{
    caller = caller_new("shop", "shop");
}

static void close_caller(void)
{
    caller = caller_release(caller);
}

static const struct scopes_row {
    const char *text;
    unsigned scopes; /* 0: it is refused */
    const char *written;
} scopes_rows[] = {
    {"submit", SCOPE_SUBMIT, "submit"},
    {"read,submit", SCOPE_SUBMIT | SCOPE_READ, "submit read"},
    {"submit, read admin", SCOPE_SUBMIT | SCOPE_READ | SCOPE_ADMIN, "submit read admin"},
    {"admin,admin", SCOPE_ADMIN, "admin"},
    {"", 0, ""},
    {",", 0, ""},
    {"Admin", 0, ""},
    {"submi", 0, ""},
    {"submits", 0, ""},
    {"public", 0, ""},
    {"read;admin", 0, ""},
};

START_TEST(scopes_are_read_and_written)
{
    const struct scopes_row *row = &scopes_rows[_i];
    AUTO_BUF struct buf text = BUF(64);
    unsigned scopes = 0;
    struct error e;

    ck_assert_int_eq(scopes_parse(row->text, &scopes, &e), row->scopes != 0);
    ck_assert_uint_eq(scopes, row->scopes);
    scopes_write(scopes, &text);
    ck_assert_str_eq(text.data, row->written);
}
END_TEST

START_TEST(a_scope_that_is_missing_is_named)
{
    struct error e;

    caller->scopes = SCOPE_READ;
    ck_assert(caller_has_scope(caller, SCOPE_READ, &e));
    ck_assert(caller_has_scope(caller, SCOPE_PUBLIC, &e));
    ck_assert(!caller_has_scope(caller, SCOPE_SUBMIT, &e));
    ck_assert_int_eq(e.code, ERROR_FORBIDDEN);
    ck_assert_str_eq(e.text, "this needs the scope submit; shop has read");
    caller->scopes = SCOPE_ADMIN;
    ck_assert(caller_has_scope(caller, SCOPE_SUBMIT, &e));
    ck_assert(caller_has_scope(caller, SCOPE_READ, &e));
    caller->scopes = 0;
    ck_assert(!caller_has_scope(caller, SCOPE_ADMIN, &e));
    ck_assert(!caller_has_scope(caller, 0, &e)); /* a route whose scope was forgotten is nobody's */
}
END_TEST

START_TEST(without_a_list_every_name_will_do)
{
    struct error e;

    ck_assert(caller_may_use_queue(caller, "any", &e));
    ck_assert(caller_may_use_type(caller, "any", &e));
    name_list_add(&caller->queues, "one");
    name_list_add(&caller->queues, "two");
    name_list_add(&caller->types, "echo");
    ck_assert(caller_may_use_queue(caller, "two", &e));
    ck_assert(!caller_may_use_queue(caller, "tw", &e));
    ck_assert_str_eq(e.text, "shop may not use the queue tw, only one, two");
    ck_assert(!caller_may_use_type(caller, "one", &e));
    ck_assert_int_eq(e.code, ERROR_FORBIDDEN);
    ck_assert_str_eq(e.text, "shop may not use the type one, only echo");
}
END_TEST

START_TEST(another_s_job_is_there_for_an_admin_alone)
{
    caller->scopes = SCOPE_SUBMIT | SCOPE_READ;
    ck_assert(caller_may_see(caller, "shop", "default"));
    ck_assert(!caller_may_see(caller, "shop2", "default"));
    ck_assert(!caller_may_see(caller, "", "default"));
    caller->scopes |= SCOPE_ADMIN;
    ck_assert(caller_may_see(caller, "shop2", "default"));
    name_list_add(&caller->queues, "bulk");
    ck_assert(!caller_may_see(caller, "shop2", "default"));
    ck_assert(caller_may_see(caller, "shop2", "bulk"));
    ck_assert(caller_may_see(caller, "shop", "default"));
}
END_TEST

static const struct owner_row {
    const char *text;
    bool is_valid;
} owner_rows[] = {
    {"a", true},
    {"Shop-7_x.y", true},
    {"0123456789012345678901234567890123456789012345678901234567890123", true},
    {"01234567890123456789012345678901234567890123456789012345678901234", false},
    {"", false},
    {"a b", false},
    {"a\"b", false},
    {"\xc3\xa9", false},
    {"a/b", false},
};

START_TEST(owners_are_short_and_plain)
{
    const struct owner_row *row = &owner_rows[_i];

    ck_assert_int_eq(owner_is_valid(row->text, strlen(row->text)), row->is_valid);
}
END_TEST

START_TEST(it_lives_as_long_as_somebody_keeps_it)
{
    struct caller *kept = caller_keep(caller);

    caller = caller_release(caller);
    ck_assert_ptr_null(caller);
    ck_assert_str_eq(kept->owner, "shop");
    caller_release(kept);
    ck_assert_ptr_null(caller_release(NULL));
}
END_TEST

Suite *caller_suite(void)
{
    Suite *suite = suite_create("caller");
    TCase *t = tcase_create("caller");

    tcase_add_checked_fixture(t, open_caller, close_caller);
    tcase_add_loop_test(t, scopes_are_read_and_written, 0, ARRAY_LENGTH(scopes_rows));
    tcase_add_test(t, a_scope_that_is_missing_is_named);
    tcase_add_test(t, without_a_list_every_name_will_do);
    tcase_add_test(t, another_s_job_is_there_for_an_admin_alone);
    tcase_add_loop_test(t, owners_are_short_and_plain, 0, ARRAY_LENGTH(owner_rows));
    tcase_add_test(t, it_lives_as_long_as_somebody_keeps_it);
    suite_add_tcase(suite, t);
    return suite;
}
