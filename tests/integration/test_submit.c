/*
 * Submitting: what a caller sends and gets, in both forms, and several processes and loops behind one port.
 */
#include <check.h>
#include <ctype.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *submit_suite(void);

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
}

static void close_scene(void)
{
    scene_close(&s);
}

static void start_both(void)
{
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void post(const char *json, struct http_reply *reply)
{
    char url[512];

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    http_post_json(url, json, reply);
}

/* RFC 3339 in UTC with milliseconds: 2026-01-31T23:59:59.123Z. */
static void assert_time(const json_t *job, const char *pointer)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    const char *text = json_text_at(job, pointer);

    ck_assert_uint_eq(strlen(text), strlen(form));
    for (size_t i = 0; form[i]; i++)
        ck_assert_msg(
            form[i] == 'd' ? isdigit((unsigned char)text[i]) : form[i] == text[i], "%s is %s", pointer, text);
}

static void assert_absent(const json_t *job, const char *const *pointers)
{
    for (; *pointers; pointers++)
        ck_assert_msg(json_at(job, *pointers) == NULL, "%s is there", *pointers);
}

START_TEST(accepted_job_is_named_in_the_headers_and_the_body)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *location = NULL;
    AUTO(free) char *operation = NULL;
    AUTO(free) char *retry = NULL;
    AUTO(free) char *type = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *again = NULL;
    char expected[256];

    scene_start_api(&s, NULL);
    post("{\"type\":\"echo\",\"payload\":{\"a\":1}}", &reply);
    ck_assert_int_eq(reply.status, 202);
    job = http_reply_json(&reply);
    snprintf(expected, sizeof(expected), "/v1/jobs/%s", json_text_at(job, "/id"));
    location = http_reply_header(&reply, "Location");
    operation = http_reply_header(&reply, "Operation-Location");
    retry = http_reply_header(&reply, "Retry-After");
    type = http_reply_header(&reply, "Content-Type");
    ck_assert_str_eq(location, expected);
    ck_assert_str_eq(operation, expected);
    ck_assert_int_ge(strtol(retry, NULL, 10), 1);
    ck_assert_str_eq(type, "application/json");
    ck_assert_str_eq(json_text_at(job, "/links/self"), expected);
    ck_assert_str_eq(json_text_at(job, "/type"), "echo");
    ck_assert_str_eq(json_text_at(job, "/queue"), "default");
    ck_assert_str_eq(json_text_at(job, "/state"), "queued");
    ck_assert_int_eq(json_int_at(job, "/attempt"), 0);
    assert_time(job, "/created_at");
    assert_absent(job, (const char *const[]){"/started_at", "/finished_at", "/result", "/error", "/metadata",
                           "/links/result", NULL});
    again = jobgate_job(s.api, json_text_at(job, "/id"));
    ck_assert(json_equal(job, again));
}
END_TEST

START_TEST(job_that_succeeded_shows_its_times_and_its_result)
{
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;
    char expected[256];
    char blob[SCENE_SETTING_SIZE + 16];

    start_both();
    id = jobgate_submit(s.api, "{\"type\":\"cat\",\"payload\":\"abc\"}");
    job = jobgate_wait_for(s.api, id, "succeeded");
    snprintf(expected, sizeof(expected), "/v1/jobs/%s/result", id);
    snprintf(blob, sizeof(blob), "%s/results/", s.store + strlen("BLOB_URL="));
    assert_time(job, "/created_at");
    assert_time(job, "/started_at");
    assert_time(job, "/finished_at");
    ck_assert_int_le(strcmp(json_text_at(job, "/created_at"), json_text_at(job, "/finished_at")), 0);
    ck_assert_int_le(strcmp(json_text_at(job, "/started_at"), json_text_at(job, "/finished_at")), 0);
    ck_assert_int_eq(json_int_at(job, "/attempt"), 1);
    ck_assert_str_eq(json_text_at(job, "/result/href"), expected);
    ck_assert_str_eq(json_text_at(job, "/links/result"), expected);
    ck_assert_int_eq(json_int_at(job, "/result/size"), 5);
    ck_assert_str_eq(json_text_at(job, "/result/content_type"), "text/plain");
    ck_assert_str_eq(json_text_at(job, "/result/md5"), "69n0x7BssKr10T2A5J2LkA==");
    ck_assert_msg(strncmp(json_text_at(job, "/result/blob"), blob, strlen(blob)) == 0, "the blob is %s",
        json_text_at(job, "/result/blob"));
    assert_absent(job, (const char *const[]){"/error", "/metadata", NULL});
}
END_TEST

