#include "common/queue/record.h"

#include <check.h>

#include "common/base/json.h"

Suite *record_suite(void);

enum { HEAD = 12, SPEC_MAX = 65535, RECORD_LIMIT = 1 << 20 };

#define ID "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"

static struct job_id id;
static struct buf record;

static void open_record(void)
{
    struct error e;

    ck_assert(id_parse(ID, &id, &e));
    buf_init(&record, RECORD_LIMIT);
}

static void close_record(void)
{
    buf_release(&record);
}

/* ---- states ---- */

static const struct state_row {
    enum job_state state;
    char letter;
    const char *text;
    bool is_final;
} state_rows[] = {
    {JOB_SCHEDULED, 's', "scheduled", false},
    {JOB_QUEUED, 'q', "queued", false},
    {JOB_RUNNING, 'r', "running", false},
    {JOB_SUCCEEDED, '+', "succeeded", true},
    {JOB_DEAD, 'd', "dead", true},
    {JOB_CANCELLED, 'c', "cancelled", true},
};

/* Writes a record as record.h draws it, of a job that was tried twice. */
static void compose(char state, const char *spec, const char *status, const char *payload)
{
    size_t spec_length = strlen(spec);
    size_t status_length = strlen(status);
    const char head[HEAD] = {'1', state, 1, 2, 5, 6, 3, 4, (char)(spec_length >> 8), (char)spec_length,
        (char)(status_length >> 8), (char)status_length};

    buf_reset(&record);
    buf_append(&record, head, sizeof(head));
    buf_append_text(&record, spec);
    buf_append_text(&record, status);
    buf_append_text(&record, payload);
}

START_TEST(each_state_has_its_letter_and_text)
{
    const struct state_row *row = &state_rows[_i];
    struct error e = {0};
    struct job job;

    ck_assert_int_eq(job_state_letter(row->state), row->letter);
    ck_assert_str_eq(job_state_text(row->state), row->text);
    ck_assert_int_eq(job_state_is_final(row->state), row->is_final);
    compose(row->letter, "{\"type\":\"echo\"}", "", "");
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert_int_eq(job.state, row->state);
    job_release(&job);
}
END_TEST

/* ---- there and back ---- */

