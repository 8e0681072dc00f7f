#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/support/stage.h"
#include "tests/support/web_server.h"

/* The streams of a run, whatever its kind: what is fed comes out, in pieces, with pauses on both sides. */

Suite *streams_suite(void);

static struct stage s;

static void open_stage(void)
{
    stage_open(&s,
        "\"cat\": {\"kind\": \"command\", \"command\": [\"cat\"]},"
        "\"deaf\": {\"kind\": \"command\", \"command\": [\"sleep\", \"1000\"]},"
        "\"closed\": {\"kind\": \"command\", \"command\": [\"sh\", \"-c\", \"exec <&-; echo fine\"]},"
        "\"missing\": {\"kind\": \"command\", \"command\": [\"/no/such/program\"]},"
        "\"zeros\": {\"kind\": \"command\", \"command\": [\"head\", \"-c\", \"3000000\", \"/dev/zero\"]},"
        "\"loud\": {\"kind\": \"command\", \"command\": [\"yes\"]},"
        "\"pool\": {\"kind\": \"pool\", \"command\": [\"/usr/bin/python3\", \"%s/echo.py\"]},"
        "\"echo\": {\"kind\": \"builtin\", \"builtin\": \"echo\"},"
        "\"sha256\": {\"kind\": \"builtin\", \"builtin\": \"sha256\"},"
        "\"sleep\": {\"kind\": \"builtin\", \"builtin\": \"sleep\"},"
        "\"fail\": {\"kind\": \"builtin\", \"builtin\": \"fail\"}");
    stage_write_block(&s, "jobgate_pool.py", "python", 0);
    stage_write(
        &s, "echo.py", "import jobgate_pool\njobgate_pool.serve(lambda job, payload: payload)\n", 0600);
}

static void close_stage(void)
{
    stage_close(&s);
}

/* With a server whose /echo is the type http. */
static struct web_server server;

static void open_with_server(void)
{
    char types[256];

    web_server_start(&server);
    snprintf(types, sizeof(types), "\"http\": {\"kind\": \"http\", \"url\": \"http://127.0.0.1:%d/echo\"}",
        server.port);
    stage_open(&s, types);
}

static void close_with_server(void)
{
    stage_close(&s);
    web_server_stop(&server);
}

/* A feeder and a receiver. The payload's byte n is a function of n, so that neither has to keep it. */
struct flow {
    struct run *run;
    size_t size;     /* of the payload */
    size_t fed;      /* bytes that the run took */
    size_t piece;    /* how much is offered at once */
    size_t appetite; /* how much the receiver takes before it pauses; 0: all */
    size_t received;
    bool is_echoed; /* what comes must be what was fed */
    bool is_ended;  /* run_feed_end was called */
    bool is_killer; /* kills the run at the first output */
    bool is_stuck;  /* never goes on after a pause */
    int pauses;
    struct timer resume;
    int done;
    struct error error;
    uint64_t result_bytes;
    struct buf head; /* of the result */
};

static unsigned char byte_at(size_t n)
{
    return (unsigned char)(n * 2654435761U >> 13);
}

static void feed(struct flow *f)
{
    AUTO(free) unsigned char *piece = mem_alloc(f->piece);
    size_t taken = f->piece;
    size_t n = f->piece;

    while (f->fed < f->size && taken == n) {
        n = f->size - f->fed < f->piece ? f->size - f->fed : f->piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(f->fed + i);
        taken = run_feed(f->run, piece, n);
        ck_assert_uint_le(taken, n);
        f->fed += taken;
    }
    if (f->fed == f->size && !f->is_ended) {
        f->is_ended = true;
        run_feed_end(f->run);
    }
}

static void on_resume(void *arg)
{
    run_resume(((struct flow *)arg)->run);
}

static size_t on_output(void *arg, const void *data, size_t length)
{
    struct flow *f = arg;
    const unsigned char *bytes = data;
    size_t n = f->appetite && f->appetite < length ? f->appetite : length;

    ck_assert_int_eq(f->done, 0);
    ck_assert_uint_gt(length, 0);
    for (size_t i = 0; f->is_echoed && i < n; i++)
        ck_assert_msg(bytes[i] == byte_at(f->received + i), "byte %zu is wrong", f->received + i);
    if (f->head.length < 100)
        buf_append(&f->head, data, n < 100 ? n : 100);
    f->received += n;
    if (f->is_killer)
        run_kill(f->run, ERROR_STOPPED);
    if (n < length) {
        f->pauses++;
        if (!f->is_stuck)
            timer_start(&f->resume, f->pauses % 8 == 0);
    }
    return n;
}

