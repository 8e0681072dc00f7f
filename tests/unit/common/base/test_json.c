#include "common/base/json.h"

#include <check.h>

Suite *json_suite(void);

/* A string literal with its length, so that it may hold NUL bytes. */
#define TEXT(literal) literal, sizeof(literal) - 1

static const struct accept_row {
    const char *text;
    size_t length;
} accepted[] = {
    {TEXT("{}")},
    {TEXT("[]")},
    {TEXT("null")},
    {TEXT(" \t\r\n true \t\r\n ")},
    {TEXT("\"\"")},
    {TEXT("0")},
    {TEXT("-0")},
    {TEXT("-1.5e-7")},
    {TEXT("1E+2")},
    {TEXT("9223372036854775807")},
    {TEXT("-9223372036854775808")},
    {TEXT("1.7976931348623157e308")},
    {TEXT("[\"\\ud83d\\ude00\"]")},
    {TEXT("[\"\xf0\x9f\x98\x80 \xc3\xa9 \xef\xbf\xbf\"]")},
    {TEXT("[\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9\"]")},
    {TEXT("[\"a\\u0000b\"]")},
    {TEXT("[\"\x7f\"]")},
    {TEXT("{\"a\":{\"a\":{\"a\":[]}}}")},
    {TEXT("{\"\":1}")},
    {TEXT("[\"[[[[{{{{\"]")},
};

START_TEST(json_is_accepted)
{
    struct error e = {0};
    AUTO(json) json_t *value = json_parse(accepted[_i].text, accepted[_i].length, &e);

    ck_assert_msg(value != NULL, "%s: %s", accepted[_i].text, e.text);
}
END_TEST