static const struct spec_row {
    const char *name;
    struct job_spec spec; /* without metadata */
    const char *metadata; /* NULL: none */
    const char *text;     /* of the spec */
} spec_rows[] = {
    {"defaults alone", {.type = "echo", .content_type = CONTENT_TYPE_JSON}, NULL, "{\"type\":\"echo\"}"},
    {"another content type", {.type = "echo", .content_type = "text/plain; charset=\"utf-8\""}, NULL,
        "{\"type\":\"echo\",\"content_type\":\"text/plain; charset=\\\"utf-8\\\"\"}"},
    {"limits",
        {.type = "a",
            .content_type = CONTENT_TYPE_JSON,
            .timeout_s = 86400,
            .max_attempts = 100,
            .expires_ms = 1801382400250},
        NULL, "{\"type\":\"a\",\"timeout_s\":86400,\"expires_at\":1801382400250,\"max_attempts\":100}"},
    {"an owner and a trace",
        {.type = "echo",
            .content_type = CONTENT_TYPE_JSON,
            .owner = "Shop-7_x.y",
            .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        NULL,
        "{\"type\":\"echo\",\"owner\":\"Shop-7_x.y\","
        "\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}"},
    {"metadata", {.type = "echo", .content_type = CONTENT_TYPE_JSON},
        "{\"customer\":\"42\",\"note\":\"\\u00e9 \\\"quoted\\\" \\n\"}",
        "{\"type\":\"echo\",\"metadata\":{\"customer\":\"42\",\"note\":\"\xc3\xa9 \\\"quoted\\\" \\n\"}}"},
};

static struct job_spec row_spec(const struct spec_row *row)
{
    struct job_spec spec = row->spec;
    struct error e = {0};

    spec.metadata = row->metadata ? json_parse(row->metadata, strlen(row->metadata), &e) : NULL;
    ck_assert_msg(!row->metadata || spec.metadata, "%s", e.text);
    return spec;
}

static void expect_spec(const struct job_spec *got, const struct job_spec *wanted)
{
    ck_assert_str_eq(got->type, wanted->type);
    ck_assert_str_eq(got->content_type, wanted->content_type);
    ck_assert_str_eq(got->owner, wanted->owner);
    ck_assert_str_eq(got->traceparent, wanted->traceparent);
    ck_assert_int_eq(got->timeout_s, wanted->timeout_s);
    ck_assert_int_eq(got->expires_ms, wanted->expires_ms);
    ck_assert_int_eq(got->max_attempts, wanted->max_attempts);
    if (wanted->metadata)
        ck_assert(json_equal(got->metadata, wanted->metadata));
    else
        ck_assert_ptr_null(got->metadata);
}

static void expect_untouched(const struct job *job)
{
    ck_assert_int_eq(job->attempt, 0);
    ck_assert_int_eq(job->excused, 0);
    ck_assert_int_eq(job->crashes, 0);
    ck_assert_int_eq(job->lost, 0);
    ck_assert_str_eq(job->worker, "");
    ck_assert_int_eq(job->started_ms, 0);
    ck_assert_int_eq(job->finished_ms, 0);
    ck_assert_int_eq(job->due_ms, 0);
    ck_assert(!job->has_result);
    ck_assert_str_eq(job->error_code, "");
    ck_assert_ptr_null(job->error_message);
}

START_TEST(a_new_job_comes_back_as_it_went)
{
    static const char payload[] = "{\"n\":\0\xff\x01 1}";
    const struct spec_row *row = &spec_rows[_i];
    struct job_spec spec = row_spec(row);
    struct error e = {0};
    struct job job;

    ck_assert_msg(record_encode_new(&spec, payload, sizeof(payload), &record, &e), "%s", e.text);
    ck_assert_mem_eq(record.data, "1q\0\0\0\0\0\0", 8);
    ck_assert_mem_eq(record.data + HEAD, row->text, strlen(row->text));
    ck_assert_uint_eq(record.length, HEAD + strlen(row->text) + sizeof(payload));
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s: %s", row->name, e.text);
    ck_assert_str_eq(job.id.text, ID);
    ck_assert_int_eq(job.state, JOB_QUEUED);
    expect_untouched(&job);
    expect_spec(&job.spec, &spec);
    ck_assert_uint_eq(job.payload_length, sizeof(payload));
    ck_assert_mem_eq(job.payload, payload, sizeof(payload));
    ck_assert(job.payload >= record.data && job.payload < record.data + record.length);
    job_release(&job);
    job_spec_release(&spec);
}
END_TEST

START_TEST(a_payload_may_be_empty)
{
    static const struct job_spec spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON};
    struct error e;
    struct job job;

    ck_assert(record_encode_new(&spec, NULL, 0, &record, &e));
    ck_assert(record_decode(&id, record.data, record.length, &job, &e));
    ck_assert_uint_eq(job.payload_length, 0);
    job_release(&job);
}
END_TEST

START_TEST(a_record_is_appended)
{
    static const struct job_spec spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON};
    struct error e;
    struct job job;

    buf_append_text(&record, "before");
    ck_assert(record_encode_new(&spec, "payload", 7, &record, &e));
    ck_assert_mem_eq(record.data, "before1q", 8);
    ck_assert(record_decode(&id, record.data + 6, record.length - 6, &job, &e));
    ck_assert_uint_eq(job.payload_length, 7);
    ck_assert_mem_eq(job.payload, "payload", 7);
    job_release(&job);
}
END_TEST

/* A spec of exactly so many bytes: {"type":"t","metadata":{"k":"xxx…"}}. */
static struct job_spec spec_of(size_t length)
{
    struct job_spec spec = {.type = "t", .content_type = CONTENT_TYPE_JSON, .metadata = json_object()};
    size_t rest = length - strlen("{\"type\":\"t\",\"metadata\":{\"k\":\"\"}}");
    char *text = calloc(1, rest + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, 'x', rest);
    ck_assert_int_eq(json_object_set_new(spec.metadata, "k", json_string(text)), 0);
    free(text);
    return spec;
}

static const struct length_row {
    size_t length;
    bool goes;
} length_rows[] = {
    {255, true}, {256, true}, {SPEC_MAX, true}, {SPEC_MAX + 1, false}, {SPEC_MAX + 300, false}};

START_TEST(a_spec_has_up_to_65535_bytes)
{
    const struct length_row *row = &length_rows[_i];
    struct job_spec spec = spec_of(row->length);
    struct error e = {0};
    struct job job;

    ck_assert_int_eq(record_encode_new(&spec, "payload", 7, &record, &e), row->goes);
    if (row->goes) {
        ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
        expect_spec(&job.spec, &spec);
        ck_assert_uint_eq(job.payload_length, 7);
        ck_assert_uint_eq(record.length, HEAD + row->length + 7);
        job_release(&job);
    } else {
        ck_assert_int_eq(e.code, ERROR_TOO_BIG);
    }
    job_spec_release(&spec);
}
END_TEST

