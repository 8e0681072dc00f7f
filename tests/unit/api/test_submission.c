#include "api/submission.h"

#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/support/http.h"

Suite *submission_suite(void);

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X32 X32 X32 X32 X32 X32 X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1024 X255 X255 X255 X255 "xxxx"

enum { NOW_S = 1801382400, YEAR_S = 31536000, TEXT_LIMIT = 1 << 20, COMPLAINTS_LIMIT = 17000 };

static struct complaints complaints;
static struct submission submission;
static struct error e;
static json_t *errors; /* the complaints as a list, once one of the below failed */

/* It is 2027-01-31T08:00:00Z. */
static void open_submission(void)
{
    clock_set_for_test((int64_t)NOW_S * 1000);
    complaints_init(&complaints);
    submission = (struct submission){.queue = "before"};
    e = (struct error){0};
}

static void close_submission(void)
{
    complaints_release(&complaints);
    json_decref(errors);
    clock_set_for_test(-1);
}

static void read_complaints(void)
{
    AUTO_BUF struct buf text = BUF(TEXT_LIMIT);
    AUTO(json) json_t *problem = NULL;
    struct error why = {0};

    ck_assert(!buf_is_overflown(&complaints.text));
    ck_assert_uint_le(complaints.text.length, COMPLAINTS_LIMIT);
    buf_printf(&text, "{\"title\":\"\"%s}", complaints.text.data);
    problem = json_parse(text.data, text.length, &why);
    ck_assert_msg(problem != NULL, "%s: %s", why.text, text.data);
    json_decref(errors);
    errors = json_incref(json_object_get(problem, "errors"));
}

/* What is common to both forms: a submission that was refused is left as it was, and says why. */
static bool check_outcome(bool is_read)
{
    if (is_read)
        return true;
    ck_assert_str_eq(submission.queue, "before");
    ck_assert_ptr_null(submission.spec.metadata);
    ck_assert_str_ne(e.text, "");
    if (e.code == ERROR_INVALID)
        read_complaints();
    return false;
}

static bool read_json(const char *body)
{
    return check_outcome(submission_from_json(body, strlen(body), &submission, &complaints, &e));
}

static bool read_raw(const char *query, const char *content_type, const char *body, size_t length)
{
    struct evkeyvalq pairs = {0};
    bool is_read;

    ck_assert_int_eq(evhttp_parse_query_str(query, &pairs), 0);
    is_read = submission_from_raw(&pairs, content_type, body, length, &submission, &complaints, &e);
    evhttp_clear_headers(&pairs);
    return check_outcome(is_read);
}

/* The detail of the complaint about a place; NULL when there is none. */
static const char *complaint_at(const char *where, const char *place)
{
    size_t i;
    json_t *complaint;

    json_array_foreach(errors, i, complaint)
    {
        const char *at = json_string_value(json_object_get(complaint, where));

        ck_assert_uint_eq(json_object_size(complaint), 2);
        if (at && strcmp(at, place) == 0)
            return json_text_at(complaint, "/detail");
    }
    return NULL;
}

static void expect_complaint(const char *name, const char *where, const char *place, const char *says)
{
    const char *detail;

    ck_assert_msg(e.code == ERROR_INVALID, "%s: %s", name, e.text);
    detail = complaint_at(where, place);
    ck_assert_msg(detail != NULL, "%s: none at %s in %s", name, place, complaints.text.data);
    ck_assert_msg(strstr(detail, says) != NULL, "%s: %s", name, detail);
}

static void expect_payload(const char *data, size_t length)
{
    ck_assert_uint_eq(submission.payload_length, length);
    ck_assert_mem_eq(submission.payload, data, length);
}

/* ---- what is right ---- */

