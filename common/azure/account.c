#include "common/azure/account.h"
#include "common/base/buf.h"

#include <event2/http.h>
#include <openssl/evp.h>
#include <strings.h>

#define CONNECTION_STRING "AZURE_STORAGE_CONNECTION_STRING"

/* The emulator's account; its key is published in its documentation and opens nothing else. */
#define EMULATOR_NAME "devstoreaccount1"
#define EMULATOR_KEY                                                                                         \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define EMULATOR_ENDPOINT "http://127.0.0.1:10000/" EMULATOR_NAME

/* The keys of a connection string that we know. The IGNORED ones speak of other services. */
enum part {
    PART_PROTOCOL,
    PART_NAME,
    PART_KEY,
    PART_SUFFIX,
    PART_ENDPOINT,
    PART_SAS,
    PART_EMULATOR,
    PART_IGNORED,
    PART_COUNT = PART_IGNORED,
};

static const struct {
    const char *name;
    enum part part;
} part_names[] = {
    {"DefaultEndpointsProtocol", PART_PROTOCOL},
    {"AccountName", PART_NAME},
    {"AccountKey", PART_KEY},
    {"EndpointSuffix", PART_SUFFIX},
    {"BlobEndpoint", PART_ENDPOINT},
    {"SharedAccessSignature", PART_SAS},
    {"UseDevelopmentStorage", PART_EMULATOR},
    {"BlobSecondaryEndpoint", PART_IGNORED},
    {"QueueEndpoint", PART_IGNORED},
    {"QueueSecondaryEndpoint", PART_IGNORED},
    {"TableEndpoint", PART_IGNORED},
    {"TableSecondaryEndpoint", PART_IGNORED},
    {"FileEndpoint", PART_IGNORED},
    {"FileSecondaryEndpoint", PART_IGNORED},
};

/* A stretch of the connection string; text is NULL when it is not there. */
struct span {
    const char *text;
    size_t length;
};

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

static bool set_name(
    struct azure_account *a, const char *setting, const char *text, size_t length, struct error *e)
{
    if (!is_account_name(text, length))
        return error_set(e, ERROR_INVALID,
            "%s: the account's name \"%.*s\" is not one: 3 to 24 lower-case letters and digits", setting,
            length > 40 ? 40 : (int)length, text);
    snprintf(a->name, sizeof(a->name), "%.*s", (int)length, text);
    return true;
}

static bool set_container(
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

static bool set_key(
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
    explicit_bzero(bytes, sizeof(bytes));
    return true;
}

static struct evhttp_uri *parse_uri(const char *setting, const char *text, struct error *e)
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
        why = "has a query: a SAS is not supported, give the account's key in AZURE_STORAGE_KEY";
    else if (evhttp_uri_get_fragment(uri))
        why = "has a fragment ('#'), which means nothing here";
    if (!why)
        return uri;
    if (uri)
        evhttp_uri_free(uri);
    error_set(e, ERROR_INVALID, "%s: the URL %s", setting, why);
    return NULL;
}

