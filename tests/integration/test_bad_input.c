/*
 * Bad input: what callers, handlers and a Redis in trouble get for an answer. Every error is a problem (RFC
 * 9457), and nothing of what is refused reaches the queue.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *bad_input_suite(void);

enum { URL_SIZE = 512, MANY_BYTES = 8 << 20 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
}

static void open_scene_with_worker(void)
{
    open_scene();
    scene_start_worker(&s, (const char *[]){"MAX_RESULT=1000", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static void post(
    const char *content_type, const char *query, const void *body, size_t length, struct http_reply *reply)
{
    char url[URL_SIZE];
    char header[160];

    snprintf(url, sizeof(url), "%s/v1/jobs%s", jobgate_url(s.api), query);
    snprintf(header, sizeof(header), "Content-Type: %s", content_type ? content_type : "");
    http_ask(&(struct http_ask){.method = "POST",
                 .url = url,
                 .headers = (const char *[]){content_type ? header : NULL, NULL},
                 .body = body,
                 .body_length = length},
        reply);
}

static void assert_nothing_reached_redis(void)
{
    ck_assert_int_eq(redis_server_integer(s.redis, "DBSIZE"), 0);
}

/* ---- what is not JSON ---- */

static const struct {
    const char *body;
    size_t length; /* 0: as a text */
    const char *where;
    const char *why; /* a word of it */
} bad_json[] = {
    {"", 0, "line 1, column 1", "expected"},
    {"{", 0, "line 1, column 2", "end of file"},
    {"not json", 0, "line 1, column 3", "invalid token"},
    {"{\"type\":}", 0, "line 1, column 9", "'}'"},
    {"{\"type\":\"echo\",\n \"payload\":1,\n}", 0, "line 3, column 1", "'}'"},
    {"{'type':'echo'}", 0, "line 1, column 2", "'''"},
    {"{\"type\":\"echo\",\"type\":\"echo\"}", 0, "line 1, column 21", "duplicate"},
    {"{\"type\":\"echo\",\"payload\":1,\"payload\":2}", 0, "line 1, column ", "duplicate"},
    {"{\"type\":\"echo\",\"payload\":{\"a\":[{\"b\":1,\n\"b\":2}]}}", 0, "line 2, column ", "duplicate"},
    {"{\"type\":\"echo\",\"pa\\u0079load\":1}", 0, "", "without escapes"},
    {"{\"type\":\"echo\"} x", 0, "line 1, column 17", "expected"},
    {"{\"type\":\"echo\"}{}", 0, "line 1, column 16", "expected"},
    {"{\"type\":\"echo\",\"payload\":\"\xff\"}", 0, "line 1, column 27", "decode byte"},
    {"{\"type\":\"echo\",\"payload\":\"\xc0\xaf\"}", 0, "line 1, column 27", "decode byte"},
    {"{\"type\":\"echo\",\"payload\":\"\xed\xa0\x80\"}", 0, "line 1, column 27", "decode byte"},
    {"{\"type\":\"echo\",\"payload\":\"\xf4\x90\x80\x80\"}", 0, "line 1, column 27", "decode byte"},
    {"{\"type\":\"echo\",\"payload\":\"\xe2\x82\"}", 0, "line 1, column 27", "decode byte"},
    {"{\"type\":\"echo\",\"payload\":\"\\ud800\"}", 0, "line 1, column ", "Unicode"},
    {"\xef\xbb\xbf{\"type\":\"echo\"}", 0, "line 1, column 1", "invalid token"},
    {"{\"type\":\"echo\"}\0", 16, "line 1, column 16", "NUL"},
    {"{\"type\":\"ec\0ho\"}", 17, "line 1, column 12", "NUL"},
    {"{\"type\":\"echo\",\"payload\":NaN}", 0, "line 1, column ", "invalid token"},
    {"{\"type\":\"echo\",\"payload\":01}", 0, "line 1, column ", "token"},
    {"{\"type\":\"echo\",\"payload\":18446744073709551616}", 0, "line 1, column ", "big"},
};