START_TEST(the_least_has_the_defaults)
{
    ck_assert_msg(read_json("{\"type\":\"echo\"}"), "%s", e.text);
    ck_assert_str_eq(submission.spec.type, "echo");
    ck_assert_str_eq(submission.spec.content_type, "application/json");
    ck_assert_str_eq(submission.queue, "default");
    ck_assert_int_eq(submission.spec.timeout_s, 0);
    ck_assert_int_eq(submission.spec.max_attempts, 0);
    ck_assert_int_eq(submission.spec.expires_ms, 0);
    ck_assert_ptr_null(submission.spec.metadata);
    ck_assert_int_eq(submission.schedule.delay_ms, 0);
    ck_assert_int_eq(submission.schedule.not_before_ms, 0);
    ck_assert_str_eq(submission.unique_key, "");
    expect_payload("", 0);
    ck_assert_uint_eq(complaints.count, 0);
    submission_release(&submission);
}
END_TEST

static void expect_all_options(void)
{
    ck_assert_str_eq(submission.spec.type, "resize");
    ck_assert_str_eq(submission.queue, "bulk");
    ck_assert_int_eq(submission.spec.timeout_s, 90);
    ck_assert_int_eq(submission.spec.max_attempts, 7);
    ck_assert_int_eq(submission.schedule.delay_ms, 1500);
    ck_assert_int_eq(submission.schedule.not_before_ms, (int64_t)(NOW_S + 60) * 1000 + 250);
    ck_assert_int_eq(submission.spec.expires_ms, (int64_t)(NOW_S + 3600) * 1000);
    ck_assert_str_eq(submission.unique_key, "order \"42\"/\xc3\xa9");
}

START_TEST(every_option_is_read_from_json)
{
    ck_assert_msg(
        read_json("{\"type\":\"resize\",\"queue\":\"bulk\",\"timeout_s\":90,\"max_attempts\":7,"
                  "\"delay_s\":1.5,\"run_at\":\"2027-01-31T09:01:00.250+01:00\","
                  "\"expires_at\":\"2027-01-31T09:00:00Z\",\"unique_key\":\"order \\\"42\\\"/\\u00e9\","
                  "\"metadata\":{\"a\":\"b\",\"_C9\":\"\"},\"payload\":[1]}"),
        "%s", e.text);
    expect_all_options();
    ck_assert_uint_eq(json_object_size(submission.spec.metadata), 2);
    ck_assert_str_eq(json_text_at(submission.spec.metadata, "/a"), "b");
    expect_payload("[1]", 3);
    submission_release(&submission);
    ck_assert_ptr_null(submission.spec.metadata);
    submission_release(&submission);
}
END_TEST

START_TEST(every_option_is_read_from_the_query)
{
    static const char body[] = "\0\xff not { JSON";

    ck_assert_msg(read_raw("type=resize&queue=bulk&timeout_s=90&max_attempts=7&delay_s=1.5"
                           "&run_at=2027-01-31T09:01:00.250%2B01:00&expires_at=2027-01-31T09:00:00Z"
                           "&unique_key=order+%2242%22/%C3%A9",
                      "text/plain; charset=\"utf-8\"", body, sizeof(body)),
        "%s", e.text);
    expect_all_options();
    ck_assert_str_eq(submission.spec.content_type, "text/plain; charset=\"utf-8\"");
    ck_assert_ptr_eq(submission.payload, body);
    expect_payload(body, sizeof(body));
    submission_release(&submission);
}
END_TEST

START_TEST(bytes_without_a_type_are_octets)
{
    ck_assert(read_raw("type=echo", NULL, "", 0));
    ck_assert_str_eq(submission.spec.content_type, "application/octet-stream");
    ck_assert_str_eq(submission.queue, "default");
    expect_payload("", 0);
    submission_release(&submission);
}
END_TEST

