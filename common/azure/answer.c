#include "common/azure/answer.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>

enum { DELAY_BASE_MS = 800, DELAY_MAX_MS = 60000, WAIT_MAX_S = 86400, CONTAINER_DELETION_MS = 30000 };

/* The first row that fits counts. status 0 fits any, a code of NULL too. */
static const struct row {
    int status;
    const char *code;
    enum answer_verdict verdict;
    const char *remedy;
} rows[] = {
    /* An emulator says this with a status of 500. */
    {0, "FeatureNotSupported", ANSWER_REFUSED, "this store (an emulator?) does not have what was asked for"},
    {404, "BlobNotFound", ANSWER_NO_BLOB, NULL},
    {404, "ContainerNotFound", ANSWER_NO_CONTAINER,
        "the container does not exist; it is made at the next check of the store"},
    {409, "BlobAlreadyExists", ANSWER_EXISTS, NULL},
    {409, "ContainerAlreadyExists", ANSWER_EXISTS, NULL},
    {409, "ContainerBeingDeleted", ANSWER_AGAIN, "the container is being deleted, which takes at least 30 s"},
    {409, "MemoryExtentStoreAtSizeLimit", ANSWER_LATER,
        "the emulator's memory is full: give it --extentMemoryLimit or a --location"},
    {400, "Md5Mismatch", ANSWER_AGAIN, "the content was damaged on its way"},
    /* A rival's commit drops what was staged. */
    {400, "InvalidBlockList", ANSWER_BLOCKS_GONE, NULL},
    {400, "InvalidHeaderValue", ANSWER_REFUSED,
        "an emulator older than Azurite 3.35 does not know the REST version in use"},
    {401, NULL, ANSWER_REFUSED,
        "it does not take this token or key: is the account in the tenant of the identity?"},
    {403, "AuthenticationFailed", ANSWER_REFUSED,
        "the key or SAS is not this account's, the SAS or token has expired, or this clock is off by over 15 "
        "minutes"},
    {403, "AuthorizationFailure", ANSWER_REFUSED,
        "the account's network rules keep this host out (an emulator: the key is wrong)"},
    {403, "AuthorizationPermissionMismatch", ANSWER_REFUSED,
        "it takes the role Storage Blob Data Contributor on the container"},
    {403, "KeyBasedAuthenticationNotPermitted", ANSWER_REFUSED,
        "the account forbids shared key access: take AZURE_AUTH=workload or managed"},
    {403, "AccountIsDisabled", ANSWER_REFUSED, "the account is disabled: enable it in the portal"},
    {408, NULL, ANSWER_AGAIN, NULL},
    {429, NULL, ANSWER_AGAIN, NULL},
    {501, NULL, ANSWER_REFUSED, NULL},
    {505, NULL, ANSWER_REFUSED, NULL},
};

static const char not_a_store[] = "this is not from Blob Storage: is the URL right, is a proxy between?";

static void copy_printable(char out[ANSWER_TEXT_SIZE], const char *text, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used < ANSWER_TEXT_SIZE - 1; i++)
        if (text[i] >= ' ' && text[i] < 0x7f)
            out[used++] = text[i];
    out[used] = '\0';
}

/* Copies the first line of what stands between <name> and </name>. The store writes its errors in this one
 * flat form; it is for people and for the table above, so that a parser would gain nothing. */
static void copy_element(char out[ANSWER_TEXT_SIZE], const char *body, size_t length, const char *name)
{
    char tag[32];
    const char *start;
    const char *end;

    snprintf(tag, sizeof(tag), "<%s>", name);
    start = length ? memmem(body, length, tag, strlen(tag)) : NULL;
    out[0] = '\0';
    if (!start)
        return;
    start += strlen(tag);
    for (end = start; end < body + length && *end != '<' && *end != '\n' && *end != '\r'; end++)
        ;
    copy_printable(out, start, (size_t)(end - start));
}

