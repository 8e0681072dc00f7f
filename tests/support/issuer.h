/*
 * issuer: a fake of Entra ID's issuer of tokens: keys, a JWKS at a URL of 127.0.0.1, tokens signed with the
 * keys. What goes wrong fails the test.
 */
#ifndef JOBGATE_TESTS_ISSUER_H
#define JOBGATE_TESTS_ISSUER_H

#include <jansson.h>

#include "common/base/base.h"

struct issuer;

/* Has one key, "first", for RS256. With a directory (borrowed) its JWKS is served. */
struct issuer *issuer_new(const char *directory);
struct issuer *issuer_free(struct issuer *i); /* takes NULL; returns NULL */

/* Makes a further key, RS256 or ES256 (or another algorithm of libjose); it is published from now on. */
void issuer_add_key(struct issuer *i, const char *key_id, const char *algorithm);

/* The JWKS (free()). */
char *issuer_jwks(const struct issuer *i);

/* "http://127.0.0.1:<port>/keys"; how often it was asked for. */
const char *issuer_url(const struct issuer *i);
size_t issuer_count_asked(const struct issuer *i);

/* Signs claims (takes the reference) with a key, under an id and an algorithm that may be others (free()). */
char *issuer_sign(const struct issuer *i, const char *key_id, const char *said_id, const char *said_algorithm,
    json_t *claims);

/* Claims that are right now, with these roles (JSON). */
json_t *issuer_claims(const char *roles);
#define ISSUER_NAME "https://issuer.example/v2.0"
#define ISSUER_AUDIENCE "api://jobgate"
#define ISSUER_OWNER "7d3a1f0e-0000-4000-8000-000000000001"

#endif
