/*
 * jwt: bearer tokens of Entra ID (JWTs), and the keys that they are signed with. Pure: no clock, no
 * network. libjose does the cryptography.
 *
 * RS256 and ES256 alone; the algorithm is that of the key, not what the token says. Source: RFC 7515, 7517,
 * 7519, 8725.
 */
#ifndef JOBGATE_JWT_H
#define JOBGATE_JWT_H

#include <jansson.h>

#include "api/gate/caller.h"
#include "common/base/error.h"

enum { TOKEN_MAX = 16384, KEY_ID_SIZE = 256, TOKEN_LEEWAY_S = 60, JWKS_MAX = 1 << 20 };

/* Keeps of a JWKS the keys that may sign: RSA of 2048 bits or more, and P-256. Returns an array
 * (json_decref). Fails: INVALID when it is no JWKS or has no such key. */
json_t *jwks_parse(const char *text, size_t length, struct error *e) MUST_CHECK;

/* The id of the key that signed the token. Fails: UNAUTHENTICATED. */
bool token_key_id(const char *token, char out[KEY_ID_SIZE], struct error *e) MUST_CHECK;

/* Whether there is a key with this id. */
bool jwks_has(const json_t *keys, const char *key_id);

/* What a token is to say. */
struct token_rules {
    const char *issuer;
    const char *audience;
    int64_t now_s; /* Unix time */
};

/* Checks the signature and the claims. Returns its caller (caller_release): the roles `submit`, `read` and
 * `admin`, also as `jobgate.submit` and so on, are its scopes, `oid` (else `sub`) is the owner, `azp` (else
 * `appid`, else the owner) the name; expires_ms is when the token does. Fails: UNAUTHENTICATED. */
struct caller *token_read(
    const json_t *keys, const char *token, const struct token_rules *rules, struct error *e) MUST_CHECK;

#endif
