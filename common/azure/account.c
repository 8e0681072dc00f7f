#include "common/azure/account_priv.h"
#include "common/base/buf.h"

#include <event2/http.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <strings.h>

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_account_name(const char *text, size_t length)
{
    if (length < 3 || length >= ACCOUNT_NAME_SIZE)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_lower_alnum(text[i]))
            return false;
    return true;
}

static bool is_container_name(const char *text, size_t length)
{
    if (length < 3 || length >= ACCOUNT_CONTAINER_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_edge = i == 0 || i == length - 1;

        if (!is_lower_alnum(text[i]) && (text[i] != '-' || is_edge || text[i - 1] == '-'))
            return false;
    }
    return true;
}

bool account_set_name(
    struct azure_account *a, const char *setting, const char *text, size_t length, struct error *e)
{
    if (!is_account_name(text, length))
        return error_set(e, ERROR_INVALID,
            "%s: the account's name \"%.*s\" is not one: 3 to 24 lower-case letters and digits", setting,
            length > 40 ? 40 : (int)length, text);
    snprintf(a->name, sizeof(a->name), "%.*s", (int)length, text);
    return true;
}

bool account_set_container(
    struct azure_account *a, const char *setting, const char *text, size_t length, struct error *e)
{
    if (!is_container_name(text, length))
        return error_set(e, ERROR_INVALID,
            "%s: the container \"%.*s\" is not a container's name: 3 to 63 lower-case letters, digits and "
            "single "
            "hyphens between them",
            setting, length > 40 ? 40 : (int)length, text);
    snprintf(a->container, sizeof(a->container), "%.*s", (int)length, text);
    return true;
}

/* The bytes that text stands for, 0 when it is not base64 or more than a key holds. EVP_DecodeBlock passes
 * over blanks and knows nothing of padding: both are looked at here. */
static size_t decoded_length(const char *text, size_t length)
{
    size_t digits = length;

    while (digits && length - digits < 2 && text[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++)
        if (!is_lower_alnum(text[i]) && !(text[i] >= 'A' && text[i] <= 'Z') && text[i] != '+' &&
            text[i] != '/')
            return 0;
    if (length % 4 || length / 4 * 3 > ACCOUNT_KEY_MAX + 2)
        return 0;
    return length / 4 * 3 - (length - digits);
}

bool account_set_key(
    struct azure_account *a, const char *setting, const char *text, size_t length, struct error *e)
{
    size_t key_length = decoded_length(text, length);
    uint8_t bytes[ACCOUNT_KEY_MAX + 4];

    if (key_length == 0 || key_length > ACCOUNT_KEY_MAX)
        return error_set(e, ERROR_INVALID,
            "%s: the account's key is not base64: copy it whole, its two '=' at the end too", setting);
    EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    memcpy(a->key, bytes, key_length);
    a->key_length = key_length;
    a->way = AZURE_WAY_KEY;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

/* Printable, without what would end a query or a header. */
static bool is_query(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("#?\"<>\\", text[i]))
            return false;
    return true;
}

bool account_set_sas(
    struct azure_account *a, const char *setting, const char *text, size_t length, struct error *e)
{
    char sas[ACCOUNT_SAS_SIZE];
    bool is_signed;

    if (length && *text == '?')
        text++, length--;
    if (length >= sizeof(sas) || !is_query(text, length))
        return error_set(e, ERROR_INVALID,
            "%s: the SAS is longer than %d bytes or holds what no query may: copy it whole, "
            "sv=…&…&sig=…",
            setting, ACCOUNT_SAS_SIZE - 1);
    snprintf(sas, sizeof(sas), "%.*s", (int)length, text);
    is_signed = strncmp(sas, "sig=", 4) == 0 || strstr(sas, "&sig=");
    if (is_signed)
        memcpy(a->sas, sas, length + 1);
    OPENSSL_cleanse(sas, sizeof(sas));
    if (!is_signed)
        return error_set(
            e, ERROR_INVALID, "%s: the SAS has no signature (sig=): copy it whole, from sv= on", setting);
    a->way = AZURE_WAY_SAS;
    return true;
}

struct evhttp_uri *account_parse_uri(const char *setting, const char *text, struct error *e)
{
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    const char *why = NULL;

    if (!scheme || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0) || !host || !*host)
        why = "is not an http or https URL";
    else if (evhttp_uri_get_userinfo(uri))
        why = "holds a user name: the key has a setting of its own, AZURE_STORAGE_KEY";
    else if (evhttp_uri_get_query(uri))
        why = "has a query: a SAS has a setting of its own, AZURE_STORAGE_SAS_TOKEN (in a connection string "
              "SharedAccessSignature=)";
    else if (evhttp_uri_get_fragment(uri))
        why = "has a fragment ('#'), which means nothing here";
    if (!why)
        return uri;
    if (uri)
        evhttp_uri_free(uri);
    error_set(e, ERROR_INVALID, "%s: the URL %s", setting, why);
    return NULL;
}

