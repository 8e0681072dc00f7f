#include <check.h>
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/blob/blob.h"
#include "tests/support/script_server.h"

Suite *azure_store_suite(void);

#define KEY "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define NAME "results/ab/default/default.0.X"
#define PUT_LINE "PUT /devstoreaccount1/jobgate/" NAME " HTTP/1.1\r\n"

/* Answers of a store. AT_ONCE lets a test run without the real delays. */
#define AT_ONCE "x-ms-retry-after-ms: 1\r\n"
#define EMPTY "Content-Length: 0\r\nx-ms-request-id: r-1\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nETag: \"0x1\"\r\n" EMPTY "\r\n"
#define BUSY "HTTP/1.1 503 Busy\r\n" AT_ONCE EMPTY "\r\n"
#define TAKEN "HTTP/1.1 409 Conflict\r\nx-ms-error-code: BlobAlreadyExists\r\n" EMPTY "\r\n"
#define NO_CONTAINER "HTTP/1.1 404 No\r\nx-ms-error-code: ContainerNotFound\r\n" EMPTY "\r\n"
#define HEAD_OF(job, attempt)                                                                                \
    "HTTP/1.1 200 OK\r\nx-ms-request-id: r\r\nContent-Length: 5\r\nContent-Type: "                           \
    "text/plain\r\nContent-MD5: "                                                                            \
    "XUFAKrxLKna5cZ2REBfFkg==\r\n"                                                                           \
    "ETag: \"0x2\"\r\nx-ms-meta-jobid: " job "\r\nx-ms-meta-attempt: " attempt                               \
    "\r\nx-ms-request-id: r-2\r\n\r\n"

static struct loop *l;
static struct script_server *server;
static struct blob_store *store;
static struct config config;

/* How one operation ended, copied. */
static int ends;
static struct error error; /* ERROR_OK: well */
static bool has_properties;
static struct blob_properties properties;
static struct buf got;
static int pauses;
static struct blob_op *op;

static const char *lookup(void *arg, const char *name)
{
    if (strcmp(name, "BLOB_URL") == 0)
        return arg;
    if (strcmp(name, "AZURE_STORAGE_KEY") == 0)
        return KEY;
    return strcmp(name, "HANDLERS_FILE") == 0 ? "/x" : NULL;
}

static void open_store(void)
{
    struct error e;

    store = blob_store_open(l, &config, &e);
    ck_assert_msg(store != NULL, "%s", e.text);
}

static void open_all(void)
{
    AUTO_BUF struct buf mistakes = BUF(4096);
    char url[128];

    l = loop_new();
    server = script_server_new(l);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/devstoreaccount1/jobgate", script_server_port(server));
    ck_assert_msg(config_load(&config, FOR_WORKER, lookup, url, &mistakes), "%s", mistakes.data);
    got = BUF(1 << 20);
    open_store();
}

static void close_all(void)
{
    store = blob_store_free(store);
    server = script_server_free(server);
    config_release(&config);
    buf_release(&got);
    l = loop_free(l);
}

static void keep_end(const struct error *e)
{
    ends++;
    error = e ? *e : (struct error){0};
    loop_stop(l);
}

static void on_put(void *UNUSED(arg), const struct blob_properties *p, const struct error *e)
{
    has_properties = p != NULL;
    if (p)
        properties = *p;
    keep_end(e);
}

static void on_check(void *UNUSED(arg), const struct error *e)
{
    keep_end(e);
}

static void on_head(void *UNUSED(arg), const struct blob_properties *p)
{
    has_properties = true;
    properties = *p;
}

static void resume(void *UNUSED(arg))
{
    blob_resume(op);
}

static bool on_data(void *UNUSED(arg), const void *data, size_t length)
{
    if (pauses-- > 0) {
        loop_call_later(l, resume, NULL);
        return false;
    }
    buf_append(&got, data, length);
    return true;
}

static void on_get(void *UNUSED(arg), const struct error *e)
{
    keep_end(e);
}

