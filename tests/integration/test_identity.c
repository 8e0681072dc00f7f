#include <check.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/identity_server.h"
#include "tests/support/scene.h"

Suite *identity_suite(void);

enum { WAIT_MS = 60000 };

static struct scene s;
static struct identity_server *server;

/* Azurite over https takes bearer tokens; the same authority vouches for it and for Entra. */
static void open_all(void)
{
    server = identity_server_start();
    scene_open(&s);
    s.azurite = azurite_start_tls(identity_server_certificate(server));
    snprintf(s.store, sizeof(s.store), "%s", azurite_container_setting(s.azurite));
}

static void close_all(void)
{
    scene_close(&s);
    server = identity_server_free(server);
}

enum { SETTINGS_COUNT = 10 };

/* The settings that the webhook makes in a pod, and one more (or NULL) before them. */
static void set_workload(const char *settings[SETTINGS_COUNT], const char *more)
{
    size_t count = 0;

    if (more)
        settings[count++] = more;
    settings[count++] = identity_server_certificate(server)->setting;
    settings[count++] = identity_server_authority(server);
    settings[count++] = identity_server_token_file(server);
    settings[count++] = "AZURE_TENANT_ID=" IDENTITY_TENANT;
    settings[count++] = "AZURE_CLIENT_ID=" IDENTITY_CLIENT;
    settings[count] = NULL;
}

static void start_both(const char *const *settings)
{
    scene_start_api(&s, settings);
    scene_start_worker(&s, settings);
}

static void run_job(const char *text)
{
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=echo", "text/plain", text, strlen(text));

    scene_expect_result(&s, id, text, strlen(text));
}

static void expect_line(const struct jobgate *g, const char *words)
{
    AUTO(free) char *line = process_find_line(jobgate_process(g), words, WAIT_MS);

    ck_assert_msg(line != NULL, "nobody says \"%s\"", words);
}

START_TEST(a_job_goes_its_way_by_workload_identity)
{
    const char *settings[SETTINGS_COUNT];

    set_workload(settings, NULL);
    start_both(settings);
    run_job("by a token");
    expect_line(s.worker, "the storage account is opened by workload identity (client " IDENTITY_CLIENT);
    expect_line(s.api, "(AZURE_AUTH=auto chose); not set: AZURE_STORAGE_CONNECTION_STRING");
    expect_line(s.worker, "a token for https://storage.azure.com/.default was granted, for 3600 s");
    ck_assert_uint_eq(identity_server_requests(server), 2); /* one of each program, whatever it stored */
    ck_assert_uint_eq(scene_count_log(s.worker, IDENTITY_ASSERTION, ""), 0);
    ck_assert_uint_eq(scene_count_log(s.worker, "eyJ", ""), 0);
}
END_TEST

START_TEST(a_job_goes_its_way_by_managed_identity)
{
    const char *settings[] = {identity_server_certificate(server)->setting, identity_server_imds(server),
        "AZURE_AUTH=managed", NULL};

    start_both(settings);
    run_job("by IMDS");
    expect_line(s.worker, "opened by managed identity (the one that the machine has)");
    ck_assert_uint_eq(identity_server_requests(server), 2);
}
END_TEST

/* Tokens of three seconds, and jobs for ten: nobody sees one expire. */
START_TEST(tokens_expire_and_no_job_notices)
{
    const char *settings[SETTINGS_COUNT];

    identity_server_set_life(server, 3, 0);
    set_workload(settings, NULL);
    start_both(settings);
    for (int i = 0; i < 20; i++) {
        AUTO(free)
        char *id = scene_submit_script(&s, "", "sleep 0.5; echo done"); /* the token is another one by then */

        scene_expect_result(&s, id, "done\n", 5);
    }
    ck_assert_uint_gt(identity_server_grants(server), 6);
    ck_assert_uint_eq(scene_count_log(s.worker, "\"level\":\"warn\"", "blob store"), 0);
}
END_TEST

