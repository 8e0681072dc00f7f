#include "common/azure/token_answer.h"
#include "common/azure/answer.h"
#include "common/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <strings.h>

enum { IMDS_TRIES = 6, REFRESH_EARLY_S = 300, WAIT_MAX_MS = 60000 };

static const int unmatched_ms[] = {1000, 4000, 16000, 32000};

/* Errors of Entra ID by their number. What is not here is final. */
static const struct row {
    int64_t number;
    enum token_verdict verdict;
    const char *remedy;
} rows[] = {
    {700213, TOKEN_UNMATCHED,
        "the identity's federated credential must have this cluster's issuer and the subject "
        "system:serviceaccount:<namespace>:<name>, letter for letter"},
    {70021, TOKEN_UNMATCHED,
        "the identity needs a federated credential for this service account (made lately, it takes minutes)"},
    {700211, TOKEN_UNMATCHED,
        "the federated credential's issuer must be this cluster's, its '/' at the end too"},
    {700212, TOKEN_REFUSED,
        "the token's audience is not api://AzureADTokenExchange: identity bindings are not supported"},
    {700024, TOKEN_REREAD, "the service account's token is out of its time: is this clock right?"},
    {700027, TOKEN_REFUSED,
        "the issuer's keys do not verify the token: is the cluster's OIDC issuer public?"},
    {700016, TOKEN_REFUSED, "AZURE_CLIENT_ID names no identity of this tenant"},
    {90002, TOKEN_REFUSED, "AZURE_TENANT_ID is no tenant of this cloud (AZURE_AUTHORITY_HOST)"},
    {900023, TOKEN_REFUSED, "AZURE_TENANT_ID is no tenant of this cloud (AZURE_AUTHORITY_HOST)"},
    {500011, TOKEN_REFUSED,
        "the tenant knows no such resource: is it the right cloud (AZURE_AUTHORITY_HOST)?"},
    {53003, TOKEN_REFUSED, "a conditional access policy forbids it"},
    {90061, TOKEN_AGAIN, NULL}, /* the issuer's OIDC endpoint did not answer */
    {90033, TOKEN_AGAIN, NULL},
    {90055, TOKEN_AGAIN, NULL},
};

static const char not_an_issuer[] = "this is not from it: is the address right, is a proxy between?";

static void copy_printable(char out[TOKEN_TEXT_SIZE], const char *text)
{
    size_t used = 0;

    for (; text && *text && *text != '\r' && *text != '\n' && used < TOKEN_TEXT_SIZE - 1; text++)
        if (*text >= ' ' && *text < 0x7f)
            out[used++] = *text;
    out[used] = '\0';
}

/* A number, which IMDS writes as a string; -1 when it is none. */
static int64_t number_of(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;
    long long number;

    if (json_is_integer(value))
        return json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
    if (!text || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    return *end || errno ? -1 : number;
}

/* One that can stand in a header. */
static bool is_token(const char *text)
{
    size_t length = text ? strlen(text) : 0;

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return length > 0 && length <= TOKEN_MAX;
}

static void read_grant(struct token_answer *out, const json_t *root, int64_t unix_s)
{
    const char *token = json_string_value(json_object_get(root, "access_token"));
    const char *type = json_string_value(json_object_get(root, "token_type"));
    int64_t life_s = number_of(json_object_get(root, "expires_in"));
    int64_t expires_on = number_of(json_object_get(root, "expires_on"));
    int64_t refresh_s = number_of(json_object_get(root, "refresh_in"));

    if (life_s < 0 && expires_on >= 0)
        life_s = expires_on - unix_s;
    if (!is_token(token) || life_s <= 0 || (type && strcasecmp(type, "Bearer") != 0)) {
        out->verdict = TOKEN_AGAIN;
        out->remedy = "it holds no bearer token with a time to live";
        return;
    }
    out->verdict = TOKEN_GRANTED;
    out->token = strdup(token);
    if (!out->token)
        abort(); /* out of memory: mem.h's policy */
    out->expires_in_s = life_s < TOKEN_LIFE_MAX_S ? life_s : TOKEN_LIFE_MAX_S;
    out->refresh_in_s = refresh_s > 0 && refresh_s < out->expires_in_s ? refresh_s : 0;
}

/* The number that error_codes or the description ("AADSTS700213: …") names; 0 when neither does. */
static int64_t number_of_error(const json_t *root, const char *description)
{
    int64_t number = number_of(json_array_get(json_object_get(root, "error_codes"), 0));
    const char *at = description ? strstr(description, "AADSTS") : NULL;

    if (number <= 0 && at)
        number = strtoll(at + strlen("AADSTS"), NULL, 10);
    return number > 0 ? number : 0;
}

static bool is_passing_status(int status)
{
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

static void judge_entra(struct token_answer *out, const json_t *root)
{
    const char *description = json_string_value(json_object_get(root, "error_description"));
    const char *error = json_string_value(json_object_get(root, "error"));
    int64_t number = number_of_error(root, description);

    copy_printable(out->trace_id, json_string_value(json_object_get(root, "trace_id")));
    copy_printable(out->message, description);
    copy_printable(out->code, error);
    if (number)
        snprintf(out->code, sizeof(out->code), "AADSTS%" PRId64, number);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].number == number) {
            out->verdict = rows[i].verdict;
            out->remedy = rows[i].remedy;
            return;
        }
    if (is_passing_status(out->status) || (error && strcmp(error, "temporarily_unavailable") == 0))
        out->verdict = TOKEN_AGAIN;
    else if (!error && !number)
        out->remedy = not_an_issuer;
}

