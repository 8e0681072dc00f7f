#include <check.h>
#include <netinet/in.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/net/http_client.h"
#include "tests/support/script_server.h"

Suite *http_client_suite(void);

enum { BODY_MAX = 100000 };

/* How one call ended, copied. */
struct ended {
    int count;
    int heads;
    int status;
    struct error error; /* ERROR_OK: a whole response came */
    struct buf body;
    char header[64]; /* X-Test */
    int pauses;      /* how often on_data is still to refuse a piece */
    bool cancels;    /* on_data cancels the call */
    struct http_call *call;
};

static struct loop *l;
static struct script_server *server;
static struct http_client *client;
static char url[128];
static int ends_expected;

static void open_all(void)
{
    l = loop_new();
    server = script_server_new(l);
    client = http_client_new(l, 2, 60);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/a?b=c", script_server_port(server));
}

static void close_all(void)
{
    client = http_client_free(client);
    server = script_server_free(server);
    l = loop_free(l);
}

static void on_done(void *arg, const struct http_response *response, const struct error *e)
{
    struct ended *ended = arg;
    const char *header = http_response_header(response, "x-test");

    ended->count++;
    ended->status = response->status;
    ended->error = e ? *e : (struct error){0};
    if (response->body.length)
        buf_append(&ended->body, response->body.data, response->body.length);
    snprintf(ended->header, sizeof(ended->header), "%s", header ? header : "");
    if (--ends_expected == 0)
        loop_stop(l);
}

static void on_head(void *arg, const struct http_response *response)
{
    struct ended *ended = arg;

    ended->heads++;
    ck_assert_int_ge(response->status, 200);
}

static void resume(void *arg)
{
    http_resume(((struct ended *)arg)->call);
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct ended *ended = arg;

    if (ended->cancels) {
        http_cancel(ended->call);
        return true;
    }
    if (ended->pauses-- > 0) {
        loop_call_later(l, resume, ended);
        return false;
    }
    buf_append(&ended->body, data, length);
    return true;
}

static const struct http_events gather = {.on_done = on_done};
static const struct http_events stream = {.on_head = on_head, .on_data = on_data, .on_done = on_done};

static struct http_request get(void)
{
    return (struct http_request){
        .method = "GET", .url = url, .max_response_bytes = BODY_MAX, .timeout_ms = 5000};
}

static void send_call(
    struct ended *ended, const struct http_request *request, const struct http_events *events)
{
    *ended = (struct ended){.body = BUF(BODY_MAX), .pauses = ended->pauses, .cancels = ended->cancels};
    ended->call = http_send(client, request, events, ended);
    ck_assert_int_eq(ended->count, 0);
}

static void run(int count)
{
    ends_expected = count;
    loop_run(l);
}

static void call(struct ended *ended, const struct http_request *request, const struct http_events *events)
{
    send_call(ended, request, events);
    run(1);
    ck_assert_int_eq(ended->count, 1);
}