START_TEST(what_is_not_json_gets_400_with_the_place)
{
    size_t length = bad_json[_i].length ? bad_json[_i].length : strlen(bad_json[_i].body);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;
    const char *detail;

    post("application/json", "", bad_json[_i].body, length, &reply);
    problem = scene_problem(&reply, 400, "bad_json");
    detail = json_text_at(problem, "/detail");
    ck_assert_msg(strstr(detail, bad_json[_i].where) && strstr(detail, bad_json[_i].why),
        "\"%s\" and \"%s\" in \"%s\"?", bad_json[_i].where, bad_json[_i].why, detail);
    assert_nothing_reached_redis();
}
END_TEST

/* The job's object is the first level. */
static void fill_nested(struct buf *body, int levels)
{
    buf_append_text(body, "{\"type\":\"echo\",\"payload\":");
    for (int i = 1; i < levels; i++)
        buf_append_char(body, '[');
    for (int i = 1; i < levels; i++)
        buf_append_char(body, ']');
    buf_append_char(body, '}');
}

START_TEST(nesting_passes_to_64_levels_and_no_further)
{
    AUTO_BUF struct buf deepest = BUF(1024);
    AUTO_BUF struct buf too_deep = BUF(1024);
    AUTO_BUF struct buf far_too_deep = BUF(1 << 20);

    fill_nested(&deepest, 64);
    fill_nested(&too_deep, 65);
    fill_nested(&far_too_deep, 500000);
    for (int i = 0; i < 2; i++) {
        const struct buf *body = i ? &far_too_deep : &too_deep;
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *problem = NULL;

        post("application/json", "", body->data, body->length, &reply);
        problem = scene_problem(&reply, 400, "bad_json");
        ck_assert_ptr_nonnull(
            strstr(json_text_at(problem, "/detail"), "line 1, column 89: nested more than 64 deep"));
    }
    assert_nothing_reached_redis();
    free(jobgate_submit(s.api, deepest.data));
}
END_TEST

/* ---- what is JSON and not a job ---- */

/* Each mistake of the body, by its place. */
static const struct {
    const char *body;
    const char *pointers[10];
} bad_jobs[] = {
    {"{}", {"/type"}},
    {"{\"payload\":1}", {"/type"}},
    {"[1]", {""}},
    {"7", {""}},
    {"{\"type\":7}", {"/type"}},
    {"{\"type\":null}", {"/type"}},
    {"{\"type\":\"\"}", {"/type"}},
    {"{\"type\":\"Echo\"}", {"/type"}},
    {"{\"type\":\"-echo\"}", {"/type"}},
    {"{\"type\":\"a/b\"}", {"/type"}},
    {"{\"type\":\"echo\\u0000\"}", {"/type"}},
    {"{\"type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", {"/type"}},
    {"{\"type\":\"echo\",\"queue\":\"Not A Queue\"}", {"/queue"}},
    {"{\"type\":\"echo\",\"queue\":\"a.0\"}", {"/queue"}},
    {"{\"type\":\"echo\",\"queue\":\"{x}\"}", {"/queue"}},
    {"{\"type\":\"echo\",\"queue\":null}", {"/queue"}},
    {"{\"type\":\"echo\",\"timeout_s\":0}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"timeout_s\":-1}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"timeout_s\":86401}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"timeout_s\":9223372036854775807}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"timeout_s\":1.5}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"timeout_s\":\"5\"}", {"/timeout_s"}},
    {"{\"type\":\"echo\",\"metadata\":[]}", {"/metadata"}},
    {"{\"type\":\"echo\",\"metadata\":{\"a\":1}}", {"/metadata/a"}},
    {"{\"type\":\"echo\",\"metadata\":{\"1a\":\"x\",\"a/b~c\":\"\",\"\":\"\"}}",
        {"/metadata/1a", "/metadata/a~1b~0c", "/metadata/"}},
    {"{\"type\":\"echo\",\"surprise\":1}", {"/surprise"}},
    {"{\"type\":\"echo\",\"a/b~c\":1,\"\":2}", {"/a~1b~0c", "/"}},
    {"{\"type\":7,\"queue\":\"Not A "
     "Queue\",\"timeout_s\":0,\"metadata\":{\"1a\":\"x\",\"b\":5,\"good\":\"\"},\"surprise\":1,"
     "\"payload\":1}",
        {"/type", "/queue", "/timeout_s", "/metadata/1a", "/metadata/b", "/surprise"}},
};