static const struct payload_row {
    const char *name;
    const char *before;
    const char *payload;
    const char *behind;
} payload_rows[] = {
    {"null", "{\"type\":\"t\",\"payload\":", "null", "}"},
    {"false", "{\"payload\":", "false", ",\"type\":\"t\"}"},
    {"a number of many digits", "{\"type\":\"t\",\"payload\":", "3.14159265358979323846264338327950288", "}"},
    {"a large integer", "{\"type\":\"t\",\"payload\":", "9223372036854775807", "}"},
    {"a number with an exponent", "{\"type\":\"t\",\"payload\":", "1.50E+02", "}"},
    {"blanks around", "{\"type\":\"t\" , \"payload\" :\n\t ", "1", "  \r\n}"},
    {"blanks within", "{\"type\":\"t\",\"payload\":", "{ \"a\" :\n [ 1 ,\t2 ] }", " }"},
    {"escapes", "{\"type\":\"t\",\"payload\":", "\"\\u00e9\\/\\u0000\\ud83d\\ude00\"", "}"},
    {"UTF-8", "{\"type\":\"t\",\"payload\":", "\"\xc3\xa9\"", "}"},
    {"what looks like its end", "{\"type\":\"t\",\"payload\":", "\"}],\\\"payload\\\":1\"", "}"},
    {"a payload within", "{\"metadata\":{\"payload\":\"x\"},\"payload\":", "{\"payload\":{\"payload\":2}}",
        ",\"type\":\"t\"}"},
};

START_TEST(the_payload_is_kept_as_it_stands)
{
    const struct payload_row *row = &payload_rows[_i];
    AUTO_BUF struct buf body = BUF(TEXT_LIMIT);

    buf_printf(&body, "%s%s%s", row->before, row->payload, row->behind);
    ck_assert_msg(read_json(body.data), "%s: %s", row->name, e.text);
    ck_assert_ptr_eq(submission.payload, body.data + strlen(row->before));
    expect_payload(row->payload, strlen(row->payload));
    submission_release(&submission);
}
END_TEST

START_TEST(a_payload_that_hides_its_name_is_refused)
{
    ck_assert(!read_json("{\"type\":\"t\",\"p\\u0061yload\":1}"));
    ck_assert_int_eq(e.code, ERROR_BAD_JSON);
}
END_TEST

/* ---- the bounds of each option, in both forms ---- */

static const struct bound_row {
    const char *option;
    const char *value; /* a text, or a number, as it stands in a query */
    bool is_text;
    bool goes;
} bound_rows[] = {
    {"queue", "a", true, true},
    {"queue", N63, true, true},
    {"queue", N63 "z", true, false},
    {"queue", "", true, false},
    {"queue", "-a", true, false},
    {"queue", "A", true, false},
    {"queue", "a.b", true, false},
    {"timeout_s", "1", false, true},
    {"timeout_s", "86400", false, true},
    {"timeout_s", "0", false, false},
    {"timeout_s", "-1", false, false},
    {"timeout_s", "86401", false, false},
    {"timeout_s", "1.5", false, false},
    {"timeout_s", "9223372036854775807", false, false},
    {"max_attempts", "1", false, true},
    {"max_attempts", "100", false, true},
    {"max_attempts", "0", false, false},
    {"max_attempts", "101", false, false},
    {"max_attempts", "4294967297", false, false},
    {"max_attempts", "2.5", false, false},
    {"delay_s", "0", false, true},
    {"delay_s", "0.001", false, true},
    {"delay_s", "31536000", false, true},
    {"delay_s", "31536000.5", false, false},
    {"delay_s", "31536001", false, false},
    {"delay_s", "-0.001", false, false},
    {"delay_s", "1e300", false, false},
    {"run_at", "2027-01-31T08:00:00Z", true, true},
    {"run_at", "1970-01-01T00:00:00Z", true, true}, /* what has passed is now */
    {"run_at", "2028-01-31T08:00:00Z", true, true}, /* 365 days from now */
    {"run_at", "2028-01-31T08:00:00.001Z", true, false},
    {"run_at", "2028-01-31T07:59:00-00:02", true, false},
    {"run_at", "9999-12-31T23:59:59Z", true, false},
    {"run_at", "2027-02-29T00:00:00Z", true, false},
    {"run_at", "", true, false},
    {"run_at", "soon", true, false},
    {"expires_at", "2027-01-31T09:00:00Z", true, true},
    {"expires_at", "2028-01-31T08:00:00Z", true, true},
    {"expires_at", "2028-01-31T08:00:01Z", true, false},
    {"expires_at", "2027-01-31", true, false},
    {"unique_key", "k", true, true},
    {"unique_key", X255, true, true},
    {"unique_key", X255 "x", true, false},
    {"unique_key", "", true, false},
};

