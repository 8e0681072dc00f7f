#include "common/queue/types.h"

#include <check.h>

Suite *types_suite(void);

static struct type_table *table;

static void close_table(void)
{
    table = type_table_free(table);
}

static struct published_types text(const char *text, int64_t seen_ms)
{
    return (struct published_types){.text = text, .length = strlen(text), .seen_ms = seen_ms};
}

static const char old_one[] =
    "{\"queues\":[\"default\"],\"types\":{\"echo\":{\"timeout_s\":5},\"zip\":{\"timeout_s\":7}}}";
static const char new_one[] = "{\"queues\":[\"bulk\",\"default\"],\"types\":{\"resize\":{\"kind\":"
                              "\"command\"},\"echo\":{\"timeout_s\":9}}}";

START_TEST(the_newest_text_tells_of_a_type_and_queues_add_up)
{
    struct known_type type;

    table = type_table_new((struct published_types[]){text(old_one, 1000), text(new_one, 2000)}, 2);
    ck_assert_uint_eq(type_table_count(table), 3);
    ck_assert_str_eq(type_table_at(table, 0).name, "echo");
    ck_assert_str_eq(type_table_at(table, 1).name, "resize");
    ck_assert_str_eq(type_table_at(table, 2).name, "zip");
    ck_assert(type_table_find(table, "echo", &type));
    ck_assert_int_eq(known_type_int(&type, "timeout_s", 0), 9);
    ck_assert_int_eq(type.seen_ms, 2000);
    ck_assert_uint_eq(json_array_size(type.queues), 2);
    ck_assert(known_type_is_served_in(&type, "bulk"));
    ck_assert(known_type_is_served_in(&type, "default"));
    ck_assert(type_table_find(table, "zip", &type));
    ck_assert_int_eq(type.seen_ms, 1000);
    ck_assert(!known_type_is_served_in(&type, "bulk"));
    ck_assert_int_eq(known_type_int(&type, "max_attempts", 3), 3);
    ck_assert(!type_table_find(table, "ech", &type));
    ck_assert(!type_table_find(table, "", &type));
}
END_TEST

static const char *const damaged[] = {"", "{", "[]", "1", "{}", "{\"types\":[]}", "{\"types\":{\"A b\":{}}}",
    "{\"types\":{\"echo\":1}}", "{\"types\":null,\"queues\":{}}", "{\"types\":{\"\":{}}}"};

START_TEST(what_is_malformed_is_left_out)
{
    struct known_type type;

    table = type_table_new((struct published_types[]){text(damaged[_i], 3000), text(old_one, 1000)}, 2);
    ck_assert_uint_eq(type_table_count(table), 2);
    ck_assert(type_table_find(table, "echo", &type));
    ck_assert_int_eq(known_type_int(&type, "timeout_s", 0), 5);
}
END_TEST

START_TEST(names_of_queues_are_checked)
{
    struct known_type type;

    table = type_table_new(
        (struct published_types[]){text("{\"queues\":[1,\"No Name\",\"a\",\"a\"],\"types\":{\"x\":{}}}", 1)},
        1);
    ck_assert(type_table_find(table, "x", &type));
    ck_assert_uint_eq(json_array_size(type.queues), 1);
}
END_TEST

START_TEST(a_table_may_be_empty)
{
    struct known_type type;

    table = type_table_new(NULL, 0);
    ck_assert_uint_eq(type_table_count(table), 0);
    ck_assert(!type_table_find(table, "echo", &type));
}
END_TEST

Suite *types_suite(void)
{
    Suite *suite = suite_create("types");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, NULL, close_table);
    tcase_add_test(all, the_newest_text_tells_of_a_type_and_queues_add_up);
    tcase_add_loop_test(all, what_is_malformed_is_left_out, 0, (int)ARRAY_LENGTH(damaged));
    tcase_add_test(all, names_of_queues_are_checked);
    tcase_add_test(all, a_table_may_be_empty);
    suite_add_tcase(suite, all);
    return suite;
}