/* Whether the problem's errors are about exactly these places, in any order. */
static void assert_places(const json_t *problem, const char *member, const char *const *places)
{
    const json_t *errors = json_at(problem, "/errors");
    AUTO_BUF struct buf text = BUF(1 << 16);
    size_t count = 0;

    json_write_value(&text, problem);
    ck_assert_msg(json_is_array(errors), "no errors in %s", text.data);
    for (; places[count]; count++) {
        bool is_there = false;

        for (size_t i = 0; i < json_array_size(errors); i++) {
            const json_t *one = json_array_get(errors, i);
            const char *place = json_string_value(json_object_get(one, member));

            is_there = is_there || (place && strcmp(place, places[count]) == 0);
            ck_assert_str_ne(json_text_at(one, "/detail"), "");
        }
        ck_assert_msg(is_there, "no %s %s in %s", member, places[count], text.data);
    }
    ck_assert_msg(json_array_size(errors) == count, "more than %zu errors in %s", count, text.data);
}

START_TEST(bad_values_get_422_with_a_pointer_to_each)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    post("application/json", "", bad_jobs[_i].body, strlen(bad_jobs[_i].body), &reply);
    problem = scene_problem(&reply, 422, "invalid");
    assert_places(problem, "pointer", bad_jobs[_i].pointers);
    assert_nothing_reached_redis();
}
END_TEST

static const struct {
    const char *query;
    const char *parameters[8];
} bad_queries[] = {
    {"", {"type"}},
    {"?", {"type"}},
    {"?queue=default", {"type"}},
    {"?type=", {"type"}},
    {"?type=Echo", {"type"}},
    {"?type=%ff", {"type"}},
    {"?type=echo&type=cat", {"type"}},
    {"?type=echo&queue=Not%20A%20Queue", {"queue"}},
    {"?type=echo&timeout_s=0", {"timeout_s"}},
    {"?type=echo&timeout_s=86401", {"timeout_s"}},
    {"?type=echo&timeout_s=abc", {"timeout_s"}},
    {"?type=echo&timeout_s=", {"timeout_s"}},
    {"?type=echo&timeout_s=1e1", {"timeout_s"}},
    {"?type=echo&metadata=%7B%7D", {"metadata"}},
    {"?type=echo&surprise=1", {"surprise"}},
    {"?queue=A&timeout_s=x&surprise=1&surprise=2", {"type", "queue", "timeout_s", "surprise", NULL}},
};

START_TEST(raw_body_gets_422_with_each_parameter)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    post("text/plain", bad_queries[_i].query, "abc", 3, &reply);
    problem = scene_problem(&reply, 422, "invalid");
    if (_i + 1 < (int)ARRAY_LENGTH(bad_queries))
        assert_places(problem, "parameter", bad_queries[_i].parameters);
    else /* the second of the repeated ones is one too */
        ck_assert_uint_eq(json_array_size(json_at(problem, "/errors")), 5);
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(malformed_query_gets_400)
{
    static const char *const queries[] = {
        "?type=echo%00", "?type=echo%00cat&queue=default", "?a%00=b&type=echo"};

    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        post("text/plain", queries[i], "abc", 3, &reply);
        json_decref(scene_problem(&reply, 400, "bad_request"));
    }
    assert_nothing_reached_redis();
}
END_TEST