bool account_is_this_host(const char *host)
{
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

    return (length == 9 && strncasecmp(host, "localhost", length) == 0) ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length) ||
           (length == 5 && strncmp(host, "[::1]", length) == 0);
}

/* Writes scheme://host[:port]path as the endpoint. */
bool account_set_endpoint(struct azure_account *a, const char *setting, const struct evhttp_uri *uri,
    const char *path, size_t path_length, struct error *e)
{
    int port = evhttp_uri_get_port(uri);
    char port_text[16] = "";
    int length;

    if (port >= 0)
        snprintf(port_text, sizeof(port_text), ":%d", port);
    length = snprintf(a->endpoint, sizeof(a->endpoint), "%s://%s%s%.*s", evhttp_uri_get_scheme(uri),
        evhttp_uri_get_host(uri), port_text, (int)path_length, path);
    return length < ACCOUNT_ENDPOINT_SIZE ||
           error_set(e, ERROR_INVALID, "%s: the endpoint is longer than %d bytes", setting,
               ACCOUNT_ENDPOINT_SIZE - 1);
}

void account_set_name_of_host(struct azure_account *a, const char *host)
{
    size_t length = strcspn(host, ".");

    if (strstr(host, ".blob.") && is_account_name(host, length))
        snprintf(a->name, sizeof(a->name), "%.*s", (int)length, host);
}

/* An emulator on this host: /account/container. */
static bool set_from_path(
    struct azure_account *a, const struct evhttp_uri *uri, const char *path, struct error *e)
{
    size_t name_length = *path ? strcspn(path + 1, "/") : 0;
    const char *container = *path ? path + 1 + name_length : path;

    if (*container != '/')
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: names no container; an emulator's reads like "
            "http://127.0.0.1:10000/<account>/<container>");
    container++;
    return account_set_name(a, "BLOB_URL", path + 1, name_length, e) &&
           account_set_endpoint(a, "BLOB_URL", uri, path, name_length + 1, e) &&
           account_set_container(a, "BLOB_URL", container, strlen(container), e);
}

/* Azure itself: the account is the first label of the host, which goes on with "blob" (with the number of a
 * zone between, for accounts that have DNS zones). A domain of one's own tells no name. */
static bool set_name_for_host(struct azure_account *a, const char *host, const char *name, struct error *e)
{
    if (*name)
        return account_set_name(a, "AZURE_STORAGE_ACCOUNT", name, strlen(name), e);
    if (!strstr(host, ".blob."))
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: the host \"%.80s\" is not <account>.blob.core.windows.net (or another cloud's .blob. "
            "name): if it is a name of your own for an account, say which in AZURE_STORAGE_ACCOUNT",
            host);
    return account_set_name(a, "BLOB_URL", host, strcspn(host, "."), e);
}

static bool set_from_host(struct azure_account *a, const struct evhttp_uri *uri, const char *path,
    const char *name, struct error *e)
{
    if (strcasecmp(evhttp_uri_get_scheme(uri), "https") != 0)
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: http is for an emulator on this host; for Azure say https. An emulator elsewhere goes "
            "into AZURE_STORAGE_CONNECTION_STRING as its BlobEndpoint");
    if (*path != '/')
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: names no container; it reads like "
            "https://<account>.blob.core.windows.net/<container>");
    return set_name_for_host(a, evhttp_uri_get_host(uri), name, e) &&
           account_set_endpoint(a, "BLOB_URL", uri, "", 0, e) &&
           account_set_container(a, "BLOB_URL", path + 1, strlen(path + 1), e);
}

/* The path without the '/'s at its end. */
static void copy_path(const struct evhttp_uri *uri, struct buf *out)
{
    const char *path = evhttp_uri_get_path(uri);
    size_t length = path ? strlen(path) : 0;

    while (length && path[length - 1] == '/')
        length--;
    buf_append(out, path, length);
}