static void on_hungry(void *arg)
{
    struct flow *f = arg;

    ck_assert_int_eq(f->done, 0);
    feed(f);
}

static void on_done(void *arg, struct run_outcome *outcome)
{
    struct flow *f = arg;

    f->done++;
    f->error = outcome->error ? *outcome->error : (struct error){0};
    f->result_bytes = outcome->result_bytes;
    ck_assert_uint_eq(outcome->result.length, 0);
}

static const struct run_events flow_events = {
    .on_output = on_output, .on_hungry = on_hungry, .on_done = on_done};

static void start(struct flow *f, const char *type, struct run_input *input)
{
    input->payload = NULL;
    input->payload_length = f->size;
    input->is_streamed = true;
    if (!f->piece)
        f->piece = 50000;
    buf_init(&f->head, 4096);
    timer_init(&f->resume, s.loop, on_resume, f);
    f->run = run_start(handlers_find(s.handlers, type), input, &flow_events, f);
    feed(f);
}

static void run(struct flow *f, const char *type)
{
    struct run_input input = stage_input(type, "");

    start(f, type, &input);
    stage_wait(&s, &f->done, 1);
    timer_stop(&f->resume);
    buf_release(&f->head);
}

static const struct {
    const char *type;
    size_t size;
    size_t piece;
    size_t appetite;
} flows[] = {
    {"cat", 0, 1, 0},
    {"cat", 1, 1, 0},
    {"cat", 5000000, 50000, 0},
    {"cat", 5000000, 1000003, 9999},
    {"cat", 300000, 7, 0},
    {"pool", 0, 1, 0},
    {"pool", 1, 1, 0},
    {"pool", 5000000, 50000, 0},
    {"pool", 5000000, 1000003, 9999},
    {"pool", 30000, 7, 0},
    {"echo", 0, 1, 0},
    {"echo", 1, 1, 0},
    {"echo", 5000000, 50000, 0},
    {"echo", 5000000, 1000003, 9999},
    {"echo", 300000, 7, 0},
};

START_TEST(what_is_fed_comes_out)
{
    struct flow f = {
        .size = flows[_i].size, .piece = flows[_i].piece, .appetite = flows[_i].appetite, .is_echoed = true};

    run(&f, flows[_i].type);
    ck_assert_msg(f.error.code == ERROR_OK, "%s", f.error.text);
    ck_assert_uint_eq(f.received, f.size);
    ck_assert_uint_eq(f.result_bytes, f.size);
    ck_assert(!flows[_i].appetite || f.pauses > 10);
}
END_TEST

START_TEST(whole_payload_may_be_received_in_pieces)
{
    static const char *const types[] = {"cat", "echo", "pool"};
    static char payload[200000];
    struct flow f = {.appetite = 999};
    struct run_input input = stage_input(types[_i], "");

    input.payload = payload;
    input.payload_length = sizeof(payload);
    timer_init(&f.resume, s.loop, on_resume, &f);
    buf_init(&f.head, 4096);
    f.run = run_start(handlers_find(s.handlers, input.type), &input, &flow_events, &f);
    stage_wait(&s, &f.done, 1);
    ck_assert_uint_eq(f.received, sizeof(payload));
    buf_release(&f.head);
}
END_TEST

START_TEST(digest_of_a_stream)
{
    struct flow f = {.size = 1000000};
    struct run_input input = stage_input("sha256", "");

    start(&f, "sha256", &input);
    stage_wait(&s, &f.done, 1);
    ck_assert_uint_eq(f.received, 65);
    ck_assert_str_eq(f.head.data, "9e3b94791518aed853829ea7fff37763aea7053e3c6bdab695c93082fddb4152\n");
    buf_release(&f.head);
}
END_TEST

/* A receiver that takes nothing stops the program, and the time limit still ends it. */
START_TEST(receiver_that_takes_nothing_stops_the_program)
{
    struct flow f = {.appetite = 1, .is_stuck = true};
    struct run_input input = stage_input("loud", "");

    input.timeout_ms = 300;
    start(&f, "loud", &input);
    stage_wait(&s, &f.done, 1);
    ck_assert_int_eq(f.error.code, ERROR_TIMEOUT);
    ck_assert_uint_eq(f.received, 1);
    buf_release(&f.head);
}
END_TEST

