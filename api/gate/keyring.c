#include "api/gate/keyring.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

enum { DIGEST_LENGTH = 32, RANDOM_LENGTH = 32, KEYS_MAX = 100000, NAMES_MAX = 1000, RATE_MAX = 1000000 };

/* One key, and the next of those whose digests begin alike. */
struct entry {
    unsigned char digest[DIGEST_LENGTH];
    struct caller *caller;
    size_t next; /* index + 1; 0 = none */
};

struct keyring {
    struct entry *entries;
    size_t count;
    size_t *heads; /* of digests by their first bits: index + 1 */
    size_t head_count;
};

/* The algorithm and the context are made once in each thread: that costs more than the digest itself. */
static void digest_of(const char *text, size_t length, unsigned char digest[DIGEST_LENGTH])
{
    static __thread EVP_MD *sha256;
    static __thread EVP_MD_CTX *context;

    if (!context) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        context = EVP_MD_CTX_new();
    }
    if (!sha256 || !context || !EVP_DigestInit_ex2(context, sha256, NULL) ||
        !EVP_DigestUpdate(context, text, length) || !EVP_DigestFinal_ex(context, digest, NULL))
        abort(); /* every OpenSSL has SHA-256: it is out of memory, mem.h's policy */
}

/* ---- reading ---- */

struct reader {
    size_t at; /* the entry */
    struct error *e;
};

static bool refuse(const struct reader *r, const char *member, const char *why)
{
    return error_set(r->e, ERROR_INVALID, "keys[%zu].%s %s", r->at, member, why);
}

static bool read_digest(const struct reader *r, const json_t *value, unsigned char digest[DIGEST_LENGTH])
{
    const char *text = json_string_value(value);
    char pair[3] = "";

    if (!text || strlen(text) != API_KEY_HASH_SIZE - 1 ||
        strspn(text, "0123456789abcdefABCDEF") != API_KEY_HASH_SIZE - 1)
        return refuse(r, "sha256", "is not the SHA-256 of a key in 64 hex digits");
    for (size_t i = 0; i < DIGEST_LENGTH; i++) {
        memcpy(pair, text + 2 * i, 2);
        digest[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool read_owner(const struct reader *r, const char *member, const json_t *value, char out[OWNER_SIZE])
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != json_string_length(value) || !owner_is_valid(text, strlen(text)))
        return refuse(r, member, "is not 1 to 64 of A-Z a-z 0-9 . _ -");
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_scopes(const struct reader *r, const json_t *value, unsigned *scopes)
{
    struct error why;
    unsigned one = 0;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(r, "scopes", "is not a list of submit, read and admin");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));

        if (!text || !scopes_parse(text, &one, &why))
            return refuse(r, "scopes", "is not a list of submit, read and admin");
        *scopes |= one;
    }
    return true;
}

static bool read_names(const struct reader *r, const char *member, const json_t *value, struct name_list *out)
{
    if (!value)
        return true;
    if (!json_is_array(value) || json_array_size(value) == 0 || json_array_size(value) > NAMES_MAX)
        return refuse(r, member, "is not a list of 1 to 1000 names; without it every name is allowed");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *name = json_array_get(value, i);

        if (!json_is_string(name) || !name_is_valid(json_string_value(name), json_string_length(name)))
            return refuse(r, member, "holds what is no name: 1 to 63 of a-z 0-9 _ -");
        name_list_add(out, json_string_value(name));
    }
    return true;
}

bool rate_parse(const char *text, struct rate *out, struct error *e)
{
    static const struct {
        const char *unit;
        int64_t period_ms;
    } units[] = {{"/s", 1000}, {"/min", 60000}, {"/h", 3600000}};
    char *end;
    long long count = *text >= '1' && *text <= '9' ? strtoll(text, &end, 10) : 0;

    for (size_t i = 0; count >= 1 && count <= RATE_MAX && i < ARRAY_LENGTH(units); i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = (struct rate){count, units[i].period_ms};
            return true;
        }
    return error_set(e, ERROR_INVALID,
        "\"%.40s\" is no rate: 1 to 1000000 requests in a second, minute or hour, such as 100/s, 1000/min, "
        "5/h",
        text);
}

