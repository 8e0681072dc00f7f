/*
 * Manners: what every answer has and every request brings: ids, traces, CORS, the log of requests, TLS, and
 * the way down.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "api/gzip.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/desk.h"
#include "tests/support/wire.h"

Suite *manners_suite(void);

enum { WAIT_MS = 30000, URL_SIZE = 512 };

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *[]){"CORS_ORIGINS=https://a.example,https://b.example", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static void ask(const char *method, const char *path, const char *const *headers, const char *body,
    struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s%s", jobgate_url(s.api), path);
    http_ask(&(struct http_ask){.method = method,
                 .url = url,
                 .headers = headers,
                 .body = body,
                 .body_length = body ? strlen(body) : 0},
        reply);
}

static void expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    AUTO(free) char *found = http_reply_header(reply, name);

    if (!value)
        ck_assert_msg(!found, "%s: %s", name, found);
    else
        ck_assert_msg(
            found && strcmp(found, value) == 0, "%s: %s, not %s", name, found ? found : "absent", value);
}

/* ---- ids and traces ---- */

static const struct {
    const char *header;
    bool is_kept;
} id_rows[] = {
    {"X-Request-Id: abc-1.2_3:4", true},
    {"X-Request-Id: 0123456789012345678901234567890123456789012345678901234567890123", true},
    {"X-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234", false},
    {"X-Request-Id: a b", false},
    {"X-Request-Id: a\"b", false},
    {"X-Request-Id;", false},
};

START_TEST(a_request_keeps_its_id_or_gets_one)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *id = NULL;

    ask("GET", "/v1/queues", (const char *[]){id_rows[_i].header, NULL}, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    id = http_reply_header(&reply, "X-Request-Id");
    ck_assert_ptr_nonnull(id);
    if (id_rows[_i].is_kept)
        ck_assert_str_eq(id, id_rows[_i].header + strlen("X-Request-Id: "));
    else
        ck_assert_uint_eq(strlen(id), 26);
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "Server-Timing: app;dur="));
}
END_TEST

static const struct {
    const char *header;
    const char *flags; /* NULL: it is no trace */
} trace_rows[] = {
    {"traceparent: 00-" TRACE "-" PARENT "-01", "01"},
    {"traceparent: 00-" TRACE "-" PARENT "-00", "00"},
    {"traceparent: 00-" TRACE "-" PARENT "-03", "01"},
    {"traceparent: cc-" TRACE "-" PARENT "-01-more", "01"},
    {"traceparent: 00-" TRACE "-" PARENT "-01-more", NULL},
    {"traceparent: ff-" TRACE "-" PARENT "-01", NULL},
    {"traceparent: 00-00000000000000000000000000000000-" PARENT "-01", NULL},
    {"traceparent: 00-" TRACE "-0000000000000000-01", NULL},
    {"traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", NULL},
    {"traceparent: 00-" TRACE "-" PARENT, NULL},
    {"traceparent: nonsense", NULL},
};

START_TEST(a_trace_goes_on_with_the_job)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;
    AUTO(free) char *record = NULL;
    redisReply *reply_of_redis;
    char wanted[80];

    ask("POST", "/v1/jobs", (const char *[]){"Content-Type: application/json", trace_rows[_i].header, NULL},
        "{\"type\":\"echo\"}", &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    reply_of_redis =
        redis_server_command(s.redis, "GET jobgate:{default.0}:job:%s", json_text_at(job, "/id"));
    record = mem_zalloc(reply_of_redis->len + 1);
    for (size_t i = 0; i < reply_of_redis->len; i++) /* its head holds NUL bytes */
        record[i] = reply_of_redis->str[i] ? reply_of_redis->str[i] : ' ';
    freeReplyObject(reply_of_redis);
    if (!trace_rows[_i].flags) {
        ck_assert_ptr_null(strstr(record, "traceparent"));
        return;
    }
    ck_assert_msg(strstr(record, "\"traceparent\":\"00-" TRACE "-") != NULL, "%s", record);
    ck_assert_msg(strstr(record, PARENT) == NULL, "%s", record); /* we are the parent of what follows */
    snprintf(wanted, sizeof(wanted), "-%s\"", trace_rows[_i].flags);
    ck_assert_msg(strstr(record, wanted) != NULL, "%s", record);
}
END_TEST