static const size_t ceilings[] = {0, 5, HEAD, HEAD + 10, HEAD + 15, HEAD + 15 + 6};

START_TEST(a_buffer_that_is_too_small_is_too_big_a_job)
{
    static const struct job_spec spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON};
    AUTO_BUF struct buf small = BUF(ceilings[_i]);
    struct error e = {0};

    ck_assert(!record_encode_new(&spec, "payload", 7, &small, &e));
    ck_assert_int_eq(e.code, ERROR_TOO_BIG);
}
END_TEST

/* ---- what the scripts write ---- */

START_TEST(a_job_that_succeeded_is_read)
{
    struct error e = {0};
    struct job job;

    compose('+', "{\"type\":\"echo\"}",
        "{\"worker\":\"vm.1\",\"started_at\":1795236093447,\"finished_at\":1795236093456,"
        "\"result\":{\"size\":7,\"content_type\":\"text/plain\",\"md5\":\"CCwmyKa8dSJqMdpUlcySkg==\"}}",
        "");
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert_int_eq(job.attempt, 0x0102);
    ck_assert_int_eq(job.excused, 0x0506);
    ck_assert_int_eq(job.crashes, 3);
    ck_assert_int_eq(job.lost, 4);
    ck_assert_str_eq(job.worker, "vm.1");
    ck_assert_int_eq(job.started_ms, 1795236093447);
    ck_assert_int_eq(job.finished_ms, 1795236093456);
    ck_assert(job.has_result);
    ck_assert(!job.result.is_inline);
    ck_assert_int_eq(job.result.size, 7);
    ck_assert_str_eq(job.result.content_type, "text/plain");
    ck_assert_str_eq(job.result.md5, "CCwmyKa8dSJqMdpUlcySkg==");
    ck_assert_ptr_null(job.error_message);
    job_release(&job);
}
END_TEST

START_TEST(a_result_in_the_record_is_its_rest)
{
    struct error e = {0};
    struct job job;

    compose('+', "{\"type\":\"echo\"}",
        "{\"worker\":\"vm.1\",\"result\":{\"size\":6,\"content_type\":\"text/plain\",\"inline\":true}}",
        "result");
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert(job.result.is_inline);
    ck_assert_str_eq(job.result.md5, "");
    ck_assert_uint_eq(job.payload_length, 6);
    ck_assert_mem_eq(job.payload, "result", 6);
    job_release(&job);
}
END_TEST

START_TEST(a_job_that_failed_is_read)
{
    struct error e = {0};
    struct job job;

    compose('s', "{\"type\":\"echo\"}",
        "{\"worker\":\"vm.1\",\"due_at\":1795236099999,\"error\":{\"code\":\"handler_failed\","
        "\"message\":\"exit status 3: \\u00e9\"},\"future\":{\"member\":[1]}}",
        "payload");
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert_int_eq(job.due_ms, 1795236099999);
    ck_assert(!job.has_result);
    ck_assert_str_eq(job.error_code, "handler_failed");
    ck_assert_str_eq(job.error_message, "exit status 3: \xc3\xa9");
    job_release(&job);
    job_release(&job);
}
END_TEST