/* The store takes the first token for none: it is dropped, and nobody hears of it. */
START_TEST(a_token_that_the_store_refuses_is_renewed)
{
    const char *settings[SETTINGS_COUNT];

    identity_server_say(server, 200, NULL,
        "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"not.a.token\"}");
    set_workload(settings, NULL);
    scene_start_worker(&s, settings);
    ck_assert_uint_eq(identity_server_requests(server), 2);
    ck_assert_uint_eq(scene_count_log(s.worker, "the blob store cannot be used", ""), 0);
}
END_TEST

/* What is wrong is in the log and in /readyz, in words that say what to do; when it is mended, work goes on.
 */
START_TEST(a_wrong_identity_says_what_to_do)
{
    const char *settings[SETTINGS_COUNT];

    identity_server_set_assertion(server, "YW5vdGhlcg.b25l.c2ln");
    set_workload(settings, NULL);
    s.worker = scene_new_worker(&s, settings);
    expect_line(s.worker,
        "the blob store cannot be used: Entra ID answered 401 AADSTS700024: the service account's token is "
        "out of its time: is this clock right?");
    {
        AUTO(json) json_t *readiness = scene_readiness(s.worker);
        AUTO(free) char *text = json_dumps(readiness, 0);

        ck_assert_msg(strstr(text, "AADSTS700024") != NULL, "%s", text);
    }
    identity_server_set_assertion(server, IDENTITY_ASSERTION);
    jobgate_wait_ready(s.worker, 200);
    scene_start_api(&s, settings);
    run_job("after all");
}
END_TEST

/* The service account without its annotation: the pod has to be made anew, and the line says so. */
START_TEST(a_pod_without_its_identity_does_not_start)
{
    char program[PROCESS_PATH_SIZE];
    AUTO(free) char *said = NULL;
    const char *settings[] = {"BLOB_URL=https://store1.blob.core.windows.net/jobgate",
        identity_server_token_file(server), "AZURE_TENANT_ID=" IDENTITY_TENANT, NULL};
    int status;

    snprintf(program, sizeof(program), "%s/jobgate-api", getenv("JOBGATE_BIN"));
    status = process_run((const char *const[]){program, NULL}, settings, WAIT_MS, &said);
    ck_assert_msg(status == 78, "%d: %s", status, said);
    ck_assert_msg(strstr(said, "AZURE_CLIENT_ID: is not set, and workload identity needs it: annotate the "
                               "ServiceAccount azure.workload.identity/client-id") != NULL,
        "%s", said);
    ck_assert_msg(strstr(said, "then delete the pod") != NULL, "%s", said);
}
END_TEST

START_TEST(a_sas_serves_the_whole_way)
{
    AUTO_BUF struct buf setting = BUF(4096);

    buf_append_text(&setting, "AZURE_STORAGE_SAS_TOKEN=?");
    azurite_append_sas(&setting);
    start_both((const char *const[]){identity_server_certificate(server)->setting, setting.data, NULL});
    run_job("by a SAS");
    expect_line(s.worker, "opened by a SAS, AZURE_STORAGE_SAS_TOKEN");
    ck_assert_uint_eq(scene_count_log(s.worker, "sig=", ""), 0);
}
END_TEST

/* Identity bindings are a preview that we do not speak. */
START_TEST(a_token_proxy_is_named)
{
    const char *settings[SETTINGS_COUNT];

    set_workload(settings, "AZURE_KUBERNETES_TOKEN_PROXY=https://10.0.0.1");
    scene_start_worker(&s, settings);
    expect_line(s.worker, "AZURE_KUBERNETES_TOKEN_PROXY is set, but identity bindings are not supported");
}
END_TEST

Suite *identity_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *tcase = tcase_create("identity");

    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_job_goes_its_way_by_workload_identity);
    tcase_add_test(tcase, a_job_goes_its_way_by_managed_identity);
    tcase_add_test(tcase, tokens_expire_and_no_job_notices);
    tcase_add_test(tcase, a_token_that_the_store_refuses_is_renewed);
    tcase_add_test(tcase, a_wrong_identity_says_what_to_do);
    tcase_add_test(tcase, a_pod_without_its_identity_does_not_start);
    tcase_add_test(tcase, a_sas_serves_the_whole_way);
    tcase_add_test(tcase, a_token_proxy_is_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
