#include <check.h>

#include "common/azure/token_answer.h"

Suite *token_answer_suite(void);

#define TOKEN "eyJ0eXAi.eyJhdWQi.c2ln"

static struct token_answer read_answer(enum azure_way way, int status, const char *body)
{
    struct token_answer a;

    token_answer_read(&a, way, status, body, strlen(body), 1000000);
    return a;
}

static const struct {
    const char *body;
    int64_t expires_in_s;
    int64_t refresh_in_s;
} grants[] = {
    {"{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"" TOKEN "\"}",
        3599, 0},
    {"{\"token_type\":\"bearer\",\"expires_in\":86399,\"refresh_in\":43199,\"access_token\":\"" TOKEN "\"}",
        86399, 43199},
    /* as IMDS writes it */
    {"{\"access_token\":\"" TOKEN
     "\",\"client_id\":\"c\",\"expires_in\":\"86399\",\"expires_on\":\"1086399\","
     "\"resource\":\"https://storage.azure.com\",\"token_type\":\"Bearer\"}",
        86399, 0},
    {"{\"access_token\":\"" TOKEN "\",\"expires_on\":\"1000060\"}", 60, 0},
    {"{\"access_token\":\"" TOKEN "\",\"expires_in\":99999999999}", TOKEN_LIFE_MAX_S, 0},
    {"{\"access_token\":\"" TOKEN "\",\"expires_in\":10,\"refresh_in\":11}", 10, 0},
};

START_TEST(grants_are_read)
{
    for (int way = AZURE_WAY_WORKLOAD; way <= AZURE_WAY_MANAGED; way++) {
        struct token_answer a = read_answer((enum azure_way)way, 200, grants[_i].body);

        ck_assert_int_eq(a.verdict, TOKEN_GRANTED);
        ck_assert_str_eq(a.token, TOKEN);
        ck_assert_int_eq(a.expires_in_s, grants[_i].expires_in_s);
        ck_assert_int_eq(a.refresh_in_s, grants[_i].refresh_in_s);
        token_answer_release(&a);
        ck_assert_ptr_null(a.token);
    }
}
END_TEST

static const char *const no_grants[] = {
    "",
    "<html>sign in to the hotel</html>",
    "{}",
    "[]",
    "{\"access_token\":\"" TOKEN "\"}",
    "{\"access_token\":\"" TOKEN "\",\"expires_in\":0}",
    "{\"access_token\":\"" TOKEN "\",\"expires_in\":-5}",
    "{\"access_token\":\"" TOKEN "\",\"expires_in\":\"soon\"}",
    "{\"access_token\":\"" TOKEN "\",\"expires_on\":\"999999\"}",
    "{\"access_token\":\"a b\",\"expires_in\":10}",
    "{\"access_token\":\"a\\r\\nX-Evil: 1\",\"expires_in\":10}",
    "{\"access_token\":\"\",\"expires_in\":10}",
    "{\"access_token\":7,\"expires_in\":10}",
    "{\"token_type\":\"mac\",\"access_token\":\"" TOKEN "\",\"expires_in\":10}",
};

START_TEST(what_is_no_grant_is_none)
{
    struct token_answer a = read_answer(AZURE_WAY_WORKLOAD, 200, no_grants[_i]);
    struct error e;

    ck_assert_int_eq(a.verdict, TOKEN_AGAIN);
    ck_assert_ptr_null(a.token);
    token_answer_explain(&a, AZURE_WAY_WORKLOAD, &e);
    ck_assert_msg(strstr(e.text, "Entra ID answered 200: it holds no bearer token") != NULL, "%s", e.text);
    ck_assert_ptr_null(strstr(e.text, TOKEN));
}
END_TEST

#define AADSTS(number)                                                                                       \
    "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS" number                                    \
    ": Words of Entra. Trace ID: t\\r\\nCorrelation ID: c\",\"error_codes\":[" number                        \
    "],\"trace_id\":\"t-1\"}"

