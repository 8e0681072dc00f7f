#include "common/job/resource.h"

#include <check.h>

#include "common/base/json.h"
#include "common/blob/store.h"
#include "tests/support/http.h"

Suite *resource_suite(void);

#define ID "bulk.3.01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define SELF "/v1/jobs/" ID

static struct job job;
static json_t *shown;
static const struct known_type *type; /* what is known of its type */

/* A store that only says where a blob lies. */
static void write_url(const struct blob_store *UNUSED(s), const char *name, char *out, size_t size)
{
    snprintf(out, size, "https://store.example.org/jobgate/%s", name);
}

static const struct blob_store_kind kind = {.url = write_url};
static const struct blob_store store = {.kind = &kind};

/* A job as it is just after it was accepted. */
static void open_job(void)
{
    struct error e;

    job = (struct job){.state = JOB_QUEUED, .spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON}};
    ck_assert(id_parse(ID, &job.id, &e));
}

static void close_job(void)
{
    json_decref(shown);
    job_release(&job);
}

/* Writes the job and reads it as JSON into `shown`. */
static void show(void)
{
    AUTO_BUF struct buf text = BUF(65536);
    struct error e = {0};

    resource_write_job(&text, &job, &store, type);
    ck_assert(!buf_is_overflown(&text));
    ck_assert_int_eq(text.data[text.length - 1], '\n');
    shown = json_parse(text.data, text.length, &e);
    ck_assert_msg(shown != NULL, "%s: %s", e.text, text.data);
}

/* Asserts that these members, with blanks between, are there and no others. */
static void expect_members(const json_t *object, const char *names)
{
    char copy[256];
    char *rest = copy;
    size_t count = 0;

    snprintf(copy, sizeof(copy), "%s", names);
    for (const char *name; (name = strsep(&rest, " ")); count++)
        ck_assert_msg(json_object_get(object, name) != NULL, "%s is absent", name);
    ck_assert_uint_eq(json_object_size(object), count);
}

START_TEST(what_is_not_known_is_absent)
{
    show();
    expect_members(shown, "id type queue state attempt created_at links");
    ck_assert_str_eq(json_text_at(shown, "/id"), ID);
    ck_assert_str_eq(json_text_at(shown, "/type"), "echo");
    ck_assert_str_eq(json_text_at(shown, "/queue"), "bulk");
    ck_assert_str_eq(json_text_at(shown, "/state"), "queued");
    ck_assert_int_eq(json_int_at(shown, "/attempt"), 0);
    /* Source: the ULID specification's example and its time. */
    ck_assert_str_eq(json_text_at(shown, "/created_at"), "2016-07-30T23:54:10.259Z");
    expect_members(json_object_get(shown, "links"), "self");
    ck_assert_str_eq(json_text_at(shown, "/links/self"), SELF);
}
END_TEST

START_TEST(what_is_known_is_shown)
{
    struct error e;
    const char metadata[] = "{\"customer\":\"42\",\"note\":\"\\u00e9 \\\"x\\\"\"}";

    job.state = JOB_SCHEDULED;
    job.attempt = 65535;
    job.spec.max_attempts = 100;
    job.spec.expires_ms = 1801382400250;
    job.started_ms = 1795236093447;
    job.finished_ms = 1795236093456;
    job.due_ms = 1795236099000;
    job.spec.metadata = json_parse(metadata, strlen(metadata), &e);
    show();
    expect_members(shown, "id type queue state attempt max_attempts created_at started_at finished_at run_at "
                          "expires_at metadata links");
    ck_assert_str_eq(json_text_at(shown, "/state"), "scheduled");
    ck_assert_int_eq(json_int_at(shown, "/attempt"), 65535);
    ck_assert_int_eq(json_int_at(shown, "/max_attempts"), 100);
    ck_assert_str_eq(json_text_at(shown, "/started_at"), "2026-11-21T04:41:33.447Z");
    ck_assert_str_eq(json_text_at(shown, "/finished_at"), "2026-11-21T04:41:33.456Z");
    ck_assert_str_eq(json_text_at(shown, "/run_at"), "2026-11-21T04:41:39.000Z");
    ck_assert_str_eq(json_text_at(shown, "/expires_at"), "2027-01-31T08:00:00.250Z");
    ck_assert(json_equal(json_object_get(shown, "metadata"), job.spec.metadata));
}
END_TEST