/* What goes into the record comes from outside: whatever it is, it must not break anything. */
START_TEST(strange_content_type_harms_nobody)
{
    static const char *const types[] = {"", "\xff\xfe", "text/\"plain\\", "a\tb", "{\"a\":1}"};

    scene_start_worker(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        AUTO(free) char *id = jobgate_submit_raw(s.api, "type=cat", types[i], "abc", 3);

        scene_expect_result(&s, id, "abc", 3);
    }
}
END_TEST

START_TEST(raw_body_without_a_type_gets_422_whatever_it_is)
{
    static const char *const types[] = {
        NULL, "text/plain", "application/octet-stream", "application/jsonx", "application/problem+json"};

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *problem = NULL;

        post(types[i], "", "{\"type\":\"echo\"}", 15, &reply);
        problem = scene_problem(&reply, 422, "invalid");
        assert_places(problem, "parameter", (const char *const[]){"type", NULL});
    }
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(so_many_mistakes_that_not_all_find_room_are_still_answered)
{
    for (int filler = 1; filler < 130; filler++) { /* so that the room ends at each place of an error once */
        AUTO_BUF struct buf body = BUF(1 << 20);
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *problem = NULL;

        buf_printf(&body, "{\"type\":1,\"%0*d\":1", filler, 1);
        for (int i = 10000; i < 10300; i++)
            buf_printf(&body, ",\"unknown%d\":1", i);
        buf_append_text(&body, "}");
        post("application/json", "", body.data, body.length, &reply);
        problem = scene_problem(&reply, 422, "invalid");
        ck_assert_uint_gt(json_array_size(json_at(problem, "/errors")), 10);
        ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "302 of"));
    }
}
END_TEST

START_TEST(unknown_encoding_gets_415_with_those_that_serve)
{
    static const char *const encodings[] = {"x-gzip", "br", "deflate, gzip", "nonsense"};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs?type=echo", jobgate_url(s.api));
    for (size_t i = 0; i <= ARRAY_LENGTH(encodings); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(free) char *serves = NULL;
        char header[64];

        snprintf(header, sizeof(header), "Content-Encoding: %s",
            i < ARRAY_LENGTH(encodings) ? encodings[i] : "identity");
        http_ask(
            &(struct http_ask){
                .url = url, .headers = (const char *[]){header, NULL}, .body = "x", .body_length = 1},
            &reply);
        if (i == ARRAY_LENGTH(encodings)) {
            ck_assert_int_eq(reply.status, 202);
            break;
        }
        json_decref(scene_problem(&reply, 415, "bad_encoding"));
        serves = http_reply_header(&reply, "Accept-Encoding");
        ck_assert_str_eq(serves, "gzip, identity");
        assert_nothing_reached_redis();
    }
}
END_TEST

/* ---- too much ---- */

static void assert_too_big(const struct http_reply *reply, const char *limit)
{
    AUTO(json) json_t *problem = scene_problem(reply, 413, "too_big");

    ck_assert_msg(strstr(json_text_at(problem, "/detail"), limit) != NULL, "%s not in: %s", limit,
        json_text_at(problem, "/detail"));
}

START_TEST(too_large_a_body_is_refused_by_its_announcement)
{
    static const char *const heads[] = {
        "Content-Length: 1048577\r\n\r\n",
        "Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 1099511627776\r\n\r\n",
        "Content-Length: 9223372036854775807\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        int fd = wire_connect(jobgate_url(s.api), 0);
        AUTO_REPLY struct http_reply reply = {0};

        ck_assert(wire_say(fd, "POST /v1/jobs?type=echo HTTP/1.1\r\nHost: x\r\n"));
        ck_assert(wire_say(fd, heads[i]));
        ck_assert_msg(wire_hear(fd, &reply), "%s: %s", heads[i], reply.failure);
        assert_too_big(&reply, "1048576 bytes");
        close(fd);
    }
    assert_nothing_reached_redis();
}
END_TEST

