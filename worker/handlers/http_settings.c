#include "worker/handlers/http_settings.h"
#include "common/base/mem.h"
#include "worker/handlers/handler.h"

#include <errno.h>
#include <event2/http.h>
#include <strings.h>

enum {
    URL_MAX = 2048,
    HEADERS_MAX = 16,
    HEADER_VALUE_MAX = 1024,
    PATH_MAX_BYTES = 1024,
    SCOPE_MAX = 256,
    IDLE_MAX_S =
        20, /* most servers keep an idle connection for longer; curl repeats what meets a closed one */
};

const char *const http_settings_fields[] = {"url", "request_content_type", "headers", "bearer_file",
    "bearer_scope", "connect_timeout_ms", "connections", NULL};

/* ---- the handlers file ---- */

static bool has_bearer(const struct http_settings *h)
{
    return h->bearer_file || h->bearer_scope;
}

static void show_url(struct http_settings *h)
{
    snprintf(h->shown_url, sizeof(h->shown_url), "%.*s", (int)strcspn(h->url, "?"), h->url);
}

static void parse_url(struct http_settings *h, struct spec *s)
{
    const char *url = spec_text(s, "url", true, URL_MAX);
    struct evhttp_uri *uri = url ? evhttp_uri_parse(url) : NULL;
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    bool is_plain = scheme && strcasecmp(scheme, "http") == 0;

    if (!url)
        return;
    if (!scheme || (!is_plain && strcasecmp(scheme, "https") != 0) || !evhttp_uri_get_host(uri) ||
        !*evhttp_uri_get_host(uri))
        spec_mistake(s, "url", "must be a URL such as https://name.azurewebsites.net/api/work");
    else if (evhttp_uri_get_userinfo(uri) || evhttp_uri_get_fragment(uri))
        spec_mistake(s, "url", "must hold neither a user nor a fragment");
    else if (is_plain && has_bearer(h))
        spec_mistake(s, "url", "must be https: a bearer token is never sent over plain http");
    if (uri)
        evhttp_uri_free(uri);
    h->url = mem_strdup(url);
    show_url(h);
}

static bool is_header_name(const char *name)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strspn(name, token);

    return length && length <= 64 && !name[length];
}

/* What the request says itself; and a secret does not belong into the handlers file. */
static const char *why_not(const char *name)
{
    static const char *const own[] = {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Content-Type", "Traceparent"};

    if (strcasecmp(name, "Authorization") == 0)
        return "is a secret: bearer_file or bearer_scope is for it";
    if (strncasecmp(name, "Jobgate-", 8) == 0)
        return "is set by jobgate itself";
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        if (strcasecmp(name, own[i]) == 0)
            return "is set by jobgate itself";
    return is_header_name(name) ? NULL : "is not the name of a header";
}

static bool is_header_value(const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != json_string_length(value) || strlen(text) > HEADER_VALUE_MAX)
        return false;
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void parse_headers(struct http_settings *h, struct spec *s)
{
    const json_t *object = json_object_get(s->object, "headers");
    AUTO(json) json_t *list = json_array();
    const char *name;
    const json_t *value;
    struct spec pairs;

    if (!object)
        return;
    if (!json_is_object(object) || json_object_size(object) > HEADERS_MAX) {
        spec_mistake(s, "headers", "must be an object of up to %d texts", HEADERS_MAX);
        return;
    }
    spec_enter(&pairs, s, "headers", object);
    json_object_foreach((json_t *)object, name, value)
    {
        const char *why = why_not(name);

        if (why)
            spec_mistake(&pairs, name, "%s", why);
        else if (!is_header_value(value))
            spec_mistake(
                &pairs, name, "must be a text of up to %d printable ASCII characters", HEADER_VALUE_MAX);
        else
            json_array_append_new(list, json_sprintf("%s: %s", name, json_string_value(value)));
    }
    h->headers = spec_copy_texts(list);
}

static void parse_bearer(struct http_settings *h, struct spec *s)
{
    const char *file = spec_text(s, "bearer_file", false, PATH_MAX_BYTES);
    const char *scope = spec_text(s, "bearer_scope", false, SCOPE_MAX);

    if (file && *file != '/')
        spec_mistake(s, "bearer_file", "must be an absolute path");
    if (file && scope)
        spec_mistake(s, "bearer_scope", "must not stand together with bearer_file");
    h->bearer_file = file ? mem_strdup(file) : NULL;
    h->bearer_scope = scope ? mem_strdup(scope) : NULL;
}

void *http_settings_parse(struct spec *s, const char **UNUSED(content_type))
{
    struct http_settings *h = mem_zalloc(sizeof(*h));
    const char *type = spec_text(s, "request_content_type", false, MEDIA_TYPE_SIZE - 1);

    parse_bearer(h, s);
    parse_url(h, s);
    parse_headers(h, s);
    if (type && !content_type_is_valid(type))
        spec_mistake(s, "request_content_type", "must be a media type such as text/plain");
    h->request_content_type = mem_strdup(type ? type : "application/json");
    h->connect_timeout_ms = spec_int(s, "connect_timeout_ms", 5000, 100, 60000);
    h->connections = (int)spec_int(s, "connections", 16, 1, 1024);
    return h;
}

void http_settings_release(void *settings)
{
    struct http_settings *h = settings;

    if (!h)
        return;
    http_client_free(h->client);
    credential_free(h->credential);
    free(h->url);
    free(h->request_content_type);
    free(h->headers);
    free(h->bearer_file);
    free(h->bearer_scope);
    free(h);
}

/* ---- what its requests share ---- */

bool http_settings_open(struct http_settings *h, struct loop *l, const struct config *config, struct error *e)
{
    struct error why;

    if (h->bearer_scope && !h->credential) {
        if (!config)
            return error_set(e, ERROR_HANDLER_START, "bearer_scope: there is no identity here");
        h->credential = credential_open_scope(l, config, h->bearer_scope, &why);
        if (!h->credential)
            return error_set(e, ERROR_HANDLER_START, "bearer_scope: %s", why.text);
    }
    if (!h->client)
        h->client = http_client_new(l, h->connections, IDLE_MAX_S);
    return true;
}

bool http_settings_read_bearer(const struct http_settings *h, struct buf *token, struct error *e)
{
    FILE *file = fopen(h->bearer_file, "re");
    char *room = buf_reserve(token, BEARER_MAX_BYTES - 1);
    size_t length = file && room ? fread(room, 1, BEARER_MAX_BYTES - 1, file) : 0;
    int why = errno;

    if (file)
        fclose(file);
    while (length && strchr(" \t\r\n", room[length - 1]))
        length--;
    buf_added(token, length);
    if (!file)
        return error_set(e, ERROR_HANDLER_AWAY, "bearer_file %.120s: %s", h->bearer_file, strerror(why));
    for (size_t i = 0; i < length; i++)
        if (token->data[i] <= ' ' || token->data[i] > '~')
            length = 0;
    if (!length)
        return error_set(e, ERROR_HANDLER_AWAY, "bearer_file %.120s: it holds no token (one line of ASCII)",
            h->bearer_file);
    return true;
}

bool http_settings_check(
    struct http_settings *h, struct loop *l, const struct config *config, struct error *e)
{
    AUTO_BUF struct buf token = BUF(BEARER_MAX_BYTES);

    return http_settings_open(h, l, config, e) &&
           (!h->bearer_file || http_settings_read_bearer(h, &token, e));
}
