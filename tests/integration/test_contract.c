/*
 * The contract as it is served. What all other tests got from an api is held against it afterwards:
 * tests/contract/run.sh.
 */
#include <check.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"
#include "tests/support/record.h"

Suite *contract_suite(void);

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

START_TEST(contract_is_served_and_says_where_everything_is)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *document = NULL;
    AUTO(free) char *type = NULL;

    desk_ask(s.api, "GET", "/openapi.json", NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    type = http_reply_header(&reply, "Content-Type");
    ck_assert_str_eq(type, "application/json");
    document = http_reply_json(&reply);
    ck_assert_str_eq(json_text_at(document, "/openapi"), "3.1.0");
    ck_assert_ptr_nonnull(json_object_get(json_object_get(document, "paths"), "/v1/jobs/{id}/result"));
    record_contract(reply.body.data, reply.body.length);
}
END_TEST

static void expect_file(const char *path, const char *content_type)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *type = NULL;
    AUTO(free) char *policy = NULL;

    desk_ask(s.api, "GET", path, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    type = http_reply_header(&reply, "Content-Type");
    ck_assert_str_eq(type, content_type);
    policy = http_reply_header(&reply, "Content-Security-Policy");
    ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
    ck_assert_ptr_null(strstr(policy, "unsafe"));
    ck_assert_uint_gt(reply.body.length, 200);
}

/* Nothing in them is inline, which the policy would forbid, or from elsewhere. */
START_TEST(docs_are_files_of_the_api_itself)
{
    AUTO_REPLY struct http_reply page = {0};

    expect_file("/docs", "text/html; charset=utf-8");
    expect_file("/docs/docs.js", "text/javascript; charset=utf-8");
    expect_file("/docs/docs.css", "text/css; charset=utf-8");
    desk_ask(s.api, "GET", "/docs", NULL, &page);
    ck_assert_ptr_null(strstr(page.body.data, "http:"));
    ck_assert_ptr_null(strstr(page.body.data, "https:"));
    ck_assert_ptr_null(strstr(page.body.data, "style="));
    ck_assert_ptr_null(strstr(page.body.data, "<script>"));
}
END_TEST

Suite *contract_suite(void)
{
    Suite *suite = suite_create("contract");
    TCase *tests = tcase_create("contract");

    tcase_add_checked_fixture(tests, open_scene, close_scene);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, contract_is_served_and_says_where_everything_is);
    tcase_add_test(tests, docs_are_files_of_the_api_itself);
    suite_add_tcase(suite, tests);
    return suite;
}