/* One byte more than the limit; and so much that it does not fit into the sockets' buffers, from a client
 * that reads only when it has sent everything. */
START_TEST(client_that_sends_everything_first_still_reads_the_413)
{
    static const size_t sizes[] = {1048577, 2000000, MANY_BYTES};
    AUTO(free) char *data = mem_zalloc(MANY_BYTES);

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        int fd = wire_connect(jobgate_url(s.api), 0);
        AUTO_REPLY struct http_reply reply = {0};
        char head[128];

        snprintf(head, sizeof(head),
            "POST /v1/jobs?type=echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        ck_assert(wire_say(fd, head));
        ck_assert_msg(
            wire_send(fd, data, sizes[i]), "the connection broke while %zu bytes were sent", sizes[i]);
        ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
        assert_too_big(&reply, "1048576 bytes");
        close(fd);
    }
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(body_in_chunks_is_cut_off_at_the_limit)
{
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO(free) char *data = mem_zalloc(65536);
    AUTO_REPLY struct http_reply reply = {0};

    ck_assert(
        wire_say(fd, "POST /v1/jobs?type=echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 17; i++) {
        ck_assert(wire_say(fd, "10000\r\n"));
        ck_assert(wire_send(fd, data, 65536));
        ck_assert(wire_say(fd, "\r\n"));
    }
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    assert_too_big(&reply, "1048576 bytes");
    close(fd);
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(limit_is_a_setting_and_the_last_byte_of_it_passes)
{
    struct jobgate *other = scene_new_api(&s, (const char *[]){"MAX_BODY=2000", NULL});
    AUTO(free) char *data = mem_zalloc(2001);
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    jobgate_wait_ready(other, 200);
    free(jobgate_submit_raw(other, "type=echo", "text/plain", data, 2000));
    snprintf(url, sizeof(url), "%s/v1/jobs?type=echo", jobgate_url(other));
    http_ask(&(struct http_ask){.url = url, .body = data, .body_length = 2001}, &reply);
    assert_too_big(&reply, "2000 bytes");
    jobgate_free(other);
}
END_TEST

/* ---- what is not there ---- */

static const struct {
    const char *method;
    const char *path;
    int status;
    const char *code;
    const char *allow;
} wrong_places[] = {
    {"GET", "/", 404, "not_found", NULL},
    {"GET", "/v1", 404, "not_found", NULL},
    {"GET", "/v1/jobs/", 404, "not_found", NULL},
    {"GET", "/v1/job", 404, "not_found", NULL},
    {"POST", "/v1/jobs/", 404, "not_found", NULL},
    {"GET", "/v2/jobs", 404, "not_found", NULL},
    {"GET", "/v1//jobs", 404, "not_found", NULL},
    {"GET", "/v1/jobs/a/b/c", 404, "not_found", NULL},
    {"GET", "/v1/jobs/a/results", 404, "not_found", NULL},
    {"GET", "/healthz", 404, "not_found", NULL},
    {"PATCH", "/nowhere", 404, "not_found", NULL},
    {"PUT", "/v1/jobs", 405, "bad_method", "POST"},
    {"DELETE", "/v1/jobs", 405, "bad_method", "POST"},
    {"PATCH", "/v1/jobs", 405, "bad_method", "POST"},
    {"POST", "/v1/jobs/x", 405, "bad_method", "GET, HEAD"},
    {"PUT", "/v1/jobs/x", 405, "bad_method", "GET, HEAD"},
    {"PATCH", "/v1/jobs/x/result", 405, "bad_method", "GET, HEAD"},
    {"GET", "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV/result", 404, "not_found", NULL},
    {"GET", "/v1/jobs/x", 404, "not_found", NULL},
    {"GET", "/v1/jobs/x/result", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.0.01arz3ndektsv4rrffq69g5fav", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.0.81ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FA", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAVV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.00.01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/default.4096.01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/Default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "not_found", NULL},
    {"GET", "/v1/jobs/..%2f..%2fetc", 404, "not_found", NULL},
    {"GET", "/v1/jobs/%ff%fe", 404, "not_found", NULL},
    {"GET", "/v1/jobs/%22%3cb%3e", 404, "not_found", NULL},
};

START_TEST(wrong_place_gets_404_or_405)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *allow = NULL;
    int fd = wire_connect(jobgate_url(s.api), 0);
    char request[URL_SIZE];

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", wrong_places[_i].method,
        wrong_places[_i].path);
    ck_assert(wire_say(fd, request));
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    json_decref(scene_problem(&reply, wrong_places[_i].status, wrong_places[_i].code));
    allow = http_reply_header(&reply, "Allow");
    if (wrong_places[_i].allow)
        ck_assert_msg(allow && strstr(allow, wrong_places[_i].allow), "Allow: %s", allow);
    else
        ck_assert_ptr_null(allow);
    close(fd);
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(what_is_not_http_gets_a_problem_too)
{
    static const struct {
        const char *request;
        int status;
        const char *code;
    } asks[] = {
        {"GARBAGE\r\n\r\n", 400, "bad_request"},
        {"GET /v1/jobs/x HTTP/1.1\r\nno colon here\r\n\r\n", 400, "bad_request"},
        {"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: twelve\r\n\r\n", 400, "bad_request"},
        {"TRACE /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n", 501, "bad_method_ever"},
        {"CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "bad_method_ever"},
        {"BREW /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n", 501, "bad_method_ever"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(asks); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        int fd = wire_connect(jobgate_url(s.api), 0);

        ck_assert(wire_say(fd, asks[i].request));
        ck_assert_msg(wire_hear(fd, &reply), "%s: %s", asks[i].request, reply.failure);
        json_decref(scene_problem(&reply, asks[i].status, asks[i].code));
        close(fd);
    }
    assert_nothing_reached_redis();
}
END_TEST

START_TEST(endless_headers_are_refused)
{
    AUTO_REPLY struct http_reply reply = {0};
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO(free) char *data = mem_zalloc(65536);

    memset(data, 'a', 65535);
    ck_assert(wire_say(fd, "GET /v1/jobs/x HTTP/1.1\r\nHost: x\r\nX-Long: "));
    (void)wire_send(fd, data, 65535); /* it may be refused before all is sent */
    (void)wire_say(fd, "\r\n\r\n");
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    ck_assert_msg(reply.status >= 400 && reply.status < 500, "status %d", reply.status);
    close(fd);
    assert_nothing_reached_redis();
}
END_TEST

/* ---- Redis in trouble ---- */

static void assert_busy(const struct http_reply *reply, const char *code)
{
    AUTO(free) char *retry = http_reply_header(reply, "Retry-After");

    json_decref(scene_problem(reply, 503, code));
    ck_assert_ptr_nonnull(retry);
    ck_assert_int_ge(strtol(retry, NULL, 10), 1);
}

START_TEST(redis_away_gets_503_on_every_path)
{
    static const char *const paths[] = {
        "/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV", "/default.0.01ARZ3NDEKTSV4RRFFQ69G5FAV/result"};

    redis_server_kill(s.redis);
    jobgate_wait_ready(s.api, 503);
    for (size_t i = 0; i <= ARRAY_LENGTH(paths); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        char url[URL_SIZE];
        bool is_get = i < ARRAY_LENGTH(paths);

        snprintf(url, sizeof(url), "%s/v1/jobs%s", jobgate_url(s.api), is_get ? paths[i] : "?type=echo");
        http_ask(
            &(struct http_ask){
                .url = url, .body = is_get ? NULL : "x", .body_length = !is_get, .timeout_ms = 10000},
            &reply);
        assert_busy(&reply, "redis_away");
    }
    redis_server_restart(s.redis);
}
END_TEST

/* A Redis at its limit refuses new jobs, and lets those that it has be done: then there is room again. */
START_TEST(redis_over_its_memory_gets_503_and_drains)
{
    enum { PAYLOAD = 100000, MOST = 400 };
    AUTO(free) char *data = mem_zalloc(PAYLOAD);
    int accepted = 0;

    redis_server_free(s.redis);
    s.redis =
        redis_server_start((const char *[]){"--maxmemory", "12mb", "--maxmemory-policy", "noeviction", NULL});
    jobgate_free(s.api);
    s.api = NULL;
    scene_start_api(&s, (const char *[]){"INLINE_PAYLOAD_MAX=1048576", NULL});
    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};

        post("text/plain", "?type=sha256", data, PAYLOAD, &reply);
        if (reply.status != 202) {
            assert_busy(&reply, "redis_full");
            break;
        }
        ck_assert_int_lt(++accepted, MOST);
    }
    ck_assert_int_gt(accepted, 0);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{default.0}:ready"), accepted);
    scene_start_worker(&s, NULL);
    jobgate_wait_metric(
        s.worker, "jobgate_jobs_finished_total{type=\"sha256\",state=\"succeeded\"}", accepted);
    for (int64_t deadline_ms = clock_steady_ms() + 30000;; ck_assert(wait_until(deadline_ms))) {
        AUTO_REPLY struct http_reply reply = {0};

        post("text/plain", "?type=cat", data, PAYLOAD, &reply);
        if (reply.status == 202)
            break;
        assert_busy(&reply, "redis_full"); /* what it uses is looked at only now and then */
    }
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"cat\",state=\"succeeded\"}", 1);
}
END_TEST

/* ---- too early, too late ---- */

static void expect_conflict(const char *id, const char *state, bool will_change)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;
    AUTO(free) char *retry = NULL;

    jobgate_result(s.api, id, &reply);
    problem = scene_problem(&reply, 409, "conflict");
    ck_assert_str_eq(json_text_at(problem, "/state"), state);
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), state));
    retry = http_reply_header(&reply, "Retry-After");
    ck_assert_int_eq(retry != NULL, will_change);
}