START_TEST(suspended_clock_stands_still)
{
    struct flow f = {.size = 1000000};
    struct run_input input = stage_input("deaf", "");
    int64_t until_ms;

    input.timeout_ms = 200;
    start(&f, "deaf", &input);
    run_suspend(f.run);
    run_suspend(f.run);
    until_ms = clock_steady_ms() + 600;
    while (clock_steady_ms() < until_ms) {
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
        usleep(5000);
    }
    run_unsuspend(f.run);
    event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    ck_assert_int_eq(f.done, 0);
    run_unsuspend(f.run);
    stage_wait(&s, &f.done, 1);
    ck_assert_int_eq(f.error.code, ERROR_TIMEOUT);
    ck_assert_uint_lt(f.fed, f.size); /* the pipe is full: nobody reads it */
    buf_release(&f.head);
}
END_TEST

static const struct {
    const char *type;
    enum error_code code;
} swallowers[] = {
    {"closed", ERROR_OK},
    {"missing", ERROR_HANDLER_START},
    {"zeros", ERROR_OK},
    {"fail", ERROR_BAD_PAYLOAD},
    {"sleep", ERROR_BAD_PAYLOAD},
};

START_TEST(payload_that_nobody_reads_is_taken)
{
    struct flow f = {.size = 2000000};

    run(&f, swallowers[_i].type);
    ck_assert_msg(f.error.code == swallowers[_i].code, "%s", f.error.text);
}
END_TEST

START_TEST(receiver_may_end_the_run)
{
    static const char *const types[] = {"cat", "echo", "pool"};
    struct flow f = {.size = 2000000, .is_killer = true, .appetite = _i / 3 ? 10 : 0};

    run(&f, types[_i % 3]);
    ck_assert_int_eq(f.error.code, ERROR_STOPPED);
}
END_TEST

START_TEST(deadline_comes_before_the_time_limit)
{
    struct flow f = {.size = 1000000};
    struct run_input input = stage_input("deaf", "");

    input.deadline_ms = clock_unix_ms() + (_i ? -1000 : 200);
    start(&f, "deaf", &input);
    stage_wait(&s, &f.done, 1);
    ck_assert_int_eq(f.error.code, ERROR_TIMEOUT);
    buf_release(&f.head);
}
END_TEST

static const struct {
    size_t size;
    size_t piece;
    size_t appetite;
} http_flows[] = {{0, 1, 0}, {1, 1, 0}, {5000000, 50000, 0}, {5000000, 1000003, 9999}, {30000, 7, 0}};

START_TEST(what_is_fed_over_http_comes_out)
{
    struct flow f = {.size = http_flows[_i].size,
        .piece = http_flows[_i].piece,
        .appetite = http_flows[_i].appetite,
        .is_echoed = true};

    run(&f, "http");
    ck_assert_msg(f.error.code == ERROR_OK, "%s", f.error.text);
    ck_assert_uint_eq(f.received, f.size);
    ck_assert(!f.appetite || f.pauses > 10);
}
END_TEST

START_TEST(receiver_may_end_the_call)
{
    struct flow f = {.size = 2000000, .is_killer = true, .appetite = _i ? 10 : 0};

    run(&f, "http");
    ck_assert_int_eq(f.error.code, ERROR_STOPPED);
}
END_TEST

Suite *streams_suite(void)
{
    Suite *suite = suite_create("streams");
    TCase *c = tcase_create("streams");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_stage, close_stage);
    tcase_add_loop_test(c, what_is_fed_comes_out, 0, (int)ARRAY_LENGTH(flows));
    tcase_add_loop_test(c, whole_payload_may_be_received_in_pieces, 0, 3);
    tcase_add_test(c, digest_of_a_stream);
    tcase_add_test(c, receiver_that_takes_nothing_stops_the_program);
    tcase_add_test(c, suspended_clock_stands_still);
    tcase_add_loop_test(c, payload_that_nobody_reads_is_taken, 0, (int)ARRAY_LENGTH(swallowers));
    tcase_add_loop_test(c, receiver_may_end_the_run, 0, 6);
    tcase_add_loop_test(c, deadline_comes_before_the_time_limit, 0, 2);
    suite_add_tcase(suite, c);
    c = tcase_create("http");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_with_server, close_with_server);
    tcase_add_loop_test(c, what_is_fed_over_http_comes_out, 0, (int)ARRAY_LENGTH(http_flows));
    tcase_add_loop_test(c, receiver_may_end_the_call, 0, 2);
    suite_add_tcase(suite, c);
    return suite;
}
