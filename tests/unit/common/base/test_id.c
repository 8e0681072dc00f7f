#include "common/base/id.h"
#include "common/base/clock.h"

#include <check.h>

Suite *id_suite(void);

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"

static const struct name_row {
    const char *text;
    bool is_valid;
} name_rows[] = {
    {"a", true},
    {"0", true},
    {"default", true},
    {"a-b_c9", true},
    {"a-", true},
    {N63, true},
    {N63 "x", false},
    {"", false},
    {"-a", false},
    {"_a", false},
    {"A", false},
    {"aB", false},
    {"a.b", false},
    {"a b", false},
    {"a/b", false},
    {"a\n", false},
    {"\xc3\xa9", false},
};

START_TEST(a_name_is_what_the_pattern_says)
{
    const struct name_row *row = &name_rows[_i];

    ck_assert_msg(name_is_valid(row->text, strlen(row->text)) == row->is_valid, "\"%s\"", row->text);
}
END_TEST

START_TEST(a_name_ends_where_its_length_says)
{
    ck_assert(name_is_valid("abC", 2));
    ck_assert(!name_is_valid("ab\0", 3));
}
END_TEST

static const struct parse_row {
    const char *name;
    const char *text;
} bad_ids[] = {
    {"empty", ""},
    {"no dot", "default"},
    {"one dot", "default.0"},
    {"no ULID", "default.0."},
    {"a ULID alone", "01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"no queue", ".0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"bad queue", "Default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"long queue", N63 "x.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"no shard", "default..01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"leading zero", "default.00.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"leading zero before a digit", "default.07.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"negative shard", "default.-1.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"signed shard", "default.+1.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"blank shard", "default. 1.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"shard past the last", "default.4096.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"shard of five digits", "default.10000.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"short ULID", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQ"},
    {"long ULID", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQRS"},
    {"lower case", "default.0.01ka2b3c4d5e6f7g8h9jkmnpqr"},
    {"the letter I", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQI"},
    {"the letter L", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQL"},
    {"the letter O", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQO"},
    {"the letter U", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQU"},
    {"more than 128 bits", "default.0.81KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"no ASCII", "default.0.\xc3\xa9KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"a newline behind", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR\n"},
    {"a third dot", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR."},
    {"braces", "{default}.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"a path", "../../../../../../../../../../etc/passwd"},
};

START_TEST(what_is_no_id_is_not_found)
{
    struct error e = {0};
    struct job_id id = {.created_ms = 77};

    ck_assert_msg(!id_parse(bad_ids[_i].text, &id, &e), "%s", bad_ids[_i].name);
    ck_assert_int_eq(e.code, ERROR_NOT_FOUND);
    ck_assert_int_eq(id.created_ms, 77);
}
END_TEST

static const struct parse_row good_ids[] = {
    {"as the error's text shows it", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"the longest", N63 ".4095.7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
    {"the least", "0.0.00000000000000000000000000"},
};

START_TEST(an_id_is_parsed_whole)
{
    struct error e = {0};
    struct job_id id;

    ck_assert_msg(id_parse(good_ids[_i].text, &id, &e), "%s: %s", good_ids[_i].name, e.text);
    ck_assert_str_eq(id.text, good_ids[_i].text);
}
END_TEST

START_TEST(the_time_of_the_ulid_is_read)
{
    struct error e = {0};
    struct job_id id;

    /* Source: the ULID specification's example, 01ARZ3NDEKTSV4RRFFQ69G5FAV. */
    ck_assert(id_parse("q.12.01ARZ3NDEKTSV4RRFFQ69G5FAV", &id, &e));
    ck_assert_int_eq(id.created_ms, 1469922850259);
    ck_assert_str_eq(id.shard.queue, "q");
    ck_assert_uint_eq(id.shard.number, 12);
}
END_TEST

START_TEST(what_was_generated_is_parsed_back)
{
    static const struct shard shards[] = {{"default", 0}, {N63, SHARD_MAX}, {"a", 10}};
    struct id_generator g = {0};
    struct error e = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(shards); i++) {
        struct job_id made;
        struct job_id read;

        id_generate(&g, &shards[i], &made);
        ck_assert_msg(id_parse(made.text, &read, &e), "%s: %s", made.text, e.text);
        ck_assert_str_eq(read.text, made.text);
        ck_assert_str_eq(read.shard.queue, shards[i].queue);
        ck_assert_uint_eq(read.shard.number, shards[i].number);
        ck_assert_int_eq(read.created_ms, made.created_ms);
        ck_assert_int_le(llabs(made.created_ms - clock_unix_ms()), 2000);
    }
}
END_TEST

enum { MANY = 10000 };

START_TEST(ids_rise_within_a_millisecond)
{
    struct id_generator g = {0};
    struct job_id before = {0};

    clock_set_for_test(1700000000000);
    for (int i = 0; i < MANY; i++) {
        struct job_id id;

        id_generate(&g, &(struct shard){"default", 0}, &id);
        ck_assert_int_eq(id.created_ms, 1700000000000);
        ck_assert_msg(strcmp(id.text, before.text) > 0, "%s comes after %s", id.text, before.text);
        before = id;
    }
}
END_TEST

START_TEST(ids_rise_when_the_clock_is_set_back)
{
    struct id_generator g = {0};
    char before[ULID_SIZE] = "";

    for (int64_t now_ms = 1700000000100; now_ms > 1700000000000; now_ms--) {
        char ulid[ULID_SIZE];

        clock_set_for_test(now_ms);
        id_generate_ulid(&g, ulid);
        ck_assert_str_gt(ulid, before);
        memcpy(before, ulid, sizeof(before));
    }
}
END_TEST

START_TEST(generators_do_not_repeat_each_other)
{
    struct id_generator one = {0};
    struct id_generator other = {0};
    char ulids[2][ULID_SIZE];

    clock_set_for_test(1700000000000);
    id_generate_ulid(&one, ulids[0]);
    id_generate_ulid(&other, ulids[1]);
    ck_assert_mem_eq(ulids[0], ulids[1], 10);
    ck_assert_str_ne(ulids[0], ulids[1]);
    /* The step within a millisecond is random too: who knows one id does not know the next. */
    other = one;
    id_generate_ulid(&one, ulids[0]);
    other.pool_left -= 4;
    id_generate_ulid(&other, ulids[1]);
    ck_assert_str_ne(ulids[0], ulids[1]);
}
END_TEST

Suite *id_suite(void)
{
    Suite *suite = suite_create("id");
    TCase *all = tcase_create("id");

    tcase_add_loop_test(all, a_name_is_what_the_pattern_says, 0, ARRAY_LENGTH(name_rows));
    tcase_add_test(all, a_name_ends_where_its_length_says);
    tcase_add_loop_test(all, what_is_no_id_is_not_found, 0, ARRAY_LENGTH(bad_ids));
    tcase_add_loop_test(all, an_id_is_parsed_whole, 0, ARRAY_LENGTH(good_ids));
    tcase_add_test(all, the_time_of_the_ulid_is_read);
    tcase_add_test(all, what_was_generated_is_parsed_back);
    tcase_add_test(all, ids_rise_within_a_millisecond);
    tcase_add_test(all, ids_rise_when_the_clock_is_set_back);
    tcase_add_test(all, generators_do_not_repeat_each_other);
    suite_add_tcase(suite, all);
    return suite;
}
