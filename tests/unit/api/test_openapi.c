#include "api/openapi/openapi.h"
#include "common/base/json.h"
#include "tests/support/http.h"

#include <check.h>

Suite *openapi_suite(void);

enum { DOCUMENT_MAX = 1 << 20 };

static json_t *make_document(void)
{
    AUTO_BUF struct buf text = BUF(DOCUMENT_MAX);
    struct error e = {0};
    json_t *document;

    ck_assert_msg(openapi_write(routes(), &text, &e), "%s", e.text);
    document = json_parse(text.data, text.length, &e);
    ck_assert_msg(document != NULL, "%s", e.text);
    return document;
}

/* What a route serves under /v1 is a part of the contract. */
START_TEST(each_route_is_in_the_contract)
{
    AUTO(json) json_t *document = make_document();
    size_t count = 0;
    size_t described = 0;
    const char *path;
    json_t *item;

    for (const struct route *route = routes(); route->pattern; route++) {
        ck_assert_msg(route->operation || strncmp(route->pattern, "/v1/", 4) != 0, "%s", route->pattern);
        count += route->operation != NULL;
    }
    json_object_foreach(json_object_get(document, "paths"), path, item) described += json_object_size(item);
    ck_assert_uint_eq(described, count);
}
END_TEST

START_TEST(paths_name_their_parameters)
{
    AUTO(json) json_t *document = make_document();
    const json_t *item = json_object_get(json_object_get(document, "paths"), "/v1/uploads/{id}/{part}");
    const json_t *put = json_object_get(item, "put");

    ck_assert_str_eq(json_text_at(put, "/operationId"), "putUploadPart");
    ck_assert_str_eq(json_text_at(put, "/parameters/0/name"), "id");
    ck_assert_str_eq(json_text_at(put, "/parameters/1/name"), "part");
    ck_assert_str_eq(json_text_at(put, "/parameters/1/in"), "path");
    ck_assert_str_eq(json_text_at(put, "/x-scope"), "submit");
}
END_TEST

static void nothing(struct exchange *UNUSED(x))
{
}

START_TEST(route_that_nobody_described_is_a_fault)
{
    static const struct route unknown[] = {
        {EVHTTP_REQ_GET, "/v1/new", nothing, SCOPE_READ, "getNew"}, {0, NULL, NULL, 0, NULL}};
    static const struct route other_path[] = {
        {EVHTTP_REQ_GET, "/v1/jobs/{}/{}", nothing, SCOPE_READ, "getJob"}, {0, NULL, NULL, 0, NULL}};
    static const struct route too_few[] = {
        {EVHTTP_REQ_GET, "/v1/jobs/{}", nothing, SCOPE_READ, "getJob"}, {0, NULL, NULL, 0, NULL}};
    AUTO_BUF struct buf text = BUF(DOCUMENT_MAX);
    struct error e;

    ck_assert(!openapi_write(unknown, &text, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "getNew"));
    ck_assert(!openapi_write(other_path, &text, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "/v1/jobs/{}/{}"));
    ck_assert(!openapi_write(too_few, &text, &e));
}
END_TEST

Suite *openapi_suite(void)
{
    Suite *suite = suite_create("openapi");
    TCase *tests = tcase_create("openapi");

    tcase_add_test(tests, each_route_is_in_the_contract);
    tcase_add_test(tests, paths_name_their_parameters);
    tcase_add_test(tests, route_that_nobody_described_is_a_fault);
    suite_add_tcase(suite, tests);
    return suite;
}