/* The payload is the text of its member, not what a parser made of it. */
static const char *const kept_payloads[] = {
    "9223372036854775807",
    "-9223372036854775808",
    "{\"big\":9223372036854775807, \"small\":-9223372036854775808,\n \"list\" : [9007199254740993, 1.10, "
    "1e2, -0]}",
    "\"\\u00e9 and \xc3\xa9 and \\ud83d\\ude00 and \\\"payload\\\": and \\u0000\"",
    "{\"payload\":{\"payload\":[{},[],\"\"]},\"z\":1,\"a\":2}",
    "null",
    "true",
    "\"\"",
    "0.1",
};

START_TEST(json_payload_reaches_the_handler_as_its_text)
{
    const char *payload = kept_payloads[_i];
    char body[512];
    AUTO(free) char *through_program = NULL;
    AUTO(free) char *through_builtin = NULL;

    start_both();
    snprintf(body, sizeof(body), "{\"queue\":\"default\",\"payload\": %s ,\"type\":\"cat\"}", payload);
    through_program = jobgate_submit(s.api, body);
    snprintf(body, sizeof(body), "{\"type\":\"echo\",\"payload\":%s}", payload);
    through_builtin = jobgate_submit(s.api, body);
    scene_expect_result(&s, through_program, payload, strlen(payload));
    scene_expect_result(&s, through_builtin, payload, strlen(payload));
}
END_TEST

START_TEST(job_without_a_payload_gets_none)
{
    AUTO(free) char *id = NULL;

    start_both();
    id = jobgate_submit(s.api, "{\"type\":\"cat\"}");
    scene_expect_result(&s, id, "", 0);
}
END_TEST

START_TEST(number_that_cannot_be_kept_exactly_is_refused)
{
    static const char *const numbers[] = {"9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "1e400", "{\"deep\":[100000000000000000000]}"};

    scene_start_api(&s, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(json) json_t *problem = NULL;
        char body[128];

        snprintf(body, sizeof(body), "{\"type\":\"echo\",\"payload\":%s}", numbers[i]);
        post(body, &reply);
        problem = scene_problem(&reply, 400, "bad_json");
        ck_assert_ptr_nonnull(strstr(json_text_at(problem, "/detail"), "line 1, column "));
    }
    ck_assert_int_eq(redis_server_integer(s.redis, "DBSIZE"), 0);
}
END_TEST

/* Every byte there is, in every neighbourhood of two. */
static void fill_all_pairs(unsigned char data[2 * 65536])
{
    for (size_t i = 0; i < 65536; i++) {
        data[2 * i] = (unsigned char)(i >> 8);
        data[2 * i + 1] = (unsigned char)i;
    }
}

START_TEST(raw_payload_passes_byte_for_byte)
{
    static const char *const queries[] = {"type=cat", "type=echo", "type=cat&queue=default&timeout_s=30"};
    static unsigned char data[2 * 65536];

    start_both();
    fill_all_pairs(data);
    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        AUTO(free)
        char *id = jobgate_submit_raw(s.api, queries[i], "application/octet-stream", data, sizeof(data));

        scene_expect_result(&s, id, data, sizeof(data));
    }
}
END_TEST

START_TEST(raw_payload_may_be_as_large_as_the_limit)
{
    enum { LIMIT = 1048576 }; /* the default of MAX_BODY */
    AUTO(free) char *data = mem_zalloc(LIMIT);
    AUTO(free) char *id = NULL;

    start_both();
    for (size_t i = 0; i < LIMIT; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    id = jobgate_submit_raw(s.api, "type=cat", "application/octet-stream", data, LIMIT);
    scene_expect_result(&s, id, data, LIMIT);
}
END_TEST

START_TEST(raw_payload_may_be_empty)
{
    AUTO(free) char *id = NULL;

    start_both();
    id = jobgate_submit_raw(s.api, "type=cat", "text/plain", "", 0);
    scene_expect_result(&s, id, "", 0);
}
END_TEST

/* A type in the query makes the body the payload, whatever it calls itself and whether it is JSON or not. */
START_TEST(type_in_the_query_makes_json_a_raw_payload)
{
    static const char *const bodies[] = {"{\"type\" : \"echo\",  \"payload\": 1}\n", "{not json",
        "  [1, 1]  ", "{\"a\":1,\"a\":99999999999999999999}"};

    start_both();
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        AUTO(free)
        char *id = jobgate_submit_raw(s.api, "type=cat", "application/json", bodies[i], strlen(bodies[i]));

        scene_expect_result(&s, id, bodies[i], strlen(bodies[i]));
    }
}
END_TEST

