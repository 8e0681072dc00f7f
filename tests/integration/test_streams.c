/*
 * Payloads and results that are too long for memory or for Redis: through the blob store, as streams, on both
 * kinds of store; and how far a running job says it is.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/blob/blob.h"
#include "tests/support/desk.h"

Suite *streams_suite(void);

#define SHARD "jobgate:{default.0}:"

enum { URL_SIZE = 512, MIB = 1 << 20, LARGE = 3 * MIB + 17, WAIT_MS = 60000 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, (const char *[]){"MAX_BODY=8388608", NULL});
}

static void open_scene_on_azurite(void)
{
    scene_open_on_azurite(&s);
    scene_start_api(&s, (const char *[]){"MAX_BODY=8388608", NULL});
    jobgate_wait_metric(s.api, "jobgate_blob_store_up", 1); /* the container is there */
}

static void close_scene(void)
{
    scene_close(&s);
}

/* Bytes in which no stretch is like another (free()). */
static char *make_bytes(size_t length)
{
    char *bytes = mem_alloc(length);
    uint64_t dice = 88172645463325252U;

    for (size_t i = 0; i < length; i++) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        bytes[i] = (char)(dice >> 32);
    }
    return bytes;
}

/* How many payload blobs there are; in a directory only. */
static size_t count_payloads(void)
{
    char command[PROCESS_PATH_SIZE + 128];
    char text[32] = "";
    FILE *out;

    snprintf(command, sizeof(command),
        "find %s/blobs/payloads -type f ! -name '*.properties' ! -name '*.part' 2>/dev/null | wc -l",
        s.directory);
    out = popen(command, "r"); /* NOLINT: a command of ours */
    ck_assert_ptr_nonnull(out);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), out));
    pclose(out);
    return strtoul(text, NULL, 10);
}

static void wait_payloads(size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (count_payloads() != count)
        ck_assert_msg(wait_until(deadline_ms), "%zu payloads are there, not %zu", count_payloads(), count);
}

/* ---- payloads ---- */

START_TEST(a_large_payload_reaches_its_handler_and_is_removed)
{
    AUTO(free) char *bytes = make_bytes(LARGE);
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=cat", "application/x-test", bytes, LARGE);
    AUTO(free) char *echo = NULL;

    ck_assert_int_lt(redis_server_integer(s.redis, "STRLEN " SHARD "job:%s", id), 1000);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, bytes, LARGE);
    echo = jobgate_submit_raw(
        s.api, "type=echo", "application/x-test", bytes, LARGE); /* a kind without a pipe */
    scene_expect_result(&s, echo, bytes, LARGE);
    if (!s.azurite)
        wait_payloads(0);
}
END_TEST

START_TEST(the_payload_of_a_dead_job_is_kept_for_its_replay)
{
    AUTO(free) char *bytes = make_bytes(LARGE);
    AUTO(free) char *id = NULL;

    desk_write_types(&s,
        ",\"once\":{\"kind\":\"command\",\"max_attempts\":1,\"command\":[\"sh\",\"-c\",\"cat >got; [ -e "
        "go ] || exit 3; cat got\"]}");
    scene_start_worker(&s, NULL);
    id = jobgate_submit_raw(s.api, "type=fail&max_attempts=1", "application/x-test", bytes, LARGE);
    json_decref(jobgate_wait_for(s.api, id, "dead"));
    ck_assert_uint_eq(count_payloads(), 1);
    json_decref(desk_call_job(s.api, "POST", id, "/retry", 200));
    json_decref(jobgate_wait_for(s.api, id, "dead"));
    ck_assert_uint_eq(count_payloads(), 1);
}
END_TEST

START_TEST(a_payload_that_is_gone_ends_its_job)
{
    AUTO(free) char *bytes = make_bytes(LARGE);
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=cat", "application/x-test", bytes, LARGE);
    char command[PROCESS_PATH_SIZE + 64];

    snprintf(command, sizeof(command), "rm -r %s/blobs/payloads", s.directory);
    ck_assert_int_eq(system(command), 0); /* NOLINT: a command of ours */
    scene_start_worker(&s, NULL);
    scene_expect_dead(&s, id, "gone", "payload");
}
END_TEST