static const struct blob_meta meta[] = {{"jobid", "default.0.X"}, {"attempt", "2"}, {"trace_id", ""}};

static const struct blob_content content = {.data = "hello",
    .length = 5,
    .content_type = "text/plain",
    .meta = meta,
    .meta_count = ARRAY_LENGTH(meta)};

static void run(void)
{
    ck_assert_int_eq(ends, 0);
    loop_run(l);
    ck_assert_int_eq(ends, 1);
    ends = 0;
}

static void put(void)
{
    op = blob_put(store, NAME, &content, on_put, NULL);
    run();
}

static void get(void)
{
    static const struct blob_reader reader = {on_head, on_data, on_get};

    op = blob_get(store, NAME, NULL, &reader, NULL);
    run();
}

static void check(void)
{
    op = blob_check(store, on_check, NULL);
    run();
}

static void say(const char *bytes)
{
    script_server_say(server, bytes, false);
}

START_TEST(a_put_says_what_it_has_to)
{
    static const char *const lines[] = {PUT_LINE, "\r\nx-ms-version: 2025-11-05\r\n",
        "\r\nx-ms-date: Sat, 21 Nov 2026 03:34:22 GMT\r\n", "\r\nx-ms-blob-type: BlockBlob\r\n",
        "\r\nx-ms-blob-content-type: text/plain\r\n", "\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n",
        "\r\nIf-None-Match: *\r\n", "\r\nContent-Length: 5\r\n", "\r\nx-ms-meta-jobid: default.0.X\r\n",
        "\r\nx-ms-meta-attempt: 2\r\n", "\r\nx-ms-meta-trace_id:\r\n",
        "\r\nx-ms-client-request-id: ", "\r\nAuthorization: SharedKey devstoreaccount1:", "\r\n\r\nhello"};

    clock_set_for_test(INT64_C(1795232062000));
    say(CREATED);
    put();
    ck_assert_int_eq(error.code, ERROR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        ck_assert_msg(strstr(script_server_request(server, 0), lines[i]) != NULL, "no %s", lines[i]);
    ck_assert_ptr_null(strstr(script_server_request(server, 0), "\r\nContent-Type:"));
    ck_assert_int_eq(properties.size, 5);
    ck_assert_str_eq(properties.content_type, "text/plain");
    ck_assert_str_eq(properties.md5, "XUFAKrxLKna5cZ2REBfFkg==");
    ck_assert_str_eq(properties.etag, "\"0x1\"");
    ck_assert_str_eq(properties.job_id, "default.0.X");
    ck_assert_int_eq(properties.attempt, 2);
}
END_TEST

/* What is between two answers of the script is the store's own doing. */
static const struct {
    const char *name;
    const char *answers[5];
    enum error_code code;
    const char *says; /* what the error's text holds */
} rows[] = {
    {"503 and then not", {BUSY, CREATED}, ERROR_OK, ""},
    {"408, 429, 500, and then not",
        {"HTTP/1.1 408 T\r\n" AT_ONCE EMPTY "\r\n", "HTTP/1.1 429 T\r\n" AT_ONCE EMPTY "\r\n",
            "HTTP/1.1 500 T\r\n" AT_ONCE EMPTY "\r\n", CREATED},
        ERROR_OK, ""},
    {"502, 504, and then not",
        {"HTTP/1.1 502 T\r\nRetry-After: 0\r\n" EMPTY "\r\n",
            "HTTP/1.1 504 T\r\nretry-after-ms: 2\r\n" EMPTY "\r\n", CREATED},
        ERROR_OK, ""},
    {"503 four times", {BUSY, BUSY, BUSY, BUSY}, ERROR_STORE_AWAY,
        "answered 503; its request id r-1; PUT " NAME},
    {"500 with an empty body and no header",
        {"HTTP/1.1 500 T\r\nContent-Length: 0\r\nretry-after-ms: 1\r\n\r\n", CREATED}, ERROR_OK, ""},
    {"500 of a feature that is missing",
        {"HTTP/1.1 500 T\r\nx-ms-error-code: FeatureNotSupported\r\n" AT_ONCE EMPTY "\r\n"},
        ERROR_STORE_REFUSED, "FeatureNotSupported"},
    {"501", {"HTTP/1.1 501 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "501"},
    {"505", {"HTTP/1.1 505 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "505"},
    {"400", {"HTTP/1.1 400 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "400"},
    {"411", {"HTTP/1.1 411 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "411"},
    {"412", {"HTTP/1.1 412 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "412"},
    {"403 of a wrong key", {"HTTP/1.1 403 T\r\nx-ms-error-code: AuthenticationFailed\r\n" EMPTY "\r\n"},
        ERROR_STORE_REFUSED, "clock"},
    {"404 without a container", {NO_CONTAINER}, ERROR_STORE_AWAY, "the container does not exist"},
    {"HTML with 200 of a proxy", {"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"},
        ERROR_STORE_REFUSED, "is a proxy between?"},
    {"HTML with 503 of a proxy",
        {"HTTP/1.1 503 T\r\nretry-after-ms: 1\r\nContent-Length: 13\r\n\r\n<html></html>", CREATED}, ERROR_OK,
        ""},
    {"a redirect", {"HTTP/1.1 302 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"},
        ERROR_STORE_REFUSED, "302"},
    {"somebody else's blob", {TAKEN, HEAD_OF("default.0.X", "1")}, ERROR_EXISTS, "written by default.0.X"},
    {"a blob of nobody",
        {TAKEN, "HTTP/1.1 200 OK\r\nx-ms-request-id: r\r\nContent-Length: 9\r\nx-ms-request-id: r\r\n\r\n"},
        ERROR_EXISTS, "somebody else"},
    {"one's own blob", {BUSY, TAKEN, HEAD_OF("default.0.X", "2")}, ERROR_OK, ""},
    {"one's own blob, without a try before", {TAKEN, HEAD_OF("default.0.X", "2")}, ERROR_OK, ""},
    {"a look that has to be repeated", {TAKEN, BUSY, HEAD_OF("default.0.X", "2")}, ERROR_OK, ""},
    {"a look that is refused", {TAKEN, "HTTP/1.1 403 T\r\n" EMPTY "\r\n"}, ERROR_STORE_REFUSED, "HEAD " NAME},
};

START_TEST(a_put_copes_with_each_answer)
{
    size_t count = 0;

    while (count < ARRAY_LENGTH(rows[_i].answers) && rows[_i].answers[count])
        say(rows[_i].answers[count++]);
    put();
    ck_assert_msg(
        error.code == rows[_i].code, "%s: %s %s", rows[_i].name, error_name(error.code), error.text);
    ck_assert_msg(strstr(error.text, rows[_i].says) != NULL, "%s: %s", rows[_i].name, error.text);
    ck_assert_uint_eq(script_server_requests(server), count);
    ck_assert_int_eq(has_properties, error.code == ERROR_OK || error.code == ERROR_EXISTS);
    ck_assert_ptr_null(strstr(error.text, "SharedKey"));
}
END_TEST

static void copy_line(const char *request, const char *name, char *out, size_t size)
{
    const char *at = strstr(request, name);

    ck_assert_ptr_nonnull(at);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r"), at);
}

START_TEST(tries_share_an_id_and_are_signed_anew)
{
    char id[2][128];
    char signature[2][256];

    say("HTTP/1.1 503 Busy\r\nretry-after-ms: 1100\r\n" EMPTY "\r\n");
    say(CREATED);
    put();
    ck_assert_int_eq(error.code, ERROR_OK);
    for (size_t i = 0; i < 2; i++) {
        copy_line(script_server_request(server, i), "x-ms-client-request-id", id[i], sizeof(id[i]));
        copy_line(script_server_request(server, i), "Authorization", signature[i], sizeof(signature[i]));
    }
    ck_assert_str_eq(id[0], id[1]);
    ck_assert_str_ne(signature[0], signature[1]);
}
END_TEST

/* The first try was committed and its answer lost: the second finds its own blob. */
START_TEST(a_lost_answer_is_no_conflict)
{
    script_server_say(server, NULL, true);
    say(TAKEN);
    say(HEAD_OF("default.0.X", "2"));
    put();
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_str_eq(properties.etag, "\"0x2\"");
    ck_assert_int_eq(
        strncmp(script_server_request(server, 2), "HEAD /devstoreaccount1/jobgate/" NAME " ", 40), 0);
}
END_TEST

START_TEST(a_truncated_answer_is_tried_again)
{
    script_server_say(server, "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhel", true);
    say(TAKEN);
    say(HEAD_OF("default.0.X", "2"));
    put();
    ck_assert_int_eq(error.code, ERROR_OK);
}
END_TEST

START_TEST(a_blob_that_comes_and_goes_is_put_again)
{
    say(TAKEN);
    say("HTTP/1.1 404 No\r\nx-ms-error-code: BlobNotFound\r\n" EMPTY "\r\n");
    say(CREATED);
    put();
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_uint_eq(script_server_requests(server), 3);
}
END_TEST

static void reopen_with(int64_t timeout_ms, int64_t deadline_ms, int64_t connections)
{
    blob_store_free(store);
    config.blob_timeout_ms = timeout_ms;
    config.blob_deadline_ms = deadline_ms;
    config.blob_connections = connections;
    open_store();
}

START_TEST(the_deadline_ends_it_all)
{
    int64_t started_ms = clock_steady_ms();

    reopen_with(30000, 200, 4);
    say(NULL);
    put();
    ck_assert_int_eq(error.code, ERROR_TIMEOUT);
    ck_assert_int_lt(clock_steady_ms() - started_ms, 2000);
}
END_TEST

/* A wait beyond the deadline is not begun. */
START_TEST(a_long_wait_is_not_begun)
{
    int64_t started_ms = clock_steady_ms();

    say("HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\n" EMPTY "\r\n");
    put();
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    ck_assert_int_lt(clock_steady_ms() - started_ms, 2000);
}
END_TEST

START_TEST(operations_queue_for_connections)
{
    reopen_with(30000, 30000, 1);
    for (int i = 0; i < 3; i++)
        say(CREATED);
    for (int i = 0; i < 3; i++)
        blob_put(store, NAME, &content, on_put, NULL);
    blob_cancel(blob_put(store, NAME, &content, on_put, NULL));
    while (ends < 3)
        loop_run(l);
    ck_assert_uint_eq(script_server_requests(server), 3);
    ck_assert_uint_eq(script_server_connections(server), 1);
}
END_TEST

START_TEST(who_queues_too_long_times_out)
{
    static const struct blob_reader reader = {on_head, on_data, on_get};

    reopen_with(30000, 150, 1);
    say("HTTP/1.1 200 OK\r\nx-ms-request-id: r\r\nContent-Length: 10\r\n\r\nhello");
    blob_get(store, NAME, NULL, &reader, NULL);
    put();
    ck_assert_int_eq(error.code, ERROR_TIMEOUT);
    ck_assert_uint_eq(script_server_requests(server), 1);
}
END_TEST

START_TEST(a_get_streams_with_pauses)
{
    pauses = 2;
    say("HTTP/1.1 200 OK\r\nx-ms-request-id: r\r\nContent-Length: 5\r\nContent-Type: a/b\r\nx-ms-meta-jobid: "
        "j\r\nx-ms-meta-attempt: 7\r\n\r\nhello");
    get();
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_str_eq(got.data, "hello");
    ck_assert_int_eq(properties.size, 5);
    ck_assert_str_eq(properties.content_type, "a/b");
    ck_assert_str_eq(properties.job_id, "j");
    ck_assert_int_eq(properties.attempt, 7);
    ck_assert_str_eq(properties.md5, "");
}
END_TEST

START_TEST(a_get_is_tried_again_before_its_head_only)
{
    say(BUSY);
    script_server_say(
        server, "HTTP/1.1 200 OK\r\nx-ms-request-id: r\r\nContent-Length: 10\r\n\r\nhello", true);
    get();
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    ck_assert(has_properties);
    ck_assert_str_eq(got.data, "hello");
    ck_assert_uint_eq(script_server_requests(server), 2);
}
END_TEST

static const struct {
    const char *answer;
    enum error_code code;
} get_rows[] = {
    {"HTTP/1.1 404 No\r\nx-ms-error-code: BlobNotFound\r\n" EMPTY "\r\n", ERROR_NOT_FOUND},
    {"HTTP/1.1 404 No\r\nContent-Length: 75\r\n\r\n<?xml "
     "version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>M</Message>..",
        ERROR_NOT_FOUND},
    {NO_CONTAINER, ERROR_STORE_AWAY},
    {"HTTP/1.1 404 No\r\nContent-Length: 13\r\n\r\n<html></html>", ERROR_STORE_REFUSED},
    {"HTTP/1.1 403 No\r\n" EMPTY "\r\n", ERROR_STORE_REFUSED},
};

START_TEST(a_get_without_a_blob_calls_no_head)
{
    say(get_rows[_i].answer);
    get();
    ck_assert_int_eq(error.code, get_rows[_i].code);
    ck_assert(!has_properties);
    ck_assert_uint_eq(got.length, 0);
}
END_TEST

/* An error page longer than what is kept of it is an answer still. */
START_TEST(a_huge_error_page_is_survived)
{
    AUTO_BUF struct buf page = BUF(1 << 20);

    buf_append_text(&page, "HTTP/1.1 400 Bad\r\nContent-Length: 200000\r\n\r\n");
    for (int i = 0; i < 200000; i++)
        buf_append_char(&page, 'x');
    say(page.data);
    get();
    ck_assert_int_eq(error.code, ERROR_STORE_REFUSED);
    say(page.data);
    put();
    ck_assert_int_eq(error.code, ERROR_STORE_REFUSED);
}
END_TEST

START_TEST(a_check_makes_the_container)
{
    say(NO_CONTAINER);
    say(CREATED);
    check();
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_int_eq(
        strncmp(script_server_request(server, 0), "GET /devstoreaccount1/jobgate?restype=container ", 48), 0);
    ck_assert_int_eq(
        strncmp(script_server_request(server, 1), "PUT /devstoreaccount1/jobgate?restype=container ", 48), 0);
}
END_TEST

START_TEST(a_check_bears_a_rival_that_makes_it_too)
{
    say(NO_CONTAINER);
    say("HTTP/1.1 409 No\r\nx-ms-error-code: ContainerAlreadyExists\r\n" EMPTY "\r\n");
    check();
    ck_assert_int_eq(error.code, ERROR_OK);
}
END_TEST

START_TEST(a_check_tries_once)
{
    script_server_say(server, NULL, true);
    check();
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    say(BUSY);
    check();
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    ck_assert_uint_eq(script_server_requests(server), 2);
}
END_TEST

START_TEST(what_no_header_can_carry_is_invalid)
{
    struct blob_meta bad = {"jobid", "a\r\nx-ms-meta-b: c"};
    struct blob_content wrong = content;

    wrong.meta = &bad;
    wrong.meta_count = 1;
    blob_put(store, NAME, &wrong, on_put, NULL);
    run();
    ck_assert_int_eq(error.code, ERROR_INVALID);
    bad = (struct blob_meta){"job2id", "x"};
    blob_put(store, NAME, &wrong, on_put, NULL);
    run();
    ck_assert_int_eq(error.code, ERROR_INVALID);
    wrong = content;
    wrong.content_type = "text/\x80";
    blob_put(store, NAME, &wrong, on_put, NULL);
    run();
    ck_assert_int_eq(error.code, ERROR_INVALID);
    ck_assert_uint_eq(script_server_requests(server), 0);
}
END_TEST

START_TEST(names_out_of_line_are_invalid)
{
    static const char *const names[] = {
        "", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a?b", "a b", "a%2fb", "a\\b"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        blob_put(store, names[i], &content, on_put, NULL);
        run();
        ck_assert_int_eq(error.code, ERROR_INVALID);
    }
}
END_TEST

static void stop(void *arg)
{
    loop_stop(arg);
}

START_TEST(cancelled_operations_are_silent)
{
    struct timer timer;

    timer_init(&timer, l, stop, l);
    say(NULL);
    say("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n" EMPTY "\r\n");
    blob_cancel(blob_put(store, NAME, &content, on_put, NULL));
    op = blob_put(store, NAME, &content, on_put, NULL);
    timer_start(&timer, 50);
    loop_run(l);
    blob_cancel(op);
    op = blob_put(store, NAME, &content, on_put, NULL);
    timer_start(&timer, 50);
    loop_run(l);
    blob_cancel(op); /* it waits for its retry */
    timer_start(&timer, 10);
    loop_run(l);
    ck_assert_int_eq(ends, 0);
    ck_assert_uint_eq(script_server_requests(server), 2);
}
END_TEST

START_TEST(freeing_the_store_is_silent)
{
    say(NULL);
    blob_put(store, NAME, &content, on_put, NULL);
    blob_check(store, on_check, NULL);
    blob_put(store, "../wrong", &content, on_put, NULL);
    store = blob_store_free(store);
    ck_assert_int_eq(ends, 0);
}
END_TEST

START_TEST(urls_and_names_are_for_people)
{
    char expected[128];
    char name[BLOB_NAME_SIZE];
    char url[256];
    struct job_id id;
    struct error e;

    ck_assert(id_parse("default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", &id, &e));
    blob_name("results", &id, name);
    /* printf %s default.0.01KA2B3C4D5E6F7G8H9JKMNPQR | sha256sum */
    ck_assert_str_eq(name, "results/a0/default/default.0.01KA2B3C4D5E6F7G8H9JKMNPQR");
    blob_url(store, NAME, url, sizeof(url));
    snprintf(expected, sizeof(expected), "http://127.0.0.1:%d/devstoreaccount1/jobgate/" NAME,
        script_server_port(server));
    ck_assert_str_eq(url, expected);
}
END_TEST

Suite *azure_store_suite(void)
{
    Suite *suite = suite_create("azure_store");
    TCase *tcase = tcase_create("azure_store");

    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, a_put_says_what_it_has_to);
    tcase_add_loop_test(tcase, a_put_copes_with_each_answer, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tcase, tries_share_an_id_and_are_signed_anew);
    tcase_add_test(tcase, a_lost_answer_is_no_conflict);
    tcase_add_test(tcase, a_truncated_answer_is_tried_again);
    tcase_add_test(tcase, a_blob_that_comes_and_goes_is_put_again);
    tcase_add_test(tcase, the_deadline_ends_it_all);
    tcase_add_test(tcase, a_long_wait_is_not_begun);
    tcase_add_test(tcase, operations_queue_for_connections);
    tcase_add_test(tcase, who_queues_too_long_times_out);
    tcase_add_test(tcase, a_get_streams_with_pauses);
    tcase_add_test(tcase, a_get_is_tried_again_before_its_head_only);
    tcase_add_loop_test(tcase, a_get_without_a_blob_calls_no_head, 0, ARRAY_LENGTH(get_rows));
    tcase_add_test(tcase, a_huge_error_page_is_survived);
    tcase_add_test(tcase, a_check_makes_the_container);
    tcase_add_test(tcase, a_check_bears_a_rival_that_makes_it_too);
    tcase_add_test(tcase, a_check_tries_once);
    tcase_add_test(tcase, what_no_header_can_carry_is_invalid);
    tcase_add_test(tcase, names_out_of_line_are_invalid);
    tcase_add_test(tcase, cancelled_operations_are_silent);
    tcase_add_test(tcase, freeing_the_store_is_silent);
    tcase_add_test(tcase, urls_and_names_are_for_people);
    suite_add_tcase(suite, tcase);
    return suite;
}
