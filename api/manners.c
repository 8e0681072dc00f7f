#include "api/manners.h"
#include "api/api.h"
#include "api/digits.h"
#include "api/wire/tls.h"
#include "common/base/clock.h"

#include <openssl/rand.h>

enum { TRACE_LENGTH = 55, SPAN_AT = 36, SPAN_LENGTH = 16, FLAGS_AT = 53 };

/* ---- what a request brings ---- */

static bool is_request_id(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-");

    return length > 0 && length < REQUEST_ID_SIZE && text[length] == '\0';
}

static bool is_hex(const char *text, size_t length, bool may_be_zero)
{
    size_t zeroes = 0;

    for (size_t i = 0; i < length; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
        zeroes += text[i] == '0';
    }
    return may_be_zero || zeroes < length;
}

bool trace_continue(const char *text, const char span_id[17], char out[TRACEPARENT_SIZE])
{
    size_t length = strlen(text);
    bool is_version_0 = strncmp(text, "00", 2) == 0;

    *out = '\0';
    if (length < TRACE_LENGTH || (length > TRACE_LENGTH && (is_version_0 || text[TRACE_LENGTH] != '-')))
        return false;
    if (!is_hex(text, 2, true) || strncmp(text, "ff", 2) == 0 || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || !is_hex(text + 3, 32, false) || !is_hex(text + SPAN_AT, SPAN_LENGTH, false) ||
        !is_hex(text + FLAGS_AT, 2, true))
        return false;
    snprintf(out, TRACEPARENT_SIZE, "00-%.32s-%.16s-%s", text + 3, span_id, (text[54] & 1) ? "01" : "00");
    return true;
}

static void begin_trace(struct exchange *x, const char *traceparent)
{
    unsigned char random[SPAN_LENGTH / 2];
    char span_id[SPAN_LENGTH + 1];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(span_id + 2 * i, 3, "%02x", random[i]);
    if (trace_continue(traceparent, span_id, x->traceparent))
        snprintf(x->parent_span_id, sizeof(x->parent_span_id), "%.16s", traceparent + SPAN_AT);
}

void manners_begin(struct exchange *x)
{
    const char *id = exchange_header(x, "X-Request-Id");
    const char *traceparent = exchange_header(x, "traceparent");

    if (id && is_request_id(id))
        memcpy(x->request_id, id, strlen(id) + 1);
    else
        id_generate_ulid(&x->api->ids, x->request_id);
    if (traceparent)
        begin_trace(x, traceparent);
}

/* ---- what an answer has ---- */

bool origin_is_allowed(const char *allowed, const char *origin)
{
    size_t length = strlen(origin);

    if (strcmp(allowed, "*") == 0)
        return true;
    while (*allowed) {
        size_t n = strcspn(allowed, ",");

        if (n == length && strncmp(allowed, origin, n) == 0)
            return true;
        allowed += n;
        allowed += strspn(allowed, ", ");
    }
    return false;
}

static bool add_origin(struct exchange *x)
{
    const char *allowed = x->api->config->cors_origins;
    const char *origin = *allowed ? exchange_header(x, "Origin") : NULL;
    bool is_any = strcmp(allowed, "*") == 0;

    if (*allowed && !is_any)
        exchange_add_header(x, "Vary", "Origin");
    if (!origin || !origin_is_allowed(allowed, origin))
        return false;
    exchange_add_header(x, "Access-Control-Allow-Origin", is_any ? "*" : origin);
    return true;
}

void manners_add_headers(struct exchange *x)
{
    int64_t us = clock_steady_us() - x->started_us;
    char text[8 + DIGITS_SIZE + 5] = "app;dur=";

    exchange_add_header(x, "X-Request-Id", x->request_id);
    digits_write_ms(text + 8, us);
    exchange_add_header(x, "Server-Timing", text);
    if (tls_is_wanted(x->api->config))
        exchange_add_header(x, "Strict-Transport-Security", "max-age=31536000");
    if (add_origin(x))
        exchange_add_header(x, "Access-Control-Expose-Headers",
            "Content-Location, ETag, Link, Location, Operation-Location, Preference-Applied, RateLimit, "
            "RateLimit-Policy, Retry-After, Server-Timing, X-Request-Id");
}

void manners_answer_options(struct exchange *x, const char *allow)
{
    const char *origin = exchange_header(x, "Origin");
    char methods[80];

    snprintf(methods, sizeof(methods), "%s, OPTIONS", allow);
    exchange_add_header(x, "Allow", methods);
    if (origin && exchange_header(x, "Access-Control-Request-Method") &&
        origin_is_allowed(x->api->config->cors_origins, origin)) {
        exchange_add_header(x, "Access-Control-Allow-Methods", methods);
        exchange_add_header(x, "Access-Control-Allow-Headers",
            "Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
            "Last-Event-ID, "
            "Prefer, Range, X-API-Key, X-Request-Id, traceparent");
        exchange_add_header(x, "Access-Control-Max-Age", "600");
    }
    exchange_reply(x, 204, NULL, "", 0);
}

void manners_check(const struct config *config, struct buf *mistakes)
{
    const char *at = config->cors_origins;

    if (strcmp(at, "*") == 0)
        return;
    while (*at) {
        size_t length = strcspn(at, ",");
        size_t scheme = strncmp(at, "https://", 8) == 0 ? 8 : strncmp(at, "http://", 7) == 0 ? 7 : 0;

        if (!scheme || length <= scheme || memchr(at + scheme, '/', length - scheme)) {
            config_mistake(mistakes, "CORS_ORIGINS",
                "is neither * nor origins such as https://app.example.com, with commas between");
            return;
        }
        at += length;
        at += strspn(at, ", ");
    }
}
