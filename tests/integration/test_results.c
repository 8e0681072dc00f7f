/*
 * Results: what a handler made, from the blob store to the caller; on a directory and on Azurite.
 */
#include <check.h>
#include <openssl/evp.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/blob/blob.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *results_suite(void);

enum { URL_SIZE = 512, LARGE = 10 << 20 };

static struct scene s;

/* The two stores; the index of a loop test. */
enum { ON_DIRECTORY, ON_AZURITE, STORES };

static void open_on(int store)
{
    if (store == ON_AZURITE)
        scene_open_on_azurite(&s);
    else
        scene_open(&s);
}

static void start_both(const char *const *settings)
{
    scene_start_api(&s, settings);
    scene_start_worker(&s, settings);
}

/* ---- what is in the store, without the programs' help ---- */

static bool is_blob_name(const char *line)
{
    size_t length = strlen(line);

    return length && !strstr(line, ".properties") && line[length - 1] != '/';
}

static char *list_directory(const char *folder)
{
    char path[PROCESS_PATH_SIZE + 32];
    char *names = NULL;

    snprintf(path, sizeof(path), "%s/blobs", s.directory);
    ck_assert_int_eq(process_run((const char *[]){"find", path, "-type", "f", "-path", "*/blobs/*", "-printf",
                                     "%P\n", NULL},
                         NULL, 10000, &names),
        0);
    (void)folder;
    return names;
}

/* The names stand between <Name> and </Name>. */
static char *list_container(const char *container)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_BUF struct buf names = BUF(1 << 20);
    const char *at;

    azurite_get(s.azurite, container, "restype=container&comp=list", &reply);
    ck_assert_msg(reply.status == 200, "%s: %d %s", container, reply.status, reply.body.data);
    for (at = reply.body.data; (at = strstr(at, "<Name>")); at++) {
        at += strlen("<Name>");
        buf_append(&names, at, strcspn(at, "<"));
        buf_append_char(&names, '\n');
    }
    return buf_take(&names, NULL);
}

/* The one blob in a folder of the store (free()). */
static char *only_blob(const char *container, const char *folder)
{
    AUTO(free) char *names = s.azurite ? list_container(container) : list_directory(folder);
    char *rest = names;
    char *found = NULL;
    const char *line;

    while ((line = strsep(&rest, "\n")))
        if (is_blob_name(line) && strncmp(line, folder, strlen(folder)) == 0) {
            ck_assert_msg(!found, "%s and %s", found, line);
            found = mem_strdup(line);
        }
    ck_assert_msg(found != NULL, "nothing in %s; there is:\n%s", folder, names);
    return found;
}

/* The content of a blob (free()). */
static char *read_blob(const char *container, const char *name, size_t *length)
{
    AUTO_REPLY struct http_reply reply = {0};
    char path[PROCESS_PATH_SIZE];

    if (!s.azurite) {
        snprintf(path, sizeof(path), "blobs/%s", name);
        return scene_read(&s, path, length);
    }
    snprintf(path, sizeof(path), "%s/%s", container, name);
    azurite_get(s.azurite, path, "", &reply);
    ck_assert_int_eq(reply.status, 200);
    return buf_take(&reply.body, length);
}

static void assert_blob(const char *container, const char *name, const void *data, size_t length)
{
    size_t stored_length = 0;
    AUTO(free) char *stored = read_blob(container, name, &stored_length);

    ck_assert_ptr_nonnull(stored);
    ck_assert_uint_eq(stored_length, length);
    ck_assert_int_eq(memcmp(stored, data, length), 0);
}

/* results/<hh>/<queue>/<id>: hh are two hex digits. */
static void assert_name(const char *name, const char *folder, const char *queue, const char *id)
{
    char form[256];

    ck_assert_uint_eq(strspn(name + strlen(folder) + 1, "0123456789abcdef"), 2);
    snprintf(form, sizeof(form), "%s/%.2s/%s/%s", folder, name + strlen(folder) + 1, queue, id);
    ck_assert_msg(strncmp(name, form, strlen(form)) == 0, "%s is not named as %s", name, form);
}

static void md5_base64(const void *data, size_t length, char out[32])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;

    ck_assert_int_eq(EVP_Digest(data, length, digest, &digest_length, EVP_md5(), NULL), 1);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)digest_length);
}

/* ---- the whole way ---- */

static void assert_result_headers(const struct http_reply *reply, const char *md5, size_t length)
{
    AUTO(free) char *type = http_reply_header(reply, "Content-Type");
    AUTO(free) char *sum = http_reply_header(reply, "Content-MD5");
    AUTO(free) char *etag = http_reply_header(reply, "ETag");
    AUTO(free) char *digits = http_reply_header(reply, "Content-Length");

    ck_assert_int_eq(reply->status, 200);
    ck_assert_str_eq(type, "text/plain");
    ck_assert_str_eq(sum, md5);
    ck_assert(etag && etag[0] == '"' && etag[strlen(etag) - 1] == '"');
    ck_assert_uint_eq(strtoul(digits, NULL, 10), length);
}