static void read_bound_row(const struct bound_row *row, bool as_json)
{
    AUTO_BUF struct buf text = BUF(TEXT_LIMIT);
    AUTO(free) char *escaped = evhttp_uriencode(row->value, -1, false);
    const char *quote = row->is_text ? "\"" : "";
    char pointer[32];
    bool goes;

    if (as_json)
        buf_printf(&text, "{\"type\":\"t\",\"%s\":%s%s%s}", row->option, quote, row->value, quote);
    else
        buf_printf(&text, "type=t&%s=%s", row->option, escaped);
    goes = as_json ? read_json(text.data) : read_raw(text.data, NULL, "x", 1);
    ck_assert_msg(goes == row->goes, "%s: %s", text.data, goes ? "accepted" : e.text);
    if (goes) {
        submission_release(&submission);
        return;
    }
    snprintf(pointer, sizeof(pointer), "%s%s", as_json ? "/" : "", row->option);
    expect_complaint(text.data, as_json ? "pointer" : "parameter", pointer, "is ");
    ck_assert_uint_eq(complaints.count, 1);
    ck_assert_uint_eq(json_array_size(errors), 1);
    ck_assert_msg(strncmp(e.text, "1 of the values is not", 22) == 0, "%s", e.text);
}

START_TEST(an_option_of_json_is_bounded)
{
    read_bound_row(&bound_rows[_i], true);
}
END_TEST

START_TEST(an_option_of_the_query_is_bounded)
{
    read_bound_row(&bound_rows[_i], false);
}
END_TEST

static const struct delay_row {
    const char *text;
    int64_t ms;
} delay_rows[] = {{"0", 0}, {"-0.0", 0}, {"0.001", 1}, {"1.001", 1001}, {"0.29", 290}, {"4.35", 4350},
    {"1e1", 10000}, {"31536000", (int64_t)YEAR_S * 1000}};

START_TEST(a_delay_has_fractions)
{
    char body[64];

    snprintf(body, sizeof(body), "{\"type\":\"t\",\"delay_s\":%s}", delay_rows[_i].text);
    ck_assert_msg(read_json(body), "%s", e.text);
    ck_assert_int_eq(submission.schedule.delay_ms, delay_rows[_i].ms);
}
END_TEST

/* Found by this test: 1970 is 0, which is stored as never. */
START_TEST(what_expired_in_1970_has_expired)
{
    ck_assert(read_json("{\"type\":\"t\",\"expires_at\":\"1970-01-01T00:00:00Z\"}"));
    ck_assert_int_gt(submission.spec.expires_ms, 0);
    ck_assert_int_lt(submission.spec.expires_ms, 1000);
}
END_TEST

/* ---- mistakes in JSON ---- */