START_TEST(a_large_payload_in_a_batch_goes_the_same_way)
{
    enum { LETTERS = 100000 };
    AUTO_BUF struct buf body = BUF(4 * LETTERS);
    AUTO(json) json_t *verdicts = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(free) char *id = NULL;

    buf_append_text(&body, "[{\"type\":\"cat\",\"payload\":\"");
    for (int i = 0; i < LETTERS; i++)
        buf_append_char(&body, 'x');
    buf_append_text(&body, "\"},{\"type\":\"cat\",\"payload\":1}]");
    verdicts = desk_call(s.api, "POST", "/v1/jobs/batch", body.data, 202);
    id = mem_strdup(json_text_at(verdicts, "/items/0/id"));
    ck_assert_uint_eq(count_payloads(), 1);
    scene_start_worker(&s, NULL);
    job = jobgate_wait_for(s.api, id, "succeeded");
    ck_assert_int_eq(json_int_at(job, "/result/size"), LETTERS + 2);
    wait_payloads(0);
}
END_TEST

/* What is refused leaves nothing in the store. */
START_TEST(a_payload_whose_job_was_not_accepted_is_removed)
{
    AUTO(free) char *bytes = make_bytes(LARGE);
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs?type=cat&unique_key=x", jobgate_url(s.api));
    for (int i = 0; i < 3; i++) {
        http_reply_release(&reply);
        http_ask(&(struct http_ask){.url = url, .body = bytes, .body_length = LARGE}, &reply);
        ck_assert_int_eq(reply.status, 202);
    }
    wait_payloads(1);
}
END_TEST

START_TEST(orphans_are_swept)
{
    AUTO(free) char *bytes = make_bytes(LARGE);
    AUTO(free)
    char *waiting = jobgate_submit_raw(s.api, "type=cat&delay_s=3600", "application/x-test", bytes, LARGE);
    AUTO(free)
    char *cancelled = jobgate_submit_raw(s.api, "type=cat&delay_s=3600", "text/plain", bytes, LARGE);
    AUTO(free) char *lost = jobgate_submit_raw(s.api, "type=cat&delay_s=3600", "text/plain", bytes, LARGE);

    ck_assert_uint_eq(count_payloads(), 3);
    json_decref(desk_call_job(s.api, "DELETE", cancelled, "", 200));
    redis_server_integer(s.redis, "DEL " SHARD "job:%s", lost);
    redis_server_integer(s.redis, "ZREM " SHARD "scheduled %s", lost);
    scene_start_worker(&s, (const char *[]){"SWEEP_S=1", "UPLOAD_S=3600", NULL});
    wait_payloads(2); /* that of the cancelled one goes at once; the other may belong to a job to come */
    desk_pass(2500);
    ck_assert_uint_eq(count_payloads(), 2);
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    s.worker = jobgate_free(s.worker);
    scene_start_worker(&s, (const char *[]){"SWEEP_S=1", "UPLOAD_S=1", NULL});
    wait_payloads(1);
    desk_pass(2500);
    ck_assert_uint_eq(count_payloads(), 1);
    ck_assert_int_eq(redis_server_integer(s.redis, "EXISTS " SHARD "job:%s", waiting), 1);
}
END_TEST

/* ---- uploads ---- */

static void put_part(const char *id, int number, const char *data, size_t length, struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/uploads/%s/%d", jobgate_url(s.api), id, number);
    http_reply_release(reply); /* of the question before */
    http_ask(&(struct http_ask){.method = "PUT", .url = url, .body = data, .body_length = length}, reply);
}

static char *begin_upload(const char *query)
{
    char path[URL_SIZE];
    AUTO(json) json_t *upload = NULL;

    snprintf(path, sizeof(path), "/v1/uploads%s", query);
    upload = desk_call(s.api, "POST", path, NULL, 201);
    ck_assert_int_eq(json_int_at(upload, "/part_bytes_max"), 8388608);
    return mem_strdup(json_text_at(upload, "/id"));
}

static void expect_part(const char *id, int number, const char *data, size_t length)
{
    AUTO_REPLY struct http_reply reply = {0};

    put_part(id, number, data, length, &reply);
    ck_assert_msg(reply.status == 200, "part %d got %d: %s", number, reply.status, reply.body.data);
}

START_TEST(an_upload_in_parts_is_the_payload_of_its_job)
{
    enum { PART = MIB, PARTS = 5, REST = 12345 };
    const size_t length = PARTS * PART + REST;
    AUTO(free) char *bytes = make_bytes(length);
    AUTO(free) char *id = begin_upload("");
    AUTO(json) json_t *job = NULL;
    char body[URL_SIZE];

    expect_part(id, PARTS + 1, bytes + (size_t)PARTS * PART, REST); /* in any order */
    for (int i = PARTS; i >= 1; i--)
        expect_part(id, i, bytes + (size_t)(i - 1) * PART, PART);
    expect_part(id, 1, bytes, PART); /* sent again after its answer was lost */
    snprintf(body, sizeof(body), "{\"type\":\"cat\",\"payload_ref\":\"%s\"}", id);
    job = desk_call(s.api, "POST", "/v1/jobs", body, 202);
    ck_assert_str_eq(json_text_at(job, "/id"), id);
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", body, 409, "conflict"));
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, bytes, length);
    if (!s.azurite)
        wait_payloads(0);
}
END_TEST

