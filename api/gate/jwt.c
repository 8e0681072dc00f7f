#include "api/gate/jwt.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <jose/b64.h>
#include <jose/cfg.h>
#include <jose/jws.h>

enum { KEYS_MAX = 100, RSA_LENGTH_MIN = 342 /* base64url of 256 bytes */ };

static bool refuse(struct error *e, const char *why)
{
    return error_set(e, ERROR_UNAUTHENTICATED, "the token %s", why);
}

/* ---- keys ---- */

static void copy_members(json_t *to, const json_t *from, const char *const *names)
{
    for (; *names; names++)
        json_object_set(to, *names, json_object_get(from, *names));
}

static bool is_text(const json_t *object, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && strcmp(text, value) == 0;
}

/* The algorithm that a key may be used with; NULL when it is none of ours. */
static const char *algorithm_of(const json_t *key)
{
    const char *modulus = json_string_value(json_object_get(key, "n"));
    const char *algorithm = NULL;

    if (is_text(key, "kty", "RSA") && modulus && strlen(modulus) >= RSA_LENGTH_MIN &&
        json_is_string(json_object_get(key, "e")))
        algorithm = "RS256";
    else if (is_text(key, "kty", "EC") && is_text(key, "crv", "P-256") &&
             json_is_string(json_object_get(key, "x")) && json_is_string(json_object_get(key, "y")))
        algorithm = "ES256";
    if (!algorithm || (json_object_get(key, "use") && !is_text(key, "use", "sig")) ||
        (json_object_get(key, "alg") && !is_text(key, "alg", algorithm)))
        return NULL;
    return algorithm;
}

json_t *jwks_parse(const char *text, size_t length, struct error *e)
{
    static const char *const members[] = {"kid", "kty", "n", "e", "crv", "x", "y", NULL};
    AUTO(json) json_t *document = json_parse(text, length, e);
    const json_t *list = json_object_get(document, "keys");
    json_t *kept;

    if (!document)
        return NULL;
    kept = json_array();
    for (size_t i = 0; i < json_array_size(list) && i < KEYS_MAX; i++) {
        const json_t *key = json_array_get(list, i);
        const char *algorithm = algorithm_of(key);
        json_t *clean;

        if (!algorithm || !json_is_string(json_object_get(key, "kid")))
            continue;
        clean = json_pack("{s:s}", "alg", algorithm);
        copy_members(clean, key, members);
        json_array_append_new(kept, clean);
    }
    if (json_array_size(kept))
        return kept;
    json_decref(kept);
    error_set(e, ERROR_INVALID, "it is no JWKS with a key for RS256 or ES256");
    return NULL;
}

static const json_t *find_key(const json_t *keys, const char *key_id)
{
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (is_text(json_array_get(keys, i), "kid", key_id))
            return json_array_get(keys, i);
    return NULL;
}

bool jwks_has(const json_t *keys, const char *key_id)
{
    return find_key(keys, key_id) != NULL;
}

/* ---- tokens ---- */

/* A token's three parts. */
struct parts {
    const char *text[3];
    size_t length[3];
};

static bool split(const char *token, struct parts *out, struct error *e)
{
    if (strlen(token) > TOKEN_MAX)
        return refuse(e, "is longer than 16384 bytes");
    for (int i = 0; i < 3; i++) {
        out->text[i] = token;
        out->length[i] = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
        token += out->length[i];
        if (out->length[i] == 0 || *token != (i < 2 ? '.' : '\0'))
            return refuse(e, "is no API key of ours and no JWT of three parts");
        token++;
    }
    return true;
}

/* The JSON object that a part holds (json_decref). */
static json_t *decode(const struct parts *parts, int i, struct error *e)
{
    size_t size = jose_b64_dec_buf(NULL, parts->length[i], NULL, 0);
    AUTO(free) char *text = size == SIZE_MAX ? NULL : mem_alloc(size + 1);
    json_t *object = NULL;

    if (text && jose_b64_dec_buf(parts->text[i], parts->length[i], text, size) == size)
        object = json_parse(text, size, e);
    if (json_is_object(object))
        return object;
    json_decref(object);
    refuse(e, i ? "has a body that is no JSON object" : "has a head that is no JSON object");
    return NULL;
}

static bool read_head(const struct parts *parts, char key_id[KEY_ID_SIZE], char algorithm[8], struct error *e)
{
    AUTO(json) json_t *head = decode(parts, 0, e);
    const char *id = json_string_value(json_object_get(head, "kid"));

    if (!head)
        return false;
    if (!is_text(head, "alg", "RS256") && !is_text(head, "alg", "ES256"))
        return refuse(e, "is not signed with RS256 or ES256");
    if (json_object_get(head, "crit"))
        return refuse(e, "has extensions that must be understood (crit)");
    if (!id || !*id || strlen(id) >= KEY_ID_SIZE)
        return refuse(e, "does not say with which key it is signed (kid)");
    snprintf(algorithm, 8, "%s", json_string_value(json_object_get(head, "alg")));
    memcpy(key_id, id, strlen(id) + 1);
    return true;
}