START_TEST(result_is_stored_under_its_name_and_comes_back_whole)
{
    static unsigned char data[100000];
    AUTO_REPLY struct http_reply get = {0};
    AUTO_REPLY struct http_reply head = {0};
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;
    AUTO(json) json_t *job = NULL;
    char md5[32];
    char url[URL_SIZE];
    const char *blob;

    open_on(_i);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"WORKER_QUEUES=pictures", NULL});
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * i >> 3);
    md5_base64(data, sizeof(data), md5);
    id = jobgate_submit_raw(s.api, "type=cat&queue=pictures", "image/png", data, sizeof(data));
    scene_expect_result(&s, id, data, sizeof(data));
    job = jobgate_job(s.api, id);
    ck_assert_str_eq(json_text_at(job, "/result/content_type"), "text/plain");
    ck_assert_str_eq(json_text_at(job, "/result/md5"), md5);
    jobgate_result(s.api, id, &get);
    assert_result_headers(&get, md5, sizeof(data));
    snprintf(url, sizeof(url), "%s/v1/jobs/%s/result", jobgate_url(s.api), id);
    http_ask(&(struct http_ask){.method = "HEAD", .url = url}, &head);
    assert_result_headers(&head, md5, sizeof(data));
    ck_assert_uint_eq(head.body.length, 0);
    name = only_blob("jobgate", "results");
    assert_name(name, "results", "pictures", id);
    assert_blob("jobgate", name, data, sizeof(data));
    blob = json_text_at(job, "/result/blob");
    ck_assert_msg(strlen(blob) > strlen(name) && strcmp(blob + strlen(blob) - strlen(name), name) == 0,
        "the job says %s and it is %s", blob, name);
    scene_close(&s);
}
END_TEST

START_TEST(empty_result_is_a_result)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;

    open_on(_i);
    start_both(NULL);
    id = scene_submit_script(&s, "", "exit 0");
    scene_expect_result(&s, id, "", 0);
    name = only_blob("jobgate", "results");
    assert_blob("jobgate", name, "", 0);
    scene_close(&s);
}
END_TEST

START_TEST(stderr_is_kept_as_the_jobs_log)
{
    static const char words[] = "a first line\nand a \xc3\xa9 second\n";
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;

    open_on(_i);
    start_both(NULL);
    id = scene_submit_script(&s, "", "printf 'a first line\\nand a \303\251 second\\n' >&2; echo result");
    scene_expect_result(&s, id, "result\n", 7);
    name = only_blob("jobgate", "logs");
    assert_name(name, "logs", "default", id);
    ck_assert_str_eq(name + strlen(name) - 2, "/1");
    assert_blob("jobgate", name, words, strlen(words));
    scene_close(&s);
}
END_TEST

START_TEST(log_of_a_failure_is_kept_too)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;

    scene_open(&s);
    start_both(NULL);
    id = scene_submit_script(&s, "", "echo what went wrong >&2; exit 65");
    scene_expect_dead(&s, id, "bad_payload", "what went wrong");
    name = only_blob("jobgate", "logs");
    assert_blob("jobgate", name, "what went wrong\n", 16);
    scene_close(&s);
}
END_TEST

START_TEST(container_is_made_when_it_is_missing)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;
    AUTO_REPLY struct http_reply before = {0};

    scene_open_on_azurite(&s);
    azurite_get(s.azurite, "freshly-made", "restype=container&comp=list", &before);
    ck_assert_int_eq(before.status, 404);
    start_both((const char *[]){"BLOB_CONTAINER=freshly-made", NULL});
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":[1, 2]}");
    scene_expect_result(&s, id, "[1, 2]", 6);
    name = only_blob("freshly-made", "results");
    assert_blob("freshly-made", name, "[1, 2]", 6);
    scene_close(&s);
}
END_TEST

/* Whoever wrote it first made the result; the handler's own is discarded, and the job says what is really
 * there. */
START_TEST(blob_that_is_there_already_is_the_result)
{
    AUTO(free) char *id = NULL;
    AUTO_REPLY struct http_reply put = {0};
    struct job_id parsed;
    char name[BLOB_NAME_SIZE];
    char path[BLOB_NAME_SIZE + 16];
    struct error e;

    scene_open_on_azurite(&s);
    scene_start_api(&s, NULL);
    id = jobgate_submit_raw(s.api, "type=cat", "text/plain", "the second", 10);
    ck_assert(id_parse(id, &parsed, &e));
    blob_name("results", &parsed, name);
    snprintf(path, sizeof(path), "jobgate/%s", name);
    azurite_put(s.azurite, path, "first", 5, &put);
    ck_assert_msg(put.status == 201, "%d %s", put.status, put.body.data);
    scene_start_worker(&s, NULL);
    scene_expect_result(&s, id, "first", 5);
    scene_close(&s);
}
END_TEST