START_TEST(what_is_wrong_with_an_upload_is_told)
{
    AUTO(free) char *id = begin_upload("?queue=bulk");
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *queue = NULL;
    char body[URL_SIZE];

    json_decref(desk_refused(s.api, "POST", "/v1/uploads?queue=No", NULL, 422, "invalid"));
    put_part(id, 0, "x", 1, &reply);
    json_decref(scene_problem(&reply, 422, "invalid"));
    put_part(id, 10001, "x", 1, &reply);
    json_decref(scene_problem(&reply, 422, "invalid"));
    put_part(id, 1, "", 0, &reply);
    json_decref(scene_problem(&reply, 422, "invalid"));
    put_part("nothing", 1, "x", 1, &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
    snprintf(body, sizeof(body), "{\"type\":\"cat\",\"payload_ref\":\"%s\"}", id);
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid")); /* empty */
    expect_part(id, 1, "one", 3);
    put_part(id, 1, "two", 3, &reply);
    json_decref(scene_problem(&reply, 409, "conflict"));
    expect_part(id, 3, "three", 5);
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid")); /* a gap */
    expect_part(id, 2, "two", 3);
    snprintf(body, sizeof(body), "{\"type\":\"cat\",\"payload_ref\":\"%s\",\"queue\":\"default\"}", id);
    queue = desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid");
    ck_assert_str_eq(json_text_at(queue, "/errors/0/pointer"), "/payload_ref");
    snprintf(body, sizeof(body), "{\"type\":\"cat\",\"payload_ref\":\"%s\",\"payload\":1}", id);
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", body, 422, "invalid"));
    json_decref(
        desk_refused(s.api, "POST", "/v1/jobs", "{\"type\":\"cat\",\"payload_ref\":\"x\"}", 422, "invalid"));
    snprintf(body, sizeof(body), "{\"type\":\"cat\",\"payload_ref\":\"%s\",\"queue\":\"bulk\"}", id);
    json_decref(desk_call(s.api, "POST", "/v1/jobs", body, 202));
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=bulk", NULL});
    scene_expect_result(&s, id, "onetwothree", 11);
}
END_TEST

/* ---- results ---- */

/* The most memory that a process ever had, in KiB. */
static long peak_kib(const struct jobgate *g)
{
    char path[64];
    char line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process_id(jobgate_process(g)));
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    fclose(file);
    return kib;
}

/* Half a gigabyte each way would be seen. The directory takes 256 MiB for a moment. */
START_TEST(a_result_passes_through_a_worker_without_being_in_it)
{
    enum { JOBS = 4, EACH = 64 };
    char *ids[JOBS];

    scene_start_worker(&s, NULL);
    for (int i = 0; i < JOBS; i++)
        ids[i] = scene_submit_script(&s, "", "head -c 67108864 /dev/zero");
    for (int i = 0; i < JOBS; i++) {
        AUTO(json) json_t *job = jobgate_wait_for(s.api, ids[i], "succeeded");

        ck_assert_int_eq(json_int_at(job, "/result/size"), EACH * MIB);
        ck_assert_str_eq(json_text_at(job, "/result/md5"), "f2FNqTKc066/WbkarcML8A==");
        free(ids[i]);
    }
    ck_assert_int_lt(peak_kib(s.worker), 48 * 1024); /* as many as that share one budget of buffers */
}
END_TEST

static const char *const big_script = "head -c 20971520 /dev/zero | tr '\\0' x";

START_TEST(a_long_result_comes_back_whole)
{
    enum { LENGTH = 20 * MIB };
    AUTO(free) char *expected = mem_alloc(LENGTH);
    AUTO(free) char *id = NULL;

    memset(expected, 'x', LENGTH);
    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "", big_script);
    scene_expect_result(&s, id, expected, LENGTH);
}
END_TEST

START_TEST(a_failed_try_leaves_no_result)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *good = NULL;

    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "", "head -c 20971520 /dev/zero; exit 65");
    scene_expect_dead(&s, id, "bad_payload", "");
    good = scene_submit_script(&s, "&max_attempts=3",
        "[ $JOBGATE_ATTEMPT -gt 1 ] || { head -c 20971520 /dev/zero; exit 75; }; echo short");
    scene_expect_result(&s, good, "short\n", 6);
}
END_TEST