static const struct refuse_row {
    const char *name;
    const char *text;
    size_t length;
    const char *where;
    const char *why; /* stands in the error's text */
} refused[] = {
    {"nothing", TEXT(""), "line 1, column 1:", "unexpected token"},
    {"blanks", TEXT("\n\n  "), "line 3, column 3:", "unexpected token"},
    {"a word", TEXT("hello"), "line 1, column 5:", "invalid token"},
    {"duplicate name", TEXT("{\"a\":1,\"a\":2}"), "line 1, column 10:", "duplicate object key"},
    {"duplicate name, escaped", TEXT("{\"a\":1,\n\"\\u0061\":2}"),
        "line 2, column 8:", "duplicate object key"},
    {"duplicate name below", TEXT("[{\"b\":{\"a\":1,\"a\":2}}]"),
        "line 1, column 16:", "duplicate object key"},
    {"trailing value", TEXT("{}{}"), "line 1, column 3:", "end of file expected"},
    {"trailing word", TEXT("[1] x"), "line 1, column 5:", "end of file expected"},
    {"trailing NUL", TEXT("{}\0"), "line 1, column 3:", "a NUL byte"},
    {"NUL between", TEXT("[1,\0 2]"), "line 1, column 4:", "a NUL byte"},
    {"NUL in a string", TEXT("[\"a\0b\"]"), "line 1, column 4:", "a NUL byte"},
    {"NUL in a name", TEXT("{\"a\\u0000b\":1}"), "line 1,", "NUL byte in object key"},
    {"newline in a string", TEXT("[\"a\nb\"]"), "line 1, column 3:", "unexpected newline"},
    {"tab in a string", TEXT("[\"a\tb\"]"), "line 1, column 3:", "control character 0x9"},
    {"trailing comma in an array", TEXT("[1,]"), "line 1, column 4:", "unexpected token"},
    {"trailing comma in an object", TEXT("{\"a\":1,}"), "line 1, column 8:", "string or '}' expected"},
    {"no value", TEXT("{\n  \"a\":\n}"), "line 3, column 1:", "unexpected token"},
    {"no colon", TEXT("{\"a\" 1}"), "line 1, column 6:", "':' expected"},
    {"name without quotes", TEXT("{a:1}"), "line 1, column 2:", "string or '}' expected"},
    {"single quotes", TEXT("['a']"), "line 1, column 2:", "invalid token"},
    {"comment", TEXT("[1] // one"), "line 1, column 5:", "end of file expected"},
    {"open array", TEXT("[1,2"), "line 1, column 5:", "']' expected"},
    {"open object", TEXT("{\"a\":1\n"), "line 2, column 1:", "'}' expected"},
    {"open string", TEXT("\"abc"), "line 1, column 5:", "premature end of input"},
    {"ends in an escape", TEXT("\"abc\\"), "line 1,", ""},
    {"wrong bracket", TEXT("[1}"), "line 1, column 3:", "']' expected"},
    {"leading zero", TEXT("01"), "line 1, column 1:", "invalid token"},
    {"plus", TEXT("+1"), "line 1, column 1:", "invalid token"},
    {"no digit before the point", TEXT(".5"), "line 1, column 1:", "invalid token"},
    {"no digit behind the point", TEXT("1."), "line 1, column 2:", "invalid token"},
    {"minus alone", TEXT("-"), "line 1, column 1:", "invalid token"},
    {"hexadecimal", TEXT("0x10"), "line 1, column 2:", "end of file expected"},
    {"NaN", TEXT("NaN"), "line 1, column 3:", "invalid token"},
    {"Infinity", TEXT("[-Infinity]"), "line 1, column 2:", "invalid token"},
    {"True", TEXT("True"), "line 1, column 4:", "invalid token"},
    {"one past 63 bits", TEXT("9223372036854775808"), "line 1, column 19:", "too big integer"},
    {"64 bits without a sign", TEXT("18446744073709551615"), "line 1, column 20:", "too big integer"},
    {"one below", TEXT("-9223372036854775809"), "line 1, column 20:", "too big negative integer"},
    {"beyond a double", TEXT("1e309"), "line 1, column 5:", "real number overflow"},
    {"high surrogate alone", TEXT("[\"\\ud800\"]"), "line 1, column 9:", "invalid Unicode"},
    {"high surrogate twice", TEXT("[\"\\ud800\\ud800\"]"), "line 1,", "invalid Unicode"},
    {"low surrogate alone", TEXT("[\"\\udc00\"]"), "line 1, column 9:", "invalid Unicode"},
    {"bad escape", TEXT("[\"\\x41\"]"), "line 1,", "invalid escape"},
    {"short escape", TEXT("[\"\\u12\"]"), "line 1,", "invalid escape"},
    {"byte order mark", TEXT("\xef\xbb\xbf{}"), "line 1, column 1:", "invalid token"},
    {"a byte that is never UTF-8", TEXT("[\"\xff\"]"), "line 1, column 3:", "unable to decode byte 0xff"},
    {"continuation alone", TEXT("[\"a\x80\"]"), "line 1, column 4:", "unable to decode byte 0x80"},
    {"cut sequence", TEXT("[\"\xc3\"]"), "line 1, column 3:", "unable to decode byte 0xc3"},
    {"overlong", TEXT("[\"\xc0\xaf\"]"), "line 1, column 3:", "unable to decode byte 0xc0"},
    {"overlong of three", TEXT("[\"\xe0\x80\xaf\"]"), "line 1, column 3:", "unable to decode byte 0xe0"},
    {"surrogate in UTF-8", TEXT("[\"\xed\xa0\x80\"]"), "line 1, column 3:", "unable to decode byte 0xed"},
    {"beyond U+10FFFF", TEXT("[\"\xf4\x90\x80\x80\"]"), "line 1, column 3:", "unable to decode byte 0xf4"},
    {"UTF-8 in the wrong place", TEXT("{\"a\":\n \xc3\xa9}"), "line 2, column 2:", "invalid token"},
    {"columns count characters", TEXT("[\"\xc3\xa9\xc3\xa9\",x]"), "line 1, column 7:", "invalid token"},
};

START_TEST(what_is_no_json_is_refused)
{
    const struct refuse_row *row = &refused[_i];
    struct error e = {0};
    AUTO(json) json_t *value = json_parse(row->text, row->length, &e);

    ck_assert_msg(value == NULL, "%s is taken", row->name);
    ck_assert_int_eq(e.code, ERROR_BAD_JSON);
    ck_assert_msg(strncmp(e.text, row->where, strlen(row->where)) == 0, "%s: %s, not %s", row->name, e.text,
        row->where);
    ck_assert_msg(strstr(e.text, row->why) != NULL, "%s: %s, not %s", row->name, e.text, row->why);
}
END_TEST

/* Nests arrays or objects so deep, the innermost empty. Released with free(). */
static char *nested(int depth, bool in_objects)
{
    AUTO_BUF struct buf b = BUF(1 << 20);

    for (int i = 0; i < depth; i++)
        buf_append_text(&b, !in_objects ? "[" : i < depth - 1 ? "{\"a\":" : "{");
    for (int i = 0; i < depth; i++)
        buf_append_text(&b, in_objects ? "}" : "]");
    return buf_take(&b, NULL);
}

