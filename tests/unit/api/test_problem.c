#include "api/problem.h"

#include <check.h>

#include "common/base/json.h"
#include "tests/support/http.h"

Suite *problem_suite(void);

static struct buf text;

static void open_text(void)
{
    buf_init(&text, 65536);
}

static void close_text(void)
{
    buf_release(&text);
}

/* The text as JSON (json_decref). */
static json_t *parse(void)
{
    struct error e = {0};
    json_t *value = json_parse(text.data, text.length, &e);

    ck_assert_msg(value != NULL, "%s: %s", e.text, text.data);
    ck_assert_int_eq(text.data[text.length - 1], '\n');
    return value;
}

START_TEST(every_code_has_its_problem)
{
    const struct error e = {.code = (enum error_code)_i, .text = "what was wrong here"};
    AUTO(json) json_t *problem = NULL;
    char type[128];

    problem_write(&text, &e, NULL);
    problem = parse();
    snprintf(type, sizeof(type), "urn:jobgate:problem:%s", error_name(e.code));
    ck_assert_str_eq(json_text_at(problem, "/type"), type);
    ck_assert_str_eq(json_text_at(problem, "/title"), error_title(e.code));
    ck_assert_int_eq(json_int_at(problem, "/status"), error_http_status(e.code));
    ck_assert_str_eq(json_text_at(problem, "/code"), error_name(e.code));
    ck_assert_str_eq(json_text_at(problem, "/detail"), "what was wrong here");
    ck_assert_uint_eq(json_object_size(problem), 5);
}
END_TEST

static const struct detail_row {
    const char *name;
    const char *text;
    const char *shown;
} detail_rows[] = {
    {"nothing", "", ""},
    {"quotes", "\"a\\b\"", "\"a\\b\""},
    {"lines", "a\nb\tc\x01", "a\nb\tc\x01"},
    {"UTF-8", "\xc3\xa9 \xf0\x9f\x98\x80", "\xc3\xa9 \xf0\x9f\x98\x80"},
    {"no UTF-8", "a\xff", "a\xef\xbf\xbd"},
    {"what looks like a format", "100%s %n", "100%s %n"},
    {"what looks like JSON", "\",\"status\":200,\"x\":\"", "\",\"status\":200,\"x\":\""},
};

START_TEST(the_detail_is_shown_as_it_is)
{
    const struct detail_row *row = &detail_rows[_i];
    struct error e = {.code = ERROR_INVALID};
    AUTO(json) json_t *problem = NULL;

    snprintf(e.text, sizeof(e.text), "%s", row->text);
    problem_write(&text, &e, NULL);
    problem = parse();
    ck_assert_str_eq(json_text_at(problem, "/detail"), row->shown);
    ck_assert_int_eq(json_int_at(problem, "/status"), 422);
}
END_TEST

START_TEST(members_of_its_own_come_last)
{
    const struct error e = {.code = ERROR_CONFLICT, .text = "it runs"};
    AUTO(json) json_t *problem = NULL;

    problem_write(&text, &e, ",\"state\":\"running\",\"list\":[1]");
    problem = parse();
    ck_assert_str_eq(json_text_at(problem, "/state"), "running");
    ck_assert_int_eq(json_int_at(problem, "/list/0"), 1);
    ck_assert_uint_eq(json_object_size(problem), 7);
}
END_TEST

START_TEST(a_problem_is_appended)
{
    const struct error e = {.code = ERROR_NOT_FOUND, .text = "gone"};

    buf_append_text(&text, "before");
    problem_write(&text, &e, "");
    ck_assert_mem_eq(text.data, "before{\"type\":\"urn:jobgate:problem:not_found\"", 44);
}
END_TEST

Suite *problem_suite(void)
{
    Suite *suite = suite_create("problem");
    TCase *all = tcase_create("problem");

    tcase_add_checked_fixture(all, open_text, close_text);
    tcase_add_loop_test(all, every_code_has_its_problem, 0, ERROR_COUNT);
    tcase_add_loop_test(all, the_detail_is_shown_as_it_is, 0, ARRAY_LENGTH(detail_rows));
    tcase_add_test(all, members_of_its_own_come_last);
    tcase_add_test(all, a_problem_is_appended);
    suite_add_tcase(suite, all);
    return suite;
}
