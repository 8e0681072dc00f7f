#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/identity_server.h"
#include "tests/support/settings.h"
#include "tests/support/stage.h"
#include "tests/support/web_server.h"

/* Handlers of the kind http, against a server. */

Suite *http_suite(void);

static struct stage s;
static struct web_server w;

/* A type for each path of the server: its name is the path. */
static void open_stage_with(const char *more)
{
    AUTO_BUF struct buf types = BUF(1 << 16);
    static const char *const paths[] = {"echo", "headers", "hang", "reset", "half"};

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
        buf_printf(&types, "\"%s\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:%d/%s\"},", paths[i],
            w.port, paths[i]);
    buf_printf(
        &types, "\"nobody\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:1/?code=secret\"}%s", more);
    stage_open(&s, types.data);
}

static void open_server(void)
{
    web_server_start(&w);
    s.config = NULL;
}

static void close_server(void)
{
    stage_close(&s);
    web_server_stop(&w);
}

static void run(const char *type, const char *payload, struct ended *ended)
{
    struct run_input input = stage_input(type, payload);

    stage_run(&s, &input, ended);
}

START_TEST(answer_is_the_result)
{
    struct ended ended;

    open_stage_with("");
    for (int i = 0; i < 3; i++) {
        run("echo", i ? "a,b" : "", &ended);
        ck_assert_msg(ended.error.code == ERROR_OK, "%s", ended.error.text);
        ck_assert_str_eq(ended.result.data, i ? "a,b" : "");
        ck_assert_str_eq(ended.content_type, "text/csv");
        ended_release(&ended);
    }
}
END_TEST

static void assert_header(const json_t *headers, const char *name, const char *value)
{
    const char *found = json_string_value(json_object_get(headers, name));

    ck_assert_msg(found && strcmp(found, value) == 0, "%s is %s", name, found ? found : "not there");
}

START_TEST(request_tells_the_job)
{
    struct run_input input = stage_input("custom", "{\"a\": 1}");
    char more[512];
    AUTO(json) json_t *headers = NULL;
    struct ended ended;
    struct error e;

    snprintf(more, sizeof(more),
        ",\"custom\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:%d/headers?x=y\", \"headers\": "
        "{\"X-Color\": "
        "\"red\"}, \"request_content_type\": \"text/x-order\"}",
        w.port);
    open_stage_with(more);
    input.attempt = 2;
    input.owner = "me";
    input.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    stage_run(&s, &input, &ended);
    headers = json_parse(ended.result.data, ended.result.length, &e);
    assert_header(headers, "method", "POST");
    assert_header(headers, "url", "/headers?x=y");
    assert_header(headers, "content-type", "text/x-order");
    assert_header(headers, "content-length", "8");
    assert_header(headers, "jobgate-job-id", input.job_id);
    assert_header(headers, "jobgate-type", "custom");
    assert_header(headers, "jobgate-queue", "default");
    assert_header(headers, "jobgate-attempt", "2");
    assert_header(headers, "jobgate-owner", "me");
    assert_header(headers, "traceparent", input.traceparent);
    assert_header(headers, "x-color", "red");
    ck_assert_ptr_nonnull(json_object_get(headers, "jobgate-deadline"));
    ck_assert_ptr_null(json_object_get(headers, "authorization"));
    ck_assert_int_eq(json_integer_value(json_object_get(headers, "length")), 8);
    ended_release(&ended);
}
END_TEST

static const struct {
    const char *query;
    enum error_code code;
    int64_t retry_after_ms;
} statuses[] = {
    {"s=200&b=words", ERROR_OK, 0},
    {"s=204", ERROR_OK, 0},
    {"s=302&b=words", ERROR_HANDLER_REFUSED, 0},
    {"s=400&b=words", ERROR_BAD_PAYLOAD, 0},
    {"s=422&b=words", ERROR_BAD_PAYLOAD, 0},
    {"s=401&b=words", ERROR_HANDLER_REFUSED, 0},
    {"s=404&b=words", ERROR_HANDLER_REFUSED, 0},
    {"s=404&after=9&b=words", ERROR_HANDLER_REFUSED, 0},
    {"s=429&b=words", ERROR_TRY_LATER, 0},
    {"s=429&after=7&b=words", ERROR_TRY_LATER, 7000},
    {"s=503&after=120&b=words", ERROR_TRY_LATER, 120000},
    {"s=503&after=99999999999&b=words", ERROR_TRY_LATER, 86400000},
    {"s=503&after=soon&b=words", ERROR_TRY_LATER, 0},
    {"s=503&after=Sat,+21+Nov+2026+03:34:32+GMT&b=words", ERROR_TRY_LATER, 10000},
    {"s=503&after=Sat,+21+Nov+2020+03:34:32+GMT&b=words", ERROR_TRY_LATER, 0},
    {"s=500&b=words", ERROR_HANDLER_FAILED, 0},
    {"s=502&b=words", ERROR_HANDLER_FAILED, 0},
};