START_TEST(the_depth_has_an_end)
{
    bool in_objects = _i;
    struct error e = {0};
    AUTO(free) char *deep = nested(JSON_MAX_DEPTH, in_objects);
    AUTO(free) char *deeper = nested(JSON_MAX_DEPTH + 1, in_objects);
    AUTO(free) char *deepest = nested(100000, in_objects);
    AUTO(json) json_t *value = json_parse(deep, strlen(deep), &e);

    ck_assert_msg(value != NULL, "%s", e.text);
    ck_assert_ptr_null(json_parse(deeper, strlen(deeper), &e));
    ck_assert_str_eq(e.text, in_objects ? "line 1, column 321: nested more than 64 deep"
                                        : "line 1, column 65: nested more than 64 deep");
    ck_assert_ptr_null(json_parse(deepest, strlen(deepest), &e));
}
END_TEST

START_TEST(brackets_in_strings_and_side_by_side_are_no_depth)
{
    struct error e = {0};
    AUTO_BUF struct buf b = BUF(1 << 20);
    AUTO(json) json_t *value = NULL;

    buf_append_text(&b, "[\"");
    for (int i = 0; i < 1000; i++)
        buf_append_text(&b, "[{\\\"");
    buf_append_text(&b, "\"");
    for (int i = 0; i < 1000; i++)
        buf_append_text(&b, ",[[],{}]");
    buf_append_text(&b, "]");
    value = json_parse(b.data, b.length, &e);
    ck_assert_msg(value != NULL, "%s", e.text);
}
END_TEST

START_TEST(the_depth_is_found_where_the_line_and_column_say)
{
    struct error e = {0};
    AUTO(free) char *deeper = nested(JSON_MAX_DEPTH + 1, false);
    AUTO_BUF struct buf b = BUF(1 << 20);

    buf_append_text(&b, "{\n\"\xc3\xa9\": ");
    buf_append_text(&b, deeper);
    buf_append_text(&b, "}");
    ck_assert_ptr_null(json_parse(b.data, b.length, &e));
    ck_assert_str_eq(e.text, "line 2, column 69: nested more than 64 deep");
}
END_TEST

static const struct keep_row {
    const char *name;
    const char *text;
    const char *payload; /* NULL: none is found */
} kept[] = {
    {"a number", "{\"payload\":1}", "1"},
    {"a number of 64 bits", "{\"payload\":9223372036854775807}", "9223372036854775807"},
    {"a number that a double would change", "{\"payload\":0.10000000000000000000000000001}",
        "0.10000000000000000000000000001"},
    {"64 bits inside", "{\"payload\":{\"n\":-9223372036854775808,\"m\":1.50}}",
        "{\"n\":-9223372036854775808,\"m\":1.50}"},
    {"a string", "{\"payload\":\"a\"}", "\"a\""},
    {"null", "{\"payload\":null}", "null"},
    {"spaces around", "{ \"payload\" :\n\t [1, 2] \r\n , \"type\":\"a\"}", "[1, 2]"},
    {"spaces before the end", "{\"payload\": true  }", "true"},
    {"the last", "{\"type\":\"a\",\"payload\":{}}", "{}"},
    {"none", "{\"type\":\"a\"}", NULL},
    {"none in an empty object", "{}", NULL},
    {"the same name below", "{\"a\":{\"payload\":1},\"payload\":2,\"b\":[{\"payload\":3}]}", "2"},
    {"the same name inside", "{\"payload\":{\"payload\":{\"payload\":1}}}", "{\"payload\":{\"payload\":1}}"},
    {"the same name below only", "{\"a\":{\"payload\":1}}", NULL},
    {"the name as a value", "{\"a\":\"payload\",\"b\":1}", NULL},
    {"the name as a value, then a member", "{\"a\":\"payload\",\"payload\":7}", "7"},
    {"the name in an array", "{\"a\":[\"payload\",1]}", NULL},
    {"a longer name", "{\"payload2\":1}", NULL},
    {"a shorter name", "{\"payloa\":1}", NULL},
    {"a string with braces", "{\"a\":\"}{][\",\"payload\":\"{[,:\\\"}\",\"b\":1}", "\"{[,:\\\"}\""},
    {"a string that ends in a backslash", "{\"payload\":\"\\\\\",\"b\":\"\\\\\"}", "\"\\\\\""},
    {"an escaped quote before", "{\"a\\\"\":1,\"payload\":2}", "2"},
    {"an escaped name below", "{\"a\":{\"p\\u0061yload\":1},\"payload\":2}", "2"},
    {"characters of several bytes", "{\"payload\":\"\xc3\xa9\"}", "\"\xc3\xa9\""},
    {"an escaped NUL", "{\"payload\":\"a\\u0000b\"}", "\"a\\u0000b\""},
    {"an array on top", "[\"payload\",{\"payload\":1}]", NULL},
    {"a string on top", "\"payload\"", NULL},
    {"a number on top", "7", NULL},
};