static const struct {
    int way;
    int status;
    const char *body;
    enum token_verdict verdict;
    const char *says;
} refusals[] = {
    {AZURE_WAY_WORKLOAD, 401, AADSTS("700213"), TOKEN_UNMATCHED,
        "Entra ID answered 401 AADSTS700213: the identity's federated credential must have this cluster's "
        "issuer and the subject system:serviceaccount:<namespace>:<name>"},
    {AZURE_WAY_WORKLOAD, 401, AADSTS("70021"), TOKEN_UNMATCHED, "needs a federated credential"},
    {AZURE_WAY_WORKLOAD, 401, AADSTS("700211"), TOKEN_UNMATCHED, "issuer must be this cluster's"},
    {AZURE_WAY_WORKLOAD, 401, AADSTS("700212"), TOKEN_REFUSED, "identity bindings are not supported"},
    {AZURE_WAY_WORKLOAD, 401, AADSTS("700024"), TOKEN_REREAD, "is this clock right?"},
    {AZURE_WAY_WORKLOAD, 401, AADSTS("700027"), TOKEN_REFUSED, "OIDC issuer"},
    {AZURE_WAY_WORKLOAD, 400, AADSTS("700016"), TOKEN_REFUSED, "AZURE_CLIENT_ID names no identity"},
    {AZURE_WAY_WORKLOAD, 400, AADSTS("90002"), TOKEN_REFUSED, "AZURE_TENANT_ID is no tenant"},
    {AZURE_WAY_WORKLOAD, 400, AADSTS("500011"), TOKEN_REFUSED, "is it the right cloud"},
    {AZURE_WAY_WORKLOAD, 400, AADSTS("90061"), TOKEN_AGAIN, "AADSTS90061"},
    {AZURE_WAY_WORKLOAD, 400, AADSTS("12345"), TOKEN_REFUSED, "AADSTS12345: AADSTS12345: Words of Entra"},
    {AZURE_WAY_WORKLOAD, 401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700213: x\"}",
        TOKEN_UNMATCHED, "AADSTS700213"},
    {AZURE_WAY_WORKLOAD, 400, "{\"error\":\"temporarily_unavailable\"}", TOKEN_AGAIN,
        "temporarily_unavailable"},
    {AZURE_WAY_WORKLOAD, 429, "", TOKEN_AGAIN, "answered 429"},
    {AZURE_WAY_WORKLOAD, 500, "<html>", TOKEN_AGAIN, "answered 500"},
    {AZURE_WAY_WORKLOAD, 503, AADSTS("0"), TOKEN_AGAIN, "answered 503"},
    {AZURE_WAY_WORKLOAD, 501, "", TOKEN_REFUSED, "is a proxy between?"},
    {AZURE_WAY_WORKLOAD, 403, "<html>", TOKEN_REFUSED, "is a proxy between?"},
    {AZURE_WAY_WORKLOAD, 401, "{\"error_codes\":[-5]}", TOKEN_REFUSED, "is a proxy between?"},
    {AZURE_WAY_MANAGED, 400, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}",
        TOKEN_REFUSED, "the metadata service answered 400 invalid_request: the machine has no such identity"},
    {AZURE_WAY_MANAGED, 404, "", TOKEN_AGAIN, "answered 404"},
    {AZURE_WAY_MANAGED, 410, "", TOKEN_AGAIN, "answered 410"},
    {AZURE_WAY_MANAGED, 429, "", TOKEN_AGAIN, "answered 429"},
    {AZURE_WAY_MANAGED, 500, "{\"error\":\"unknown\"}", TOKEN_AGAIN, "answered 500 unknown"},
    {AZURE_WAY_MANAGED, 403, "<html>", TOKEN_REFUSED, "is a proxy between?"},
};

START_TEST(refusals_are_judged_and_explained)
{
    enum azure_way way = (enum azure_way)refusals[_i].way;
    struct token_answer a = read_answer(way, refusals[_i].status, refusals[_i].body);
    struct error e;

    ck_assert_int_eq(a.verdict, refusals[_i].verdict);
    token_answer_explain(&a, way, &e);
    ck_assert_int_eq(e.code, ERROR_STORE_AWAY);
    ck_assert_msg(strstr(e.text, refusals[_i].says) != NULL, "%s", e.text);
    for (const char *c = e.text; *c; c++)
        ck_assert(*c >= ' ');
}
END_TEST