START_TEST(status_decides)
{
    char more[512];
    char answered[32];
    struct ended ended;

    snprintf(more, sizeof(more),
        ",\"status\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:%d/status?%s\"}", w.port,
        statuses[_i].query);
    open_stage_with(more);
    clock_set_for_test(1795232062000); /* Sat, 21 Nov 2026 03:34:22 GMT */
    run("status", "x", &ended);
    clock_set_for_test(-1);
    ck_assert_msg(ended.error.code == statuses[_i].code, "%s: %s", statuses[_i].query, ended.error.text);
    ck_assert_int_eq(ended.retry_after_ms, statuses[_i].retry_after_ms);
    if (statuses[_i].code != ERROR_OK) {
        snprintf(answered, sizeof(answered), "answered %.3s: words", statuses[_i].query + 2);
        ck_assert_msg(strstr(ended.error.text, answered), "%s", ended.error.text);
        ck_assert_ptr_null(strstr(ended.error.text, "?")); /* a query may hold a secret */
        ck_assert_str_eq(ended.log.data, "words");
    }
    ended_release(&ended);
}
END_TEST

static const struct {
    const char *type;
    enum error_code code;
} broken[] = {
    {"nobody", ERROR_HANDLER_AWAY},
    {"reset", ERROR_HANDLER_AWAY},
    {"half", ERROR_HANDLER_AWAY},
    {"hang", ERROR_TIMEOUT},
};

START_TEST(broken_connection_is_tried_again_later)
{
    struct run_input input = stage_input(broken[_i].type, "x");
    struct ended ended;

    open_stage_with("");
    input.timeout_ms = broken[_i].code == ERROR_TIMEOUT ? 300 : input.timeout_ms;
    stage_run(&s, &input, &ended);
    ck_assert_msg(ended.error.code == broken[_i].code, "%s", ended.error.text);
    ck_assert_ptr_null(strstr(ended.error.text, "secret"));
    ck_assert(error_is_retryable(ended.error.code));
    ended_release(&ended);
}
END_TEST

START_TEST(run_is_ended)
{
    struct run_input input = stage_input("hang", "x");
    struct ended ended;
    struct run *r;

    open_stage_with("");
    r = stage_start(&s, &input, &ended);
    for (int i = 0; i < _i * 10; i++) {
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
        usleep(10000);
    }
    run_ask(r, ERROR_CANCELLED);
    run_kill(r, ERROR_STOPPED);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_CANCELLED);
    ended_release(&ended);
}
END_TEST

START_TEST(output_is_bounded)
{
    struct run_input input = stage_input("zeros", "x");
    char more[256];
    struct ended ended;

    snprintf(more, sizeof(more),
        ",\"zeros\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:%d/zeros?n=100001\"}", w.port);
    open_stage_with(more);
    input.max_result_bytes = 100000;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OUTPUT_TOO_BIG);
    ck_assert_str_eq(ended.error.text, "the result is larger than 100000 bytes, the limit (MAX_RESULT)");
    ended_release(&ended);
}
END_TEST

/* ---- bearers ---- */