START_TEST(wrong_key_says_so_and_claims_nothing)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *said = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *readiness = NULL;
    char *key;

    scene_open_on_azurite(&s);
    key = strstr(s.store, "AccountKey=") + strlen("AccountKey=");
    key[0] = key[0] == 'A' ? 'B' : 'A';
    s.api = scene_new_api(&s, NULL);
    jobgate_wait_ready(s.api, 200); /* it can accept jobs */
    s.worker = scene_new_worker(&s, NULL);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    jobgate_wait_ready(s.worker, 503);
    while (readiness = scene_readiness(s.worker),
        !strstr(json_text_at(readiness, "/checks/blob_store/detail"), "403")) {
        json_decref(readiness);
        usleep(10000);
    }
    ck_assert(json_is_false(json_at(readiness, "/checks/blob_store/ok")));
    ck_assert_ptr_nonnull(
        strstr(json_text_at(readiness, "/checks/blob_store/detail"), "AuthorizationFailure"));
    usleep(300000); /* in which it would have claimed the job */
    job = jobgate_job(s.api, id);
    ck_assert_str_eq(json_text_at(job, "/state"), "queued");
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{default.0}:ready"), 1);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"warn\"", "the blob store cannot be used"), 1);
    said = process_output(jobgate_process(s.worker));
    ck_assert_ptr_null(strstr(said, "w/K1SZFPTOtr")); /* of the key */
    scene_close(&s);
}
END_TEST

START_TEST(result_that_was_deleted_gets_404)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *name = NULL;
    AUTO_REPLY struct http_reply reply = {0};
    char path[PROCESS_PATH_SIZE + 256];

    scene_open(&s);
    start_both(NULL);
    id = jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}");
    scene_expect_result(&s, id, "1", 1);
    name = only_blob("jobgate", "results");
    snprintf(path, sizeof(path), "%s/blobs/%s", s.directory, name);
    ck_assert_int_eq(unlink(path), 0);
    jobgate_result(s.api, id, &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
    scene_close(&s);
}
END_TEST

START_TEST(small_results_may_stay_in_redis)
{
    AUTO(free) char *small = NULL;
    AUTO(free) char *large = NULL;
    AUTO(free) char *name = NULL;
    AUTO(json) json_t *job = NULL;

    scene_open(&s);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"RESULT_STORE=large", "INLINE_RESULT_MAX=10", NULL});
    small = jobgate_submit_raw(s.api, "type=cat", "text/plain", "0123456789", 10);
    large = jobgate_submit_raw(s.api, "type=cat", "text/plain", "0123456789A", 11);
    scene_expect_result(&s, small, "0123456789", 10);
    scene_expect_result(&s, large, "0123456789A", 11);
    job = jobgate_job(s.api, small);
    ck_assert_ptr_null(json_at(job, "/result/blob"));
    name = only_blob("jobgate", "results");
    assert_name(name, "results", "default", large);
    scene_close(&s);
}
END_TEST

/* ---- large ones ---- */

/* What the handler of the large result prints: numbers, a line each, cut at LARGE. */
static char *large_content(void)
{
    AUTO_BUF struct buf b = BUF(LARGE + 16);

    for (long long i = 1; b.length < LARGE; i++) {
        buf_append_int(&b, i);
        buf_append_char(&b, '\n');
    }
    return buf_take(&b, NULL);
}

static char *make_large_result(void)
{
    AUTO(free) char *id = NULL;

    start_both((const char *[]){"MAX_RESULT=20000000", NULL});
    id = scene_submit_script(&s, "", "seq 10000000 | head -c 10485760");
    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    return mem_strdup(id);
}

static int ask_for_result(const char *id, int receive_bytes)
{
    int fd = wire_connect(jobgate_url(s.api), receive_bytes);
    char request[URL_SIZE];

    snprintf(request, sizeof(request), "GET /v1/jobs/%s/result HTTP/1.1\r\nHost: x\r\n\r\n", id);
    ck_assert(wire_say(fd, request));
    return fd;
}

/* Reads in small pieces with pauses, so that the api has to wait for it again and again. */
static void read_slowly(int fd, struct buf *b)
{
    char piece[65536];
    ssize_t n = 1;

    for (int i = 0; b->length < LARGE && n > 0; i++) {
        if (i % 8 == 0)
            usleep(1000);
        n = recv(fd, piece, sizeof(piece), 0);
        if (n > 0)
            buf_append(b, piece, (size_t)n);
    }
}

