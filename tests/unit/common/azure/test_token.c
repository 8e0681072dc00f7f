#include <check.h>
#include <unistd.h>

#include "common/azure/token.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/support/identity_server.h"
#include "tests/support/settings.h"

Suite *token_suite(void);

#define SCOPE "https://storage.azure.com/.default"

enum { DEADLINE_MS = 60000 };

static struct identity_server *server;
static struct loop *l;
static struct config config;
static struct token *t;
static struct timer late;
static int outcomes;
static struct error outcome; /* the last; ERROR_OK: a token */

static void on_late(void *UNUSED(arg))
{
    loop_stop(l);
}

static void on_outcome(void *UNUSED(arg), const struct error *e)
{
    outcomes++;
    outcome = e ? *e : (struct error){0};
    loop_stop(l);
}

static void open_all(void)
{
    log_set_level(LOG_ERROR);
    server = identity_server_start();
    ck_assert_int_eq(setenv("SSL_CERT_FILE", identity_server_certificate(server)->authority, 1), 0);
    l = loop_new();
    timer_init(&late, l, on_late, NULL);
    settings_load(&config, (const char *const[]){identity_server_authority(server),
                               identity_server_imds(server), identity_server_token_file(server),
                               "AZURE_TENANT_ID=" IDENTITY_TENANT, "AZURE_CLIENT_ID=" IDENTITY_CLIENT, NULL});
    outcomes = 0;
}

static void open_for(enum azure_way way)
{
    t = token_new(l, &config, way, SCOPE, on_outcome, NULL);
}

static void close_all(void)
{
    t = token_free(t);
    timer_stop(&late);
    l = loop_free(l);
    server = identity_server_free(server);
    config_release(&config);
    clock_set_for_test(-1);
}

/* Turns the loop until the next outcome, or for ms. */
static void turn(int ms)
{
    timer_start(&late, ms);
    loop_run(l);
}

static void fetch(void)
{
    int before = outcomes;

    token_fetch(t);
    ck_assert_int_eq(outcomes, before);
    turn(DEADLINE_MS);
    ck_assert_int_eq(outcomes, before + 1);
}

static void fetch_well(void)
{
    fetch();
    ck_assert_msg(outcome.code == ERROR_OK, "%s", outcome.text);
    ck_assert_ptr_nonnull(token_value(t));
}

START_TEST(entra_is_asked_as_it_wants_to_be)
{
    AUTO(free) char *request = NULL;

    open_for(AZURE_WAY_WORKLOAD);
    ck_assert_ptr_null(token_value(t));
    fetch_well();
    request = identity_server_request(server, 0);
    ck_assert_str_eq(request,
        "POST /" IDENTITY_TENANT "/oauth2/v2.0/token\n"
        "grant_type=client_credentials&client_assertion_type="
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_id=" IDENTITY_CLIENT
        "&scope=https%3A%2F%2Fstorage.azure.com%2F.default"
        "&client_assertion=" IDENTITY_ASSERTION);
}
END_TEST