START_TEST(result_that_is_not_there_gets_409_with_the_state)
{
    AUTO(free) char *running = NULL;
    AUTO(free) char *dead = NULL;
    AUTO_REPLY struct http_reply result = {0};

    running = scene_submit_script(&s, "", "while [ ! -e go ]; do sleep 0.02; done; echo done");
    expect_conflict(running, "queued", true);
    scene_start_worker(&s, NULL);
    json_decref(jobgate_wait_for(s.api, running, "running"));
    expect_conflict(running, "running", true);
    scene_touch(&s, "go");
    scene_expect_result(&s, running, "done\n", 5);
    dead = scene_submit_script(&s, "", "echo the reason >&2; exit 65");
    scene_expect_dead(&s, dead, "bad_payload", "the reason");
    expect_conflict(dead, "dead", false);
    jobgate_result(s.api, dead, &result);
    ck_assert_ptr_nonnull(strstr(result.body.data, "the reason"));
}
END_TEST

/* ---- handlers ---- */

static const struct {
    const char *type;
    const char *payload;
    const char *code;
    const char *words[3];
} bad_handlers[] = {
    {"missing", "", "handler_start", {"/nowhere/at-all", "No such file or directory"}},
    {"plain", "", "handler_start", {"/plain", "Permission denied"}},
    {"nobody-knows-it", "", "no_handler", {"nobody-knows-it", "echo", "sha256"}},
    {"sh", "kill -KILL $$", "handler_killed", {"SIGKILL"}},
    {"sh", "kill -SEGV $$", "handler_killed", {"SIGSEGV"}},
    {"sh", "echo the last words >&2; kill -ABRT $$", "handler_killed", {"SIGABRT", "the last words"}},
    {"sh", "yes", "output_too_big", {"1000 bytes"}},
    {"sh", "head -c 1001 /dev/zero", "output_too_big", {"1000 bytes"}},
    {"sh", "head -c 1001 /dev/zero; exit 3", "output_too_big", {"1000 bytes"}},
    {"sh", "echo this is why >&2; exit 3", "handler_failed", {"exit status 3", "this is why"}},
    {"sh", "echo useless >&2; exit 65", "bad_payload", {"exit status 65", "useless"}},
    {"sh", "exit 127", "handler_failed", {"exit status 127"}},
    {"fail", "{\"message\":\"on purpose\"}", "handler_failed", {"on purpose"}},
    {"sleep", "\"long\"", "bad_payload", {"seconds"}},
};