static bool is_this_host(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

/* Writes scheme://host[:port]path as the endpoint. */
static bool set_endpoint(struct azure_account *a, const char *setting, const struct evhttp_uri *uri,
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

static enum part part_of(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(part_names); i++)
        if (strlen(part_names[i].name) == length && strncasecmp(part_names[i].name, name, length) == 0)
            return part_names[i].part;
    return PART_COUNT + 1;
}

/* Cuts the string at ';' and each piece at its first '=' (a key ends in '=' itself). Whatever is not
 * understood may be a piece of the key, so it is counted and not quoted. */
static bool split(const char *text, struct span parts[PART_COUNT], struct error *e)
{
    for (int piece = 1; *text; piece++, text += *text == ';') {
        size_t length = strcspn(text, ";");
        size_t name_length = strcspn(text, "=;");
        enum part part = part_of(text, name_length);

        if (part > PART_IGNORED && length)
            return error_set(e, ERROR_INVALID,
                CONNECTION_STRING
                ": piece %d is none of AccountName=, AccountKey=, BlobEndpoint=, EndpointSuffix=, "
                "DefaultEndpointsProtocol=, UseDevelopmentStorage=true: copy the string whole",
                piece);
        if (part < PART_COUNT && name_length == length)
            return error_set(e, ERROR_INVALID, CONNECTION_STRING ": piece %d has no '=' and no value", piece);
        if (part < PART_COUNT && parts[part].text)
            return error_set(e, ERROR_INVALID, CONNECTION_STRING ": piece %d repeats an earlier one", piece);
        if (part < PART_COUNT)
            parts[part] = (struct span){text + name_length + 1, length - name_length - 1};
        text += length;
    }
    return true;
}

static bool span_is(const struct span *span, const char *text)
{
    return span->text && span->length == strlen(text) && strncasecmp(span->text, text, span->length) == 0;
}

/* UseDevelopmentStorage=true stands for everything else. */
static bool expand_emulator(struct span parts[PART_COUNT], struct error *e)
{
    if (!parts[PART_EMULATOR].text)
        return true;
    if (!span_is(&parts[PART_EMULATOR], "true"))
        return error_set(e, ERROR_INVALID, CONNECTION_STRING ": UseDevelopmentStorage can only be true");
    for (int i = 0; i < PART_COUNT; i++)
        if (i != PART_EMULATOR && parts[i].text)
            return error_set(e, ERROR_INVALID,
                CONNECTION_STRING ": UseDevelopmentStorage=true stands alone; for an emulator elsewhere give "
                                  "AccountName, AccountKey and BlobEndpoint instead");
    parts[PART_NAME] = (struct span){EMULATOR_NAME, strlen(EMULATOR_NAME)};
    parts[PART_KEY] = (struct span){EMULATOR_KEY, strlen(EMULATOR_KEY)};
    parts[PART_ENDPOINT] = (struct span){EMULATOR_ENDPOINT, strlen(EMULATOR_ENDPOINT)};
    return true;
}

/* The text of BlobEndpoint, or what the other parts make of it. */
static bool append_endpoint(const struct span parts[PART_COUNT], struct buf *url, struct error *e)
{
    const struct span *protocol = &parts[PART_PROTOCOL];
    const struct span *suffix = &parts[PART_SUFFIX];

    if (protocol->text && !span_is(protocol, "http") && !span_is(protocol, "https"))
        return error_set(
            e, ERROR_INVALID, CONNECTION_STRING ": DefaultEndpointsProtocol is neither https nor http");
    if (parts[PART_ENDPOINT].text)
        buf_append(url, parts[PART_ENDPOINT].text, parts[PART_ENDPOINT].length);
    else
        buf_printf(url, "%s://%.*s.blob.%.*s", span_is(protocol, "http") ? "http" : "https",
            (int)parts[PART_NAME].length, parts[PART_NAME].text, suffix->text ? (int)suffix->length : 16,
            suffix->text ? suffix->text : "core.windows.net");
    return !buf_is_overflown(url) ||
           error_set(
               e, ERROR_INVALID, CONNECTION_STRING ": the endpoint is longer than %zu bytes", url->ceiling);
}

static bool set_endpoint_of_parts(
    struct azure_account *a, const struct span parts[PART_COUNT], struct error *e)
{
    AUTO_BUF struct buf url = BUF(1024);
    struct evhttp_uri *uri;
    const char *path;
    size_t length;
    bool is_set;

    if (!append_endpoint(parts, &url, e))
        return false;
    uri = parse_uri(CONNECTION_STRING, url.data, e);
    if (!uri)
        return false;
    path = evhttp_uri_get_path(uri);
    length = path ? strlen(path) : 0;
    while (length && path[length - 1] == '/')
        length--;
    is_set = set_endpoint(a, CONNECTION_STRING, uri, path, length, e);
    evhttp_uri_free(uri);
    return is_set;
}

static bool require_parts(const struct span parts[PART_COUNT], struct error *e)
{
    if (parts[PART_SAS].text)
        return error_set(e, ERROR_INVALID,
            CONNECTION_STRING
            ": SharedAccessSignature is not supported: give AccountName and AccountKey (in the portal "
            "under \"Access keys\")");
    if (!parts[PART_NAME].text || !parts[PART_KEY].text)
        return error_set(e, ERROR_INVALID,
            CONNECTION_STRING ": has no %s: copy it whole from the portal, under \"Access keys\"",
            parts[PART_NAME].text ? "AccountKey" : "AccountName");
    return true;
}

bool azure_account_from_connection_string(
    struct azure_account *out, const char *text, const char *container, struct error *e)
{
    struct span parts[PART_COUNT] = {0};
    struct azure_account a = {0};
    bool is_right = split(text, parts, e) && expand_emulator(parts, e) && require_parts(parts, e) &&
                    set_name(&a, CONNECTION_STRING, parts[PART_NAME].text, parts[PART_NAME].length, e) &&
                    set_key(&a, CONNECTION_STRING, parts[PART_KEY].text, parts[PART_KEY].length, e) &&
                    set_endpoint_of_parts(&a, parts, e) &&
                    set_container(&a, "BLOB_CONTAINER", container, strlen(container), e);

    if (is_right)
        *out = a;
    azure_account_release(&a);
    return is_right;
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
    return set_name(a, "BLOB_URL", path + 1, name_length, e) &&
           set_endpoint(a, "BLOB_URL", uri, path, name_length + 1, e) &&
           set_container(a, "BLOB_URL", container, strlen(container), e);
}

/* Azure itself: the account is the first label of the host, which goes on with "blob" (with the number of a
 * zone between, for accounts that have DNS zones). */
static bool set_from_host(
    struct azure_account *a, const struct evhttp_uri *uri, const char *path, struct error *e)
{
    const char *host = evhttp_uri_get_host(uri);

    if (strcasecmp(evhttp_uri_get_scheme(uri), "https") != 0)
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: http is for an emulator on this host; for Azure say https. An emulator elsewhere goes "
            "into " CONNECTION_STRING " as its BlobEndpoint");
    if (!strstr(host, ".blob."))
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: the host \"%.80s\" is not <account>.blob.core.windows.net (or another cloud's .blob. "
            "name)",
            host);
    if (*path != '/')
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: names no container; it reads like "
            "https://<account>.blob.core.windows.net/<container>");
    return set_name(a, "BLOB_URL", host, strcspn(host, "."), e) &&
           set_endpoint(a, "BLOB_URL", uri, "", 0, e) &&
           set_container(a, "BLOB_URL", path + 1, strlen(path + 1), e);
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