START_TEST(a_member_is_kept_as_it_stands)
{
    const struct keep_row *row = &kept[_i];
    struct error e = {0};
    struct json_span member = {.text = "old", .length = 3};
    AUTO(json) json_t *value = json_parse_keeping(row->text, strlen(row->text), "payload", &member, &e);

    ck_assert_msg(value != NULL, "%s: %s", row->name, e.text);
    if (!row->payload) {
        ck_assert_msg(member.text == NULL, "%s: %.*s", row->name, (int)member.length, member.text);
        return;
    }
    ck_assert_msg(member.text != NULL, "%s: nothing is found", row->name);
    ck_assert_msg(
        member.length == strlen(row->payload) && memcmp(member.text, row->payload, member.length) == 0,
        "%s: %.*s", row->name, (int)member.length, member.text);
}
END_TEST

static const char *const refused_keeping[] = {
    "{\"p\\u0061yload\":1}",
    "{\"payload\":1,\"p\\u0061yload\":2}",
    "{\"payload\":1,\"payload\":2}",
    "{\"payload\":9223372036854775808}",
    "{\"payload\":{\"a\":\"\\ud800\"}}",
    "{\"payload\":\"\xff\"}",
    "{\"payload\":",
    "{\"payload\"",
    "{\"payload",
    "{\"payload\":\"",
    "{\"payload\":1",
    "{\"payload\"::1}",
    "{\"payload\":1}}",
    "{\"payload\":}",
    "\"payload\":1",
    "[\"payload\":1]",
    "}}\"payload\":1",
};

START_TEST(a_member_is_not_kept_of_what_is_refused)
{
    const char *text = refused_keeping[_i];
    struct error e = {0};
    struct json_span member = {.text = "old", .length = 3};

    ck_assert_msg(!json_parse_keeping(text, strlen(text), "payload", &member, &e), "%s is taken", text);
    ck_assert_int_eq(e.code, ERROR_BAD_JSON);
    ck_assert_msg(member.length == 3, "%s: the outputs of a failure are to be untouched", text);
}
END_TEST

/* Any prefix of a text, at the end of the memory: with the sanitizers on, a read too far ends the test. */
START_TEST(no_prefix_is_read_past_its_end)
{
    static const char text[] = "{\"a\\\"\\u00e9\":[1,-2.5e3,true,null,\"\\ud83d\\ude00\"],\n \"payload\" : "
                               "{\"x\":\"}\\\\\"} , \"b\":{}}";

    for (size_t length = 0; length < sizeof(text); length++) {
        AUTO(free) char *prefix = malloc(length ? length : 1);
        struct error e = {0};
        struct json_span member;
        AUTO(json) json_t *value = NULL;

        memcpy(prefix, text, length);
        value = json_parse_keeping(prefix, length, "payload", &member, &e);
        ck_assert_msg((value != NULL) == (length == sizeof(text) - 1), "%zu bytes", length);
    }
}
END_TEST