static bool read_rate(const struct reader *r, const json_t *value, struct rate *out)
{
    struct error why;

    if (!value)
        return true;
    if (!json_is_string(value) || !rate_parse(json_string_value(value), out, &why))
        return refuse(r, "rate", "is not a rate such as 100/s, 1000/min or 5/h");
    return true;
}

static bool read_expiry(const struct reader *r, const json_t *value, int64_t *out)
{
    if (value && (!json_is_string(value) || !clock_parse_rfc3339(json_string_value(value), out)))
        return refuse(r, "expires_at", "is not a time such as 2027-01-31T08:00:00Z");
    return true;
}

static bool check_members(const struct reader *r, json_t *object)
{
    static const char *const known[] = {
        "name", "sha256", "scopes", "owner", "rate", "queues", "types", "expires_at"};
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return error_set(r->e, ERROR_INVALID, "keys[%zu] is not an object", r->at);
    json_object_foreach(object, name, value)
    {
        size_t i = 0;

        while (i < ARRAY_LENGTH(known) && strcmp(known[i], name) != 0)
            i++;
        if (i == ARRAY_LENGTH(known))
            return error_set(r->e, ERROR_INVALID,
                "keys[%zu] has a member %.40s; name, sha256, scopes, owner, rate, queues, types and "
                "expires_at are known",
                r->at, name);
    }
    return true;
}

static bool read_entry(const struct reader *r, json_t *object, struct entry *entry)
{
    struct caller *c = caller_new("", "");
    const json_t *owner = json_object_get(object, "owner");

    entry->caller = c;
    return check_members(r, object) && read_owner(r, "name", json_object_get(object, "name"), c->name) &&
           read_owner(r, "owner", owner ? owner : json_object_get(object, "name"), c->owner) &&
           read_digest(r, json_object_get(object, "sha256"), entry->digest) &&
           read_scopes(r, json_object_get(object, "scopes"), &c->scopes) &&
           read_rate(r, json_object_get(object, "rate"), &c->rate) &&
           read_names(r, "queues", json_object_get(object, "queues"), &c->queues) &&
           read_names(r, "types", json_object_get(object, "types"), &c->types) &&
           read_expiry(r, json_object_get(object, "expires_at"), &c->expires_ms);
}

static size_t *head_of(const struct keyring *k, const unsigned char digest[DIGEST_LENGTH])
{
    uint64_t bits;

    memcpy(&bits, digest, sizeof(bits));
    return &k->heads[bits % k->head_count];
}

static struct entry *find_digest(const struct keyring *k, const unsigned char digest[DIGEST_LENGTH])
{
    for (size_t i = *head_of(k, digest); i; i = k->entries[i - 1].next)
        if (CRYPTO_memcmp(k->entries[i - 1].digest, digest, DIGEST_LENGTH) == 0)
            return &k->entries[i - 1];
    return NULL;
}

/* Puts the entry that was read last where it is found. */
static bool file_entry(struct keyring *k, const struct reader *r)
{
    struct entry *entry = &k->entries[k->count - 1];
    size_t *head = head_of(k, entry->digest);

    if (find_digest(k, entry->digest))
        return refuse(r, "sha256", "stands there twice");
    entry->next = *head;
    *head = k->count;
    return true;
}

/* Two keys with one name would share a rate and be one in the log. */
static bool check_names(const struct keyring *k, struct error *e)
{
    AUTO(json) json_t *seen = json_object();

    for (size_t i = 0; i < k->count; i++) {
        const char *name = k->entries[i].caller->name;

        if (json_object_get(seen, name))
            return error_set(
                e, ERROR_INVALID, "keys[%zu].name: there are two keys with the name %s", i, name);
        json_object_set_new(seen, name, json_true());
    }
    return true;
}

