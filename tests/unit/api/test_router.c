#include "api/router.h"

#include <check.h>

Suite *router_suite(void);

enum { ALLOW_SIZE = 64 };

static void handle(struct exchange *UNUSED(x))
{
}

static const struct route table[] = {
    {EVHTTP_REQ_POST, "/v1/jobs", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_GET, "/v1/jobs", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_GET, "/v1/jobs/{}", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_DELETE, "/v1/jobs/{}", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_POST, "/v1/jobs/{}/retry", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_GET, "/v1/jobs/{}/result", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_GET, "/v1/stats", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_POST, "/v1/queues/{}/pause", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_GET, "/v1/queues/all/pause", handle, SCOPE_READ, NULL},
    {EVHTTP_REQ_PUT, "/v1/jobs/all", handle, SCOPE_READ, NULL},
    {0, NULL, NULL, 0, NULL},
};

/* What router_find made of a request. */
struct found {
    const struct route *route;
    char parameter[PARAMETER_SIZE];
    char allow[ALLOW_SIZE];
    struct error e;
};

static void find(struct found *f, enum evhttp_cmd_type method, const char *path)
{
    *f = (struct found){.parameter = "before", .allow = "before"};
    f->route = router_find(table, method, path, f->parameter, f->allow, sizeof(f->allow), &f->e);
}

static const struct good_row {
    enum evhttp_cmd_type method;
    const char *path;
    int at;                /* the row of the table */
    const char *parameter; /* NULL: the route has none */
} good_rows[] = {
    {EVHTTP_REQ_POST, "/v1/jobs", 0, NULL},
    {EVHTTP_REQ_GET, "/v1/jobs", 1, NULL},
    {EVHTTP_REQ_HEAD, "/v1/jobs", 1, NULL},
    {EVHTTP_REQ_GET, "/v1/jobs/default.0.X", 2, "default.0.X"},
    {EVHTTP_REQ_HEAD, "/v1/jobs/default.0.X", 2, "default.0.X"},
    {EVHTTP_REQ_DELETE, "/v1/jobs/a", 3, "a"},
    {EVHTTP_REQ_POST, "/v1/jobs/a/retry", 4, "a"},
    {EVHTTP_REQ_HEAD, "/v1/jobs/a/result", 5, "a"},
    {EVHTTP_REQ_GET, "/v1/jobs/result", 2, "result"},
    {EVHTTP_REQ_POST, "/v1/queues/pause/pause", 7, "pause"},
    {EVHTTP_REQ_GET, "/v1/queues/all/pause", 8, NULL},
    {EVHTTP_REQ_PUT, "/v1/jobs/all", 9, NULL},

    /* what a parameter is decoded to */
    {EVHTTP_REQ_GET, "/v1/jobs/%64efault%2E0", 2, "default.0"},
    {EVHTTP_REQ_GET, "/v1/jobs/a%20b+c", 2, "a b+c"},
    {EVHTTP_REQ_GET, "/v1/jobs/%C3%a9", 2, "\xc3\xa9"},
    {EVHTTP_REQ_GET, "/v1/jobs/%252F", 2, "%2F"},
    {EVHTTP_REQ_GET, "/v1/jobs/%3Fa%23b", 2, "?a#b"},
    {EVHTTP_REQ_GET, "/v1/jobs/..", 2, ".."},
    {EVHTTP_REQ_GET, "/v1/jobs/{}", 2, "{}"},
};

START_TEST(a_route_is_found)
{
    const struct good_row *row = &good_rows[_i];
    struct found f;

    find(&f, row->method, row->path);
    ck_assert_msg(f.route == &table[row->at], "%s: %s", row->path, f.e.text);
    ck_assert_str_eq(f.parameter, row->parameter ? row->parameter : "before");
}
END_TEST

static const struct missing_row {
    const char *name;
    const char *path;
} missing_rows[] = {
    {"nothing", ""},
    {"the root", "/"},
    {"no slash", "v1/jobs"},
    {"a part of a path", "/v1"},
    {"a path cut short", "/v1/job"},
    {"a path that goes on", "/v1/jobsx"},
    {"another version", "/v2/jobs"},
    {"capitals", "/V1/Jobs"},
    {"a slash behind", "/v1/stats/"},
    {"two slashes", "/v1//jobs"},
    {"an empty parameter", "/v1/jobs/"},
    {"an empty parameter within", "/v1/jobs//result"},
    {"a slash behind a parameter", "/v1/jobs/a/"},
    {"an unknown verb", "/v1/jobs/a/nothing"},
    {"a segment too many", "/v1/jobs/a/result/b"},
    {"a slash in disguise", "/v1/jobs/a%2Fresult"},
    {"a slash in disguise, lower case", "/v1/jobs/a%2fb"},
    {"a slash in disguise alone", "/v1/jobs/%2F"},
    {"a NUL", "/v1/jobs/a%00"},
    {"a NUL first", "/v1/jobs/%00a"},
    {"a NUL alone", "/v1/jobs/%00/result"},
    {"an encoded path", "/v1%2Fjobs"},
    {"an encoded letter of the path", "/v1/%6Aobs"},
};

