#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/azure/credential.h"
#include "common/base/log.h"
#include "tests/support/identity_server.h"
#include "tests/support/settings.h"

Suite *credential_suite(void);

#define KEY "QUJDRA=="
#define OTHER_KEY "RUZHSA=="
#define EMULATOR "BLOB_URL=http://127.0.0.1:10000/devstoreaccount1/jobgate"
#define AZURE "BLOB_URL=https://store1.blob.core.windows.net/jobgate"

enum { DEADLINE_MS = 60000 };

static struct identity_server *server;
static struct loop *l;
static struct config config;
static struct credential *c;
static struct timer late;
static int told;
static struct error outcome;
static char folder[PROCESS_PATH_SIZE];

static void on_late(void *UNUSED(arg))
{
    loop_stop(l);
}

static void on_ready(void *UNUSED(arg), const struct error *e)
{
    told++;
    outcome = e ? *e : (struct error){0};
    loop_stop(l);
}

static void turn(int ms)
{
    timer_start(&late, ms);
    loop_run(l);
}

static void open_all(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the programs do: whoever asked may be gone before the server answers */
    log_set_level(LOG_ERROR);
    directory_make(folder);
    server = identity_server_start();
    ck_assert_int_eq(setenv("SSL_CERT_FILE", identity_server_certificate(server)->authority, 1), 0);
    l = loop_new();
    timer_init(&late, l, on_late, NULL);
    told = 0;
}

static void open_with(const char *const *settings)
{
    struct azure_account account;
    struct error e;

    settings_load(&config, settings);
    ck_assert_msg(azure_account_from_config(&account, &config, &e), "%s", e.text);
    c = credential_open_storage(l, &config, &account);
    azure_account_release(&account);
}

static void open_workload(void)
{
    open_with(
        (const char *const[]){AZURE, identity_server_authority(server), identity_server_token_file(server),
            "AZURE_TENANT_ID=" IDENTITY_TENANT, "AZURE_CLIENT_ID=" IDENTITY_CLIENT, NULL});
}

static void close_all(void)
{
    c = credential_free(c);
    timer_stop(&late);
    l = loop_free(l);
    server = identity_server_free(server);
    config_release(&config);
    directory_remove(folder);
}

static void sign(char out[8192])
{
    static const char *const headers[] = {"x-ms-date: d"};
    struct sign_request request = {"GET", "/c/b", "", headers, 1, 0};
    AUTO_BUF struct buf line = BUF(8191);
    struct error e;

    ck_assert_msg(credential_sign(c, &request, &line, &e), "%s", e.text);
    snprintf(out, 8192, "%s", line.data);
}

START_TEST(a_key_is_always_at_hand)
{
    struct credential_wait w = {0};
    char line[8192];
    char signature[CREDENTIAL_SIGNATURE_SIZE];
    struct error e;

    open_with((const char *const[]){EMULATOR, "AZURE_STORAGE_KEY=" KEY, NULL});
    ck_assert_int_eq(credential_kind_of(c), CREDENTIAL_KEY);
    ck_assert(credential_is_ready(c));
    sign(line);
    ck_assert_msg(strncmp(line, "Authorization: SharedKey devstoreaccount1:", 42) == 0, "%s", line);
    ck_assert_str_eq(credential_sas(c), "");
    ck_assert_ptr_null(credential_token(c));
    credential_wait(c, &w, on_ready, NULL);
    ck_assert_int_eq(told, 0);
    turn(DEADLINE_MS);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(outcome.code, ERROR_OK);
    ck_assert(!credential_refused(c, credential_generation(c)));
    /* printf x | openssl dgst -sha256 -mac HMAC -macopt key:ABCD -binary | base64 */
    ck_assert(credential_sign_text(c, "x", signature, &e));
    ck_assert_str_eq(signature, "ozmgSxKRoWytlYysCgPY0q7EifJUEF8bs3HJC3GIYkE=");
}
END_TEST