START_TEST(a_token_has_a_largest_size)
{
    static char body[TOKEN_MAX + 64];

    for (size_t more = 0; more < 2; more++) {
        size_t length = (size_t)snprintf(body, sizeof(body), "{\"expires_in\":9,\"access_token\":\"");
        struct token_answer a;

        memset(body + length, 'x', TOKEN_MAX + more);
        length += TOKEN_MAX + more;
        snprintf(body + length, sizeof(body) - length, "\"}");
        a = read_answer(AZURE_WAY_MANAGED, 200, body);
        ck_assert_int_eq(a.verdict, more ? TOKEN_AGAIN : TOKEN_GRANTED);
        token_answer_release(&a);
    }
}
END_TEST

START_TEST(tries_and_their_pace)
{
    int64_t sum_ms = 0;

    ck_assert_int_eq(token_answer_tries(AZURE_WAY_WORKLOAD, TOKEN_AGAIN), 4);
    ck_assert_int_eq(token_answer_tries(AZURE_WAY_MANAGED, TOKEN_AGAIN), 6);
    ck_assert_int_eq(token_answer_tries(AZURE_WAY_WORKLOAD, TOKEN_UNMATCHED), 5);
    ck_assert_int_eq(token_answer_tries(AZURE_WAY_WORKLOAD, TOKEN_REREAD), 2);
    ck_assert_int_eq(token_answer_tries(AZURE_WAY_WORKLOAD, TOKEN_REFUSED), 1);
    for (int tries = 1; tries < 5; tries++)
        sum_ms += token_answer_delay_ms(TOKEN_UNMATCHED, tries, -1, 100);
    ck_assert_int_eq(sum_ms, 53000);
    ck_assert_int_eq(token_answer_delay_ms(TOKEN_REREAD, 1, -1, 7), 0);
    ck_assert_int_eq(token_answer_delay_ms(TOKEN_AGAIN, 1, 1500, 7), 1500);
    ck_assert_int_eq(token_answer_delay_ms(TOKEN_AGAIN, 1, 86400000, 7), 60000);
    ck_assert_int_eq(token_answer_delay_ms(TOKEN_AGAIN, 2, -1, 200), 1600);
}
END_TEST

static const struct {
    int64_t expires_in_s;
    int64_t refresh_in_s;
    int64_t delay_ms;
} refreshes[] = {
    {3600, 0, 1800000},
    {86400, 43200, 43200000},
    {86400, 86399, 86100000}, /* the issuer's word, but five minutes before the end */
    {400, 0, 100000},
    {300, 0, 150000},
    {1, 0, 500},
};

START_TEST(a_token_is_renewed_in_time)
{
    struct token_answer a = {
        .expires_in_s = refreshes[_i].expires_in_s, .refresh_in_s = refreshes[_i].refresh_in_s};

    ck_assert_int_eq(token_answer_refresh_ms(&a, 100), refreshes[_i].delay_ms);
    ck_assert_int_eq(token_answer_refresh_ms(&a, 0), refreshes[_i].delay_ms * 9 / 10);
    ck_assert_int_eq(token_answer_refresh_ms(&a, 200), refreshes[_i].delay_ms * 11 / 10);
}
END_TEST

Suite *token_answer_suite(void)
{
    Suite *suite = suite_create("token_answer");
    TCase *tcase = tcase_create("token_answer");

    tcase_add_loop_test(tcase, grants_are_read, 0, ARRAY_LENGTH(grants));
    tcase_add_loop_test(tcase, what_is_no_grant_is_none, 0, ARRAY_LENGTH(no_grants));
    tcase_add_loop_test(tcase, refusals_are_judged_and_explained, 0, ARRAY_LENGTH(refusals));
    tcase_add_test(tcase, a_token_has_a_largest_size);
    tcase_add_test(tcase, tries_and_their_pace);
    tcase_add_loop_test(tcase, a_token_is_renewed_in_time, 0, ARRAY_LENGTH(refreshes));
    suite_add_tcase(suite, tcase);
    return suite;
}