/* It is read for each request, since it is rotated. */
START_TEST(bearer_comes_from_a_file)
{
    char more[1024];
    struct ended ended;

    snprintf(more, sizeof(more),
        ",\"safe\": {\"kind\": \"http\", \"url\": \"https://localhost:%d/headers\", \"bearer_file\": "
        "\"%%s/token\"}",
        w.tls_port);
    open_stage_with(more);
    run("safe", "x", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_AWAY);
    ck_assert_ptr_nonnull(strstr(ended.error.text, "/token: No such file or directory"));
    ended_release(&ended);
    for (int i = 0; i < 2; i++) {
        stage_write(&s, "token", i ? "second" : "first\n", 0600);
        run("safe", "x", &ended);
        ck_assert_msg(ended.error.code == ERROR_OK, "%s", ended.error.text);
        ck_assert_ptr_nonnull(strstr(ended.result.data,
            i ? "\"authorization\":\"Bearer second\"" : "\"authorization\":\"Bearer first\""));
        ended_release(&ended);
    }
    stage_write(&s, "token", "two\nlines", 0600);
    run("safe", "x", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_AWAY);
    ck_assert_ptr_nonnull(strstr(ended.error.text, "it holds no token"));
    ck_assert_ptr_null(strstr(ended.error.text, "lines"));
    ended_release(&ended);
}
END_TEST

/* A token of the machine's identity for the scope; when it is refused, a new one, once. */
START_TEST(bearer_comes_from_the_identity)
{
    struct identity_server *identity = identity_server_start();
    struct config config;
    char more[1024];
    struct ended ended;

    settings_load(&config, (const char *[]){"AZURE_AUTH=managed", identity_server_imds(identity), NULL});
    setenv("SSL_CERT_FILE", w.certificate.authority, 1);
    s.config = &config;
    snprintf(more, sizeof(more),
        ",\"once\": {\"kind\": \"http\", \"url\": \"https://localhost:%d/once\", \"bearer_scope\": "
        "\"https://storage.azure.com/.default\"}",
        w.tls_port);
    open_stage_with(more);
    run("once", "x", &ended);
    ck_assert_msg(ended.error.code == ERROR_OK, "%s", ended.error.text);
    ck_assert_int_eq(strncmp(ended.result.data, "Bearer ey", 9), 0);
    ended_release(&ended);
    ck_assert_uint_eq(identity_server_grants(identity), 2);
    stage_close(&s);
    identity_server_free(identity);
    config_release(&config);
    s.config = NULL;
    open_stage_with("");
}
END_TEST

START_TEST(missing_identity_is_named)
{
    char more[1024];
    struct ended ended;

    snprintf(more, sizeof(more),
        ",\"once\": {\"kind\": \"http\", \"url\": \"https://localhost:%d/once\", \"bearer_scope\": "
        "\"https://storage.azure.com/.default\"}",
        w.tls_port);
    open_stage_with(more);
    run("once", "x", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_START);
    ck_assert_str_eq(ended.error.text, "bearer_scope: there is no identity here");
    ended_release(&ended);
}
END_TEST

/* Someone else's certificate. */
START_TEST(server_that_is_not_trusted_gets_no_token)
{
    char more[1024];
    struct ended ended;

    snprintf(more, sizeof(more),
        ",\"safe\": {\"kind\": \"http\", \"url\": \"https://localhost:%d/headers\", \"bearer_file\": "
        "\"%%s/token\"}",
        w.tls_port);
    unsetenv("SSL_CERT_FILE");
    open_stage_with(more);
    stage_write(&s, "token", "secret", 0600);
    run("safe", "x", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_AWAY);
    ended_release(&ended);
}
END_TEST

Suite *http_suite(void)
{
    Suite *suite = suite_create("http");
    TCase *c = tcase_create("http");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_server, close_server);
    tcase_add_test(c, answer_is_the_result);
    tcase_add_test(c, request_tells_the_job);
    tcase_add_loop_test(c, status_decides, 0, (int)ARRAY_LENGTH(statuses));
    tcase_add_loop_test(c, broken_connection_is_tried_again_later, 0, (int)ARRAY_LENGTH(broken));
    tcase_add_loop_test(c, run_is_ended, 0, 2);
    tcase_add_test(c, output_is_bounded);
    tcase_add_test(c, bearer_comes_from_a_file);
    tcase_add_test(c, bearer_comes_from_the_identity);
    tcase_add_test(c, missing_identity_is_named);
    tcase_add_test(c, server_that_is_not_trusted_gets_no_token);
    suite_add_tcase(suite, c);
    return suite;
}
