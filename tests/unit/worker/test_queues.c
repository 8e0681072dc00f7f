#include "worker/queues.h"

#include <check.h>

Suite *queues_suite(void);

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"

enum { ENTRIES_MAX = 4 };

static const struct list_row {
    const char *text;
    struct queue_entry entries[ENTRIES_MAX]; /* a weight of 0 behind the last */
} lists[] = {
    {"default", {{"default", 1}}},
    {"critical:6,default:3,bulk", {{"critical", 6}, {"default", 3}, {"bulk", 1}}},
    {"a,b,c", {{"a", 1}, {"b", 1}, {"c", 1}}},
    {"  a:2 ,   b  ,c:1  ", {{"a", 2}, {"b", 1}, {"c", 1}}},
    {"a:1000", {{"a", 1000}}},
    {"a:007", {{"a", 7}}},
    {N63 ":7,0", {{N63, 7}, {"0", 1}}},
    {"a,ab,abc,b", {{"a", 1}, {"ab", 1}, {"abc", 1}, {"b", 1}}},
    {"abc,ab:3,a", {{"abc", 1}, {"ab", 3}, {"a", 1}}},
    {"9-a_b", {{"9-a_b", 1}}},
};

START_TEST(a_list_is_read_entry_by_entry)
{
    const struct list_row *row = &lists[_i];
    struct queue_entry entry;
    struct error e = {.code = ERROR_INTERNAL};
    size_t i = 0;

    for (; i < ENTRIES_MAX && row->entries[i].weight; i++) {
        ck_assert_msg(queues_next(row->text, i, &entry, &e), "%s: %s", row->text, e.text);
        ck_assert_str_eq(entry.name, row->entries[i].name);
        ck_assert_int_eq(entry.weight, row->entries[i].weight);
    }
    for (size_t behind = i; behind < i + 3; behind++) {
        ck_assert(!queues_next(row->text, behind, &entry, &e));
        ck_assert_int_eq(e.code, ERROR_OK);
    }
    ck_assert_str_eq(entry.name, row->entries[i - 1].name);
}
END_TEST

static const struct bad_row {
    const char *name;
    const char *text;
    size_t at; /* the entry that is wrong; those before are right */
    const char *says;
} bad_rows[] = {
    {"nothing", "", 0, "name"},
    {"blanks alone", "   ", 0, "name"},
    {"a comma alone", ",", 0, "name"},
    {"a comma first", ",a", 0, "name"},
    {"a comma last", "a,", 1, "name"},
    {"two commas", "a,,b", 1, "name"},
    {"capitals", "a,B", 1, "B"},
    {"a blank within", "a b", 0, "a b"},
    {"a tab before", "\ta", 0, "name"},
    {"a newline behind", "a\n", 0, "name"},
    {"a slash", "a/b", 0, "a/b"},
    {"no ASCII", "\xc3\xa9", 0, "name"},
    {"a name too long", N63 "x", 0, "name"},
    {"semicolons between", "a;b", 0, "a;b"},
    {"a weight without a name", ":3", 0, "name"},
    {"a colon without a weight", "a,b:", 1, "weight of b"},
    {"a weight of 0", "a:0", 0, "weight of a"},
    {"a weight past the last", "a:1001", 0, "weight of a"},
    {"a weight past 32 bits", "a:4294967297", 0, "weight of a"},
    {"a weight past 64 bits", "a:99999999999999999999999999", 0, "weight of a"},
    {"a negative weight", "a:-1", 0, "weight of a"},
    {"a signed weight", "a:+1", 0, "weight of a"},
    {"a weight of a fraction", "a:1.5", 0, "weight of a"},
    {"a weight in words", "a:high", 0, "weight of a"},
    {"a weight with more behind", "a:3x", 0, "weight of a"},
    {"two weights", "a:1:2", 0, "weight of a"},
    {"a blank before the colon", "a :3", 0, "name"},
    {"a blank behind the colon", "a: 3", 0, "weight of a"},
    {"the same twice", "a,b,a", 2, "twice"},
    {"the same with another weight", "a:1,a:2", 1, "twice"},
    {"the same with blanks", "a , a", 1, "twice"},
};

START_TEST(what_is_wrong_is_named)
{
    const struct bad_row *row = &bad_rows[_i];
    struct queue_entry entry;
    struct queue_entry untouched = {"before", 77};
    struct error e = {0};

    for (size_t i = 0; i < row->at; i++)
        ck_assert_msg(queues_next(row->text, i, &entry, &e), "%s: %s", row->name, e.text);
    ck_assert_msg(!queues_next(row->text, row->at, &untouched, &e), "%s", row->name);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_msg(strstr(e.text, row->says) != NULL, "%s: %s", row->name, e.text);
    ck_assert_str_eq(untouched.name, "before");
    ck_assert_int_eq(untouched.weight, 77);
}
END_TEST

Suite *queues_suite(void)
{
    Suite *suite = suite_create("queues");
    TCase *all = tcase_create("queues");

    tcase_add_loop_test(all, a_list_is_read_entry_by_entry, 0, ARRAY_LENGTH(lists));
    tcase_add_loop_test(all, what_is_wrong_is_named, 0, ARRAY_LENGTH(bad_rows));
    suite_add_tcase(suite, all);
    return suite;
}
