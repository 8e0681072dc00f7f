#include "common/azure/account_priv.h"
#include "common/base/buf.h"

#include <event2/http.h>
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
                "DefaultEndpointsProtocol=, SharedAccessSignature=, UseDevelopmentStorage=true: copy it "
                "whole",
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
    uri = account_parse_uri(CONNECTION_STRING, url.data, e);
    if (!uri)
        return false;
    path = evhttp_uri_get_path(uri);
    length = path ? strlen(path) : 0;
    while (length && path[length - 1] == '/')
        length--;
    is_set = account_set_endpoint(a, CONNECTION_STRING, uri, path, length, e);
    evhttp_uri_free(uri);
    return is_set;
}

/* A SAS comes with the endpoint alone, or with the account's name. */
static bool require_parts(const struct span parts[PART_COUNT], struct error *e)
{
    const char *missing = NULL;

    if (parts[PART_SAS].text && parts[PART_KEY].text)
        return error_set(
            e, ERROR_INVALID, CONNECTION_STRING ": has an AccountKey and a SharedAccessSignature: keep one");
    if (!parts[PART_NAME].text && !(parts[PART_SAS].text && parts[PART_ENDPOINT].text))
        missing = parts[PART_SAS].text ? "BlobEndpoint and no AccountName" : "AccountName";
    else if (!parts[PART_KEY].text && !parts[PART_SAS].text)
        missing = "AccountKey and no SharedAccessSignature";
    return !missing ||
           error_set(e, ERROR_INVALID,
               CONNECTION_STRING ": has no %s: copy it whole from the portal, under \"Access keys\" or "
                                 "\"Shared access signature\"",
               missing);
}

static bool set_opener(struct azure_account *a, const struct span parts[PART_COUNT], struct error *e)
{
    if (parts[PART_KEY].text)
        return account_set_key(a, CONNECTION_STRING, parts[PART_KEY].text, parts[PART_KEY].length, e);
    return account_set_sas(a, CONNECTION_STRING, parts[PART_SAS].text, parts[PART_SAS].length, e);
}

bool azure_account_from_connection_string(
    struct azure_account *out, const char *text, const char *container, struct error *e)
{
    struct span parts[PART_COUNT] = {0};
    struct azure_account a = {0};
    const struct span *name = &parts[PART_NAME];
    bool is_right = split(text, parts, e) && expand_emulator(parts, e) && require_parts(parts, e) &&
                    (!name->text || account_set_name(&a, CONNECTION_STRING, name->text, name->length, e)) &&
                    set_opener(&a, parts, e) && set_endpoint_of_parts(&a, parts, e) &&
                    account_set_container(&a, "BLOB_CONTAINER", container, strlen(container), e);

    if (is_right && !*a.name)
        account_set_name_of_host(&a, strstr(a.endpoint, "://") + 3);
    if (is_right)
        *out = a;
    azure_account_release(&a);
    return is_right;
}