START_TEST(a_sas_goes_into_the_query)
{
    char line[8192];
    char signature[CREDENTIAL_SIGNATURE_SIZE];
    struct error e;

    open_with((const char *const[]){AZURE, "AZURE_STORAGE_SAS_TOKEN=?sv=1&sig=a%2B", NULL});
    ck_assert_int_eq(credential_kind_of(c), CREDENTIAL_SAS);
    ck_assert(credential_is_ready(c));
    ck_assert_str_eq(credential_sas(c), "sv=1&sig=a%2B");
    sign(line);
    ck_assert_str_eq(line, "");
    ck_assert(!credential_sign_text(c, "x", signature, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
}
END_TEST

static void wait_for_token(void)
{
    struct credential_wait waits[3] = {{0}};

    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        credential_wait(c, &waits[i], on_ready, NULL);
    credential_wait_stop(&waits[1]);
    credential_wait_stop(&waits[1]);
    told = 0;
    turn(DEADLINE_MS);
    ck_assert_int_eq(told, 2);
    ck_assert_msg(outcome.code == ERROR_OK, "%s", outcome.text);
    ck_assert(credential_is_ready(c));
}

START_TEST(a_token_is_waited_for)
{
    char line[8192];
    char expected[8192];

    open_workload();
    ck_assert_int_eq(credential_kind_of(c), CREDENTIAL_TOKEN);
    ck_assert(!credential_is_ready(c));
    wait_for_token();
    ck_assert_uint_eq(identity_server_requests(server), 1);
    sign(line);
    snprintf(expected, sizeof(expected), "Authorization: Bearer %s", credential_token(c));
    ck_assert_str_eq(line, expected);
}
END_TEST

/* Three requests were signed by it; the first that is refused drops it, the others are sent again too. */
START_TEST(a_token_that_is_refused_is_renewed)
{
    char first[8192];
    unsigned generation;

    open_workload();
    wait_for_token();
    generation = credential_generation(c);
    snprintf(first, sizeof(first), "%s", credential_token(c));
    ck_assert(credential_refused(c, generation));
    ck_assert(!credential_is_ready(c));
    ck_assert(credential_refused(c, generation));
    wait_for_token();
    ck_assert_uint_eq(identity_server_requests(server), 2);
    ck_assert_str_ne(credential_token(c), first);
    ck_assert(credential_refused(c, generation));
    ck_assert(credential_is_ready(c));
    ck_assert(!credential_refused(c, credential_generation(c))); /* a new one at once: it is not to blame */
}
END_TEST

START_TEST(those_who_wait_hear_of_a_failure)
{
    struct credential_wait w = {0};

    open_workload();
    identity_server_refuse(server, 700016);
    credential_wait(c, &w, on_ready, NULL);
    turn(DEADLINE_MS);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(outcome.code, ERROR_STORE_AWAY);
    ck_assert_msg(strstr(outcome.text, "AADSTS700016") != NULL, "%s", outcome.text);
    ck_assert_ptr_null(w.credential);
}
END_TEST

START_TEST(those_who_wait_are_forgotten_with_it)
{
    struct credential_wait w = {0};

    open_workload();
    identity_server_set_delay(server, 200);
    credential_wait(c, &w, on_ready, NULL);
    turn(50);
    c = credential_free(c);
    turn(400);
    ck_assert_int_eq(told, 0);
}
END_TEST

START_TEST(other_scopes_have_tokens_of_their_own)
{
    AUTO(free) char *request = NULL;
    struct error e;

    open_workload();
    c = credential_free(c);
    c = credential_open_scope(l, &config, "https://redis.azure.com/.default", &e);
    ck_assert_msg(c != NULL, "%s", e.text);
    wait_for_token();
    request = identity_server_request(server, 0);
    ck_assert_ptr_nonnull(strstr(request, "&scope=https%3A%2F%2Fredis.azure.com%2F.default&"));
}
END_TEST

static void write_secret(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static const struct {
    const char *settings[2];
    const char *before;
    const char *useless; /* passed over */
    const char *behind;
} rotations[] = {
    {{EMULATOR, "AZURE_STORAGE_KEY_FILE"}, KEY, "no key", OTHER_KEY},
    {{AZURE, "AZURE_STORAGE_SAS_TOKEN_FILE"}, "sv=1&sig=a", "sv=1", "sv=1&sig=b"},
    {{"BLOB_CONTAINER=jobgate", "AZURE_STORAGE_CONNECTION_STRING_FILE"}, "AccountName=store1;AccountKey=" KEY,
        "AccountName=store2;AccountKey=" OTHER_KEY, "AccountName=store1;AccountKey=" OTHER_KEY},
};

START_TEST(a_rotated_secret_is_taken_over)
{
    char path[2 * PROCESS_PATH_SIZE];
    char setting[3 * PROCESS_PATH_SIZE];
    char before[8192];
    char behind[8192];

    snprintf(path, sizeof(path), "%s/secret", folder);
    snprintf(setting, sizeof(setting), "%s=%s", rotations[_i].settings[1], path);
    write_secret(path, rotations[_i].before);
    open_with((const char *const[]){rotations[_i].settings[0], setting, NULL});
    sign(before);
    write_secret(path, rotations[_i].useless);
    turn(400);
    ck_assert_uint_eq(credential_generation(c), 0);
    write_secret(path, rotations[_i].behind);
    for (int i = 0; i < 600 && credential_generation(c) == 0; i++)
        turn(100);
    ck_assert_uint_eq(credential_generation(c), 1);
    ck_assert(credential_refused(c, 0)); /* what the old one signed is worth another try */
    ck_assert(!credential_refused(c, 1));
    sign(behind);
    if (credential_kind_of(c) == CREDENTIAL_SAS)
        ck_assert_str_eq(credential_sas(c), rotations[_i].behind);
    else
        ck_assert_str_ne(before, behind);
}
END_TEST

Suite *credential_suite(void)
{
    Suite *suite = suite_create("credential");
    TCase *tcase = tcase_create("credential");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_key_is_always_at_hand);
    tcase_add_test(tcase, a_sas_goes_into_the_query);
    tcase_add_test(tcase, a_token_is_waited_for);
    tcase_add_test(tcase, a_token_that_is_refused_is_renewed);
    tcase_add_test(tcase, those_who_wait_hear_of_a_failure);
    tcase_add_test(tcase, those_who_wait_are_forgotten_with_it);
    tcase_add_test(tcase, other_scopes_have_tokens_of_their_own);
    tcase_add_loop_test(tcase, a_rotated_secret_is_taken_over, 0, ARRAY_LENGTH(rotations));
    suite_add_tcase(suite, tcase);
    return suite;
}