START_TEST(json_is_known_by_its_content_type_in_any_spelling)
{
    static const char *const types[] = {"Content-Type: application/json; charset=utf-8",
        "Content-Type: Application/JSON", "Content-Type: application/json ;charset=utf-8"};
    static const char body[] = "{\"type\":\"echo\",\"payload\":1}";
    char url[512];

    scene_start_api(&s, NULL);
    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        AUTO_REPLY struct http_reply reply = {0};

        http_ask(&(struct http_ask){.url = url,
                     .headers = (const char *[]){types[i], NULL},
                     .body = body,
                     .body_length = strlen(body)},
            &reply);
        ck_assert_int_eq(reply.status, 202);
    }
}
END_TEST

START_TEST(metadata_comes_back)
{
    static const char body[] = "{\"type\":\"echo\",\"payload\":1,\"metadata\":"
                               "{\"customer\":\"K\xc3\xb6nig & \\\"S\xc3\xb6hne\\\"\",\"_2\":\"\"}}";
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;

    start_both();
    id = jobgate_submit(s.api, body);
    job = jobgate_wait_for(s.api, id, "succeeded");
    ck_assert_uint_eq(json_object_size(json_at(job, "/metadata")), 2);
    ck_assert_str_eq(json_text_at(job, "/metadata/customer"), "K\xc3\xb6nig & \"S\xc3\xb6hne\"");
    ck_assert_str_eq(json_text_at(job, "/metadata/_2"), "");
}
END_TEST

START_TEST(queue_and_timeout_are_honoured)
{
    AUTO(free) char *elsewhere = NULL;
    AUTO(free) char *raw = NULL;
    AUTO(free) char *late = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *waiting = NULL;

    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=fast, default", NULL});
    elsewhere = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1,\"queue\":\"nobody-serves-it\"}");
    raw = jobgate_submit_raw(s.api, "type=echo&queue=fast", "text/plain", "x", 1);
    late = jobgate_submit(s.api, "{\"type\":\"sleep\",\"payload\":1000,\"timeout_s\":1}");
    job = jobgate_wait_for(s.api, raw, "succeeded");
    ck_assert_str_eq(json_text_at(job, "/queue"), "fast");
    ck_assert_int_eq(strncmp(raw, "fast.", 5), 0);
    scene_expect_dead(&s, late, "timeout", "1000 ms");
    waiting = jobgate_job(s.api, elsewhere);
    ck_assert_str_eq(json_text_at(waiting, "/state"), "queued");
}
END_TEST

START_TEST(head_is_get_without_a_body)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply get = {0};
    AUTO_REPLY struct http_reply head = {0};
    AUTO(free) char *length = NULL;
    char url[512];

    scene_start_api(&s, NULL);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(s.api), id);
    http_get(url, &get);
    http_ask(&(struct http_ask){.method = "HEAD", .url = url}, &head);
    ck_assert_int_eq(head.status, 200);
    ck_assert_uint_eq(head.body.length, 0);
    length = http_reply_header(&head, "Content-Length");
    ck_assert_uint_eq(strtoul(length, NULL, 10), get.body.length);
}
END_TEST

/* ---- one round trip ---- */

static void submit_many(const struct jobgate *api, int count)
{
    for (int i = 0; i < count; i++) {
        AUTO(free) char *id = jobgate_submit(api, "{\"type\":\"echo\",\"payload\":1}");

        ck_assert_ptr_nonnull(id);
    }
}