bool token_key_id(const char *token, char out[KEY_ID_SIZE], struct error *e)
{
    struct parts parts = {0};
    char algorithm[8];

    return split(token, &parts, e) && read_head(&parts, out, algorithm, e);
}

/* libjose's own would write to stderr. */
static void say_nothing(void *UNUSED(misc), const char *UNUSED(file), int UNUSED(line),
    uint64_t UNUSED(error), const char *UNUSED(format), va_list UNUSED(args))
{
}

static bool check_signature(const struct parts *parts, const json_t *key)
{
    AUTO(json)
    json_t *jws = json_pack("{s:s%,s:s%,s:s%}", "protected", parts->text[0], parts->length[0], "payload",
        parts->text[1], parts->length[1], "signature", parts->text[2], parts->length[2]);
    jose_cfg_t *config = jose_cfg();
    bool is_right;

    if (!config || !jws)
        abort(); /* mem.h's policy */
    jose_cfg_set_err_func(config, say_nothing, NULL);
    is_right = jose_jws_ver(config, jws, NULL, key, false);
    jose_cfg_decref(config);
    return is_right;
}

static bool has_audience(const json_t *claims, const char *audience)
{
    const json_t *value = json_object_get(claims, "aud");

    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));

        if (text && strcmp(text, audience) == 0)
            return true;
    }
    return is_text(claims, "aud", audience);
}

static bool check_claims(const json_t *claims, const struct token_rules *rules, struct error *e)
{
    const json_t *expires = json_object_get(claims, "exp");
    const json_t *begins = json_object_get(claims, "nbf");

    if (!is_text(claims, "iss", rules->issuer))
        return refuse(e, "is of another issuer (iss)");
    if (!has_audience(claims, rules->audience))
        return refuse(e, "is for another audience (aud)");
    if (!json_is_number(expires) || json_number_value(expires) + TOKEN_LEEWAY_S <= (double)rules->now_s)
        return refuse(e, "has expired (exp)");
    if (begins &&
        (!json_is_number(begins) || json_number_value(begins) - TOKEN_LEEWAY_S > (double)rules->now_s))
        return refuse(e, "is not valid yet (nbf)");
    return true;
}

/* The first of the claims that can be an owner's name. */
static const char *find_name(const json_t *claims, const char *const *names)
{
    for (; *names; names++) {
        const json_t *value = json_object_get(claims, *names);
        const char *text = json_string_value(value);

        if (text && strlen(text) == json_string_length(value) && owner_is_valid(text, strlen(text)))
            return text;
    }
    return NULL;
}

static unsigned scopes_of(const json_t *roles)
{
    unsigned scopes = 0;

    for (size_t i = 0; i < json_array_size(roles); i++) {
        const char *role = json_string_value(json_array_get(roles, i));
        unsigned one = 0;
        struct error e;

        if (role && strncmp(role, "jobgate.", 8) == 0)
            role += 8;
        if (role && !strpbrk(role, ", ") && scopes_parse(role, &one, &e)) /* other roles are none of ours */
            scopes |= one;
    }
    return scopes;
}

static struct caller *caller_of(const json_t *claims, struct error *e)
{
    static const char *const owners[] = {"oid", "sub", NULL};
    static const char *const names[] = {"azp", "appid", NULL};
    const char *owner = find_name(claims, owners);
    const char *name = find_name(claims, names);
    double expires_s = json_number_value(json_object_get(claims, "exp"));
    struct caller *c;

    if (!owner) {
        refuse(e, "does not say who has it (oid, sub)");
        return NULL;
    }
    c = caller_new(name ? name : owner, owner);
    c->scopes = scopes_of(json_object_get(claims, "roles"));
    c->expires_ms = expires_s < 9e12 ? (int64_t)(expires_s + TOKEN_LEEWAY_S) * 1000 : INT64_MAX;
    return c;
}

struct caller *token_read(
    const json_t *keys, const char *token, const struct token_rules *rules, struct error *e)
{
    struct parts parts = {0};
    char key_id[KEY_ID_SIZE];
    char algorithm[8];
    const json_t *key;
    AUTO(json) json_t *claims = NULL;

    if (!split(token, &parts, e) || !read_head(&parts, key_id, algorithm, e))
        return NULL;
    key = find_key(keys, key_id);
    if (!key || !is_text(key, "alg", algorithm) || !check_signature(&parts, key)) {
        refuse(e, key ? "has a wrong signature" : "is signed with a key that the issuer does not publish");
        return NULL;
    }
    claims = decode(&parts, 1, e);
    return claims && check_claims(claims, rules, e) ? caller_of(claims, e) : NULL;
}