bool azure_account_from_url(struct azure_account *out, const char *url, const char *name, struct error *e)
{
    AUTO_BUF struct buf path = BUF(4096);
    struct azure_account a = {0};
    struct evhttp_uri *uri = account_parse_uri("BLOB_URL", url, e);
    bool is_right = false;

    if (uri) {
        copy_path(uri, &path);
        is_right = account_is_this_host(evhttp_uri_get_host(uri))
                       ? set_from_path(&a, uri, path.data, e)
                       : set_from_host(&a, uri, path.data, name, e);
        evhttp_uri_free(uri);
    }
    if (is_right)
        *out = a;
    return is_right;
}

bool azure_account_set_key(struct azure_account *a, const char *text, struct error *e)
{
    return account_set_key(a, "AZURE_STORAGE_KEY", text, strlen(text), e);
}

bool azure_account_set_sas(struct azure_account *a, const char *text, struct error *e)
{
    return account_set_sas(a, "AZURE_STORAGE_SAS_TOKEN", text, strlen(text), e);
}

/* The URL of BLOB_CONTAINER in AZURE_STORAGE_ACCOUNT. */
static bool write_url(const struct config *config, struct buf *out, struct error *e)
{
    struct azure_account a = {0};

    if (!*config->storage_account)
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: is not set, nor is AZURE_STORAGE_ACCOUNT: what AZURE_AUTH chooses needs one of them");
    if (!account_set_name(
            &a, "AZURE_STORAGE_ACCOUNT", config->storage_account, strlen(config->storage_account), e) ||
        !account_set_container(
            &a, "BLOB_CONTAINER", config->blob_container, strlen(config->blob_container), e))
        return false;
    buf_printf(out, "https://%s.blob.%s/%s", a.name, config->storage_suffix, a.container);
    return true;
}

/* A token, and what is as good as one, is for the eyes of the store alone. */
static bool check_privacy(const struct azure_account *a, struct error *e)
{
    const char *host = strstr(a->endpoint, "://") + 3;

    if (a->way == AZURE_WAY_KEY || strncasecmp(a->endpoint, "https:", strlen("https:")) == 0)
        return true;
    if (a->way == AZURE_WAY_SAS)
        return account_is_this_host(host) ||
               error_set(e, ERROR_INVALID,
                   "AZURE_STORAGE_SAS_TOKEN: a SAS is never sent over plain http, and %.100s is: give it as "
                   "https, or the account's key, which only signs",
                   a->endpoint);
    return error_set(e, ERROR_INVALID,
        "AZURE_STORAGE_KEY: is not set, and %.100s needs it: a token is never sent over plain http",
        a->endpoint);
}

static bool set_opener(
    struct azure_account *a, const struct config *config, enum azure_way way, struct error *e)
{
    a->way = way;
    if (way == AZURE_WAY_KEY)
        return azure_account_set_key(a, config->blob_account_key, e);
    return way != AZURE_WAY_SAS || azure_account_set_sas(a, config->storage_sas, e);
}

bool azure_account_from_config(struct azure_account *out, const struct config *config, struct error *e)
{
    AUTO_BUF struct buf url = BUF(4096);
    struct azure_account a = {0};
    enum azure_way way;
    bool is_right;

    if (!azure_way_for_storage(config, &way, e))
        return false;
    if (way == AZURE_WAY_CONNECTION_STRING) {
        is_right = azure_account_from_connection_string(
            &a, config->blob_connection_string, config->blob_container, e);
    } else {
        is_right = *config->blob_url ? buf_append_text(&url, config->blob_url) : write_url(config, &url, e);
        is_right = is_right && azure_account_from_url(&a, url.data, config->storage_account, e) &&
                   set_opener(&a, config, way, e);
    }
    is_right = is_right && check_privacy(&a, e);
    if (is_right)
        *out = a;
    azure_account_release(&a);
    return is_right;
}

const char *azure_account_setting(const struct config *config)
{
    enum azure_way way = AZURE_WAY_KEY;
    struct error e;

    if (!azure_way_for_storage(config, &way, &e) || way == AZURE_WAY_KEY)
        return "AZURE_STORAGE_KEY";
    return way == AZURE_WAY_SAS ? "AZURE_STORAGE_SAS_TOKEN" : "AZURE_STORAGE_CONNECTION_STRING";
}

const char *azure_account_path(const struct azure_account *a)
{
    const char *host = strstr(a->endpoint, "://") + 3;
    const char *slash = strchr(host, '/');

    return slash ? slash : "";
}

void azure_account_release(struct azure_account *a)
{
    OPENSSL_cleanse(a->key, sizeof(a->key));
    OPENSSL_cleanse(a->sas, sizeof(a->sas));
    a->key_length = 0;
}