static int64_t parse_number(const char *text, int64_t max)
{
    char *end;
    long long number;

    if (!text || !isdigit((unsigned char)*text))
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (*end)
        return -1;
    return errno || number > max ? max : number;
}

/* The order is that of Azure's SDKs. */
int64_t answer_wait_ms(answer_header *header, const void *arg, int64_t now_ms)
{
    int64_t ms = parse_number(header(arg, "retry-after-ms"), WAIT_MAX_S * 1000LL);
    const char *after = header(arg, "Retry-After");
    int64_t seconds = parse_number(after, WAIT_MAX_S);
    time_t date;

    if (ms < 0)
        ms = parse_number(header(arg, "x-ms-retry-after-ms"), WAIT_MAX_S * 1000LL);
    if (ms >= 0 || !after)
        return ms;
    if (seconds >= 0)
        return seconds * 1000;
    date = curl_getdate(after, NULL);
    if (date < 0)
        return -1;
    return date * 1000LL > now_ms ? date * 1000LL - now_ms : 0;
}

static bool fits(const struct row *row, const struct answer *a)
{
    return (row->status == 0 || row->status == a->status) && (!row->code || strcmp(row->code, a->code) == 0);
}

static void judge(struct answer *a)
{
    bool is_of_a_store = *a->code || *a->request_id;

    a->remedy = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (fits(&rows[i], a)) {
            a->verdict = rows[i].verdict;
            a->remedy = rows[i].remedy;
            return;
        }
    if (a->status >= 200 && a->status < 300) {
        a->verdict = ANSWER_DONE;
        a->remedy = not_a_store; /* for who expected another 2xx */
    } else if (a->status >= 500) {
        a->verdict = ANSWER_AGAIN;
    } else if (a->status == 404 && !*a->code && *a->request_id) {
        a->verdict = ANSWER_NO_BLOB;
    } else {
        a->verdict = ANSWER_REFUSED;
        a->remedy = is_of_a_store ? NULL : not_a_store;
    }
}

void answer_read(struct answer *out, int status, answer_header *header, const void *arg, const char *body,
    size_t body_length, int64_t now_ms)
{
    const char *code = header(arg, "x-ms-error-code");
    const char *request_id = header(arg, "x-ms-request-id");

    out->status = status;
    copy_printable(out->request_id, request_id ? request_id : "", request_id ? strlen(request_id) : 0);
    if (code)
        copy_printable(out->code, code, strlen(code));
    else
        copy_element(out->code, body, body_length, "Code");
    copy_element(out->message, body, body_length, "Message");
    judge(out);
    out->wait_ms = answer_wait_ms(header, arg, now_ms);
    if (strcmp(out->code, "ContainerBeingDeleted") == 0 && out->wait_ms < CONTAINER_DELETION_MS)
        out->wait_ms = CONTAINER_DELETION_MS;
}

void answer_explain(const struct answer *a, const char *what, struct error *e)
{
    bool is_passing =
        a->verdict == ANSWER_AGAIN || a->verdict == ANSWER_LATER || a->verdict == ANSWER_NO_CONTAINER;
    const char *words = a->remedy ? a->remedy : a->message;

    error_set(e, is_passing ? ERROR_STORE_AWAY : ERROR_STORE_REFUSED,
        "the blob store answered %d%s%s%s%s%s%s; %.90s", a->status, *a->code ? " " : "", a->code,
        *words ? ": " : "", words, *a->request_id ? "; its request id " : "", a->request_id, what);
}

int64_t answer_retry_delay_ms(int retry, int64_t wait_ms, uint32_t random)
{
    int64_t delay_ms = DELAY_BASE_MS;

    if (wait_ms >= 0)
        return wait_ms;
    while (--retry > 0 && delay_ms < DELAY_MAX_MS)
        delay_ms *= 2;
    delay_ms = delay_ms * (800 + (int64_t)(random % 501)) / 1000;
    return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
}