START_TEST(slow_reader_gets_a_large_result_byte_for_byte)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *expected = large_content();
    AUTO_BUF struct buf body = BUF(LARGE + 65536);
    char head[2048] = "";
    size_t length = 0;
    int fd;

    open_on(_i);
    id = make_large_result();
    fd = ask_for_result(id, 8192);
    while (length < 4 || strcmp(head + length - 4, "\r\n\r\n") != 0) {
        ck_assert_int_eq(recv(fd, head + length, 1, 0), 1);
        length++;
    }
    ck_assert_ptr_nonnull(strstr(head, "Content-Length: 10485760\r\n"));
    usleep(300000); /* in which what there is room for fills up */
    read_slowly(fd, &body);
    ck_assert_uint_eq(body.length, LARGE);
    ck_assert_int_eq(memcmp(body.data, expected, LARGE), 0);
    close(fd);
    scene_close(&s);
}
END_TEST

/* Those who leave in the middle, at any point, cost nothing and disturb nobody. */
START_TEST(client_may_leave_in_the_middle)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *expected = large_content();
    int64_t deadline_ms;
    double fds;

    open_on(_i);
    id = make_large_result();
    scene_expect_result(&s, id, expected, LARGE);
    fds = jobgate_metric(s.api, "process_open_fds");
    for (int i = 0; i < 24; i++) {
        static char piece[400000];
        int fd = ask_for_result(id, i % 2 ? 8192 : 0);
        size_t wanted = (size_t)i * (size_t)i * 500;

        for (size_t got = 0; got < wanted;) {
            ssize_t n = recv(fd, piece, wanted - got, 0);

            ck_assert_int_gt(n, 0);
            got += (size_t)n;
        }
        if (i % 3 == 0)
            usleep(5000);
        close(fd);
    }
    scene_expect_result(&s, id, expected, LARGE);
    jobgate_wait_metric(s.api, "jobgate_http_requests_in_flight", 0);
    deadline_ms = clock_steady_ms() + 30000;
    while (jobgate_metric(s.api, "process_open_fds") >
           fds + 8) /* connections to the store are kept for the next */
        ck_assert_msg(
            wait_until(deadline_ms), "%g descriptors are open", jobgate_metric(s.api, "process_open_fds"));
    ck_assert_int_eq(jobgate_stop(s.api), 0);
    scene_close(&s);
}
END_TEST

/* SIGTERM lets a download under way end, and the process ends after it. */
START_TEST(sigterm_lets_a_download_finish)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *expected = large_content();
    AUTO_REPLY struct http_reply reply = {0};
    int fd;

    open_on(_i);
    id = make_large_result();
    fd = ask_for_result(id, 8192);
    jobgate_wait_metric(s.api, "jobgate_http_requests_in_flight", 1);
    process_signal(jobgate_process(s.api), SIGTERM);
    jobgate_wait_ready(s.api, 503);
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    ck_assert_uint_eq(reply.body.length, LARGE);
    ck_assert_int_eq(memcmp(reply.body.data, expected, LARGE), 0);
    close(fd);
    ck_assert_int_eq(process_wait(jobgate_process(s.api), 30000), 0);
    scene_close(&s);
}
END_TEST

Suite *results_suite(void)
{
    Suite *suite = suite_create("results");
    TCase *stored = tcase_create("stored");
    TCase *large = tcase_create("large");

    tcase_add_loop_test(stored, result_is_stored_under_its_name_and_comes_back_whole, 0, STORES);
    tcase_add_loop_test(stored, empty_result_is_a_result, 0, STORES);
    tcase_add_loop_test(stored, stderr_is_kept_as_the_jobs_log, 0, STORES);
    tcase_add_test(stored, log_of_a_failure_is_kept_too);
    tcase_add_test(stored, container_is_made_when_it_is_missing);
    tcase_add_test(stored, blob_that_is_there_already_is_the_result);
    tcase_add_test(stored, wrong_key_says_so_and_claims_nothing);
    tcase_add_test(stored, result_that_was_deleted_gets_404);
    tcase_add_test(stored, small_results_may_stay_in_redis);
    tcase_set_timeout(stored, 60);
    suite_add_tcase(suite, stored);
    tcase_add_loop_test(large, slow_reader_gets_a_large_result_byte_for_byte, 0, STORES);
    tcase_add_loop_test(large, client_may_leave_in_the_middle, 0, STORES);
    tcase_add_loop_test(large, sigterm_lets_a_download_finish, 0, STORES);
    tcase_set_timeout(large, 90);
    suite_add_tcase(suite, large);
    return suite;
}