static const struct json_row {
    const char *name;
    const char *body;
    const char *pointer;
    const char *says;
} json_rows[] = {
    {"no object", "[]", "", "not a JSON object"},
    {"a text", "\"echo\"", "", "not a JSON object"},
    {"null", "null", "", "not a JSON object"},
    {"no type", "{}", "/type", "missing"},
    {"a type of null", "{\"type\":null}", "/type", "not a name"},
    {"a type of a number", "{\"type\":7}", "/type", "not a name"},
    {"a type with a NUL", "{\"type\":\"a\\u0000\"}", "/type", "not a name"},
    {"a queue of null", "{\"type\":\"t\",\"queue\":null}", "/queue", "not a name"},
    {"a queue of a list", "{\"type\":\"t\",\"queue\":[\"a\"]}", "/queue", "not a name"},
    {"a timeout in quotes", "{\"type\":\"t\",\"timeout_s\":\"5\"}", "/timeout_s", "whole number"},
    {"a timeout of true", "{\"type\":\"t\",\"timeout_s\":true}", "/timeout_s", "whole number"},
    {"attempts of null", "{\"type\":\"t\",\"max_attempts\":null}", "/max_attempts", "1 to 100"},
    {"a delay in quotes", "{\"type\":\"t\",\"delay_s\":\"5\"}", "/delay_s", "31536000"},
    {"a delay of false", "{\"type\":\"t\",\"delay_s\":false}", "/delay_s", "31536000"},
    {"a time in Unix seconds", "{\"type\":\"t\",\"run_at\":1801382400}", "/run_at", "not a time"},
    {"a time with a NUL", "{\"type\":\"t\",\"run_at\":\"2027-01-31T08:00:00Z\\u0000\"}", "/run_at",
        "not a time"},
    {"a key of a number", "{\"type\":\"t\",\"unique_key\":1}", "/unique_key", "255 bytes"},
    {"a key with a NUL", "{\"type\":\"t\",\"unique_key\":\"a\\u0000b\"}", "/unique_key", "NUL"},
    {"an unknown member", "{\"type\":\"t\",\"colour\":1}", "/colour", "not known"},
    {"a member in capitals", "{\"type\":\"t\",\"Queue\":\"a\"}", "/Queue", "not known"},
    {"a member without a name", "{\"type\":\"t\",\"\":1}", "/", "not known"},
    {"a slash in a name", "{\"type\":\"t\",\"a/b\":1}", "/a~1b", "not known"},
    {"a tilde in a name", "{\"type\":\"t\",\"m~n\":1}", "/m~0n", "not known"},
    {"both, twice", "{\"type\":\"t\",\"~1/~\":1}", "/~01~1~0", "not known"},
    {"quotes in a name", "{\"type\":\"t\",\"a\\\"\\n\":1}", "/a\"\n", "not known"},
    {"UTF-8 in a name", "{\"type\":\"t\",\"\xc3\xa9\":1}", "/\xc3\xa9", "not known"},

    {"metadata of null", "{\"type\":\"t\",\"metadata\":null}", "/metadata", "not an object"},
    {"metadata of a list", "{\"type\":\"t\",\"metadata\":[\"a\"]}", "/metadata", "not an object"},
    {"a number in it", "{\"type\":\"t\",\"metadata\":{\"a\":\"b\",\"n\":1}}", "/metadata/n", "not a text"},
    {"an object in it", "{\"type\":\"t\",\"metadata\":{\"n\":{}}}", "/metadata/n", "not a text"},
    {"a NUL in it", "{\"type\":\"t\",\"metadata\":{\"n\":\"a\\u0000\"}}", "/metadata/n", "NUL"},
    {"a text too long in it", "{\"type\":\"t\",\"metadata\":{\"n\":\"" X1024 "x\"}}", "/metadata/n",
        "1024 bytes"},
    {"no name in it", "{\"type\":\"t\",\"metadata\":{\"\":\"a\"}}", "/metadata/", "not a name"},
    {"a name too long in it", "{\"type\":\"t\",\"metadata\":{\"" X32 X32 "x\":\"a\"}}",
        "/metadata/" X32 X32 "x", "1 to 64"},
    {"a digit first in it", "{\"type\":\"t\",\"metadata\":{\"1a\":\"a\"}}", "/metadata/1a", "no digit"},
    {"a hyphen in it", "{\"type\":\"t\",\"metadata\":{\"a-b\":\"a\"}}", "/metadata/a-b", "not a name"},
    {"a slash in it", "{\"type\":\"t\",\"metadata\":{\"a/b\":\"a\"}}", "/metadata/a~1b", "not a name"},
    {"a tilde in it", "{\"type\":\"t\",\"metadata\":{\"m~n\":\"a\"}}", "/metadata/m~0n", "not a name"},
};

START_TEST(a_mistake_is_pointed_at)
{
    const struct json_row *row = &json_rows[_i];

    ck_assert_msg(!read_json(row->body), "%s", row->name);
    expect_complaint(row->name, "pointer", row->pointer, row->says);
    ck_assert_uint_eq(complaints.count, 1);
    ck_assert_uint_eq(json_array_size(errors), 1);
}
END_TEST

static const struct syntax_row {
    const char *name;
    const char *body;
} syntax_rows[] = {
    {"nothing", ""},
    {"a word", "echo"},
    {"cut short", "{\"type\":\"echo\""},
    {"bytes behind", "{\"type\":\"echo\"}x"},
    {"a name twice", "{\"type\":\"a\",\"type\":\"b\"}"},
    {"a payload twice", "{\"type\":\"a\",\"payload\":1,\"payload\":2}"},
    {"no UTF-8", "{\"type\":\"\xff\"}"},
};