/* ---- the log ---- */

START_TEST(each_request_is_a_line_of_the_log)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char id[JOB_ID_SIZE + 16];

    ask("POST", "/v1/jobs?type=echo&unique_key=hidden",
        (const char *[]){"X-Request-Id: seen-1", "traceparent: 00-" TRACE "-" PARENT "-01", NULL}, "x",
        &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    snprintf(id, sizeof(id), "\"job_id\":\"%s\"", json_text_at(job, "/id"));
    while (scene_count_log(s.api, "\"component\":\"access\"", "\"request_id\":\"seen-1\"") == 0)
        ck_assert(wait_until(deadline_ms));
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", id), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"method\":\"POST\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"path\":\"/v1/jobs\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"status\":\"202\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"caller\":\"anybody\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"address\":\"127.0.0.1\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"trace_id\":\"" TRACE "\""), 1);
    ck_assert_uint_eq(
        scene_count_log(s.api, "\"request_id\":\"seen-1\"", "\"parent_span_id\":\"" PARENT "\""), 1);
    ck_assert_uint_eq(scene_count_log(s.api, "hidden", ""), 0);
}
END_TEST

/* ---- methods and origins ---- */

START_TEST(options_says_what_is_allowed)
{
    AUTO_REPLY struct http_reply reply = {0};

    ask("OPTIONS", "/v1/jobs", NULL, NULL, &reply);
    ck_assert_int_eq(reply.status, 204);
    ck_assert_uint_eq(reply.body.length, 0);
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "Allow: POST, GET, HEAD, OPTIONS"));
    expect_header(&reply, "Access-Control-Allow-Methods", NULL);
}
END_TEST

START_TEST(a_page_of_an_allowed_origin_may_ask)
{
    static const char *const asked[] = {
        "Origin: https://b.example", "Access-Control-Request-Method: POST", NULL};
    AUTO_REPLY struct http_reply reply = {0};

    ask("OPTIONS", "/v1/jobs", asked, NULL, &reply);
    ck_assert_int_eq(reply.status, 204);
    expect_header(&reply, "Access-Control-Allow-Origin", "https://b.example");
    expect_header(&reply, "Vary", "Origin");
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "Access-Control-Allow-Headers: Authorization"));
    ask("GET", "/v1/queues", asked, NULL, &reply);
    expect_header(&reply, "Access-Control-Allow-Origin", "https://b.example");
    ck_assert_ptr_nonnull(strstr(reply.headers.data, "Access-Control-Expose-Headers:"));
}
END_TEST

static const char *const strangers[] = {"Origin: https://c.example", "Origin: https://a.example.evil",
    "Origin: https://a.exampl", "Origin: null", "Origin: http://a.example"};

START_TEST(a_page_of_another_origin_may_not)
{
    AUTO_REPLY struct http_reply reply = {0};

    ask("OPTIONS", "/v1/jobs", (const char *[]){strangers[_i], "Access-Control-Request-Method: POST", NULL},
        NULL, &reply);
    expect_header(&reply, "Access-Control-Allow-Origin", NULL);
    expect_header(&reply, "Access-Control-Allow-Methods", NULL);
}
END_TEST

/* ---- gzip ---- */

static int post_packed(const struct buf *body, const char *encoding)
{
    static const char *const json = "Content-Type: application/json";
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    http_ask(&(struct http_ask){.url = url,
                 .headers = (const char *[]){json, encoding, NULL},
                 .body = body->data,
                 .body_length = body->length},
        &reply);
    return reply.status;
}

