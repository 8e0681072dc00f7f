/*
 * HTTP on raw sockets: what a hostile or broken client may send. Every answer is a whole response, nothing
 * that stands in a refused request is taken for another one, and the api goes on.
 */
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *http_suite(void);

enum { ANSWERS_MAX = 4, LARGE = 20000, BODY_LIMIT = 4096, WAIT_MS = 30000 };

#define HOST "Host: a\r\n"
#define GOOD "GET /v1/queues HTTP/1.1\r\n" HOST "\r\n"
#define JSON "Content-Type: application/json\r\n"
#define ECHO "{\"type\":\"echo\"}"
#define POST "POST /v1/jobs HTTP/1.1\r\n" HOST JSON

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *[]){"MAX_BODY=4096", "HEAD_TIMEOUT_S=2", "BODY_TIMEOUT_S=2", NULL});
}

static void close_scene(void)
{
    scene_close(&s);
}

static const struct row {
    const char *name;
    const char *text;
    int answers[ANSWERS_MAX]; /* 0 behind the last */
    bool is_closed;           /* behind the last answer */
    size_t length;            /* 0: of the text */
} rows[] = {
    /* the request line */
    {"a plain one", GOOD, {200}, false, 0},
    {"empty lines in front", "\r\n\r\n" GOOD, {200}, false, 0},
    {"no version", "GET /v1/queues\r\n" HOST "\r\n", {400}, true, 0},
    {"no target", "GET  HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"one word", "GET\r\n" HOST "\r\n", {400}, true, 0},
    {"two blanks", "GET  /v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a tab", "GET\t/v1/queues\tHTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a blank at its end", "GET /v1/queues HTTP/1.1 \r\n" HOST "\r\n", {400}, true, 0},
    {"a blank in front", " GET /v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a small version", "GET /v1/queues http/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"version 2", "GET /v1/queues HTTP/2.0\r\n" HOST "\r\n", {505}, true, 0},
    {"version 0.9", "GET /v1/queues HTTP/0.9\r\n" HOST "\r\n", {505}, true, 0},
    {"version 1.2", "GET /v1/queues HTTP/1.2\r\n" HOST "\r\n", {505}, true, 0},
    {"a long version", "GET /v1/queues HTTP/1.10\r\n" HOST "\r\n", {400}, true, 0},
    {"HTTP/2 prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}, true, 0},
    {"a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", {400}, true, 12},
    {"a method that nobody has", "BREW /v1/queues HTTP/1.1\r\n" HOST "\r\n", {501}, true, 0},
    {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", {501}, true, 0},
    {"TRACE", "TRACE / HTTP/1.1\r\n" HOST "\r\n", {501}, true, 0},
    {"a method with a comma", "G,T /v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a method with a NUL", "G\0T /v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 37},

    /* targets */
    {"absolute-form", "GET http://a/v1/queues HTTP/1.1\r\n" HOST "\r\n", {200}, false, 0},
    {"absolute-form of another host", "GET http://b.example:80/v1/queues HTTP/1.1\r\n" HOST "\r\n", {200},
        false, 0},
    {"absolute-form without a host", "GET http:///v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"another scheme", "GET ftp://a/v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"authority-form", "GET a:80 HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"no slash", "GET v1/queues HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a star for GET", "GET * HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a fragment", "GET /v1/queues#x HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a NUL", "GET /v1/que\0es HTTP/1.1\r\n" HOST "\r\n", {400}, true, 36},
    {"a NUL in disguise", "GET /v1/queues%00 HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a raw byte of UTF-8", "GET /v1/jobs/\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a byte that is no UTF-8", "GET /v1/jobs/\xff HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"the same, encoded", "GET /v1/jobs/%ff HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"half an escape", "GET /v1/jobs/%4 HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"an escape of no hex", "GET /v1/jobs/%zz HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a lone %", "GET /v1/jobs/% HTTP/1.1\r\n" HOST "\r\n", {400}, true, 0},
    {"a slash in disguise", "GET /v1%2fqueues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"letters in disguise", "GET /v1/%71ueues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"dots", "GET /v1/jobs/../queues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"dots in disguise", "GET /v1/jobs/%2e%2e/queues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"a double slash", "GET //v1/queues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"CR LF in disguise", "GET /v1/jobs/a%0d%0aX:%20y HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},
    {"a backslash", "GET /v1\\queues HTTP/1.1\r\n" HOST "\r\n", {404}, false, 0},

    /* headers */
    {"no Host", "GET /v1/queues HTTP/1.1\r\n\r\n", {400}, true, 0},
    {"no Host in HTTP/1.0", "GET /v1/queues HTTP/1.0\r\n\r\n", {200}, true, 0},
    {"two Hosts", "GET /v1/queues HTTP/1.1\r\n" HOST HOST "\r\n", {400}, true, 0},
    {"a bad Host", "GET /v1/queues HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}, true, 0},
    {"a Host with a blank", "GET /v1/queues HTTP/1.1\r\nHost: a b\r\n\r\n", {400}, true, 0},
    {"bare LF everywhere", "GET /v1/queues HTTP/1.1\nHost: a\n\n", {400}, true, 0},
    {"bare LF in one line", "GET /v1/queues HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", {400}, true, 0},
    {"bare LF at the end", "GET /v1/queues HTTP/1.1\r\n" HOST "\n", {400}, true, 0},
    {"a bare CR", "GET /v1/queues HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", {400}, true, 0},
    {"folding", "GET /v1/queues HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", {400}, true, 0},
    {"folding of the first", "GET /v1/queues HTTP/1.1\r\n " HOST "\r\n", {400}, true, 0},
    {"no colon", "GET /v1/queues HTTP/1.1\r\n" HOST "X\r\n\r\n", {400}, true, 0},
    {"no name", "GET /v1/queues HTTP/1.1\r\n" HOST ": x\r\n\r\n", {400}, true, 0},
    {"a blank before the colon", "GET /v1/queues HTTP/1.1\r\n" HOST "X : y\r\n\r\n", {400}, true, 0},
    {"a NUL in a value", "GET /v1/queues HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n", {400}, true, 44},
    {"a NUL in a name", "GET /v1/queues HTTP/1.1\r\n" HOST "X\0Y: b\r\n\r\n", {400}, true, 44},
    {"a byte beyond ASCII in a value", "GET /v1/queues HTTP/1.1\r\n" HOST "X: \xe9\r\n\r\n", {200}, false, 0},
    {"an empty value", "GET /v1/queues HTTP/1.1\r\n" HOST "X:\r\n\r\n", {200}, false, 0},

    /* framing */
    {"a body", POST "Content-Length: 15\r\n\r\n" ECHO, {202}, false, 0},
    {"two lengths", POST "Content-Length: 15\r\nContent-Length: 16\r\n\r\n" ECHO, {400}, true, 0},
    {"two lengths, the same", POST "Content-Length: 15\r\nContent-Length: 15\r\n\r\n" ECHO, {400}, true, 0},
    {"a list of lengths", POST "Content-Length: 15, 15\r\n\r\n" ECHO, {400}, true, 0},
    {"a sign", POST "Content-Length: +15\r\n\r\n" ECHO, {400}, true, 0},
    {"below nothing", POST "Content-Length: -1\r\n\r\n" ECHO, {400}, true, 0},
    {"hex", POST "Content-Length: 0xf\r\n\r\n" ECHO, {400}, true, 0},
    {"no length", POST "Content-Length:\r\n\r\n" ECHO, {400}, true, 0},
    {"beyond 64 bits", POST "Content-Length: 18446744073709551631\r\n\r\n" ECHO, {413}, true, 0},
    {"too large", POST "Content-Length: 4097\r\n\r\n" ECHO, {413}, true, 0},
    {"length and chunks", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GOOD, {400},
        true, 0},
    {"chunks and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" GOOD, {400},
        true, 0},
    {"chunks in HTTP/1.0", "POST /v1/jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400},
        true, 0},
    {"another coding", POST "Transfer-Encoding: gzip\r\n\r\n" ECHO, {501}, true, 0},
    {"two codings", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {501}, true, 0},
    {"chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {501},
        true, 0},
    {"identity", POST "Transfer-Encoding: identity\r\n\r\n" GOOD, {501}, true, 0},
    {"chunked with a tab", POST "Transfer-Encoding:\tchunked\r\n\r\nf\r\n" ECHO "\r\n0\r\n\r\n", {202}, false,
        0},
    {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {501}, true, 0},

    /* chunks */
    {"one chunk", POST "Transfer-Encoding: chunked\r\n\r\nf\r\n" ECHO "\r\n0\r\n\r\n", {202}, false, 0},
    {"two chunks", POST "Transfer-Encoding: Chunked\r\n\r\n8\r\n{\"type\":\r\n7\r\n\"echo\"}\r\n0\r\n\r\n",
        {202}, false, 0},
    {"an extension", POST "Transfer-Encoding: chunked\r\n\r\n00F;a=b\r\n" ECHO "\r\n0;c\r\n\r\n", {202},
        false, 0},
    {"trailers",
        POST "Transfer-Encoding: chunked\r\n\r\nf\r\n" ECHO "\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n" GOOD,
        {202, 200}, false, 0},
    {"a bad trailer", POST "Transfer-Encoding: chunked\r\n\r\nf\r\n" ECHO "\r\n0\r\nX y\r\n\r\n", {400}, true,
        0},
    {"no size", POST "Transfer-Encoding: chunked\r\n\r\n\r\n" ECHO "\r\n0\r\n\r\n", {400}, true, 0},
    {"a size of no hex", POST "Transfer-Encoding: chunked\r\n\r\n0x8\r\n" ECHO "\r\n0\r\n\r\n", {400}, true,
        0},
    {"a size below nothing", POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n" ECHO "\r\n0\r\n\r\n", {400},
        true, 0},
    {"a size beyond 64 bits",
        POST "Transfer-Encoding: chunked\r\n\r\n1000000000000000f\r\n" ECHO "\r\n0\r\n\r\n", {400}, true, 0},
    {"a chunk beyond its size", POST "Transfer-Encoding: chunked\r\n\r\n8\r\n" ECHO "\r\n0\r\n\r\n", {400},
        true, 0},
    {"bare LF behind a size", POST "Transfer-Encoding: chunked\r\n\r\nf\n" ECHO "\r\n0\r\n\r\n", {400}, true,
        0},
    {"bare LF behind a chunk", POST "Transfer-Encoding: chunked\r\n\r\nf\r\n" ECHO "\n0\r\n\r\n", {400}, true,
        0},
    {"a chunk that is too large", POST "Transfer-Encoding: chunked\r\n\r\n1001\r\n", {413}, true, 0},

    /* several requests */
    {"two", GOOD GOOD, {200, 200}, false, 0},
    {"three with bodies", POST "Content-Length: 15\r\n\r\n" ECHO GOOD POST "Content-Length: 15\r\n\r\n" ECHO,
        {202, 200, 202}, false, 0},
    {"a bad one behind a good one", GOOD "GET\r\n\r\n" GOOD, {200, 400}, true, 0},
    {"a body longer than its length", POST "Content-Length: 14\r\n\r\n" ECHO, {400}, false, 0},
    {"a request within a body", POST "Content-Length: 48\r\n\r\n" GOOD "1234567890123", {400}, false, 0},
    {"a length for GET", "GET /v1/queues HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" GOOD, {200, 200},
        false, 0},
    {"Connection: close", "GET /v1/queues HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GOOD, {200}, true,
        0},

    /* Expect */
    {"another expectation", POST "Content-Length: 15\r\nExpect: 200-ok\r\n\r\n" ECHO, {417}, true, 0},
    {"100-continue for too much", POST "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n", {413}, true,
        0},
};

static void expect_answers(const struct row *row, const char *way, int fd, size_t first)
{
    size_t count = first;

    while (count < ANSWERS_MAX + first && row->answers[count - first]) {
        int wanted = row->answers[count++ - first];
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *problem = NULL;

        ck_assert_msg(wire_hear(fd, &reply), "%s, %s: %s", row->name, way, reply.failure);
        ck_assert_msg(reply.status == wanted, "%s, %s: %d, not %d: %s", row->name, way, reply.status, wanted,
            reply.body.data);
        if (wanted >= 400) {
            problem = http_reply_json(&reply);
            ck_assert_int_eq(json_int_at(problem, "/status"), wanted);
        }
    }
    if (row->is_closed)
        ck_assert_msg(wire_is_closed(fd), "%s, %s: more came", row->name, way);
}

static size_t length_of(const struct row *row)
{
    return row->length ? row->length : strlen(row->text);
}

static void expect_alive(void)
{
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO_REPLY struct http_reply reply = {0};

    ck_assert(wire_say(fd, GOOD));
    ck_assert(wire_hear(fd, &reply));
    ck_assert_int_eq(reply.status, 200);
    close(fd);
}

/* At once; behind another request; in single bytes. */
START_TEST(each_request_gets_what_it_should)
{
    const struct row *row = &rows[_i];
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO_REPLY struct http_reply reply = {0};
    int one = 1;

    ck_assert(wire_send(fd, row->text, length_of(row)));
    expect_answers(row, "at once", fd, 0);
    close(fd);
    fd = wire_connect(jobgate_url(s.api), 0);
    ck_assert(wire_say(fd, GOOD));
    ck_assert(wire_send(fd, row->text, length_of(row)));
    ck_assert(wire_hear(fd, &reply));
    ck_assert_int_eq(reply.status, 200);
    expect_answers(row, "behind another", fd, 0);
    close(fd);
    fd = wire_connect(jobgate_url(s.api), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (size_t i = 0; i < length_of(row); i++)
        if (!wire_send(fd, row->text + i, 1)) /* it was refused before its end */
            break;
    expect_answers(row, "in bytes", fd, 0);
    close(fd);
    expect_alive();
}
END_TEST

/* ---- sizes ---- */

static void expect_one(int fd, int status, const char *code)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    problem = scene_problem(&reply, status, code);
    ck_assert_ptr_nonnull(problem);
    ck_assert(wire_is_closed(fd));
    close(fd);
    expect_alive();
}

static void fill(struct buf *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_append_char(text, 'a');
}

START_TEST(a_long_target_gets_414)
{
    AUTO_BUF struct buf text = BUF(1 << 20);
    int fd = wire_connect(jobgate_url(s.api), 0);

    buf_append_text(&text, "GET /");
    fill(&text, _i ? 200000 : LARGE);
    buf_append_text(&text, " HTTP/1.1\r\n" HOST "\r\n");
    wire_send(fd, text.data, text.length);
    expect_one(fd, 414, "target_too_long");
}
END_TEST

START_TEST(large_headers_get_431)
{
    AUTO_BUF struct buf text = BUF(1 << 20);
    int fd = wire_connect(jobgate_url(s.api), 0);

    buf_append_text(&text, "GET /v1/queues HTTP/1.1\r\n" HOST);
    for (int i = 0; i < (_i ? 4 : 101); i++) {
        buf_append_text(&text, "X: ");
        fill(&text, _i ? LARGE : 1);
        buf_append_text(&text, "\r\n");
    }
    buf_append_text(&text, "\r\n");
    wire_send(fd, text.data, text.length);
    expect_one(fd, 431, "head_too_big");
}
END_TEST

/* ---- time ---- */

START_TEST(a_slow_head_gets_408)
{
    int fd = wire_connect(jobgate_url(s.api), 0);

    ck_assert(wire_say(fd, "GET /v1/queues HTTP/1.1\r\nHo"));
    expect_one(fd, 408, "slow_request");
}
END_TEST

/* A byte now and then does not help. */
START_TEST(a_trickle_gets_408)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    int fd = wire_connect(jobgate_url(s.api), 0);
    char byte;

    ck_assert(wire_say(fd, _i ? POST "Content-Length: 4000\r\n\r\n" : "GET /v1/queues HTTP/1.1\r\nX: "));
    while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        ck_assert(wait_until(deadline_ms));
        wire_say(fd, "a");
    }
    expect_one(fd, 408, "slow_request");
}
END_TEST

START_TEST(a_slow_body_gets_408)
{
    static const char *const begins[] = {POST "Content-Length: 15\r\n\r\n{",
        POST "Transfer-Encoding: chunked\r\n\r\nf\r\n{", POST "Transfer-Encoding: chunked\r\n\r\nf",
        POST "Transfer-Encoding: chunked\r\n\r\nf\r\n" ECHO "\r\n0\r\nX: y"};
    int fd = wire_connect(jobgate_url(s.api), 0);

    ck_assert(wire_say(fd, begins[_i]));
    expect_one(fd, 408, "slow_request");
}
END_TEST

START_TEST(a_body_is_asked_for)
{
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO_REPLY struct http_reply go_on = {0};
    AUTO_REPLY struct http_reply reply = {0};

    ck_assert(wire_say(fd, POST "Content-Length: 15\r\nExpect: 100-continue\r\n\r\n"));
    ck_assert(wire_hear(fd, &go_on));
    ck_assert_int_eq(go_on.status, 100);
    ck_assert(wire_say(fd, ECHO));
    ck_assert(wire_hear(fd, &reply));
    ck_assert_int_eq(reply.status, 202);
    close(fd);
}
END_TEST

START_TEST(who_closes_its_side_gets_its_answer)
{
    int fd = wire_connect(jobgate_url(s.api), 0);
    AUTO_REPLY struct http_reply reply = {0};

    ck_assert(wire_say(fd, POST "Content-Length: 15\r\n\r\n" ECHO));
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert(wire_hear(fd, &reply));
    ck_assert_int_eq(reply.status, 202);
    ck_assert(wire_is_closed(fd));
    close(fd);
}
END_TEST

START_TEST(who_breaks_off_does_no_harm)
{
    static const char *const begins[] = {"", "GET /v1", POST "Content-Length: 15\r\n\r\n{", GOOD,
        POST "Transfer-Encoding: chunked\r\n\r\n5\r\n"};

    for (size_t i = 0; i < ARRAY_LENGTH(begins); i++)
        for (int hard = 0; hard < 2; hard++) {
            struct linger reset = {.l_onoff = 1};
            int fd = wire_connect(jobgate_url(s.api), 0);

            ck_assert(wire_say(fd, begins[i]));
            if (hard)
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            close(fd);
        }
    expect_alive();
    jobgate_wait_metric(s.api, "jobgate_http_connections", 0);
}
END_TEST

/* ---- how many ---- */

static void expect_refusal(int fd, const char *setting)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *problem = NULL;

    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    problem = scene_problem(&reply, 503, "too_many_connections");
    ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), setting));
    ck_assert(wire_is_closed(fd));
    close(fd);
}

START_TEST(one_connection_too_many_gets_503)
{
    static const char *const settings[] = {"CONNECTIONS_MAX=3", "CONNECTIONS_PER_ADDRESS=3"};
    struct jobgate *api = scene_new_api(&s, (const char *[]){settings[_i], NULL});
    int fds[3];

    jobgate_wait_ready(api, 200);
    for (int i = 0; i < 3; i++) {
        AUTO_REPLY struct http_reply reply = {0};

        fds[i] = wire_connect(jobgate_url(api), 0);
        ck_assert(wire_say(fds[i], GOOD));
        ck_assert(wire_hear(fds[i], &reply));
        ck_assert_int_eq(reply.status, 200);
    }
    for (int speaks = 0; speaks < 2; speaks++) {
        int fd = wire_connect(jobgate_url(api), 0);

        if (speaks)
            wire_say(fd, GOOD);
        expect_refusal(fd, _i ? "CONNECTIONS_PER_ADDRESS" : "CONNECTIONS_MAX");
    }
    close(fds[0]);
    jobgate_wait_metric(api, "jobgate_http_connections", 2);
    fds[0] = wire_connect(jobgate_url(api), 0);
    ck_assert(wire_say(fds[0], GOOD));
    {
        AUTO_REPLY struct http_reply reply = {0};

        ck_assert(wire_hear(fds[0], &reply));
        ck_assert_int_eq(reply.status, 200);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    jobgate_free(api);
}
END_TEST

Suite *http_suite(void)
{
    Suite *suite = suite_create("http");
    TCase *t = tcase_create("requests");
    TCase *limits = tcase_create("limits");

    tcase_add_unchecked_fixture(t, open_scene, close_scene);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_request_gets_what_it_should, 0, ARRAY_LENGTH(rows));
    tcase_add_loop_test(t, a_long_target_gets_414, 0, 2);
    tcase_add_loop_test(t, large_headers_get_431, 0, 2);
    tcase_add_test(t, a_body_is_asked_for);
    tcase_add_test(t, who_closes_its_side_gets_its_answer);
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(limits, open_scene, close_scene);
    tcase_set_timeout(limits, 90);
    tcase_add_test(limits, a_slow_head_gets_408);
    tcase_add_loop_test(limits, a_trickle_gets_408, 0, 2);
    tcase_add_loop_test(limits, a_slow_body_gets_408, 0, 4);
    tcase_add_test(limits, who_breaks_off_does_no_harm);
    tcase_add_loop_test(limits, one_connection_too_many_gets_503, 0, 2);
    suite_add_tcase(suite, limits);
    return suite;
}
