#include "common/azure/token_request.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <event2/http.h>
#include <openssl/crypto.h>
#include <strings.h>

enum { ASSERTION_MAX = 65536 };

#define ASSERTION_TYPE "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
#define DEFAULT_SUFFIX "/.default"

static void append_encoded(struct buf *out, const char *text)
{
    char *encoded = evhttp_uriencode(text, -1, 0);

    if (!encoded)
        abort(); /* out of memory: mem.h's policy */
    buf_append_text(out, encoded);
    OPENSSL_cleanse(encoded, strlen(encoded));
    free(encoded);
}

/* A JWT: base64url and dots. */
static bool is_assertion(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=");

    return *text && !text[length];
}

static bool read_assertion(const char *path, char out[ASSERTION_MAX], struct error *e)
{
    FILE *file = fopen(path, "re");
    size_t length;

    if (!file)
        return error_set(e, ERROR_INVALID, "AZURE_FEDERATED_TOKEN_FILE: %.150s: %s", path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* leaves no copy in a buffer */
    length = fread(out, 1, ASSERTION_MAX - 1, file);
    fclose(file);
    while (length && isspace((unsigned char)out[length - 1]))
        length--;
    out[length] = '\0';
    return is_assertion(out) ||
           error_set(e, ERROR_INVALID,
               "AZURE_FEDERATED_TOKEN_FILE: %.150s: holds no token of a service account", path);
}

static bool make_exchange(
    struct token_request *out, const struct config *config, const char *scope, struct error *e)
{
    const char *host = config->authority_host;
    size_t length = strlen(host);
    char *assertion = mem_alloc(ASSERTION_MAX);
    bool is_read = read_assertion(config->federated_token_file, assertion, e);

    while (length && host[length - 1] == '/')
        length--;
    out->method = "POST";
    out->header = "Content-Type: application/x-www-form-urlencoded";
    snprintf(out->url, sizeof(out->url), "%.*s/%s/oauth2/v2.0/token", (int)length, host, config->tenant_id);
    if (is_read) {
        char *room = buf_reserve(&out->body, 4096 + 3 * strlen(assertion)); /* grows no more: no copies */

        assert(room);
        buf_append_text(
            &out->body, "grant_type=client_credentials&client_assertion_type=" ASSERTION_TYPE "&client_id=");
        append_encoded(&out->body, config->client_id);
        buf_append_text(&out->body, "&scope=");
        append_encoded(&out->body, scope);
        buf_append_text(&out->body, "&client_assertion=");
        buf_append_text(&out->body, assertion); /* nothing in it has to be encoded */
    }
    OPENSSL_cleanse(assertion, ASSERTION_MAX);
    free(assertion);
    return is_read;
}

/* The resource is the scope without what version 2 of Entra's endpoint wants behind it. */
static void make_imds(struct token_request *out, const struct config *config, const char *scope)
{
    AUTO_BUF struct buf url = BUF(TOKEN_URL_SIZE - 1);
    const char *host = config->imds_host;
    size_t length = strlen(host);
    size_t scope_length = strlen(scope);
    char resource[256];

    while (length && host[length - 1] == '/')
        length--;
    if (scope_length > strlen(DEFAULT_SUFFIX) &&
        strcmp(scope + scope_length - strlen(DEFAULT_SUFFIX), DEFAULT_SUFFIX) == 0)
        scope_length -= strlen(DEFAULT_SUFFIX);
    snprintf(resource, sizeof(resource), "%.*s", (int)scope_length, scope);
    buf_printf(
        &url, "%.*s/metadata/identity/oauth2/token?api-version=2018-02-01&resource=", (int)length, host);
    append_encoded(&url, resource);
    if (*config->client_id) {
        buf_append_text(&url, "&client_id=");
        append_encoded(&url, config->client_id);
    }
    out->method = "GET";
    out->header = "Metadata: true";
    snprintf(out->url, sizeof(out->url), "%s", url.data);
}

bool token_request_make(struct token_request *out, const struct config *config, enum azure_way way,
    const char *scope, struct error *e)
{
    *out = (struct token_request){.body = BUF(TOKEN_BODY_MAX * 2)};
    if (way == AZURE_WAY_WORKLOAD)
        return make_exchange(out, config, scope, e);
    make_imds(out, config, scope);
    return true;
}

void token_request_release(struct token_request *q)
{
    if (q->body.size)
        OPENSSL_cleanse(q->body.data, q->body.size);
    buf_release(&q->body);
}

/* What stands in a URL's path as it is. */
static bool check_id(const char *setting, const char *text, struct error *e)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return error_set(
                e, ERROR_INVALID, "%s: \"%.60s\" is no id: letters, digits, '-', '.' and '_'", setting, text);
    return true;
}

static bool is_near(const char *host)
{
    return strncmp(host, "169.254.", 8) == 0 || strncmp(host, "127.", 4) == 0 ||
           strcasecmp(host, "localhost") == 0;
}

/* The token of the service account is as good as a password: it goes out encrypted. IMDS speaks plain http,
 * on an address that no router passes on. */
static bool check_host(const char *setting, const char *text, bool may_be_near, struct error *e)
{
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    bool is_https = scheme && strcasecmp(scheme, "https") == 0;
    bool is_right = scheme && host && *host && !evhttp_uri_get_userinfo(uri) && !evhttp_uri_get_query(uri) &&
                    !evhttp_uri_get_fragment(uri) && (!path || strspn(path, "/") == strlen(path)) &&
                    strlen(text) < TOKEN_URL_SIZE / 2 &&
                    (is_https || (may_be_near && strcasecmp(scheme, "http") == 0 && is_near(host)));

    if (uri)
        evhttp_uri_free(uri);
    return is_right || error_set(e, ERROR_INVALID, "%s: \"%.80s\" is not %s", setting, text,
                           may_be_near ? "https://host, or http:// and an address of this host or 169.254.x.x"
                                       : "https://host, such as https://login.microsoftonline.com/");
}

bool token_request_check(const struct config *config, enum azure_way way, struct error *e)
{
    if (!check_id("AZURE_CLIENT_ID", config->client_id, e))
        return false;
    if (way == AZURE_WAY_MANAGED)
        return check_host("AZURE_POD_IDENTITY_AUTHORITY_HOST", config->imds_host, true, e);
    return check_id("AZURE_TENANT_ID", config->tenant_id, e) &&
           check_host("AZURE_AUTHORITY_HOST", config->authority_host, false, e);
}