START_TEST(a_body_may_come_packed)
{
    AUTO_BUF struct buf plain = BUF(4 << 20);
    AUTO_BUF struct buf packed = BUF(4 << 20);

    buf_append_text(&plain, "{\"type\":\"echo\",\"payload\":\"");
    gzip_pack("{\"type\":\"echo\"}", 15, &packed);
    ck_assert_int_eq(post_packed(&packed, "Content-Encoding: gzip"), 202);
    ck_assert_int_eq(post_packed(&packed, NULL), 400);
    ck_assert_int_eq(post_packed(&packed, "Content-Encoding: deflate"), 415);
    packed.length -= 3;
    ck_assert_int_eq(post_packed(&packed, "Content-Encoding: gzip"), 400);
    while (plain.length < 2000000) /* a bomb: its MAX_BODY is a MiB */
        buf_append_text(&plain, "aaaaaaaaaaaaaaaa");
    buf_reset(&packed);
    gzip_pack(plain.data, plain.length, &packed);
    ck_assert_uint_lt(packed.length, 100000);
    ck_assert_int_eq(post_packed(&packed, "Content-Encoding: gzip"), 413);
}
END_TEST

START_TEST(an_answer_goes_packed_to_who_takes_it)
{
    AUTO_REPLY struct http_reply plain = {0};
    AUTO_REPLY struct http_reply packed = {0};
    AUTO_BUF struct buf back = BUF(1 << 20);
    struct error e = {0};

    for (int i = 0; i < 10; i++)
        free(jobgate_submit(s.api, "{\"type\":\"echo\",\"run_at\":\"2027-01-01T00:00:00Z\"}"));
    ask("GET", "/v1/jobs?state=scheduled", NULL, NULL, &plain);
    ask("GET", "/v1/jobs?state=scheduled", (const char *[]){"Accept-Encoding: gzip", NULL}, NULL, &packed);
    expect_header(&plain, "Content-Encoding", NULL);
    expect_header(&packed, "Content-Encoding", "gzip");
    ck_assert_uint_lt(packed.body.length, plain.body.length);
    ck_assert_msg(gzip_unpack(packed.body.data, packed.body.length, &back, &e), "%s", e.text);
    ck_assert_str_eq(back.data, plain.body.data);
}
END_TEST

/* ---- TLS ---- */

static void run(const char *const *argv)
{
    AUTO(free) char *said = NULL;
    int status = process_run(argv, NULL, WAIT_MS, &said);

    ck_assert_msg(status == 0, "%s: %d: %s", argv[0], status, said);
}

