#include "common/queue/remains.h"

#include <check.h>

#include "common/base/json.h"
#include "common/base/mem.h"

Suite *remains_suite(void);

#define ID "bulk.3.01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define OTHER_ID "bulk.3.01ARZ3NDEKTSV4RRFFQ69G5FAW"

static struct job_id id;
static struct job job;

static void open_id(void)
{
    struct error e;

    ck_assert(id_parse(ID, &id, &e));
    job = (struct job){0};
}

static void close_job(void)
{
    job_release(&job);
}

START_TEST(a_job_comes_back_as_it_ended)
{
    AUTO_BUF struct buf text = BUF(REMAINS_MAX);
    struct job ended = {.id = id,
        .state = JOB_DEAD,
        .attempt = 300,
        .spec = {.type = "echo", .owner = "me", .content_type = "text/plain", .max_attempts = 4},
        .worker = "vm.1",
        .started_ms = 1795236093447,
        .finished_ms = 1795236093456,
        .error_code = "handler_failed"};
    char message[] = "exit status 3: \xc3\xa9 \"quoted\"";
    struct error e = {0};

    ended.error_message = message;
    ended.spec.metadata = json_pack("{s:s}", "a", "b");
    remains_write(&ended, &text);
    ck_assert_msg(remains_read(&id, text.data, text.length, &job, &e), "%s", e.text);
    ck_assert_str_eq(job.id.text, ID);
    ck_assert_int_eq(job.state, JOB_DEAD);
    ck_assert_int_eq(job.attempt, 300);
    ck_assert_str_eq(job.spec.type, "echo");
    ck_assert_str_eq(job.spec.owner, "me");
    ck_assert_int_eq(job.spec.max_attempts, 4);
    ck_assert_int_eq(job.started_ms, ended.started_ms);
    ck_assert_int_eq(job.finished_ms, ended.finished_ms);
    ck_assert_str_eq(job.error_code, "handler_failed");
    ck_assert_str_eq(job.error_message, message);
    ck_assert(json_equal(job.spec.metadata, ended.spec.metadata));
    ck_assert_uint_eq(job.payload_length, 0);
    json_decref(ended.spec.metadata);
}
END_TEST

static const struct {
    const char *text;
    enum error_code code;
} damaged[] = {
    {"", ERROR_BAD_RECORD},
    {"{", ERROR_BAD_RECORD},
    {"[]", ERROR_BAD_RECORD},
    {"{}", ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"dead\"}", ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"running\",\"attempt\":1,\"spec\":{\"type\":\"a\"},\"status\":{}}",
        ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"dead\",\"attempt\":-1,\"spec\":{\"type\":\"a\"},\"status\":{}}",
        ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"dead\",\"attempt\":65536,\"spec\":{\"type\":\"a\"},\"status\":{}}",
        ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"dead\",\"attempt\":1,\"spec\":{},\"status\":{}}", ERROR_BAD_RECORD},
    {"{\"id\":\"" ID "\",\"state\":\"dead\",\"attempt\":1,\"spec\":1,\"status\":1}", ERROR_BAD_RECORD},
    {"{\"id\":\"" OTHER_ID "\",\"state\":\"dead\",\"attempt\":1,\"spec\":{\"type\":\"a\"},\"status\":{}}",
        ERROR_NOT_FOUND},
};

START_TEST(what_is_damaged_is_refused)
{
    struct error e = {0};

    ck_assert_msg(
        !remains_read(&id, damaged[_i].text, strlen(damaged[_i].text), &job, &e), "%s", damaged[_i].text);
    ck_assert_int_eq(e.code, damaged[_i].code);
    job = (struct job){0};
}
END_TEST

/* ---- progress ---- */

static const struct {
    const char *text;
    bool counts;
    double fraction;
    const char *message;
} told[] = {
    {"{\"attempt\":2,\"fraction\":0.5,\"message\":\"half\"}", true, 0.5, "half"},
    {"{\"attempt\":2,\"fraction\":1}", true, 1, NULL},
    {"{\"attempt\":2,\"message\":\"x\"}", true, -1, "x"},
    {"{\"attempt\":1,\"fraction\":0.5}", false, 0, NULL}, /* of a try before */
    {"{\"fraction\":0.5}", false, 0, NULL},
    {"{\"attempt\":2}", false, 0, NULL},
    {"{\"attempt\":2,", false, 0, NULL},
    {"", false, 0, NULL},
};

START_TEST(progress_of_this_try_counts)
{
    job.state = JOB_RUNNING;
    job.attempt = 2;
    job_take_progress(&job, told[_i].text, strlen(told[_i].text));
    ck_assert_int_eq(job.has_progress, told[_i].counts);
    if (!told[_i].counts)
        return;
    ck_assert(job.fraction == told[_i].fraction);
    if (told[_i].message)
        ck_assert_str_eq(job.progress_message, told[_i].message);
    else
        ck_assert_ptr_null(job.progress_message);
}
END_TEST

START_TEST(what_does_not_run_makes_no_progress)
{
    job.state = JOB_QUEUED;
    job.attempt = 2;
    job_take_progress(&job, told[0].text, strlen(told[0].text));
    ck_assert(!job.has_progress);
}
END_TEST

Suite *remains_suite(void)
{
    Suite *suite = suite_create("remains");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_id, close_job);
    tcase_add_test(all, a_job_comes_back_as_it_ended);
    tcase_add_loop_test(all, what_is_damaged_is_refused, 0, (int)ARRAY_LENGTH(damaged));
    tcase_add_loop_test(all, progress_of_this_try_counts, 0, (int)ARRAY_LENGTH(told));
    tcase_add_test(all, what_does_not_run_makes_no_progress);
    suite_add_tcase(suite, all);
    return suite;
}