/* 404 and 410 it says while it starts or is being updated. */
static void judge_imds(struct token_answer *out, const json_t *root)
{
    copy_printable(out->message, json_string_value(json_object_get(root, "error_description")));
    copy_printable(out->code, json_string_value(json_object_get(root, "error")));
    if (is_passing_status(out->status) || out->status == 404 || out->status == 410)
        out->verdict = TOKEN_AGAIN;
    else if (out->status == 400)
        out->remedy =
            "the machine has no such identity: assign one, and name it in AZURE_CLIENT_ID if it has "
            "several; in Kubernetes take workload identity";
    else if (!*out->code)
        out->remedy = not_an_issuer;
}

void token_answer_read(
    struct token_answer *out, enum azure_way way, int status, const char *body, size_t length, int64_t unix_s)
{
    struct error e;
    json_t *root = json_parse(body, length, &e);

    *out = (struct token_answer){.verdict = TOKEN_REFUSED, .status = status};
    if (status == 200)
        read_grant(out, root, unix_s);
    else if (way == AZURE_WAY_WORKLOAD)
        judge_entra(out, root);
    else
        judge_imds(out, root);
    json_decref(root);
}

void token_answer_explain(const struct token_answer *a, enum azure_way way, struct error *e)
{
    const char *words = a->remedy ? a->remedy : a->message;

    error_set(e, ERROR_STORE_AWAY, "%s answered %d%s%s%s%s%s%.40s",
        way == AZURE_WAY_WORKLOAD ? "Entra ID" : "the metadata service", a->status, *a->code ? " " : "",
        a->code, *words ? ": " : "", words, *a->trace_id ? "; trace id " : "", a->trace_id);
}

int token_answer_tries(enum azure_way way, enum token_verdict verdict)
{
    switch (verdict) {
    case TOKEN_AGAIN:
        return way == AZURE_WAY_MANAGED ? IMDS_TRIES : ANSWER_RETRIES_MAX + 1;
    case TOKEN_UNMATCHED:
        return (int)ARRAY_LENGTH(unmatched_ms) + 1;
    case TOKEN_REREAD:
        return 2;
    default:
        return 1;
    }
}

static int64_t spread(int64_t ms, uint32_t random)
{
    return ms * (900 + (int64_t)(random % 201)) / 1000;
}

int64_t token_answer_delay_ms(enum token_verdict verdict, int tries, int64_t wait_ms, uint32_t random)
{
    size_t n = tries > 0 ? (size_t)tries - 1 : 0;

    if (verdict == TOKEN_REREAD)
        return 0;
    if (verdict == TOKEN_UNMATCHED)
        return spread(
            unmatched_ms[n < ARRAY_LENGTH(unmatched_ms) ? n : ARRAY_LENGTH(unmatched_ms) - 1], random);
    if (wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    return answer_retry_delay_ms(tries, wait_ms, random);
}

int64_t token_answer_refresh_ms(const struct token_answer *a, uint32_t random)
{
    int64_t delay_ms = a->refresh_in_s ? a->refresh_in_s * 1000 : a->expires_in_s * 500;
    int64_t latest_ms = (a->expires_in_s - REFRESH_EARLY_S) * 1000;

    return spread(latest_ms > 0 && delay_ms > latest_ms ? latest_ms : delay_ms, random);
}

void token_answer_release(struct token_answer *a)
{
    if (a->token)
        OPENSSL_cleanse(a->token, strlen(a->token));
    free(a->token);
    a->token = NULL;
}