static long long counted(const char *section, const char *name)
{
    AUTO(free) char *info = redis_server_text(s.redis, "INFO %s", section);
    const char *at = strstr(info, name);

    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

enum { CROWD = 32 };

/* While Redis stands still, so many submissions gather; when it goes on, it finds them all in a few reads. An
 * api that waited for one answer before the next would need a read for each. */
START_TEST(submissions_are_pipelined_and_take_one_command_each)
{
    static const char request[] = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 27\r\n\r\n{\"type\":\"echo\",\"payload\":1}";
    int fds[CROWD];
    long long reads;
    long long scripts;

    scene_start_api(&s, (const char *[]){"REDIS_TIMEOUT_MS=30000", NULL});
    submit_many(s.api, 1); /* what is done once for a queue is done */
    reads = counted("stats", "total_reads_processed:");
    scripts = counted("commandstats", "cmdstat_evalsha:calls=");
    redis_server_pause(s.redis);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = wire_connect(jobgate_url(s.api), 0);
        ck_assert(wire_say(fds[i], request));
    }
    jobgate_wait_metric(s.api, "jobgate_http_requests_in_flight", CROWD);
    redis_server_resume(s.redis);
    for (int i = 0; i < CROWD; i++) {
        AUTO_REPLY struct http_reply reply = {0};

        ck_assert(wire_hear(fds[i], &reply));
        ck_assert_int_eq(reply.status, 202);
        close(fds[i]);
    }
    ck_assert_int_le(counted("stats", "total_reads_processed:") - reads, CROWD / 2);
    ck_assert_int_eq(counted("commandstats", "cmdstat_evalsha:calls=") - scripts, CROWD);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{default.0}:ready"), CROWD + 1);
}
END_TEST

/* ---- several behind one port ---- */

enum { MANY = 60 };

START_TEST(two_processes_share_one_port)
{
    struct jobgate *second;
    char listen[128];
    double first_count;
    double second_count;

    scene_start_api(&s, NULL);
    snprintf(listen, sizeof(listen), "API_LISTEN=%s", jobgate_url(s.api) + strlen("http://"));
    second = scene_new_api(&s, (const char *[]){listen, NULL});
    ck_assert_str_eq(jobgate_url(second), jobgate_url(s.api));
    jobgate_wait_ready(second, 200);
    submit_many(s.api, MANY);
    first_count = jobgate_metric(s.api, "jobgate_jobs_submitted_total");
    second_count = jobgate_metric(second, "jobgate_jobs_submitted_total");
    ck_assert_msg(first_count > 0 && second_count > 0, "one did %g, the other %g", first_count, second_count);
    ck_assert_int_eq((int)(first_count + second_count), MANY);
    ck_assert_int_eq(jobgate_stop(second), 0);
    submit_many(s.api, MANY);
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{default.0}:ready"), 2 * MANY);
    jobgate_free(second);
}
END_TEST

START_TEST(loops_of_one_process_share_the_port)
{
    scene_start_api(&s, (const char *[]){"API_LOOPS=2", NULL});
    scene_start_worker(&s, NULL);
    ck_assert_int_eq((int)jobgate_metric(s.api, "jobgate_redis_connects_total"), 2);
    submit_many(s.api, MANY);
    ck_assert_int_eq((int)jobgate_metric(s.api, "jobgate_jobs_submitted_total"), MANY);
    jobgate_wait_metric(s.worker, "jobgate_jobs_finished_total{type=\"echo\",state=\"succeeded\"}", MANY);
    ck_assert_int_eq(jobgate_stop(s.api), 0);
}
END_TEST

/* Each loop has its own connections, error pages and all: what one of them does must not rest on what the
 * first did. */
START_TEST(every_loop_answers_in_every_way)
{
    scene_start_api(&s, (const char *[]){"API_LOOPS=4", "MAX_BODY=1024", NULL});
    for (int i = 0; i < MANY; i++) {
        int fd = wire_connect(jobgate_url(s.api), 0);
        AUTO_REPLY struct http_reply good = {0};
        AUTO_REPLY struct http_reply bad = {0};

        ck_assert(wire_say(fd, "GET /v1/jobs/x HTTP/1.1\r\nHost: x\r\n\r\n"));
        ck_assert(wire_hear(fd, &good));
        json_decref(scene_problem(&good, 404, "not_found"));
        ck_assert(
            wire_say(fd, "POST /v1/jobs?type=echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\n"));
        ck_assert(wire_hear(fd, &bad));
        json_decref(scene_problem(&bad, 413, "too_big"));
        close(fd);
    }
}
END_TEST

START_TEST(ops_port_answers)
{
    static const struct {
        const char *path;
        int status;
        const char *words;
    } asks[] = {
        {"/healthz", 200, "\"ok\""},
        {"/health", 200, "\"ok\""},
        {"/readyz", 200, "\"ready\""},
        {"/acceptz", 200, "\"accepts\":true"},
        {"/metrics", 200, "# TYPE jobgate_"},
        {"/v1/jobs", 404, "not found"},
    };
    const struct jobgate *programs[2];

    start_both();
    programs[0] = s.api;
    programs[1] = s.worker;
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(asks); i++) {
        AUTO_REPLY struct http_reply reply = {0};
        char url[512];

        snprintf(url, sizeof(url), "%s%s", jobgate_ops_url(programs[i % 2]), asks[i / 2].path);
        http_get(url, &reply);
        ck_assert_int_eq(reply.status, asks[i / 2].status);
        ck_assert_msg(strstr(reply.body.data, asks[i / 2].words) != NULL, "%s: %s", url, reply.body.data);
    }
}
END_TEST