START_TEST(a_whole_answer_is_gathered)
{
    struct http_request request = get();
    struct ended ended = {0};

    script_server_say(server, "HTTP/1.1 404 No\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello", false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_int_eq(ended.status, 404);
    ck_assert_str_eq(ended.body.data, "hello");
    ck_assert_str_eq(ended.header, "yes");
    buf_release(&ended.body);
}
END_TEST

static const struct {
    const char *method;
    const char *body;
    const char *rest; /* what is sent behind the request line and Host */
} rows[] = {
    {"GET", NULL, "Accept: */*\r\nx-a: b\r\nx-empty:\r\n\r\n"},
    {"HEAD", NULL, "Accept: */*\r\nx-a: b\r\nx-empty:\r\n\r\n"},
    {"DELETE", NULL, "Accept: */*\r\nx-a: b\r\nx-empty:\r\n\r\n"},
    {"PUT", NULL, "Accept: */*\r\nContent-Length: 0\r\nx-a: b\r\nx-empty:\r\n\r\n"},
    {"POST", NULL, "Accept: */*\r\nContent-Length: 0\r\nx-a: b\r\nx-empty:\r\n\r\n"},
    {"PUT", "hello", "Accept: */*\r\nContent-Length: 5\r\nx-a: b\r\nx-empty:\r\n\r\nhello"},
    {"POST", "hello", "Accept: */*\r\nContent-Length: 5\r\nx-a: b\r\nx-empty:\r\n\r\nhello"},
};

/* The lines of a head in alphabetical order, because where curl puts Content-Length depends on its version.
 */
static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(const char *text, struct buf *out)
{
    char *copy = mem_strdup(text);
    char *lines[32] = {NULL};
    char *rest = copy;
    size_t count = 0;

    for (char *line; (line = strsep(&rest, "\n")) && count < 32;)
        lines[count++] = line;
    qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s\n", lines[i]);
    free(copy);
}

/* One after the other on the same handle and connection: nothing of one call is left in the next. */
START_TEST(each_method_goes_out_as_it_should)
{
    static const char *const headers[] = {"x-a: b", "x-empty: "};

    for (size_t i = 0; i < 3 * ARRAY_LENGTH(rows); i++) {
        size_t row = i % ARRAY_LENGTH(rows);
        struct http_request request = get();
        AUTO_BUF struct buf expected = BUF(4096);
        AUTO_BUF struct buf sent = BUF(4096);
        struct ended ended = {0};
        char text[512];

        request.method = rows[row].method;
        request.headers = headers;
        request.header_count = ARRAY_LENGTH(headers);
        request.body = rows[row].body;
        request.body_length = rows[row].body ? strlen(rows[row].body) : 0;
        script_server_say(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
        call(&ended, &request, &gather);
        ck_assert_int_eq(ended.error.code, ERROR_OK);
        snprintf(text, sizeof(text), "%s /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", rows[row].method,
            script_server_port(server), rows[row].rest);
        sort_lines(text, &expected);
        sort_lines(script_server_request(server, i), &sent);
        ck_assert_str_eq(sent.data, expected.data);
    }
    ck_assert_uint_eq(script_server_connections(server), 1);
}
END_TEST

START_TEST(a_large_body_goes_out_whole_and_without_expect)
{
    struct http_request request = get();
    size_t length = 4 << 20;
    char *body = mem_alloc(length);
    struct ended ended = {0};
    const char *sent;

    memset(body, 'x', length);
    body[length - 1] = '!';
    request.method = "PUT";
    request.body = body;
    request.body_length = length;
    script_server_say(server, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.status, 201);
    sent = script_server_request(server, 0);
    ck_assert_ptr_null(strcasestr(sent, "Expect:"));
    ck_assert_uint_eq(strlen(strstr(sent, "\r\n\r\n")), length + 4);
    ck_assert_int_eq(sent[strlen(sent) - 1], '!');
    free(body);
}
END_TEST

START_TEST(a_given_content_type_is_sent_once)
{
    static const char *const headers[] = {"Content-Type: text/plain"};
    struct http_request request = get();
    struct ended ended = {0};
    const char *found;

    request.method = "POST";
    request.body = "x";
    request.body_length = 1;
    request.headers = headers;
    request.header_count = 1;
    script_server_say(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
    call(&ended, &request, &gather);
    found = strcasestr(script_server_request(server, 0), "Content-Type: ");
    ck_assert(found && strncmp(found, "Content-Type: text/plain\r\n", 26) == 0);
    ck_assert_ptr_null(strcasestr(found + 1, "Content-Type"));
}
END_TEST

START_TEST(a_streamed_answer_can_be_paused)
{
    struct http_request request = get();
    struct ended ended = {.pauses = 3};

    script_server_say(server,
        "HTTP/1.1 103 Early\r\nX-Test: no\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Test: "
        "yes\r\n\r\n"
        "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: z\r\n\r\n",
        false);
    call(&ended, &request, &stream);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_int_eq(ended.heads, 1);
    ck_assert_str_eq(ended.body.data, "hello world");
    ck_assert_str_eq(ended.header, "yes");
    ck_assert_int_lt(ended.pauses, 0);
    buf_release(&ended.body);
}
END_TEST

static const struct {
    const char *bytes;
    enum error_code code;
    int status;
} broken[] = {
    {NULL, ERROR_STORE_AWAY, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", ERROR_STORE_AWAY, 200},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ERROR_STORE_AWAY, 200},
    {"HTTP/1.1 200 OK\r\nContent-Len", ERROR_STORE_AWAY, 200},
    {"HTTP/1.1 103 Early\r\n\r\n", ERROR_STORE_AWAY, 103},
    {"\x01\x02 what is this", ERROR_STORE_AWAY, 0},
};

START_TEST(answers_that_break_off_are_errors)
{
    struct http_request request = get();
    struct ended ended = {0};

    script_server_say(server, broken[_i].bytes, true);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, broken[_i].code);
    ck_assert_int_eq(ended.status, broken[_i].status);
    buf_release(&ended.body);
}
END_TEST

START_TEST(a_body_beyond_its_ceiling_is_too_big)
{
    struct http_request request = get();
    struct ended ended = {0};

    request.max_response_bytes = 4;
    script_server_say(server, "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello", false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_TOO_BIG);
    ck_assert_int_eq(ended.status, 500);
    buf_release(&ended.body);
}
END_TEST

START_TEST(silence_ends_in_a_timeout)
{
    struct http_request request = get();
    struct ended ended = {0};

    request.timeout_ms = 100;
    script_server_say(server, NULL, false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    request.timeout_ms = 0;
    request.low_speed_s = 1;
    script_server_say(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    buf_release(&ended.body);
}
END_TEST

START_TEST(a_closed_port_is_away)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct http_request request = get();
    struct ended ended = {0};

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_STORE_AWAY);
    ck_assert_int_eq(ended.status, 0);
    close(fd);
}
END_TEST

START_TEST(what_is_no_url_is_invalid)
{
    static const char *const wrong[] = {"", "http://", "file:///etc/passwd", "gopher://127.0.0.1/"};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct http_request request = get();
        struct ended ended = {0};

        request.url = wrong[i];
        call(&ended, &request, &gather);
        ck_assert_int_eq(ended.error.code, ERROR_INVALID);
    }
}
END_TEST

START_TEST(a_cancelled_call_ends_stopped_and_later)
{
    struct http_request request = get();
    struct ended ended = {0};

    script_server_say(server, NULL, false);
    send_call(&ended, &request, &gather);
    http_cancel(ended.call);
    ck_assert_int_eq(ended.count, 0);
    run(1);
    ck_assert_int_eq(ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
}
END_TEST

START_TEST(a_call_can_be_cancelled_from_its_on_data)
{
    struct http_request request = get();
    struct ended ended = {.cancels = true};

    script_server_say(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false);
    call(&ended, &request, &stream);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
}
END_TEST

START_TEST(a_redirect_is_an_answer)
{
    struct http_request request = get();
    struct ended ended = {0};

    script_server_say(
        server, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false);
    call(&ended, &request, &gather);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_int_eq(ended.status, 302);
}
END_TEST

START_TEST(calls_beyond_the_connections_wait_their_turn)
{
    enum { CALLS = 40 };
    struct http_request request = get();
    static struct ended ended[CALLS];

    for (size_t i = 0; i < CALLS; i++) {
        script_server_say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false);
        send_call(&ended[i], &request, &gather);
    }
    run(CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        ck_assert_int_eq(ended[i].count, 1);
        ck_assert_int_eq(ended[i].status, 200);
        buf_release(&ended[i].body);
    }
    ck_assert_uint_eq(script_server_connections(server), 2);
}
END_TEST

START_TEST(freeing_the_client_ends_calls_silently)
{
    struct http_request request = get();
    struct ended ended = {0};

    script_server_say(server, NULL, false);
    send_call(&ended, &request, &gather);
    loop_call_later(l, (loop_callback *)loop_stop, l);
    loop_run(l);
    client = http_client_free(client);
    ck_assert_int_eq(ended.count, 0);
}
END_TEST

Suite *http_client_suite(void)
{
    Suite *suite = suite_create("http_client");
    TCase *tcase = tcase_create("http_client");

    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, a_whole_answer_is_gathered);
    tcase_add_test(tcase, each_method_goes_out_as_it_should);
    tcase_add_test(tcase, a_large_body_goes_out_whole_and_without_expect);
    tcase_add_test(tcase, a_given_content_type_is_sent_once);
    tcase_add_test(tcase, a_streamed_answer_can_be_paused);
    tcase_add_loop_test(tcase, answers_that_break_off_are_errors, 0, ARRAY_LENGTH(broken));
    tcase_add_test(tcase, a_body_beyond_its_ceiling_is_too_big);
    tcase_add_test(tcase, silence_ends_in_a_timeout);
    tcase_add_test(tcase, a_closed_port_is_away);
    tcase_add_test(tcase, what_is_no_url_is_invalid);
    tcase_add_test(tcase, a_cancelled_call_ends_stopped_and_later);
    tcase_add_test(tcase, a_call_can_be_cancelled_from_its_on_data);
    tcase_add_test(tcase, a_redirect_is_an_answer);
    tcase_add_test(tcase, calls_beyond_the_connections_wait_their_turn);
    tcase_add_test(tcase, freeing_the_client_ends_calls_silently);
    suite_add_tcase(suite, tcase);
    return suite;
}