START_TEST(imds_is_asked_as_it_wants_to_be)
{
    AUTO(free) char *request = NULL;

    open_for(AZURE_WAY_MANAGED);
    fetch_well();
    request = identity_server_request(server, 0);
    ck_assert_str_eq(request, "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                              "https%3A%2F%2Fstorage.azure.com&client_id=" IDENTITY_CLIENT "\n");
}
END_TEST

/* A proxy of the environment would be asked for the secrets of the machine. */
START_TEST(imds_is_never_asked_through_a_proxy)
{
    ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    open_for(AZURE_WAY_MANAGED);
    fetch_well();
}
END_TEST

START_TEST(one_request_serves_all)
{
    identity_server_set_delay(server, 300);
    open_for(AZURE_WAY_WORKLOAD);
    for (int i = 0; i < 10; i++)
        token_fetch(t);
    turn(50);
    token_fetch(t);
    fetch_well();
    turn(200);
    ck_assert_int_eq(outcomes, 1);
    ck_assert_uint_eq(identity_server_requests(server), 1);
}
END_TEST

/* Nobody asks, and still there is always a token. */
static void expect_refresh(int life_s, int refresh_s)
{
    char first[8192];

    identity_server_set_life(server, life_s, refresh_s);
    fetch_well();
    snprintf(first, sizeof(first), "%s", token_value(t));
    turn(DEADLINE_MS);
    ck_assert_int_eq(outcome.code, ERROR_OK);
    ck_assert_str_ne(token_value(t), first);
    ck_assert_uint_eq(identity_server_requests(server), 2);
}

START_TEST(a_token_is_renewed_at_half_of_its_life)
{
    open_for(AZURE_WAY_WORKLOAD);
    expect_refresh(2, 0);
}
END_TEST

START_TEST(a_token_is_renewed_when_its_issuer_says)
{
    open_for(AZURE_WAY_MANAGED);
    expect_refresh(3600, 1);
}
END_TEST

/* The refresh at 1.5 s fails for good: the token serves until it expires at 3 s. */
START_TEST(a_token_is_kept_until_it_expires)
{
    int64_t asked_ms;

    identity_server_set_life(server, 3, 0);
    open_for(AZURE_WAY_WORKLOAD);
    asked_ms = clock_steady_ms();
    fetch_well();
    identity_server_refuse(server, 700016);
    turn(DEADLINE_MS);
    ck_assert_int_eq(outcome.code, ERROR_STORE_AWAY);
    ck_assert(token_value(t) != NULL || clock_steady_ms() - asked_ms >= 3000);
    while (token_value(t))
        turn(20);
    ck_assert_int_ge(clock_steady_ms() - asked_ms, 3000);
    identity_server_set_life(server, 3600, 0);
    fetch_well();
}
END_TEST

/* The life of a token is counted from when it was asked for, by a clock that nobody sets. */
START_TEST(a_wrong_clock_does_no_harm)
{
    clock_set_for_test(clock_unix_ms() - 86400000);
    open_for(AZURE_WAY_WORKLOAD);
    fetch_well();
    clock_set_for_test(clock_unix_ms() + 2 * 86400000LL);
    ck_assert_ptr_nonnull(token_value(t));
}
END_TEST

/* Kubernetes writes it anew each hour or so; one that is a day old is refused. */
START_TEST(the_token_file_is_read_each_time)
{
    AUTO(free) char *request = NULL;

    identity_server_set_life(server, 2, 0);
    open_for(AZURE_WAY_WORKLOAD);
    fetch_well();
    identity_server_set_assertion(server, "bmV3.bmV3.bmV3");
    identity_server_write_token(server, "bmV3.bmV3.bmV3");
    turn(DEADLINE_MS);
    ck_assert_msg(outcome.code == ERROR_OK, "%s", outcome.text);
    request = identity_server_request(server, 1);
    ck_assert_ptr_nonnull(strstr(request, "&client_assertion=bmV3.bmV3.bmV3"));
    ck_assert_uint_eq(identity_server_requests(server), 2);
}
END_TEST

static const struct {
    int number;
    int requests; /* until the fetch ends, when it is refused but once or twice */
} passing[] = {{700213, 2}, {70021, 2}, {700211, 2}, {700024, 2}, {90061, 2}};

START_TEST(passing_errors_of_entra_are_survived)
{
    identity_server_refuse(server, passing[_i].number);
    open_for(AZURE_WAY_WORKLOAD);
    fetch_well();
    ck_assert_uint_eq(identity_server_requests(server), (size_t)passing[_i].requests);
}
END_TEST

static const struct {
    int number;
    size_t requests;
    const char *says;
} final[] = {
    {700212, 1, "identity bindings"},
    {700016, 1, "AZURE_CLIENT_ID names no identity"},
    {12345, 1, "AADSTS12345"},
    {700024, 2, "is this clock right?"},
};

START_TEST(final_errors_of_entra_are_told_at_once)
{
    identity_server_refuse(server, final[_i].number);
    identity_server_refuse(server, final[_i].number);
    open_for(AZURE_WAY_WORKLOAD);
    fetch();
    ck_assert_int_eq(outcome.code, ERROR_STORE_AWAY);
    ck_assert_msg(strstr(outcome.text, final[_i].says) != NULL, "%s", outcome.text);
    ck_assert_uint_eq(identity_server_requests(server), final[_i].requests);
}
END_TEST

/* The 2 % of a right set-up. */
START_TEST(no_fetch_fails_for_a_few_unmatched)
{
    identity_server_set_unmatched(server, 20);
    for (int i = 0; i < 100; i++) {
        open_for(AZURE_WAY_WORKLOAD);
        fetch_well();
        t = token_free(t);
    }
    ck_assert_uint_eq(identity_server_requests(server), 102);
}
END_TEST

START_TEST(troubles_of_imds_are_survived)
{
    identity_server_say(server, 404, NULL, "");
    identity_server_say(server, 429, "Retry-After: 1", "{\"error\":\"too many requests\"}");
    open_for(AZURE_WAY_MANAGED);
    fetch_well();
    ck_assert_uint_eq(identity_server_requests(server), 3);
}
END_TEST

START_TEST(an_identity_that_the_machine_has_not_is_told)
{
    identity_server_say(
        server, 400, NULL, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}");
    open_for(AZURE_WAY_MANAGED);
    fetch();
    ck_assert_msg(strstr(outcome.text, "the machine has no such identity") != NULL, "%s", outcome.text);
}
END_TEST

/* Whoever asks shortly after a failure gets the same again, and Entra is left alone. */
START_TEST(the_issuer_is_not_hammered)
{
    identity_server_refuse(server, 700016);
    open_for(AZURE_WAY_WORKLOAD);
    fetch();
    for (int i = 0; i < 5; i++) {
        fetch();
        ck_assert_msg(strstr(outcome.text, "AADSTS700016") != NULL, "%s", outcome.text);
    }
    ck_assert_uint_eq(identity_server_requests(server), 1);
    turn(1200);
    fetch_well();
    ck_assert_uint_eq(identity_server_requests(server), 2);
}
END_TEST

START_TEST(a_token_that_is_refused_is_dropped_once)
{
    open_for(AZURE_WAY_WORKLOAD);
    ck_assert(!token_drop(t));
    fetch_well();
    ck_assert(token_drop(t));
    ck_assert_ptr_null(token_value(t));
    fetch_well();
    ck_assert(!token_drop(t));
    ck_assert_ptr_nonnull(token_value(t));
}
END_TEST

START_TEST(a_token_file_that_is_missing_is_named)
{
    ck_assert_int_eq(unlink(config.federated_token_file), 0);
    open_for(AZURE_WAY_WORKLOAD);
    fetch();
    ck_assert_int_eq(outcome.code, ERROR_STORE_AWAY);
    ck_assert_msg(strncmp(outcome.text, "AZURE_FEDERATED_TOKEN_FILE: /", 29) == 0, "%s", outcome.text);
    ck_assert_msg(strstr(outcome.text, "No such file") != NULL, "%s", outcome.text);
    identity_server_write_token(server, "this is no token");
    turn(1200);
    fetch();
    ck_assert_msg(strstr(outcome.text, "holds no token of a service account") != NULL, "%s", outcome.text);
}
END_TEST

/* Nobody gets the service account's token whose certificate no authority of ours signed. */
START_TEST(a_server_that_is_not_entra_gets_nothing)
{
    ck_assert_int_eq(unsetenv("SSL_CERT_FILE"), 0);
    open_for(AZURE_WAY_WORKLOAD);
    fetch();
    ck_assert_int_eq(outcome.code, ERROR_STORE_AWAY);
    ck_assert_msg(strstr(outcome.text, "https://localhost:") != NULL, "%s", outcome.text);
    ck_assert_uint_eq(identity_server_requests(server), 0);
}
END_TEST

Suite *token_suite(void)
{
    Suite *suite = suite_create("token");
    TCase *tcase = tcase_create("token");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, entra_is_asked_as_it_wants_to_be);
    tcase_add_test(tcase, imds_is_asked_as_it_wants_to_be);
    tcase_add_test(tcase, imds_is_never_asked_through_a_proxy);
    tcase_add_test(tcase, one_request_serves_all);
    tcase_add_test(tcase, a_token_is_renewed_at_half_of_its_life);
    tcase_add_test(tcase, a_token_is_renewed_when_its_issuer_says);
    tcase_add_test(tcase, a_token_is_kept_until_it_expires);
    tcase_add_test(tcase, a_wrong_clock_does_no_harm);
    tcase_add_test(tcase, the_token_file_is_read_each_time);
    tcase_add_loop_test(tcase, passing_errors_of_entra_are_survived, 0, ARRAY_LENGTH(passing));
    tcase_add_loop_test(tcase, final_errors_of_entra_are_told_at_once, 0, ARRAY_LENGTH(final));
    tcase_add_test(tcase, no_fetch_fails_for_a_few_unmatched);
    tcase_add_test(tcase, troubles_of_imds_are_survived);
    tcase_add_test(tcase, an_identity_that_the_machine_has_not_is_told);
    tcase_add_test(tcase, the_issuer_is_not_hammered);
    tcase_add_test(tcase, a_token_that_is_refused_is_dropped_once);
    tcase_add_test(tcase, a_token_file_that_is_missing_is_named);
    tcase_add_test(tcase, a_server_that_is_not_entra_gets_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