/* The store does not answer for longer than the job may take: its clock stands still, and no try is used up.
 */
START_TEST(a_store_that_stalls_is_waited_for)
{
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;

    scene_start_worker(&s, (const char *[]){"BLOB_TIMEOUT_MS=1000", NULL});
    id = scene_submit_script(&s, "&timeout_s=10",
        "until [ -e go ]; do sleep 0.05; done; echo x >>starts; head -c 67108864 /dev/zero; echo x >>ends");
    json_decref(jobgate_wait_for(s.api, id, "running"));
    azurite_pause(s.azurite);
    scene_touch(&s, "go");
    scene_wait_lines(&s, "starts", 1);
    desk_pass(13000);
    ck_assert_uint_eq(scene_count_lines(&s, "ends"), 0); /* its pipe is full */
    azurite_resume(s.azurite);
    job = jobgate_wait_for(s.api, id, "succeeded");
    ck_assert_int_eq(json_int_at(job, "/attempt"), 1);
    ck_assert_int_eq(json_int_at(job, "/result/size"), 67108864);
    ck_assert_uint_eq(scene_count_lines(&s, "starts"), 1);
}
END_TEST

/* ---- progress ---- */

START_TEST(progress_is_shown_while_the_job_runs)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *done = NULL;

    scene_start_worker(&s, NULL);
    id = scene_submit_script(&s, "",
        "echo '{\"fraction\":0.25,\"message\":\"a \\u00e9 \\\"quoted\\\"\"}' >&3; until [ -e go ]; do sleep "
        "0.05; done; echo "
        "'{\"fraction\":0.75}' >&3; until [ -e end ]; do sleep 0.05; done; echo done");
    for (;;) {
        json_decref(job);
        job = jobgate_job(s.api, id);
        if (json_at(job, "/progress"))
            break;
        ck_assert_msg(wait_until(deadline_ms), "no progress is shown");
    }
    ck_assert(json_real_value(json_at(job, "/progress/fraction")) == 0.25);
    ck_assert_str_eq(json_text_at(job, "/progress/message"), "a \xc3\xa9 \"quoted\"");
    scene_touch(&s, "go");
    while (json_real_value(json_at(job, "/progress/fraction")) != 0.75) {
        ck_assert_msg(wait_until(deadline_ms), "the progress does not change");
        json_decref(job);
        job = jobgate_job(s.api, id);
    }
    scene_touch(&s, "end");
    scene_expect_result(&s, id, "done\n", 5);
    done = jobgate_job(s.api, id);
    ck_assert_ptr_null(json_at(done, "/progress"));
    desk_wait_integer(&s, 0, "EXISTS " SHARD "progress:%s", id);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
    TCase *one = tcase_create(name);

    tcase_add_checked_fixture(one, open, close_scene);
    tcase_set_timeout(one, 150);
    suite_add_tcase(suite, one);
    return one;
}

Suite *streams_suite(void)
{
    Suite *suite = suite_create("streams");
    TCase *directory = add_case(suite, "directory", open_scene);
    TCase *azurite = add_case(suite, "azurite", open_scene_on_azurite);

    tcase_add_test(directory, a_large_payload_reaches_its_handler_and_is_removed);
    tcase_add_test(directory, the_payload_of_a_dead_job_is_kept_for_its_replay);
    tcase_add_test(directory, a_payload_that_is_gone_ends_its_job);
    tcase_add_test(directory, a_payload_whose_job_was_not_accepted_is_removed);
    tcase_add_test(directory, a_large_payload_in_a_batch_goes_the_same_way);
    tcase_add_test(directory, orphans_are_swept);
    tcase_add_test(directory, an_upload_in_parts_is_the_payload_of_its_job);
    tcase_add_test(directory, what_is_wrong_with_an_upload_is_told);
    tcase_add_test(directory, a_result_passes_through_a_worker_without_being_in_it);
    tcase_add_test(directory, a_long_result_comes_back_whole);
    tcase_add_test(directory, a_failed_try_leaves_no_result);
    tcase_add_test(directory, progress_is_shown_while_the_job_runs);
    tcase_add_test(azurite, a_large_payload_reaches_its_handler_and_is_removed);
    tcase_add_test(azurite, an_upload_in_parts_is_the_payload_of_its_job);
    tcase_add_test(azurite, a_long_result_comes_back_whole);
    tcase_add_test(azurite, a_store_that_stalls_is_waited_for);
    return suite;
}
