#include "common/azure/sign.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { STRING_MAX = 32768 };

/* A name and a value within a text that somebody else owns. */
struct pair {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

/* The headers that have a line of their own, in the order of the lines; Content-Length stands between them.
 */
static const char *const before_length[] = {"Content-Encoding", "Content-Language"};
static const char *const behind_length[] = {"Content-MD5", "Content-Type", "Date", "If-Modified-Since",
    "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool split_header(const char *line, struct pair *out, struct error *e)
{
    const char *colon = strchr(line, ':');
    const char *end = line + strlen(line);

    if (!colon || strpbrk(line, "\r\n")) {
        error_set(e, ERROR_INVALID, "a header without a colon, or with a line break in it, cannot be signed");
        return false;
    }
    *out = (struct pair){.name = line, .name_length = (size_t)(colon - line), .value = colon + 1};
    while (is_space(*out->value))
        out->value++;
    while (end > out->value && is_space(end[-1]))
        end--;
    out->value_length = (size_t)(end - out->value);
    return true;
}

static bool split_headers(
    const struct sign_request *request, struct pair out[SIGN_HEADERS_MAX], struct error *e)
{
    if (request->header_count > SIGN_HEADERS_MAX) {
        error_set(e, ERROR_TOO_BIG, "more than %d headers cannot be signed", SIGN_HEADERS_MAX);
        return false;
    }
    for (size_t i = 0; i < request->header_count; i++)
        if (!split_header(request->headers[i], &out[i], e))
            return false;
    return true;
}

static int compare_texts(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t common = a_length < b_length ? a_length : b_length;
    int order = strncasecmp(a, b, common);

    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* By name, and by value where a name stands twice. */
static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left;
    const struct pair *b = right;
    int order = compare_texts(a->name, a->name_length, b->name, b->name_length);

    return order ? order : compare_texts(a->value, a->value_length, b->value, b->value_length);
}

static void append_lower(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_append_char(out, (char)tolower((unsigned char)text[i]));
}

static void append_standard_header(
    struct buf *out, const char *name, const struct pair *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (compare_texts(headers[i].name, headers[i].name_length, name, strlen(name)) == 0)
            buf_append(out, headers[i].value, headers[i].value_length);
    buf_append_char(out, '\n');
}

static void append_standard_headers(
    struct buf *out, const struct sign_request *request, const struct pair *headers, size_t count)
{
    for (size_t i = 0; i < ARRAY_LENGTH(before_length); i++)
        append_standard_header(out, before_length[i], headers, count);
    if (request->content_length)
        buf_append_int(out, (int64_t)request->content_length);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < ARRAY_LENGTH(behind_length); i++)
        append_standard_header(out, behind_length[i], headers, count);
}

/* Drops what does not begin with "x-ms-" and sorts the rest; returns how many are left. */
static size_t keep_x_ms_headers(struct pair *headers, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (headers[i].name_length > 5 && strncasecmp(headers[i].name, "x-ms-", 5) == 0)
            headers[kept++] = headers[i];
    qsort(headers, kept, sizeof(*headers), compare_pairs);
    return kept;
}

static void append_x_ms_headers(struct buf *out, const struct pair *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        append_lower(out, headers[i].name, headers[i].name_length);
        buf_append_char(out, ':');
        buf_append(out, headers[i].value, headers[i].value_length);
        buf_append_char(out, '\n');
    }
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void append_decoded(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = text[i] == '%' && i + 2 < length ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

        if (low >= 0) {
            buf_append_char(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_append_char(out, text[i]);
        }
    }
}

static bool split_query(
    const char *query, struct pair out[SIGN_PARAMETERS_MAX], size_t *count, struct error *e)
{
    *count = 0;
    if (strchr(query, '+')) {
        error_set(e, ERROR_INVALID, "a query with '+' in it cannot be signed: send %%20 or %%2B");
        return false;
    }
    for (; *query; query += *query == '&') {
        size_t length = strcspn(query, "&");
        size_t name_length = strcspn(query, "=&");

        if (*count == SIGN_PARAMETERS_MAX) {
            error_set(
                e, ERROR_TOO_BIG, "more than %d query parameters cannot be signed", SIGN_PARAMETERS_MAX);
            return false;
        }
        if (length)
            out[(*count)++] = (struct pair){query, name_length, query + name_length + (name_length < length),
                length - name_length - (name_length < length)};
        query += length;
    }
    qsort(out, *count, sizeof(*out), compare_pairs);
    return true;
}

static void append_resource(struct buf *out, const char *account, const struct sign_request *request,
    const struct pair *parameters, size_t count)
{
    buf_append_char(out, '/');
    buf_append_text(out, account);
    buf_append_text(out, request->path);
    for (size_t i = 0; i < count; i++) {
        const struct pair *p = &parameters[i];

        if (i && compare_texts(p->name, p->name_length, p[-1].name, p[-1].name_length) == 0) {
            buf_append_char(out, ',');
        } else {
            buf_append_char(out, '\n');
            append_lower(out, p->name, p->name_length);
            buf_append_char(out, ':');
        }
        append_decoded(out, p->value, p->value_length);
    }
}

bool sign_append_string(
    const struct sign_request *request, const char *account, struct buf *out, struct error *e)
{
    struct pair headers[SIGN_HEADERS_MAX];
    struct pair parameters[SIGN_PARAMETERS_MAX];
    size_t parameter_count;
    size_t x_ms_count;

    if (!split_headers(request, headers, e) || !split_query(request->query, parameters, &parameter_count, e))
        return false;
    buf_append_text(out, request->method);
    buf_append_char(out, '\n');
    append_standard_headers(out, request, headers, request->header_count);
    x_ms_count = keep_x_ms_headers(headers, request->header_count);
    append_x_ms_headers(out, headers, x_ms_count);
    append_resource(out, account, request, parameters, parameter_count);
    if (buf_is_overflown(out))
        return error_set(e, ERROR_TOO_BIG, "the string to sign is larger than %zu bytes", out->ceiling);
    return true;
}

bool sign_append_authorization(
    const struct sign_request *request, const struct azure_account *account, struct buf *out, struct error *e)
{
    AUTO_BUF struct buf string = BUF(STRING_MAX);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned char signature[4 * EVP_MAX_MD_SIZE / 3 + 4];
    unsigned mac_length;

    if (!sign_append_string(request, account->name, &string, e))
        return false;
    if (!HMAC(EVP_sha256(), account->key, (int)account->key_length, (unsigned char *)string.data,
            string.length, mac, &mac_length))
        return error_set(e, ERROR_INTERNAL, "OpenSSL has no HMAC-SHA256");
    EVP_EncodeBlock(signature, mac, (int)mac_length);
    if (!buf_printf(out, "Authorization: SharedKey %s:%s", account->name, (char *)signature))
        return error_set(e, ERROR_TOO_BIG, "the Authorization header is larger than %zu bytes", out->ceiling);
    return true;
}