static bool read_keys(struct keyring *k, const json_t *list, struct error *e)
{
    struct reader r = {0, e};

    for (r.at = 0; r.at < json_array_size(list); r.at++) {
        k->count++;
        if (!read_entry(&r, json_array_get(list, r.at), &k->entries[r.at]) || !file_entry(k, &r))
            return false;
    }
    return check_names(k, e);
}

struct keyring *keyring_parse(const char *text, size_t length, struct error *e)
{
    AUTO(json) json_t *document = json_parse(text, length, e);
    const json_t *list = json_object_get(document, "keys");
    struct keyring *k;

    if (!document)
        return NULL;
    if (!json_is_array(list) || json_object_size(document) != 1 || json_array_size(list) > KEYS_MAX) {
        error_set(e, ERROR_INVALID, "it is not {\"keys\": [...]} with up to %d keys", KEYS_MAX);
        return NULL;
    }
    k = mem_zalloc(sizeof(*k));
    k->entries = mem_array(json_array_size(list) + 1, sizeof(*k->entries));
    k->head_count = 2 * json_array_size(list) + 1;
    k->heads = mem_array(k->head_count, sizeof(*k->heads));
    return read_keys(k, list, e) ? k : keyring_free(k);
}

char *keys_file_read(const char *path, size_t *length, struct error *e)
{
    FILE *file = fopen(path, "re");
    char *text = file ? mem_alloc(KEYS_FILE_MAX + 1) : NULL;

    *length = file ? fread(text, 1, KEYS_FILE_MAX + 1, file) : 0;
    if (!file || ferror(file))
        error_set(e, ERROR_INVALID, "%.150s: %s", path, strerror(errno));
    else if (*length > KEYS_FILE_MAX)
        error_set(e, ERROR_INVALID, "%.150s is larger than %d bytes", path, KEYS_FILE_MAX);
    else
        e = NULL;
    if (file)
        fclose(file);
    if (!e)
        return text;
    free(text);
    return NULL;
}

struct keyring *keyring_load(const char *path, struct error *e)
{
    size_t length;
    AUTO(free) char *text = keys_file_read(path, &length, e);
    struct keyring *k = text ? keyring_parse(text, length, e) : NULL;

    if (text && !k)
        error_set(e, ERROR_INVALID, "%.100s: %s", path, e->text);
    return k;
}

struct keyring *keyring_free(struct keyring *k)
{
    if (!k)
        return NULL;
    for (size_t i = 0; i < k->count; i++)
        caller_release(k->entries[i].caller);
    free(k->entries);
    free(k->heads);
    free(k);
    return NULL;
}

size_t keyring_count(const struct keyring *k)
{
    return k->count;
}

struct caller *keyring_at(const struct keyring *k, size_t i)
{
    return k->entries[i].caller;
}

struct caller *keyring_find(const struct keyring *k, const char *key)
{
    unsigned char digest[DIGEST_LENGTH];
    const struct entry *entry;

    digest_of(key, strlen(key), digest);
    entry = find_digest(k, digest);
    return entry ? entry->caller : NULL;
}

/* ---- making ---- */

void api_key_generate(char key[API_KEY_SIZE], char hash[API_KEY_HASH_SIZE])
{
    unsigned char random[RANDOM_LENGTH];
    unsigned char digest[DIGEST_LENGTH];
    unsigned char text[4 * ((RANDOM_LENGTH + 2) / 3) + 1];

    if (RAND_bytes(random, sizeof(random)) != 1)
        abort(); /* without randomness there is no key */
    EVP_EncodeBlock(text, random, sizeof(random));
    OPENSSL_cleanse(random, sizeof(random));
    for (unsigned char *at = text; *at; at++) /* the URL's alphabet, without padding. RFC 4648 section 5 */
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at;
    snprintf(key, API_KEY_SIZE, API_KEY_PREFIX "%s", (const char *)text);
    OPENSSL_cleanse(text, sizeof(text));
    digest_of(key, strlen(key), digest);
    for (size_t i = 0; i < DIGEST_LENGTH; i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
}
