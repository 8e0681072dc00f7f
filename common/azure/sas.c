#include "common/azure/sas.h"
#include "common/azure/sign.h"
#include "common/base/clock.h"

#include <expat.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { ELEMENT_MAX = 256 };

void sas_time(int64_t unix_ms, char out[SAS_TIME_SIZE])
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(unix_ms, text);
    snprintf(out, SAS_TIME_SIZE, "%.*sZ", (int)strcspn(text, "."), text);
}

static void append_line(struct buf *out, const char *text)
{
    buf_append_text(out, text);
    buf_append_char(out, '\n');
}

/* Lines stand for parameters; those that we never send are empty. */
void sas_append_string(const struct sas_grant *g, const struct sas_key *key, struct buf *out)
{
    append_line(out, "r"); /* sp */
    append_line(out, g->start);
    append_line(out, g->expiry);
    buf_printf(out, "/blob/%s/%s/%s\n", g->account, g->container, g->blob);
    if (key) {
        append_line(out, key->object_id);
        append_line(out, key->tenant_id);
        append_line(out, key->start);
        append_line(out, key->expiry);
        append_line(out, key->service);
        append_line(out, key->version);
        buf_append_text(out, "\n\n\n\n\n"); /* saoid, suoid, scid, skdutid, sduoid */
    } else {
        append_line(out, ""); /* si */
    }
    append_line(out, ""); /* sip */
    append_line(out, g->is_https_only ? "https" : "");
    append_line(out, AZURE_VERSION);
    append_line(out, "b");                /* sr: a blob */
    buf_append_text(out, "\n\n\n\n\n\n"); /* snapshot, ses, rscc, rscd, rsce, rscl; rsct ends the text */
}

bool sas_sign(const struct sas_key *key, const char *text, char out[SAS_SIGNATURE_SIZE], struct error *e)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length;

    if (!HMAC(EVP_sha256(), key->value, (int)key->value_length, (const unsigned char *)text, strlen(text),
            mac, &length))
        return error_set(e, ERROR_INTERNAL, "OpenSSL has no HMAC-SHA256");
    EVP_EncodeBlock((unsigned char *)out, mac, (int)length);
    return true;
}

static void append_parameter(struct buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    if (out->length)
        buf_append_char(out, '&');
    buf_append_text(out, name);
    buf_append_char(out, '=');
    for (; *value; value++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *value))
            buf_append_char(out, *value);
        else
            buf_printf(out, "%%%02X", (unsigned char)*value);
}

void sas_append_query(
    const struct sas_grant *g, const struct sas_key *key, const char *signature, struct buf *out)
{
    append_parameter(out, "sv", AZURE_VERSION);
    append_parameter(out, "sr", "b");
    append_parameter(out, "sp", "r");
    append_parameter(out, "st", g->start);
    append_parameter(out, "se", g->expiry);
    append_parameter(out, "spr", g->is_https_only ? "https" : "");
    if (key) {
        append_parameter(out, "skoid", key->object_id);
        append_parameter(out, "sktid", key->tenant_id);
        append_parameter(out, "skt", key->start);
        append_parameter(out, "ske", key->expiry);
        append_parameter(out, "sks", key->service);
        append_parameter(out, "skv", key->version);
    }
    append_parameter(out, "sig", signature);
}

/* ---- the delegation key ---- */

void sas_key_append_request(const char *start, const char *expiry, struct buf *out)
{
    buf_printf(out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>%s</Start><Expiry>%s</Expiry></KeyInfo>",
        start, expiry);
}

struct reading {
    XML_Parser parser;
    struct sas_key *key;
    char value[2 * SAS_KEY_MAX]; /* base64 */
    char text[ELEMENT_MAX];      /* of the innermost element */
    size_t length;
    int depth;
    bool is_key; /* the outermost element is the right one */
};

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **UNUSED(attributes))
{
    struct reading *r = arg;

    if (++r->depth == 1)
        r->is_key = strcmp(name, "UserDelegationKey") == 0;
    r->length = 0;
    r->text[0] = '\0';
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int length)
{
    struct reading *r = arg;

    if (r->length + (size_t)length >= sizeof(r->text)) {
        XML_StopParser(r->parser, XML_FALSE);
        return;
    }
    memcpy(r->text + r->length, text, (size_t)length);
    r->length += (size_t)length;
    r->text[r->length] = '\0';
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reading *r = arg;
    const struct {
        const char *name;
        char *at;
        size_t size;
    } fields[] = {
        {"SignedOid", r->key->object_id, sizeof(r->key->object_id)},
        {"SignedTid", r->key->tenant_id, sizeof(r->key->tenant_id)},
        {"SignedStart", r->key->start, sizeof(r->key->start)},
        {"SignedExpiry", r->key->expiry, sizeof(r->key->expiry)},
        {"SignedService", r->key->service, sizeof(r->key->service)},
        {"SignedVersion", r->key->version, sizeof(r->key->version)},
        {"Value", r->value, sizeof(r->value)},
    };

    for (size_t i = 0; r->depth == 2 && i < ARRAY_LENGTH(fields); i++)
        if (strcmp(name, fields[i].name) == 0)
            snprintf(fields[i].at, fields[i].size, "%.*s", (int)fields[i].size - 1, r->text);
    r->depth--;
}

/* Entities of one's own come with a document type, which the service never sends. */
static void XMLCALL on_document_type(void *arg, const XML_Char *UNUSED(name), const XML_Char *UNUSED(system),
    const XML_Char *UNUSED(public), int UNUSED(has_subset))
{
    XML_StopParser(((struct reading *)arg)->parser, XML_FALSE);
}

/* Lines of the string to sign, and parameters: only what can't change another. */
static bool is_plain(const char *text)
{
    return *text &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:")] == '\0';
}

static bool decode_value(struct reading *r)
{
    unsigned char decoded[3 * sizeof(r->value) / 4 + 3];
    size_t length = strlen(r->value);
    int count = length && length % 4 == 0
                    ? EVP_DecodeBlock(decoded, (const unsigned char *)r->value, (int)length)
                    : -1;

    while (count > 0 && length && r->value[length - 1] == '=') {
        count--;
        length--;
    }
    if (count <= 0 || count > SAS_KEY_MAX)
        return false;
    memcpy(r->key->value, decoded, (size_t)count);
    r->key->value_length = (size_t)count;
    OPENSSL_cleanse(decoded, sizeof(decoded));
    return true;
}

bool sas_key_parse(struct sas_key *out, const char *text, size_t length, struct error *e)
{
    struct reading r = {.key = out};
    bool is_right;

    *out = (struct sas_key){0};
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        abort(); /* out of memory: mem.h's policy */
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_document_type);
    is_right = length < INT32_MAX && XML_Parse(r.parser, text, (int)length, XML_TRUE) == XML_STATUS_OK &&
               r.is_key && is_plain(out->object_id) && is_plain(out->tenant_id) && is_plain(out->start) &&
               is_plain(out->expiry) && is_plain(out->service) && is_plain(out->version) && decode_value(&r);
    XML_ParserFree(r.parser);
    OPENSSL_cleanse(&r, sizeof(r));
    if (is_right)
        return true;
    sas_key_release(out);
    return error_set(e, ERROR_STORE_REFUSED,
        "the answer holds no user delegation key: is the URL right, is a proxy between?");
}

void sas_key_release(struct sas_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}