bool azure_account_from_url(struct azure_account *out, const char *url, const char *key, struct error *e)
{
    AUTO_BUF struct buf path = BUF(4096);
    struct azure_account a = {0};
    struct evhttp_uri *uri = parse_uri("BLOB_URL", url, e);
    bool is_right = false;

    if (uri) {
        copy_path(uri, &path);
        is_right = is_this_host(evhttp_uri_get_host(uri)) ? set_from_path(&a, uri, path.data, e)
                                                          : set_from_host(&a, uri, path.data, e);
        evhttp_uri_free(uri);
    }
    if (is_right && !*key)
        is_right = error_set(e, ERROR_INVALID,
            "AZURE_STORAGE_KEY: is not set, and the account %s of BLOB_URL needs its key (in the portal "
            "under \"Access keys\")",
            a.name);
    if (is_right)
        is_right = set_key(&a, "AZURE_STORAGE_KEY", key, strlen(key), e);
    if (is_right)
        *out = a;
    azure_account_release(&a);
    return is_right;
}

const char *azure_account_path(const struct azure_account *a)
{
    const char *host = strstr(a->endpoint, "://") + 3;
    const char *slash = strchr(host, '/');

    return slash ? slash : "";
}

void azure_account_release(struct azure_account *a)
{
    explicit_bzero(a->key, sizeof(a->key));
    a->key_length = 0;
}