START_TEST(handler_in_trouble_is_the_jobs_error)
{
    const char *payload = bad_handlers[_i].payload;
    char query[64];
    AUTO(free) char *id = NULL;

    snprintf(query, sizeof(query), "type=%s", bad_handlers[_i].type);
    id = jobgate_submit_raw(s.api, query, "text/plain", payload, strlen(payload));
    for (size_t i = 0; i < ARRAY_LENGTH(bad_handlers[_i].words) && bad_handlers[_i].words[i]; i++)
        scene_expect_dead(&s, id, bad_handlers[_i].code, bad_handlers[_i].words[i]);
}
END_TEST

START_TEST(output_up_to_the_limit_passes)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "head -c 1000 /dev/zero | tr '\\0' x");
    AUTO(free) char *expected = mem_zalloc(1000);

    memset(expected, 'x', 1000);
    scene_expect_result(&s, id, expected, 1000);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open, close_scene);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
    return one;
}

Suite *bad_input_suite(void)
{
    Suite *suite = suite_create("bad_input");
    TCase *bodies = add_case(suite, "bodies", open_scene);
    TCase *sizes = add_case(suite, "sizes", open_scene);
    TCase *places = add_case(suite, "places", open_scene);
    TCase *states = add_case(suite, "states", open_scene);
    TCase *handlers = add_case(suite, "handlers", open_scene_with_worker);

    tcase_add_loop_test(bodies, what_is_not_json_gets_400_with_the_place, 0, (int)ARRAY_LENGTH(bad_json));
    tcase_add_test(bodies, nesting_passes_to_64_levels_and_no_further);
    tcase_add_loop_test(bodies, bad_values_get_422_with_a_pointer_to_each, 0, (int)ARRAY_LENGTH(bad_jobs));
    tcase_add_loop_test(bodies, raw_body_gets_422_with_each_parameter, 0, (int)ARRAY_LENGTH(bad_queries));
    tcase_add_test(bodies, malformed_query_gets_400);
    tcase_add_test(bodies, strange_content_type_harms_nobody);
    tcase_add_test(bodies, raw_body_without_a_type_gets_422_whatever_it_is);
    tcase_add_test(bodies, so_many_mistakes_that_not_all_find_room_are_still_answered);
    tcase_add_test(bodies, unknown_encoding_gets_415_with_those_that_serve);
    tcase_add_test(sizes, too_large_a_body_is_refused_by_its_announcement);
    tcase_add_test(sizes, client_that_sends_everything_first_still_reads_the_413);
    tcase_add_test(sizes, body_in_chunks_is_cut_off_at_the_limit);
    tcase_add_test(sizes, limit_is_a_setting_and_the_last_byte_of_it_passes);
    tcase_add_loop_test(places, wrong_place_gets_404_or_405, 0, (int)ARRAY_LENGTH(wrong_places));
    tcase_add_test(places, what_is_not_http_gets_a_problem_too);
    tcase_add_test(places, endless_headers_are_refused);
    tcase_add_test(states, redis_away_gets_503_on_every_path);
    tcase_add_test(states, redis_over_its_memory_gets_503_and_drains);
    tcase_add_test(states, result_that_is_not_there_gets_409_with_the_state);
    tcase_add_loop_test(handlers, handler_in_trouble_is_the_jobs_error, 0, (int)ARRAY_LENGTH(bad_handlers));
    tcase_add_test(handlers, output_up_to_the_limit_passes);
    return suite;
}