static const char *const state_texts[] = {"scheduled", "queued", "running", "succeeded", "dead", "cancelled"};

START_TEST(each_state_has_its_text_and_links)
{
    job.state = (enum job_state)_i;
    show();
    ck_assert_str_eq(json_text_at(shown, "/state"), state_texts[_i]);
    if (job.state == JOB_SUCCEEDED)
        ck_assert_str_eq(json_text_at(shown, "/links/result"), SELF "/result");
    else
        ck_assert_ptr_null(json_at(shown, "/links/result"));
}
END_TEST

START_TEST(a_result_in_the_store_has_its_url)
{
    char name[BLOB_NAME_SIZE];
    char url[BLOB_NAME_SIZE + 64];

    job.state = JOB_SUCCEEDED;
    job.has_result = true;
    job.result = (struct job_result){.size = 9007199254740993,
        .content_type = "text/plain; charset=\"utf-8\"",
        .md5 = "CCwmyKa8dSJqMdpUlcySkg=="};
    show();
    blob_name("results", &job.id, name);
    write_url(&store, name, url, sizeof(url));
    expect_members(json_object_get(shown, "result"), "href blob size content_type md5");
    ck_assert_str_eq(json_text_at(shown, "/result/href"), SELF "/result");
    ck_assert_str_eq(json_text_at(shown, "/result/blob"), url);
    ck_assert_int_eq(json_int_at(shown, "/result/size"), 9007199254740993);
    ck_assert_str_eq(json_text_at(shown, "/result/content_type"), "text/plain; charset=\"utf-8\"");
    ck_assert_str_eq(json_text_at(shown, "/result/md5"), "CCwmyKa8dSJqMdpUlcySkg==");
}
END_TEST

START_TEST(a_result_in_redis_has_none)
{
    job.state = JOB_SUCCEEDED;
    job.has_result = true;
    job.result = (struct job_result){.is_inline = true, .size = 0, .content_type = "application/json"};
    show();
    expect_members(json_object_get(shown, "result"), "href size content_type");
    ck_assert_int_eq(json_int_at(shown, "/result/size"), 0);
}
END_TEST

START_TEST(an_error_is_shown_with_its_code)
{
    job.state = JOB_DEAD;
    snprintf(job.error_code, sizeof(job.error_code), "handler_failed");
    job.error_message = strdup("it said \"no\"\n\xff");
    show();
    expect_members(shown, "id type queue state attempt created_at error links");
    expect_members(json_object_get(shown, "error"), "code message");
    ck_assert_str_eq(json_text_at(shown, "/error/code"), "handler_failed");
    ck_assert_str_eq(json_text_at(shown, "/error/message"), "it said \"no\"\n\xef\xbf\xbd");
}
END_TEST

Suite *resource_suite(void)
{
    Suite *suite = suite_create("resource");
    TCase *all = tcase_create("resource");

    tcase_add_checked_fixture(all, open_job, close_job);
    tcase_add_test(all, what_is_not_known_is_absent);
    tcase_add_test(all, what_is_known_is_shown);
    tcase_add_loop_test(all, each_state_has_its_text_and_links, 0, ARRAY_LENGTH(state_texts));
    tcase_add_test(all, a_result_in_the_store_has_its_url);
    tcase_add_test(all, a_result_in_redis_has_none);
    tcase_add_test(all, an_error_is_shown_with_its_code);
    suite_add_tcase(suite, all);
    return suite;
}