static const struct write_row {
    const char *name;
    const char *text;
    size_t length;
    const char *written;
} write_rows[] = {
    {"nothing", TEXT(""), "\"\""},
    {"plain", TEXT("abc ~"), "\"abc ~\""},
    {"quotes and backslashes", TEXT("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
    {"short escapes", TEXT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
    {"other control characters", TEXT("\x01\x1f\x7f"), "\"\\u0001\\u001f\\u007f\""},
    {"NUL", TEXT("a\0b"), "\"a\\u0000b\""},
    {"UTF-8", TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"no UTF-8",
        TEXT("a\xff"
             "b"),
        "\"a\xef\xbf\xbd"
        "b\""},
    {"a sequence cut by the end", TEXT("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {"overlong", TEXT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"a surrogate", TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"beyond U+10FFFF", TEXT("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(a_string_is_written_as_json)
{
    const struct write_row *row = &write_rows[_i];
    struct error e = {0};
    AUTO_BUF struct buf b = BUF(1000);
    AUTO(json) json_t *value = NULL;

    json_write_string(&b, row->text, row->length);
    ck_assert_msg(strcmp(b.data, row->written) == 0, "%s: %s, not %s", row->name, b.data, row->written);
    value = json_parse(b.data, b.length, &e);
    ck_assert_msg(value != NULL, "%s: %s", row->name, e.text);
}
END_TEST

START_TEST(members_values_and_pointers_are_written)
{
    AUTO_BUF struct buf b = BUF(1000);
    struct error e = {0};
    AUTO(json) json_t *value = json_parse(TEXT(" { \"a\" : [ 1 , 2.5 , \"\xc3\xa9\" ] } "), &e);

    json_write_member(&b, "name", "a\"b");
    ck_assert_str_eq(b.data, ",\"name\":\"a\\\"b\"");
    buf_reset(&b);
    json_write_value(&b, value);
    ck_assert_str_eq(b.data, "{\"a\":[1,2.5,\"\xc3\xa9\"]}");
    buf_reset(&b);
    json_write_pointer_step(&b, "a/b");
    json_write_pointer_step(&b, "~1");
    json_write_pointer_step(&b, "");
    ck_assert_str_eq(b.data, "/a~1b/~01/");
}
END_TEST

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

/* A long text is not shown to jansson; what is around it is read as strictly as ever. */
START_TEST(long_text_is_kept_without_a_look)
{
    static const char taken[] = "{\"a\":1, \"payload\" : \"" LONG "\" ,\"b\":[2]}";
    static const char *const broken[] = {
        "{\"payload\":\"" LONG "\",\"payload\":1}",
        "{\"payload\":1,\"payload\":\"" LONG "\"}",
        "{\"payload\":\"" LONG "\",\"a\":01}",
        "{\"payload\":\"" LONG "\"x}",
        "{\"payload\":\"" LONG "\" \"" LONG "\"}",
        "{\"payload\":\"" LONG "\"",
        "{\"payload\":\"" LONG "}",
        "{\"payload\":\"" LONG "\x01\"}",
        "{\"payload\":\"" LONG "\\x\"}",
        "{\"payload\":\"" LONG "\xff\"}",
        "[\"payload\":\"" LONG "\"]",
    };
    struct json_span member = {0};
    struct error e;
    AUTO(json) json_t *value = json_parse_keeping(taken, strlen(taken), "payload", &member, &e);

    ck_assert_ptr_nonnull(value);
    ck_assert_uint_eq(member.length, strlen(LONG) + 2);
    ck_assert_int_eq(strncmp(member.text, "\"" LONG "\"", member.length), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(value, "a")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(value, "b")), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++)
        ck_assert_msg(!json_parse_keeping(broken[i], strlen(broken[i]), "payload", &member, &e),
            "%s is taken", broken[i]);
}
END_TEST

/* Where a mistake stands is said as it is in the text that came. */
START_TEST(mistake_behind_a_long_text_is_found_there)
{
    static const char text[] = "{\"payload\":\"" LONG "\", 5}";
    struct json_span member;
    struct error e;

    ck_assert(!json_parse_keeping(text, strlen(text), "payload", &member, &e));
    ck_assert_msg(strstr(e.text, "line 1, column 86"), "%s", e.text);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *all = tcase_create("json");

    tcase_add_loop_test(all, json_is_accepted, 0, ARRAY_LENGTH(accepted));
    tcase_add_loop_test(all, what_is_no_json_is_refused, 0, ARRAY_LENGTH(refused));
    tcase_add_loop_test(all, the_depth_has_an_end, 0, 2);
    tcase_add_test(all, brackets_in_strings_and_side_by_side_are_no_depth);
    tcase_add_test(all, the_depth_is_found_where_the_line_and_column_say);
    tcase_add_loop_test(all, a_member_is_kept_as_it_stands, 0, ARRAY_LENGTH(kept));
    tcase_add_loop_test(all, a_member_is_not_kept_of_what_is_refused, 0, ARRAY_LENGTH(refused_keeping));
    tcase_add_test(all, no_prefix_is_read_past_its_end);
    tcase_add_loop_test(all, a_string_is_written_as_json, 0, ARRAY_LENGTH(write_rows));
    tcase_add_test(all, members_values_and_pointers_are_written);
    tcase_add_test(all, long_text_is_kept_without_a_look);
    tcase_add_test(all, mistake_behind_a_long_text_is_found_there);
    suite_add_tcase(suite, all);
    return suite;
}