START_TEST(what_is_not_json_is_said_to_be)
{
    ck_assert_msg(!read_json(syntax_rows[_i].body), "%s", syntax_rows[_i].name);
    ck_assert_int_eq(e.code, ERROR_BAD_JSON);
    ck_assert_uint_eq(complaints.count, 0);
}
END_TEST

START_TEST(every_mistake_is_found_at_once)
{
    ck_assert(!read_json("{\"queue\":\"A B\",\"timeout_s\":0,\"max_attempts\":101,\"delay_s\":-1,"
                         "\"run_at\":\"now\",\"expires_at\":5,\"unique_key\":\"\",\"a/b\":1,"
                         "\"metadata\":{\"ok\":\"x\",\"m~n\":\"x\",\"n\":1,\"9\":[]},\"payload\":{}}"));
    ck_assert_msg(strncmp(e.text, "13 of the values are not", 24) == 0, "%s", e.text);
    ck_assert_uint_eq(complaints.count, 13);
    ck_assert_uint_eq(json_array_size(errors), 13);
    expect_complaint("queue", "pointer", "/queue", "not a name");
    expect_complaint("timeout", "pointer", "/timeout_s", "86400");
    expect_complaint("attempts", "pointer", "/max_attempts", "100");
    expect_complaint("delay", "pointer", "/delay_s", "31536000");
    expect_complaint("run_at", "pointer", "/run_at", "not a time");
    expect_complaint("expires_at", "pointer", "/expires_at", "not a time");
    expect_complaint("unique_key", "pointer", "/unique_key", "255 bytes");
    expect_complaint("unknown", "pointer", "/a~1b", "not known");
    expect_complaint("name of metadata", "pointer", "/metadata/m~0n", "not a name");
    expect_complaint("value of metadata", "pointer", "/metadata/n", "not a text");
    expect_complaint("both of metadata", "pointer", "/metadata/9", "");
    expect_complaint("type", "pointer", "/type", "missing");
}
END_TEST

/* ---- metadata's size ---- */

static const struct metadata_row {
    const char *name;
    int pairs;
    int value_length;
    bool goes;
} metadata_rows[] = {
    {"none", 0, 0, true},
    {"as many as may be", 32, 10, true},
    {"one too many", 33, 10, false},
    {"the longest text", 1, 1024, true},
    {"just not too much", 8, 1014, true}, /* {"n00":"…",…}: 8 * (1014 + 8) + 9 bytes = 8185 */
    {"too much together", 8, 1015, false},
    {"far too much together", 32, 1024, false},
};

START_TEST(metadata_is_bounded)
{
    const struct metadata_row *row = &metadata_rows[_i];
    AUTO_BUF struct buf body = BUF(TEXT_LIMIT);

    buf_append_text(&body, "{\"type\":\"t\",\"metadata\":{");
    for (int i = 0; i < row->pairs; i++)
        buf_printf(&body, "%s\"n%02d\":\"%.*s\"", i ? "," : "", i, row->value_length, X1024);
    buf_append_text(&body, "}}");
    ck_assert_msg(read_json(body.data) == row->goes, "%s: %s", row->name, e.text);
    if (row->goes)
        ck_assert_uint_eq(json_object_size(submission.spec.metadata), (size_t)row->pairs);
    else
        expect_complaint(row->name, "pointer", "/metadata", row->pairs > 32 ? "32" : "8192");
    submission_release(row->goes ? &submission : &(struct submission){.queue = ""});
}
END_TEST

/* ---- mistakes in the query ---- */