START_TEST(what_is_not_served_is_not_found)
{
    const struct missing_row *row = &missing_rows[_i];
    struct found f;

    find(&f, EVHTTP_REQ_GET, row->path);
    ck_assert_msg(!f.route, "%s", row->name);
    ck_assert_msg(f.e.code == ERROR_NOT_FOUND, "%s: %s", row->name, f.e.text);
    ck_assert_msg(strcmp(f.parameter, "before") == 0, "%s left \"%s\"", row->name, f.parameter);
    ck_assert_str_eq(f.allow, "");
}
END_TEST

static const struct length_row {
    const char *name;
    const char *unit; /* repeated */
    size_t count;
    bool goes;
} length_rows[] = {
    {"the longest", "x", PARAMETER_SIZE - 1, true},
    {"one byte too many", "x", PARAMETER_SIZE, false},
    {"a long path", "x", 20000, false},
    {"many escapes", "%41", 85, true},
};

START_TEST(a_parameter_is_bounded)
{
    const struct length_row *row = &length_rows[_i];
    AUTO_BUF struct buf path = BUF(100000);
    struct found f;

    buf_append_text(&path, "/v1/jobs/");
    for (size_t i = 0; i < row->count; i++)
        buf_append_text(&path, row->unit);
    find(&f, EVHTTP_REQ_GET, path.data);
    ck_assert_msg((f.route != NULL) == row->goes, "%s", row->name);
    if (row->goes)
        ck_assert_uint_eq(strlen(f.parameter), row->count);
    else
        ck_assert_int_eq(f.e.code, ERROR_NOT_FOUND);
}
END_TEST

static const struct method_row {
    enum evhttp_cmd_type method;
    const char *path;
    const char *allow;
} method_rows[] = {
    {EVHTTP_REQ_PUT, "/v1/jobs", "POST, GET, HEAD"},
    {EVHTTP_REQ_DELETE, "/v1/jobs", "POST, GET, HEAD"},
    {EVHTTP_REQ_POST, "/v1/jobs/a", "GET, HEAD, DELETE"},
    {EVHTTP_REQ_PATCH, "/v1/jobs/a", "GET, HEAD, DELETE"},
    {EVHTTP_REQ_OPTIONS, "/v1/jobs/a", "GET, HEAD, DELETE"},
    {EVHTTP_REQ_POST, "/v1/jobs/all", "GET, HEAD, DELETE, PUT"},
    {EVHTTP_REQ_GET, "/v1/jobs/a/retry", "POST"},
    {EVHTTP_REQ_HEAD, "/v1/jobs/a/retry", "POST"},
    {EVHTTP_REQ_POST, "/v1/stats", "GET, HEAD"},
    {EVHTTP_REQ_TRACE, "/v1/stats", "GET, HEAD"},
    {EVHTTP_REQ_CONNECT, "/v1/stats", "GET, HEAD"},
    {EVHTTP_REQ_DELETE, "/v1/queues/all/pause", "POST, GET, HEAD"},
};

START_TEST(another_method_is_told_which_would_do)
{
    const struct method_row *row = &method_rows[_i];
    struct found f;

    find(&f, row->method, row->path);
    ck_assert_ptr_null(f.route);
    ck_assert_int_eq(f.e.code, ERROR_BAD_METHOD);
    ck_assert_str_eq(f.allow, row->allow);
    ck_assert_str_eq(f.parameter, "before");
}
END_TEST

Suite *router_suite(void)
{
    Suite *suite = suite_create("router");
    TCase *all = tcase_create("router");

    tcase_add_loop_test(all, a_route_is_found, 0, ARRAY_LENGTH(good_rows));
    tcase_add_loop_test(all, what_is_not_served_is_not_found, 0, ARRAY_LENGTH(missing_rows));
    tcase_add_loop_test(all, a_parameter_is_bounded, 0, ARRAY_LENGTH(length_rows));
    tcase_add_loop_test(all, another_method_is_told_which_would_do, 0, ARRAY_LENGTH(method_rows));
    suite_add_tcase(suite, all);
    return suite;
}