START_TEST(the_status_of_a_job_just_started_is_passed_over)
{
    struct error e = {0};
    struct job job;

    compose('r', "{\"type\":\"echo\",\"metadata\":{\"a\":\"b\"}}", "{\"worker\":\"vm.1\",\"started_at\":7}",
        "payload");
    ck_assert_msg(record_decode_started(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert_str_eq(job.id.text, ID);
    ck_assert_int_eq(job.state, JOB_RUNNING);
    ck_assert_int_eq(job.attempt, 0x0102);
    ck_assert_str_eq(job.spec.type, "echo");
    ck_assert_ptr_nonnull(job.spec.metadata);
    ck_assert_uint_eq(job.payload_length, 7);
    ck_assert_mem_eq(job.payload, "payload", 7);
    job_release(&job);
    compose('r', "{\"type\":7}", "{\"worker\":\"vm.1\"}", "payload");
    ck_assert(!record_decode_started(&id, record.data, record.length, &job, &e));
    ck_assert_int_eq(e.code, ERROR_BAD_RECORD);
}
END_TEST

START_TEST(every_byte_of_the_head_counts_to_255)
{
    struct error e = {0};
    struct job job;

    compose('d', "{\"type\":\"echo\"}", "", "");
    memset(record.data + 2, 0xff, 6);
    ck_assert_msg(record_decode(&id, record.data, record.length, &job, &e), "%s", e.text);
    ck_assert_int_eq(job.attempt, 65535);
    ck_assert_int_eq(job.excused, 65535);
    ck_assert_int_eq(job.crashes, 255);
    ck_assert_int_eq(job.lost, 255);
    ck_assert_int_eq(record_attempt(record.data, record.length), 65535);
    job_release(&job);
}
END_TEST

/* ---- damage ---- */

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"
#define N64 N63 "z"
#define ECHO_SPEC "{\"type\":\"echo\"}"
#define META_SPEC "{\"type\":\"echo\",\"metadata\":{\"a\":\"b\"}}"

static const struct bad_row {
    const char *name;
    const char *spec;
    const char *status;
    const char *says;
} bad_rows[] = {
    {"no spec", "", "", "spec"},
    {"a spec that is not JSON", "{\"type\":", "", "spec"},
    {"a spec that is no object", "[\"type\"]", "", "spec"},
    {"a spec with bytes behind", ECHO_SPEC "x", "", "spec"},
    {"a spec with a name twice", "{\"type\":\"echo\",\"type\":\"echo\"}", "", "spec"},
    {"a spec that is not UTF-8", "{\"type\":\"echo\",\"content_type\":\"\xff\"}", "", "spec"},
    {"no type", "{}", "", "type"},
    {"a type that is no text", "{\"type\":1}", "", "type"},
    {"a type that is null", "{\"type\":null}", "", "type"},
    {"an empty type", "{\"type\":\"\"}", "", "type"},
    {"a type that is no name", "{\"type\":\"Echo\"}", "", "type"},
    {"a type with a NUL", "{\"type\":\"echo\\u0000x\"}", "", "type"},
    {"a type too long", "{\"type\":\"" N64 "\"}", "", "type"},
    {"a content type that is no text", "{\"type\":\"a\",\"content_type\":1}", "", "content_type"},
    {"a content type with a NUL", "{\"type\":\"a\",\"content_type\":\"a\\u0000b\"}", "", "content_type"},
    {"a content type too long", "{\"type\":\"a\",\"content_type\":\"" N64 N64 "\"}", "", "content_type"},
    {"a timeout that is no number", "{\"type\":\"a\",\"timeout_s\":\"1\"}", "", "timeout_s"},
    {"a timeout of 0", "{\"type\":\"a\",\"timeout_s\":0}", "", "timeout_s"},
    {"a timeout of a fraction", "{\"type\":\"a\",\"timeout_s\":1.5}", "", "timeout_s"},
    {"a timeout past a day", "{\"type\":\"a\",\"timeout_s\":86401}", "", "timeout_s"},
    {"no attempts", "{\"type\":\"a\",\"max_attempts\":0}", "", "max_attempts"},
    {"attempts past all", "{\"type\":\"a\",\"max_attempts\":4294967297}", "", "max_attempts"},
    {"an expiry before 1970", "{\"type\":\"a\",\"expires_at\":-1}", "", "expires_at"},
    {"an expiry in words", "{\"type\":\"a\",\"expires_at\":\"2027\"}", "", "expires_at"},
    {"metadata that is no object", "{\"type\":\"a\",\"metadata\":[]}", "", "metadata"},
    {"metadata that is a text", "{\"type\":\"a\",\"metadata\":\"x\"}", "", "metadata"},
    {"metadata of a number", "{\"type\":\"a\",\"metadata\":{\"a\":\"b\",\"c\":1}}", "", "metadata"},
    {"metadata of an object", "{\"type\":\"a\",\"metadata\":{\"a\":{}}}", "", "metadata"},

    {"a status that is not JSON", META_SPEC, "{", "status"},
    {"a status that is no object", META_SPEC, "[]", "status"},
    {"a status that is null", META_SPEC, "null", "status"},
    {"a worker that is no text", META_SPEC, "{\"worker\":1}", "worker"},
    {"a worker too long", META_SPEC, "{\"worker\":\"" N64 "\"}", "worker"},
    {"a start in words", META_SPEC, "{\"started_at\":\"now\"}", "times"},
    {"a negative start", META_SPEC, "{\"started_at\":-1}", "times"},
    {"a negative end", META_SPEC, "{\"finished_at\":-1}", "times"},
    {"an end of a fraction", META_SPEC, "{\"finished_at\":1.5}", "times"},
    {"a due time that is no number", META_SPEC, "{\"due_at\":true}", "times"},
    {"a result that is no object", META_SPEC, "{\"result\":7}", "result"},
    {"a result of negative size", META_SPEC, "{\"result\":{\"size\":-1}}", "result"},
    {"a result with a size in words", META_SPEC, "{\"result\":{\"size\":\"7\"}}", "result"},
    {"a result with a long content type", META_SPEC, "{\"result\":{\"content_type\":\"" N64 N64 "\"}}",
        "result"},
    {"a result with a long MD5", META_SPEC, "{\"result\":{\"md5\":\"" N63 "\"}}", "result"},
    {"an error that is no object", META_SPEC, "{\"error\":\"failed\"}", "error"},
    {"an error without a message", META_SPEC, "{\"error\":{\"code\":\"timeout\"}}", "error"},
    {"an error whose message is no text", META_SPEC, "{\"error\":{\"code\":\"timeout\",\"message\":1}}",
        "error"},
    {"an error whose code is no text", META_SPEC, "{\"error\":{\"code\":1,\"message\":\"x\"}}", "error"},
    {"an error with a long code", META_SPEC, "{\"error\":{\"code\":\"" N63 "\",\"message\":\"x\"}}", "error"},
    {"a good result and a bad error", META_SPEC, "{\"result\":{\"size\":1},\"error\":[]}", "error"},
};

/* What is left of a job that could not be read owns nothing, and may be released all the same. */
static void expect_bad(const char *name, const char *says)
{
    struct error e = {0};
    struct job job;

    ck_assert_msg(!record_decode(&id, record.data, record.length, &job, &e), "%s", name);
    ck_assert_int_eq(e.code, ERROR_BAD_RECORD);
    ck_assert_msg(strstr(e.text, says) != NULL, "%s: %s", name, e.text);
}

START_TEST(a_damaged_record_is_bad)
{
    compose('r', bad_rows[_i].spec, bad_rows[_i].status, "payload");
    expect_bad(bad_rows[_i].name, bad_rows[_i].says);
}
END_TEST

static const struct head_row {
    const char *name;
    size_t at;
    char byte;
    const char *says;
} head_rows[] = {
    {"version 0", 0, '0', "version"},
    {"version 2", 0, '2', "version"},
    {"no version", 0, '\0', "version"},
    {"an unknown state", 1, 'x', "state"},
    {"a state in capitals", 1, 'Q', "state"},
    {"no state", 1, '\0', "state"},
    {"a spec that ends behind the record", 8, '\x01', "short"},
    {"a spec of the greatest length", 8, '\xff', "short"},
    {"a status that ends behind the record", 10, '\x01', "short"},
    {"a status of the greatest length", 10, '\xff', "short"},
    {"a spec that ends too soon", 9, '\x05', "spec"},
    {"a status that begins in the payload", 11, '\x05', "status"},
};

START_TEST(a_damaged_head_is_bad)
{
    compose('r', ECHO_SPEC, "", "payload");
    record.data[head_rows[_i].at] = head_rows[_i].byte;
    expect_bad(head_rows[_i].name, head_rows[_i].says);
}
END_TEST

START_TEST(a_record_cut_before_its_payload_is_bad)
{
    compose('r', META_SPEC, "{\"worker\":\"vm.1\"}", "");
    while (record.length > 0) {
        char *exact;
        struct error e = {0};
        struct job job;

        record.length--;
        exact = malloc(record.length ? record.length : 1); /* a read behind its end is seen */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, record.data, record.length);
        ck_assert(!record_decode(&id, exact, record.length, &job, &e));
        ck_assert_int_eq(e.code, ERROR_BAD_RECORD);
        free(exact);
    }
}
END_TEST

static const struct attempt_row {
    const char *name;
    size_t length;
    int attempt;
} attempt_rows[] = {
    {"nothing", 0, 0}, {"a letter", 1, 0}, {"too short", HEAD - 1, 0}, {"a head", HEAD, 0x0102}};

START_TEST(the_attempt_is_read_as_far_as_it_can_be)
{
    compose('?', "no spec at all", "", "");
    ck_assert_msg(record_attempt(record.data, attempt_rows[_i].length) == attempt_rows[_i].attempt, "%s",
        attempt_rows[_i].name);
}
END_TEST

/* ---- the rest of a status ---- */

/* Decodes a job whose status is a worker and what stands in `members`. */
static void decode_members(const struct buf *members, struct job *job)
{
    AUTO_BUF struct buf status = BUF(RECORD_LIMIT);
    struct error e = {0};

    buf_printf(&status, "{\"worker\":\"vm.1\"%s}", members->data);
    compose('d', ECHO_SPEC, status.data, "");
    ck_assert_msg(record_decode(&id, record.data, record.length, job, &e), "%s: %s", e.text, status.data);
}

static const struct job_result results[] = {
    {false, 0, "application/json", ""},
    {false, 9007199254740993, "text/plain; charset=\"utf-8\"", "CCwmyKa8dSJqMdpUlcySkg=="},
    {true, 4096, "application/octet-stream", "CCwmyKa8dSJqMdpUlcySkg=="},
};

START_TEST(a_result_comes_back_as_it_went)
{
    AUTO_BUF struct buf members = BUF(1024);
    struct job job;

    status_write_result(&members, &results[_i]);
    ck_assert_int_eq(members.data[0], ',');
    decode_members(&members, &job);
    ck_assert(job.has_result);
    ck_assert_int_eq(job.result.is_inline, results[_i].is_inline);
    ck_assert_int_eq(job.result.size, results[_i].size);
    ck_assert_str_eq(job.result.content_type, results[_i].content_type);
    ck_assert_str_eq(job.result.md5, results[_i].md5);
    job_release(&job);
}
END_TEST

START_TEST(every_error_comes_back_as_it_went)
{
    AUTO_BUF struct buf members = BUF(4096);
    struct error failure = {.code = (enum error_code)_i, .text = "it said \"no\"\n\t\\ \xc3\xa9 \x01"};
    struct job job;

    status_write_error(&members, &failure);
    ck_assert_int_eq(members.data[0], ',');
    decode_members(&members, &job);
    ck_assert_str_eq(job.error_code, error_name(failure.code));
    ck_assert_str_eq(job.error_message, failure.text);
    ck_assert(!job.has_result);
    job_release(&job);
}
END_TEST

START_TEST(an_error_that_is_not_utf8_can_still_be_read)
{
    AUTO_BUF struct buf members = BUF(4096);
    struct error failure = {.code = ERROR_HANDLER_FAILED,
        .text = "a\xff"
                "b"};
    struct job job;

    status_write_error(&members, &failure);
    decode_members(&members, &job);
    ck_assert_str_eq(job.error_message, "a\xef\xbf\xbd"
                                        "b");
    job_release(&job);
}
END_TEST

Suite *record_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *all = tcase_create("record");

    tcase_add_checked_fixture(all, open_record, close_record);
    tcase_add_loop_test(all, each_state_has_its_letter_and_text, 0, ARRAY_LENGTH(state_rows));
    tcase_add_loop_test(all, a_new_job_comes_back_as_it_went, 0, ARRAY_LENGTH(spec_rows));
    tcase_add_test(all, a_payload_may_be_empty);
    tcase_add_test(all, a_record_is_appended);
    tcase_add_loop_test(all, a_spec_has_up_to_65535_bytes, 0, ARRAY_LENGTH(length_rows));
    tcase_add_loop_test(all, a_buffer_that_is_too_small_is_too_big_a_job, 0, ARRAY_LENGTH(ceilings));
    tcase_add_test(all, a_job_that_succeeded_is_read);
    tcase_add_test(all, a_result_in_the_record_is_its_rest);
    tcase_add_test(all, a_job_that_failed_is_read);
    tcase_add_test(all, the_status_of_a_job_just_started_is_passed_over);
    tcase_add_test(all, every_byte_of_the_head_counts_to_255);
    tcase_add_loop_test(all, a_damaged_record_is_bad, 0, ARRAY_LENGTH(bad_rows));
    tcase_add_loop_test(all, a_damaged_head_is_bad, 0, ARRAY_LENGTH(head_rows));
    tcase_add_test(all, a_record_cut_before_its_payload_is_bad);
    tcase_add_loop_test(all, the_attempt_is_read_as_far_as_it_can_be, 0, ARRAY_LENGTH(attempt_rows));
    tcase_add_loop_test(all, a_result_comes_back_as_it_went, 0, ARRAY_LENGTH(results));
    tcase_add_loop_test(all, every_error_comes_back_as_it_went, 0, ERROR_COUNT);
    tcase_add_test(all, an_error_that_is_not_utf8_can_still_be_read);
    suite_add_tcase(suite, all);
    return suite;
}