static const struct query_row {
    const char *name;
    const char *query;
    const char *parameter;
    const char *says;
} query_rows[] = {
    {"no type", "queue=a", "type", "missing"},
    {"no query", "", "type", "missing"},
    {"an empty type", "type=", "type", "not a name"},
    {"a type that is no UTF-8", "type=%FF", "type", "not a name"},
    {"an unknown one", "type=t&colour=red", "colour", "not known"},
    {"metadata", "type=t&metadata=%7B%7D", "metadata", "not known"},
    {"the payload", "type=t&payload=1", "payload", "not known"},
    {"one without a value", "type=t&timeout_s=", "timeout_s", "whole number"},
    {"a number in words", "type=t&timeout_s=five", "timeout_s", "whole number"},
    {"a number in quotes", "type=t&timeout_s=%225%22", "timeout_s", "whole number"},
    {"a number with more behind", "type=t&timeout_s=5x", "timeout_s", "whole number"},
    {"a hexadecimal number", "type=t&max_attempts=0x5", "max_attempts", "1 to 100"},
    {"a delay that is none", "type=t&delay_s=NaN", "delay_s", "31536000"},
    {"an endless delay", "type=t&delay_s=1e999", "delay_s", "31536000"},
    {"a list", "type=t&delay_s=[1]", "delay_s", "31536000"},
    {"a key that is no UTF-8", "type=t&unique_key=%C3%28", "unique_key", "not a text"},
    {"one twice", "type=t&queue=a&queue=a", "queue", "more than once"},
    {"the type twice", "type=t&type=t", "type", "more than once"},
    {"a slash in a name", "type=t&a/b~c=1", "a/b~c", "not known"},
};

START_TEST(a_mistake_of_the_query_is_named)
{
    const struct query_row *row = &query_rows[_i];

    ck_assert_msg(!read_raw(row->query, NULL, "x", 1), "%s", row->name);
    expect_complaint(row->name, "parameter", row->parameter, row->says);
    ck_assert_uint_eq(json_array_size(errors), complaints.count);
    ck_assert_uint_eq(complaints.count, 1);
}
END_TEST

/* Found by this test: evhttp finds "type" in any case, so that nobody missed it. */
START_TEST(a_type_in_capitals_is_unknown_and_missing)
{
    ck_assert(!read_raw("TYPE=echo", NULL, "x", 1));
    expect_complaint("TYPE", "parameter", "TYPE", "not known");
    expect_complaint("type", "parameter", "type", "missing");
}
END_TEST

static const struct content_type_row {
    size_t length;
    bool goes;
} content_type_rows[] = {{0, true}, {1, true}, {127, true}, {128, false}, {5000, false}};

START_TEST(a_content_type_is_bounded)
{
    const struct content_type_row *row = &content_type_rows[_i];
    char *content_type = calloc(1, row->length + 1);

    ck_assert_ptr_nonnull(content_type);
    memset(content_type, 'x', row->length);
    ck_assert_int_eq(read_raw("type=t", content_type, "x", 1), row->goes);
    if (row->goes)
        ck_assert_str_eq(submission.spec.content_type, content_type);
    else
        expect_complaint("long", "parameter", "Content-Type", "127 bytes");
    free(content_type);
}
END_TEST

/* ---- more mistakes than can be told ---- */

enum { MISTAKES = 1000 };

START_TEST(too_many_mistakes_are_counted_and_the_first_told)
{
    AUTO_BUF struct buf body = BUF(TEXT_LIMIT);

    buf_append_text(&body, "{\"first\":1");
    for (int i = 1; i < MISTAKES; i++)
        buf_printf(&body, ",\"a/name~that\\\"is\\nunknown-%d\":1", i);
    buf_append_text(&body, "}");
    ck_assert(!read_json(body.data));
    ck_assert_msg(strncmp(e.text, "1001 of the values are not", 26) == 0, "%s", e.text);
    ck_assert_uint_eq(complaints.count, MISTAKES + 1);
    ck_assert_uint_gt(json_array_size(errors), 20);
    ck_assert_uint_lt(json_array_size(errors), MISTAKES);
    expect_complaint("first", "pointer", "/first", "not known");
    expect_complaint("second", "pointer", "/a~1name~0that\"is\nunknown-1", "not known");
}
END_TEST

static const struct long_row {
    const char *name;
    const char *unit; /* repeated */
    size_t count;
} long_rows[] = {
    {"letters", "x", 1500},
    {"very many letters", "x", 100000},
    {"tildes", "~", 3000},
    {"slashes", "/", 999},
    {"quotes", "\\\"", 4000},
    {"control characters", "\\u0001", 4000},
    {"UTF-8", "\xc3\xa9", 3000},
    {"UTF-8 at odd places", "x\xf0\x9f\x98\x80", 3000},
};

