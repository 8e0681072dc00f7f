#include "tests/support/http.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/record.h"

#include <check.h>
#include <curl/curl.h>

enum { HEADERS_MAX = 1 << 18, BODY_MAX = 1 << 28, TIMEOUT_MS = 30000 };

static size_t take_body(char *data, size_t size, size_t count, void *reply)
{
    return buf_append(&((struct http_reply *)reply)->body, data, size * count) ? size * count : 0;
}

/* A new status line begins the headers of another response: those of a 100 before it are forgotten. */
static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_reply *reply = arg;

    if (size * count > 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_reset(&reply->headers);
        return size * count;
    }
    return buf_append(&reply->headers, data, size * count) ? size * count : 0;
}

static void add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);

    ck_assert_ptr_nonnull(longer);
    *list = longer;
}

static struct curl_slist *request_headers(const struct http_ask *ask)
{
    struct curl_slist *list = NULL;

    add_header(&list, "Expect:");
    add_header(&list, "Content-Type:");
    for (const char *const *header = ask->headers; header && *header; header++)
        add_header(&list, *header);
    return list;
}

static void perform(CURL *curl, const struct http_ask *ask, struct http_reply *reply)
{
    CURLcode code;
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_URL, ask->url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(ask->timeout_ms ? ask->timeout_ms : TIMEOUT_MS));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    if (ask->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body_length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body);
    }
    if (ask->method && strcmp(ask->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (ask->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = code == CURLE_OK ? (int)status : 0;
    snprintf(reply->failure, sizeof(reply->failure), "%s", code == CURLE_OK ? "" : curl_easy_strerror(code));
}

void http_ask(const struct http_ask *ask, struct http_reply *reply)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = request_headers(ask);

    ck_assert_ptr_nonnull(curl);
    http_reply_release(reply);
    *reply = (struct http_reply){.headers = BUF(HEADERS_MAX), .body = BUF(BODY_MAX)};
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    perform(curl, ask, reply);
    record_answer(ask, reply);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

void http_get(const char *url, struct http_reply *reply)
{
    http_ask(&(struct http_ask){.url = url}, reply);
}

void http_post_json(const char *url, const char *json, struct http_reply *reply)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};

    http_ask(
        &(struct http_ask){.url = url, .headers = headers, .body = json, .body_length = strlen(json)}, reply);
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->headers);
    buf_release(&reply->body);
}

char *http_reply_header(const struct http_reply *reply, const char *name)
{
    const char *line = reply->headers.data;
    const char *end;

    for (; (end = strstr(line, "\r\n")); line = end + 2) {
        const char *value = line + strlen(name);

        if (end <= value || strncasecmp(line, name, strlen(name)) != 0 || *value != ':')
            continue;
        value++;
        value += strspn(value, " \t");
        return strndup(value, value < end ? (size_t)(end - value) : 0);
    }
    return NULL;
}

json_t *http_reply_json(const struct http_reply *reply)
{
    struct error e = {0};
    json_t *value = json_parse(reply->body.data, reply->body.length, &e);

    ck_assert_msg(value != NULL, "status %d %s, and the body is no JSON: %s: %.2000s", reply->status,
        reply->failure, e.text, reply->body.data);
    return value;
}

/* Source: RFC 6901; the escapes ~0 and ~1 are not needed here. */
const json_t *json_at(const json_t *value, const char *pointer)
{
    while (value && *pointer == '/') {
        size_t length = strcspn(++pointer, "/");
        char step[128];

        snprintf(step, sizeof(step), "%.*s", (int)length, pointer);
        value = json_is_array(value) ? json_array_get(value, strtoul(step, NULL, 10))
                                     : json_object_get(value, step);
        pointer += length;
    }
    return value;
}

static const json_t *wanted_at(const json_t *value, const char *pointer, json_type type)
{
    const json_t *at = json_at(value, pointer);
    AUTO_BUF struct buf text = BUF(1 << 20);

    if (!at || json_typeof(at) != type) {
        json_write_value(&text, value);
        ck_abort_msg("no %s at %s in %s", type == JSON_STRING ? "string" : "integer", pointer, text.data);
    }
    return at;
}

const char *json_text_at(const json_t *value, const char *pointer)
{
    return json_string_value(wanted_at(value, pointer, JSON_STRING));
}

json_int_t json_int_at(const json_t *value, const char *pointer)
{
    return json_integer_value(wanted_at(value, pointer, JSON_INTEGER));
}