/* A request that waits for Redis when SIGTERM comes gets its answer; the process then ends well. */
START_TEST(sigterm_answers_what_is_in_flight)
{
    AUTO_REPLY struct http_reply reply = {0};
    int fd;

    scene_start_api(&s, (const char *[]){"REDIS_TIMEOUT_MS=30000", NULL});
    redis_server_pause(s.redis);
    fd = wire_connect(jobgate_url(s.api), 0);
    ck_assert(wire_say(fd, "POST /v1/jobs?type=echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"));
    jobgate_wait_metric(s.api, "jobgate_http_requests_in_flight", 1);
    process_signal(jobgate_process(s.api), SIGTERM);
    jobgate_wait_ready(s.api, 503);
    redis_server_resume(s.redis);
    ck_assert(wire_hear(fd, &reply));
    ck_assert_int_eq(reply.status, 202);
    ck_assert_int_eq(process_wait(jobgate_process(s.api), 30000), 0);
    close(fd);
}
END_TEST

Suite *submit_suite(void)
{
    Suite *suite = suite_create("submit");
    TCase *forms = tcase_create("forms");
    TCase *several = tcase_create("several");

    tcase_add_checked_fixture(forms, open_scene, close_scene);
    tcase_add_test(forms, accepted_job_is_named_in_the_headers_and_the_body);
    tcase_add_test(forms, job_that_succeeded_shows_its_times_and_its_result);
    tcase_add_loop_test(
        forms, json_payload_reaches_the_handler_as_its_text, 0, (int)ARRAY_LENGTH(kept_payloads));
    tcase_add_test(forms, job_without_a_payload_gets_none);
    tcase_add_test(forms, number_that_cannot_be_kept_exactly_is_refused);
    tcase_add_test(forms, raw_payload_passes_byte_for_byte);
    tcase_add_test(forms, raw_payload_may_be_as_large_as_the_limit);
    tcase_add_test(forms, raw_payload_may_be_empty);
    tcase_add_test(forms, type_in_the_query_makes_json_a_raw_payload);
    tcase_add_test(forms, json_is_known_by_its_content_type_in_any_spelling);
    tcase_add_test(forms, metadata_comes_back);
    tcase_add_test(forms, queue_and_timeout_are_honoured);
    tcase_add_test(forms, head_is_get_without_a_body);
    tcase_set_timeout(forms, 60);
    suite_add_tcase(suite, forms);
    tcase_add_checked_fixture(several, open_scene, close_scene);
    tcase_add_test(several, submissions_are_pipelined_and_take_one_command_each);
    tcase_add_test(several, two_processes_share_one_port);
    tcase_add_test(several, loops_of_one_process_share_the_port);
    tcase_add_test(several, every_loop_answers_in_every_way);
    tcase_add_test(several, ops_port_answers);
    tcase_add_test(several, sigterm_answers_what_is_in_flight);
    tcase_set_timeout(several, 60);
    suite_add_tcase(suite, several);
    return suite;
}
