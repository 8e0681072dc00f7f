#include "common/blob/payload.h"

#include <check.h>

Suite *payload_suite(void);

#define ID "bulk.3.01ARZ3NDEKTSV4RRFFQ69G5FAV"

static struct job_id id;

static void open_id(void)
{
    struct error e;

    ck_assert(id_parse(ID, &id, &e));
}

START_TEST(names_lead_back_to_their_job)
{
    char name[BLOB_NAME_SIZE];
    struct job_id found;

    payload_name(&id, name);
    ck_assert_ptr_nonnull(strstr(name, "/bulk/" ID));
    ck_assert(payload_job(name, &found));
    ck_assert_str_eq(found.text, ID);
    ck_assert_int_eq(payload_part_number(name), 0);
    payload_part_name(&id, "me", PAYLOAD_PARTS_MAX, name);
    ck_assert(payload_job(name, &found));
    ck_assert_str_eq(found.text, ID);
    ck_assert_int_eq(payload_part_number(name), PAYLOAD_PARTS_MAX);
}
END_TEST

/* A list gives them in the order of their names. */
START_TEST(parts_stand_in_the_order_of_their_numbers)
{
    char before[BLOB_NAME_SIZE] = "";
    char name[BLOB_NAME_SIZE];

    for (int part = 1; part <= PAYLOAD_PARTS_MAX; part++) {
        payload_part_name(&id, "", part, name);
        ck_assert_int_lt(strcmp(before, name), 0);
        ck_assert_int_eq(payload_part_number(name), part);
        memcpy(before, name, sizeof(name));
    }
}
END_TEST

START_TEST(nobody_has_the_parts_of_another)
{
    char mine[BLOB_NAME_SIZE];
    char other[BLOB_NAME_SIZE];
    char part[BLOB_NAME_SIZE];

    payload_parts_prefix(&id, "mine", mine);
    payload_parts_prefix(&id, "other", other);
    ck_assert_str_ne(mine, other);
    payload_part_name(&id, "mine", 7, part);
    ck_assert_int_eq(strncmp(part, mine, strlen(mine)), 0);
    ck_assert_int_ne(strncmp(part, other, strlen(other)), 0);
}
END_TEST

static const char *const foreign[] = {"", "payloads", "payloads/00", "payloads/00/bulk", "payloads/00/bulk/",
    "payloads/00/bulk/x", "results/00/bulk/" ID, "payloads//bulk"};

START_TEST(other_names_belong_to_no_job)
{
    struct job_id found;

    ck_assert_msg(!payload_job(foreign[_i], &found), "%s", foreign[_i]);
}
END_TEST

static const char *const numbers[] = {
    "", "x", "x-", "x-0", "x-00000", "x-10001", "x-1x", "x-99999999999999999999"};

START_TEST(what_is_no_number_of_a_part_is_none)
{
    ck_assert_msg(payload_part_number(numbers[_i]) == 0, "%s", numbers[_i]);
}
END_TEST

Suite *payload_suite(void)
{
    Suite *suite = suite_create("payload");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_id, NULL);
    tcase_add_test(all, names_lead_back_to_their_job);
    tcase_add_test(all, parts_stand_in_the_order_of_their_numbers);
    tcase_add_test(all, nobody_has_the_parts_of_another);
    tcase_add_loop_test(all, other_names_belong_to_no_job, 0, (int)ARRAY_LENGTH(foreign));
    tcase_add_loop_test(all, what_is_no_number_of_a_part_is_none, 0, (int)ARRAY_LENGTH(numbers));
    suite_add_tcase(suite, all);
    return suite;
}
