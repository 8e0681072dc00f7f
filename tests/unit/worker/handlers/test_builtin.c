#include <check.h>

#include "tests/support/stage.h"

Suite *builtin_suite(void);

static struct stage s;

static void open_stage(void)
{
    stage_open(&s, "\"echo\": {\"kind\": \"builtin\", \"builtin\": \"echo\"},"
                   "\"sleep\": {\"kind\": \"builtin\", \"builtin\": \"sleep\"},"
                   "\"fail\": {\"kind\": \"builtin\", \"builtin\": \"fail\"},"
                   "\"sha256\": {\"kind\": \"builtin\", \"builtin\": \"sha256\"}");
}

static void close_stage(void)
{
    stage_close(&s);
}

static const struct {
    const char *type;
    const char *payload;
    enum error_code code;
    const char *text; /* the result, or what the error's text holds */
} rows[] = {
    {"echo", "{\"a\": 1}", ERROR_OK, "{\"a\": 1}"},
    {"echo", "", ERROR_OK, ""},
    {"sleep", "0", ERROR_OK, "0"},
    {"sleep", "0.001", ERROR_OK, "0.001"},
    {"sleep", "{\"seconds\": 0.002}", ERROR_OK, "{\"seconds\": 0.002}"},
    {"sleep", "", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"sleep", "-1", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"sleep", "\"1\"", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"sleep", "{\"seconds\": 0, \"x\": 1}", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"sleep", "{\"minutes\": 0}", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"sleep", "[1", ERROR_BAD_PAYLOAD, "sleep wants"},
    {"fail", "", ERROR_HANDLER_FAILED, "the payload asked for it"},
    {"fail", "null", ERROR_HANDLER_FAILED, "the payload asked for it"},
    {"fail", "{}", ERROR_HANDLER_FAILED, "the payload asked for it"},
    {"fail", "{\"code\": \"handler_failed\", \"message\": \"as told\"}", ERROR_HANDLER_FAILED, "as told"},
    {"fail", "{\"code\": \"bad_payload\"}", ERROR_BAD_PAYLOAD, "the payload asked for it"},
    {"fail", "{\"code\": \"try_later\", \"message\": \"soon\"}", ERROR_TRY_LATER, "soon"},
    {"fail", "{\"code\": \"timeout\"}", ERROR_BAD_PAYLOAD, "handler_failed, bad_payload, try_later"},
    {"fail", "{\"code\": \"nonsense\"}", ERROR_BAD_PAYLOAD, "handler_failed, bad_payload, try_later"},
    {"fail", "{\"code\": 3}", ERROR_BAD_PAYLOAD, "handler_failed, bad_payload, try_later"},
    {"fail", "{\"message\": 3}", ERROR_BAD_PAYLOAD, "fail wants"},
    {"fail", "{\"kode\": \"x\"}", ERROR_BAD_PAYLOAD, "fail wants"},
    {"fail", "[]", ERROR_BAD_PAYLOAD, "fail wants"},
    {"fail", "{", ERROR_BAD_PAYLOAD, "line 1"},
    /* FIPS 180-4's examples */
    {"sha256", "abc", ERROR_OK, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"},
    {"sha256", "", ERROR_OK, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"},
};

START_TEST(each_answers)
{
    struct run_input input = stage_input(rows[_i].type, rows[_i].payload);
    struct ended ended;

    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, rows[_i].code);
    if (rows[_i].code == ERROR_OK)
        ck_assert_str_eq(ended.result.data, rows[_i].text);
    else
        ck_assert_msg(strstr(ended.error.text, rows[_i].text), "%s", ended.error.text);
    ck_assert_uint_eq(ended.log.length, 0);
    ended_release(&ended);
}
END_TEST

START_TEST(echo_keeps_every_byte)
{
    static char payload[100000];
    struct run_input input = stage_input("echo", "");
    struct ended ended;

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)(i * 7);
    input.payload = payload;
    input.payload_length = sizeof(payload);
    input.max_result_bytes = sizeof(payload);
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_eq(ended.result.length, sizeof(payload));
    ck_assert_mem_eq(ended.result.data, payload, sizeof(payload));
    ended_release(&ended);
}
END_TEST

START_TEST(result_is_bounded)
{
    struct run_input input = stage_input("echo", "12345");
    struct ended ended;

    input.max_result_bytes = 4;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OUTPUT_TOO_BIG);
    ck_assert_str_eq(ended.error.text, "the result is larger than 4 bytes, the limit (MAX_RESULT)");
    ended_release(&ended);
}
END_TEST

START_TEST(sleep_ends_at_the_time_limit)
{
    struct run_input input = stage_input("sleep", "1e300");
    struct ended ended;

    input.timeout_ms = 20;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    ck_assert_str_eq(ended.error.text, "the time limit of 20 ms was reached");
    ended_release(&ended);
}
END_TEST

START_TEST(sleep_is_killed)
{
    struct run_input input = stage_input("sleep", "50");
    struct ended ended;
    struct run *r = stage_start(&s, &input, &ended);

    run_kill(r, ERROR_STOPPED);
    run_kill(r, ERROR_TIMEOUT);
    ck_assert_int_eq(ended.count, 0);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
    ended_release(&ended);
}
END_TEST

START_TEST(echo_is_killed)
{
    struct run_input input = stage_input("echo", "1");
    struct ended ended;

    run_kill(stage_start(&s, &input, &ended), ERROR_STOPPED);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
    ended_release(&ended);
}
END_TEST

/* Each end starts the next: the shape of a busy worker. */
struct chain {
    struct run_input input;
    int count;
};

enum { CHAIN_LENGTH = 20000, CHAIN_WIDTH = 16 };

static void start_next(void *arg, struct run_outcome *outcome);

static const struct run_events chained = {.on_done = start_next};

static void start_next(void *arg, struct run_outcome *outcome)
{
    struct chain *chain = arg;

    if (outcome)
        ck_assert_ptr_null(outcome->error);
    chain->count += outcome != NULL;
    if (chain->count + CHAIN_WIDTH <= CHAIN_LENGTH)
        run_start(handlers_find(s.handlers, "echo"), &chain->input, &chained, chain);
}

START_TEST(many_run_one_behind_the_other)
{
    struct chain chain = {.input = stage_input("echo", "{}")};

    for (int i = 0; i < CHAIN_WIDTH; i++)
        start_next(&chain, NULL);
    stage_wait(&s, &chain.count, CHAIN_LENGTH);
    ck_assert_int_eq(chain.count, CHAIN_LENGTH);
}
END_TEST

Suite *builtin_suite(void)
{
    Suite *suite = suite_create("builtin");
    TCase *c = tcase_create("builtin");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_stage, close_stage);
    tcase_add_loop_test(c, each_answers, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_test(c, echo_keeps_every_byte);
    tcase_add_test(c, result_is_bounded);
    tcase_add_test(c, sleep_ends_at_the_time_limit);
    tcase_add_test(c, sleep_is_killed);
    tcase_add_test(c, echo_is_killed);
    tcase_add_test(c, many_run_one_behind_the_other);
    suite_add_tcase(suite, c);
    return suite;
}