/* Whether each tilde is one of an escape. Source: RFC 6901 section 3. */
static bool is_pointer(const char *text)
{
    if (*text != '/')
        return false;
    for (; *text; text++)
        if (*text == '~' && text[1] != '0' && text[1] != '1')
            return false;
    return true;
}

START_TEST(a_long_name_is_told_in_part)
{
    const struct long_row *row = &long_rows[_i];
    AUTO_BUF struct buf body = BUF(TEXT_LIMIT);

    buf_append_text(&body, "{\"type\":\"t\",\"");
    for (size_t i = 0; i < row->count; i++)
        buf_append_text(&body, row->unit);
    buf_append_text(&body, "\":1,\"queue\":7}");
    ck_assert(!read_json(body.data));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_uint_eq(json_array_size(errors), 2);
    ck_assert_msg(is_pointer(json_text_at(errors, "/0/pointer")), "%s", json_text_at(errors, "/0/pointer"));
    ck_assert_uint_gt(strlen(json_text_at(errors, "/0/pointer")), 500);
    expect_complaint(row->name, "pointer", "/queue", "not a name");
}
END_TEST

/* Found by this test: a parameter's name over 1024 bytes was told as "". */
START_TEST(a_long_parameter_is_told_in_part)
{
    AUTO_BUF struct buf query = BUF(TEXT_LIMIT);

    buf_append_text(&query, "type=t&");
    for (int i = 0; i < 4000; i++)
        buf_append_text(&query, "x%C3%A9");
    buf_append_text(&query, "=1");
    ck_assert(!read_raw(query.data, NULL, "x", 1));
    ck_assert_uint_eq(json_array_size(errors), 1);
    ck_assert_uint_gt(strlen(json_text_at(errors, "/0/parameter")), 500);
}
END_TEST

Suite *submission_suite(void)
{
    Suite *suite = suite_create("submission");
    TCase *all = tcase_create("submission");

    tcase_add_checked_fixture(all, open_submission, close_submission);
    tcase_add_test(all, the_least_has_the_defaults);
    tcase_add_test(all, every_option_is_read_from_json);
    tcase_add_test(all, every_option_is_read_from_the_query);
    tcase_add_test(all, bytes_without_a_type_are_octets);
    tcase_add_loop_test(all, the_payload_is_kept_as_it_stands, 0, ARRAY_LENGTH(payload_rows));
    tcase_add_test(all, a_payload_that_hides_its_name_is_refused);
    tcase_add_loop_test(all, an_option_of_json_is_bounded, 0, ARRAY_LENGTH(bound_rows));
    tcase_add_loop_test(all, an_option_of_the_query_is_bounded, 0, ARRAY_LENGTH(bound_rows));
    tcase_add_loop_test(all, a_delay_has_fractions, 0, ARRAY_LENGTH(delay_rows));
    tcase_add_test(all, what_expired_in_1970_has_expired);
    tcase_add_loop_test(all, a_mistake_is_pointed_at, 0, ARRAY_LENGTH(json_rows));
    tcase_add_loop_test(all, what_is_not_json_is_said_to_be, 0, ARRAY_LENGTH(syntax_rows));
    tcase_add_test(all, every_mistake_is_found_at_once);
    tcase_add_loop_test(all, metadata_is_bounded, 0, ARRAY_LENGTH(metadata_rows));
    tcase_add_loop_test(all, a_mistake_of_the_query_is_named, 0, ARRAY_LENGTH(query_rows));
    tcase_add_test(all, a_type_in_capitals_is_unknown_and_missing);
    tcase_add_loop_test(all, a_content_type_is_bounded, 0, ARRAY_LENGTH(content_type_rows));
    tcase_add_test(all, too_many_mistakes_are_counted_and_the_first_told);
    tcase_add_loop_test(all, a_long_name_is_told_in_part, 0, ARRAY_LENGTH(long_rows));
    tcase_add_test(all, a_long_parameter_is_told_in_part);
    suite_add_tcase(suite, all);
    return suite;
}
