/*
 * Expiry: a worker removes what has expired from the store, on a directory and on Azurite, and leaves alone
 * what Redis still knows of. Time does not pass here: blobs are put that expired long ago.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/id.h"
#include "common/blob/blob.h"
#include "tests/support/desk.h"

Suite *expiry_suite(void);

enum { ON_DIRECTORY, ON_AZURITE, STORES };

static struct scene s;

/* ---- a store of this process, beside the programs' ---- */

static struct loop *l;
static struct config config;
static struct blob_store *store;
static struct error error;
static size_t found;

static const char *lookup(void *arg, const char *name)
{
    const char *setting = arg;
    size_t length = strlen(name);

    if (strncmp(setting, name, length) == 0 && setting[length] == '=')
        return setting + length + 1;
    return strcmp(name, "HANDLERS_FILE") == 0 ? "/x" : NULL;
}

static void open_on(int kind)
{
    AUTO_BUF struct buf mistakes = BUF(4096);
    struct error e;

    if (kind == ON_AZURITE)
        scene_open_on_azurite(&s);
    else
        scene_open(&s);
    ck_assert_msg(config_load(&config, FOR_WORKER, lookup, s.store, &mistakes), "%s", mistakes.data);
    l = loop_new();
    store = blob_store_open(l, &config, &e);
    ck_assert_msg(store != NULL, "%s", e.text);
}

static void close_all(void)
{
    store = blob_store_free(store);
    l = loop_free(l);
    config_release(&config);
    scene_close(&s);
}

static void keep(const struct error *e)
{
    error = e ? *e : (struct error){0};
    loop_stop(l);
}

static void on_put(void *UNUSED(arg), const struct blob_properties *UNUSED(p), const struct error *e)
{
    keep(e);
}

static void on_page(void *UNUSED(arg), const struct blob_page *page, const struct error *e)
{
    found = page ? page->count : 0;
    keep(e);
}

static void put(const char *folder, const char *id, const char *tail, const char *expires)
{
    struct blob_meta meta[] = {{"jobid", id}, {"expires", expires}};
    struct blob_content content = {"x", 1, "text/plain", meta, ARRAY_LENGTH(meta)};
    char name[BLOB_NAME_SIZE];
    struct job_id parsed;
    struct error e;
    size_t length;

    ck_assert(id_parse(id, &parsed, &e));
    blob_name(folder, &parsed, name);
    length = strlen(name);
    snprintf(name + length, sizeof(name) - length, "%s", tail);
    blob_put(store, name, &content, on_put, NULL);
    loop_run(l);
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
}

static size_t count(const char *folder)
{
    blob_list(store, folder, "", BLOB_PAGE_MAX, on_page, NULL);
    loop_run(l);
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
    return found;
}

#define LONG_AGO "2020-01-01T00:00:00.000Z"
#define NEVER "2099-01-01T00:00:00.000Z"

static void make_id(int n, char out[JOB_ID_SIZE])
{
    snprintf(out, JOB_ID_SIZE, "default.0.01KA2B3C4D5E6F7G8H9JKM%04d", n);
}

START_TEST(what_has_expired_is_removed)
{
    AUTO(free) char *known = NULL;
    char id[JOB_ID_SIZE];

    open_on(_i);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, (const char *[]){"RETENTION_S=60", NULL});
    known = jobgate_submit(s.api, "{\"type\":\"fail\",\"max_attempts\":1}");
    json_decref(jobgate_wait_for(s.api, known, "dead"));
    put("logs", known, "/77", LONG_AGO); /* Redis knows this one's job */
    for (int i = 0; i < 20; i++) {
        make_id(i, id);
        put("results", id, "", i % 4 ? LONG_AGO : NEVER);
        put("logs", id, "/1", LONG_AGO);
        put("status", id, "", LONG_AGO);
    }
    jobgate_wait_metric(s.worker, "jobgate_blobs_expired_total", 15 + 20 + 20);
    ck_assert_uint_eq(count("results/"), 5);
    ck_assert_uint_ge(count("logs/"), 1);
    ck_assert_uint_le(count("status/"), 1); /* that of the job which Redis knows */
    close_all();
}
END_TEST

START_TEST(nothing_is_removed_where_a_rule_of_the_account_does)
{
    char id[JOB_ID_SIZE];

    open_on(ON_DIRECTORY);
    scene_start_worker(&s, (const char *[]){"RETENTION_S=60", "RESULT_CLEANUP=lifecycle", NULL});
    make_id(1, id);
    put("results", id, "", LONG_AGO);
    desk_pass(7000); /* longer than a round's period of 6 s */
    ck_assert_uint_eq(count("results/"), 1);
    close_all();
}
END_TEST

Suite *expiry_suite(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tcase = tcase_create("expiry");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, what_has_expired_is_removed, 0, STORES);
    tcase_add_test(tcase, nothing_is_removed_where_a_rule_of_the_account_does);
    suite_add_tcase(suite, tcase);
    return suite;
}
