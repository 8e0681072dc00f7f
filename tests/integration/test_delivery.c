/*
 * Delivery: parts of a result, conditions, and links of the storage account instead of the bytes; on a
 * directory, on Azurite, and for results that are kept in Redis.
 */
#include <check.h>

#include "tests/support/scene.h"

Suite *delivery_suite(void);

#define CONTENT "0123456789abcdefghij"
#define TAG "\"ZEvgbfxUBh/R5n9eu6vNWA==\"" /* printf of CONTENT | openssl md5 -binary | base64, in quotes */

enum { ON_DIRECTORY, ON_AZURITE, IN_REDIS, PLACES };

static struct scene s;
static char *id;

static void open_at(int place, const char *setting)
{
    if (place == ON_AZURITE)
        scene_open_on_azurite(&s);
    else
        scene_open(&s);
    scene_start_api(&s, (const char *[]){setting, NULL});
    scene_start_worker(
        &s, (const char *[]){place == IN_REDIS ? "RESULT_STORE=large" : "RESULT_STORE=always", NULL});
    id = jobgate_submit_raw(s.api, "type=cat", "text/plain", CONTENT, strlen(CONTENT));
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
}

static void close_it(void)
{
    free(id);
    scene_close(&s);
}

static void ask(const char *method, const char *const *headers, struct http_reply *reply)
{
    char url[512];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s/result", jobgate_url(s.api), id);
    http_ask(&(struct http_ask){.method = method, .url = url, .headers = headers}, reply);
}

static const struct {
    const char *headers[3];
    int status;
    const char *body;  /* NULL: not looked at */
    const char *range; /* Content-Range; NULL: none */
} rows[] = {
    {{NULL}, 200, CONTENT, NULL},
    {{"Range: bytes=0-4"}, 206, "01234", "bytes 0-4/20"},
    {{"Range: bytes=10-"}, 206, "abcdefghij", "bytes 10-19/20"},
    {{"Range: bytes=-3"}, 206, "hij", "bytes 17-19/20"},
    {{"Range: bytes=18-100"}, 206, "ij", "bytes 18-19/20"},
    {{"Range: bytes=20-"}, 416, NULL, "bytes */20"},
    {{"Range: bytes=0-1,3-4"}, 200, CONTENT, NULL},
    {{"Range: bytes=9-1"}, 200, CONTENT, NULL},
    {{"If-None-Match: " TAG}, 304, "", NULL},
    {{"If-None-Match: W/" TAG}, 304, "", NULL},
    {{"If-None-Match: \"x\", " TAG}, 304, "", NULL},
    {{"If-None-Match: *"}, 304, "", NULL},
    {{"If-None-Match: \"x\""}, 200, CONTENT, NULL},
    {{"If-Match: " TAG}, 200, CONTENT, NULL},
    {{"If-Match: *"}, 200, CONTENT, NULL},
    {{"If-Match: W/" TAG}, 412, NULL, NULL},
    {{"If-Match: \"x\""}, 412, NULL, NULL},
    {{"If-Range: " TAG, "Range: bytes=1-2"}, 206, "12", "bytes 1-2/20"},
    {{"If-Range: \"x\"", "Range: bytes=1-2"}, 200, CONTENT, NULL},
    {{"If-Range: Sat, 21 Nov 2026 03:34:22 GMT", "Range: bytes=1-2"}, 200, CONTENT, NULL},
    {{"If-Match: " TAG, "Range: bytes=1-2"}, 206, "12", "bytes 1-2/20"},
};

static void assert_header(const struct http_reply *reply, const char *name, const char *expected, size_t row)
{
    AUTO(free) char *value = http_reply_header(reply, name);

    if (expected)
        ck_assert_msg(value && strcmp(value, expected) == 0, "row %zu: %s: %s", row, name, value);
    else
        ck_assert_msg(!value, "row %zu: %s: %s", row, name, value);
}

START_TEST(parts_and_conditions_are_answered)
{
    open_at(_i, "RESULT_DELIVERY=proxy");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        ask("GET", rows[i].headers, &reply);
        ck_assert_msg(reply.status == rows[i].status, "row %zu: %d", i, reply.status);
        if (rows[i].body)
            ck_assert_msg(strcmp(reply.body.data, rows[i].body) == 0, "row %zu: %s", i, reply.body.data);
        assert_header(&reply, "Content-Range", rows[i].range, i);
        if (reply.status < 400)
            assert_header(&reply, "ETag", TAG, i);
        if (reply.status == 206)
            assert_header(&reply, "Content-MD5", NULL, i);
    }
    close_it();
}
END_TEST

START_TEST(head_says_what_get_would)
{
    AUTO_REPLY struct http_reply reply = {0};

    open_at(_i, "RESULT_DELIVERY=proxy");
    ask("HEAD", (const char *[]){"Range: bytes=0-4", NULL}, &reply);
    ck_assert_int_eq(reply.status, 200); /* Range is for GET alone */
    assert_header(&reply, "Content-Length", "20", 0);
    assert_header(&reply, "Accept-Ranges", "bytes", 0);
    assert_header(&reply, "ETag", TAG, 0);
    ask("HEAD", (const char *[]){"If-None-Match: " TAG, NULL}, &reply);
    ck_assert_int_eq(reply.status, 304);
    close_it();
}
END_TEST

/* The link works without any header, for this blob only, and for reading only. */
START_TEST(a_redirect_leads_to_the_blob)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply direct = {0};
    char *at;

    open_at(ON_AZURITE, "RESULT_DELIVERY=redirect");
    ask("GET", NULL, &reply);
    ck_assert_int_eq(reply.status, 302);
    AUTO(free) char *link = http_reply_header(&reply, "Location");
    AUTO(free) char *said = process_output(jobgate_process(s.api));

    assert_header(&reply, "Cache-Control", "no-store", 0);
    ck_assert_ptr_nonnull(strstr(link, "sp=r&"));
    http_get(link, &direct);
    ck_assert_int_eq(direct.status, 200);
    ck_assert_str_eq(direct.body.data, CONTENT);
    ck_assert_ptr_null(strstr(said, "sig="));
    http_ask(&(struct http_ask){.method = "DELETE", .url = link}, &direct);
    ck_assert_int_eq(direct.status, 403);
    at = strstr(link, "/results/");
    at[9] = at[9] == 'a' ? 'b' : 'a'; /* another blob */
    http_get(link, &direct);
    ck_assert_int_eq(direct.status, 403);
    ask("GET", (const char *[]){"If-None-Match: " TAG, NULL}, &reply);
    ck_assert_int_eq(reply.status, 304);
    close_it();
}
END_TEST

START_TEST(what_has_no_link_is_sent)
{
    AUTO_REPLY struct http_reply reply = {0};

    open_at(_i, "RESULT_DELIVERY=redirect");
    ask("GET", NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, CONTENT);
    close_it();
}
END_TEST

Suite *delivery_suite(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tcase = tcase_create("delivery");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, parts_and_conditions_are_answered, 0, PLACES);
    tcase_add_loop_test(tcase, head_says_what_get_would, 0, PLACES);
    tcase_add_test(tcase, a_redirect_leads_to_the_blob);
    tcase_add_loop_test(tcase, what_has_no_link_is_sent, ON_DIRECTORY, ON_DIRECTORY + 1);
    tcase_add_loop_test(tcase, what_has_no_link_is_sent, IN_REDIS, IN_REDIS + 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
