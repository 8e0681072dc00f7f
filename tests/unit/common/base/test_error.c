#include "common/base/error.h"

#include <check.h>

Suite *error_suite(void);

START_TEST(an_error_holds_code_and_text)
{
    struct error e = {0};

    ck_assert(!error_set(&e, ERROR_NOT_FOUND, "no job %s in %d queues", "a", 3));
    ck_assert_int_eq(e.code, ERROR_NOT_FOUND);
    ck_assert_str_eq(e.text, "no job a in 3 queues");
}
END_TEST

START_TEST(an_error_takes_its_own_text_into_a_longer_one)
{
    struct error e = {0};

    error_set(&e, ERROR_STORE_AWAY, "connection refused");
    error_set(&e, e.code, "blob store: %s", e.text);
    ck_assert_int_eq(e.code, ERROR_STORE_AWAY);
    ck_assert_str_eq(e.text, "blob store: connection refused");
}
END_TEST

START_TEST(a_long_text_is_cut)
{
    struct error e = {0};
    char text[400];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&e, ERROR_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

static const struct cut_row {
    const char *name;
    size_t before; /* bytes before the character */
    const char *character;
    size_t length; /* of what must be left */
} cut_rows[] = {
    {"two bytes that fit", 253, "\xc3\xa9", 255},
    {"two bytes, the last cut", 254, "\xc3\xa9", 254},
    {"three bytes, the last cut", 253, "\xe2\x82\xac", 253},
    {"three bytes, two cut", 254, "\xe2\x82\xac", 254},
    {"four bytes that fit", 251, "\xf0\x9f\x98\x80", 255},
    {"four bytes, the last cut", 252, "\xf0\x9f\x98\x80", 252},
    {"four bytes, three cut", 254, "\xf0\x9f\x98\x80", 254},
    {"an ASCII text", 254, "ab", 255},
};

START_TEST(a_text_is_never_cut_inside_a_character)
{
    const struct cut_row *row = &cut_rows[_i];
    struct error e = {0};
    char padding[256] = {0};

    memset(padding, 'x', row->before);
    error_set(&e, ERROR_INVALID, "%s%syyyyyyyy", padding, row->character);
    ck_assert_msg(strlen(e.text) == row->length, "%s: %zu bytes are left", row->name, strlen(e.text));
}
END_TEST

START_TEST(names_are_unique_and_lead_back_to_their_code)
{
    for (unsigned code = 0; code < ERROR_COUNT; code++) {
        ck_assert_uint_eq(error_from_name(error_name(code)), code);
        ck_assert_str_ne(error_title(code), "");
    }
    ck_assert_uint_eq(error_from_name("no_such_code"), ERROR_COUNT);
    ck_assert_uint_eq(error_from_name(""), ERROR_COUNT);
}
END_TEST

START_TEST(codes_say_status_and_whether_to_retry)
{
    ck_assert_int_eq(error_http_status(ERROR_BAD_JSON), 400);
    ck_assert_int_eq(error_http_status(ERROR_TOO_BIG), 413);
    ck_assert_int_eq(error_http_status(ERROR_REDIS_AWAY), 503);
    ck_assert(error_is_retryable(ERROR_REDIS_AWAY));
    ck_assert(error_is_retryable(ERROR_HANDLER_KILLED));
    ck_assert(!error_is_retryable(ERROR_BAD_PAYLOAD));
    ck_assert(!error_is_retryable(ERROR_STORE_REFUSED));
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *all = tcase_create("error");

    tcase_add_test(all, an_error_holds_code_and_text);
    tcase_add_test(all, an_error_takes_its_own_text_into_a_longer_one);
    tcase_add_test(all, a_long_text_is_cut);
    tcase_add_loop_test(all, a_text_is_never_cut_inside_a_character, 0, ARRAY_LENGTH(cut_rows));
    tcase_add_test(all, names_are_unique_and_lead_back_to_their_code);
    tcase_add_test(all, codes_say_status_and_whether_to_retry);
    suite_add_tcase(suite, all);
    return suite;
}