static void make_certificate(const char *name)
{
    char cert[PROCESS_PATH_SIZE + 32];
    char key[PROCESS_PATH_SIZE + 32];
    char subject[64];

    snprintf(cert, sizeof(cert), "%s/cert.pem", s.directory);
    snprintf(key, sizeof(key), "%s/key.pem", s.directory);
    snprintf(subject, sizeof(subject), "/CN=%s", name);
    run((const char *[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", subject, "-addext",
        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert, NULL});
}

static struct jobgate *start_with_tls(void)
{
    char cert[PROCESS_PATH_SIZE + 64];
    char key[PROCESS_PATH_SIZE + 64];
    struct jobgate *api;

    make_certificate("first");
    snprintf(cert, sizeof(cert), "TLS_CERT_FILE=%s/cert.pem", s.directory);
    snprintf(key, sizeof(key), "TLS_KEY_FILE=%s/key.pem", s.directory);
    api = scene_new_api(&s, (const char *[]){cert, key, "MAX_BODY=4000000", NULL});
    jobgate_wait_ready(api, 200);
    return api;
}

/* What curl says and hears; it trusts the certificate that is in the file now. */
static int curl(const struct jobgate *api, const char *option, const char *value, char **said)
{
    char cert[PROCESS_PATH_SIZE + 32];
    char url[URL_SIZE];

    snprintf(cert, sizeof(cert), "%s/cert.pem", s.directory);
    snprintf(url, sizeof(url), "https%s/v1/jobs", jobgate_url(api) + strlen("http"));
    return process_run(
        (const char *[]){"curl", "-sv", "--max-time", "20", "--cacert", cert, option, value, url, NULL}, NULL,
        WAIT_MS, said);
}

START_TEST(it_speaks_tls)
{
    struct jobgate *api = start_with_tls();
    AUTO_BUF struct buf body = BUF(4 << 20);
    AUTO(free) char *small = NULL;
    AUTO(free) char *large = NULL;
    AUTO(free) char *old = NULL;
    AUTO(free) char *wrong = NULL;
    char path[PROCESS_PATH_SIZE + 32];
    FILE *file;

    ck_assert_int_eq(curl(api, "--json", "{\"type\":\"echo\"}", &small), 0);
    ck_assert_msg(
        strstr(small, "HTTP/1.1 202") && strstr(small, "Strict-Transport-Security: max-age="), "%s", small);
    buf_append_text(&body, "{\"type\":\"echo\",\"payload\":\"");
    while (body.length < 3000000)
        buf_append_text(&body, "0123456789abcdef");
    buf_append_text(&body, "\"}");
    snprintf(path, sizeof(path), "@%s/body", s.directory);
    file = fopen(path + 1, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(body.data, 1, body.length, file), body.length);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(curl(api, "--json", path, &large), 0);
    ck_assert_msg(strstr(large, "HTTP/1.1 202"), "%s", large);
    ck_assert_int_eq(curl(api, "-H", "Host:", &wrong), 0);
    ck_assert_msg(strstr(wrong, "HTTP/1.1 400") && strstr(wrong, "exactly one Host"), "%s", wrong);
    ck_assert_int_ne(curl(api, "--tls-max", "1.1", &old), 0);
    jobgate_free(api);
}
END_TEST

START_TEST(a_new_certificate_is_taken_up)
{
    struct jobgate *api = start_with_tls();
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    make_certificate("second");
    for (;;) {
        AUTO(free) char *said = NULL;
        int status = curl(api, "-X", "GET", &said);

        if (status == 0 && strstr(said, "CN=second"))
            break;
        ck_assert_msg(wait_until(deadline_ms), "%s", said);
    }
    jobgate_free(api);
}
END_TEST

START_TEST(who_speaks_no_tls_does_no_harm)
{
    struct jobgate *api = start_with_tls();
    AUTO(free) char *said = NULL;
    int fd = wire_connect(jobgate_url(api), 0);

    ck_assert(wire_say(fd, "GET /v1/queues HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (!wire_is_closed(fd))
        ; /* an alert of TLS may come before */
    close(fd);
    ck_assert_int_eq(curl(api, "-X", "GET", &said), 0);
    jobgate_free(api);
}
END_TEST

/* ---- the way down ---- */

START_TEST(it_is_not_ready_before_it_closes)
{
    struct jobgate *api = scene_new_api(&s, (const char *[]){"DRAIN_DELAY_S=4", NULL});
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    jobgate_wait_ready(api, 200);
    process_signal(jobgate_process(api), SIGTERM);
    jobgate_wait_ready(api, 503);
    snprintf(url, sizeof(url), "%s/v1/queues", jobgate_url(api));
    http_get(url, &reply);
    ck_assert_int_eq(reply.status, 200);
    expect_header(&reply, "Connection", "close");
    ck_assert_int_eq(process_wait(jobgate_process(api), WAIT_MS), 0);
    jobgate_free(api);
}
END_TEST

Suite *manners_suite(void)
{
    Suite *suite = suite_create("manners");
    TCase *t = tcase_create("manners");

    tcase_add_checked_fixture(t, open_scene, close_scene);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_request_keeps_its_id_or_gets_one, 0, ARRAY_LENGTH(id_rows));
    tcase_add_loop_test(t, a_trace_goes_on_with_the_job, 0, ARRAY_LENGTH(trace_rows));
    tcase_add_test(t, each_request_is_a_line_of_the_log);
    tcase_add_test(t, options_says_what_is_allowed);
    tcase_add_test(t, a_page_of_an_allowed_origin_may_ask);
    tcase_add_loop_test(t, a_page_of_another_origin_may_not, 0, ARRAY_LENGTH(strangers));
    tcase_add_test(t, a_body_may_come_packed);
    tcase_add_test(t, an_answer_goes_packed_to_who_takes_it);
    tcase_add_test(t, it_speaks_tls);
    tcase_add_test(t, a_new_certificate_is_taken_up);
    tcase_add_test(t, who_speaks_no_tls_does_no_harm);
    tcase_add_test(t, it_is_not_ready_before_it_closes);
    suite_add_tcase(suite, t);
    return suite;
}
