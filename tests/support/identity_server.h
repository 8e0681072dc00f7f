/*
 * identity_server: stands for Entra ID (over TLS, with a certificate of its own making) and for a machine's
 * metadata service (IMDS). It runs in a thread of the test, so that programs under test can ask it while the
 * test waits.
 *
 * It answers a request that is as it should be with a token that Azurite takes (which looks at
 * issuer, audience and times, and at no signature), and one that is not with the error that the real one has
 * for it.
 */
#ifndef JOBGATE_TESTS_IDENTITY_SERVER_H
#define JOBGATE_TESTS_IDENTITY_SERVER_H

#include "tests/support/certificate.h"

struct identity_server;

#define IDENTITY_TENANT "11111111-2222-3333-4444-555555555555"
#define IDENTITY_CLIENT "66666666-7777-8888-9999-000000000000"
#define IDENTITY_ASSERTION "aGVhZA.Ym9keQ.c2ln"

/* Starts both. Returns a server that identity_server_free ends and releases; what goes wrong fails the test.
 */
struct identity_server *identity_server_start(void);
struct identity_server *identity_server_free(struct identity_server *s); /* takes NULL; returns NULL */

const struct certificate *identity_server_certificate(const struct identity_server *s);

/* Settings, "NAME=value": where Entra and IMDS are, and the token file, which holds IDENTITY_ASSERTION.
 * Borrowed. */
const char *identity_server_authority(const struct identity_server *s);
const char *identity_server_imds(const struct identity_server *s);
const char *identity_server_token_file(const struct identity_server *s);

/* What the next request that the script does not reach yet gets: a status, a header line ("Retry-After: 1",
 * or NULL) and a body; or an error of Entra by its number. Beyond the script comes what is right. */
void identity_server_say(struct identity_server *s, int status, const char *header, const char *body);
void identity_server_refuse(struct identity_server *s, int number);

/* From now on: tokens live so long, and are to be renewed after refresh_s (0: it does not say); answers come
 * so late; this assertion is the good one (another one gets AADSTS700024); so many of a thousand requests get
 * AADSTS700213. */
void identity_server_set_life(struct identity_server *s, int life_s, int refresh_s);
void identity_server_set_delay(struct identity_server *s, int delay_ms);
void identity_server_set_assertion(struct identity_server *s, const char *assertion);
void identity_server_set_unmatched(struct identity_server *s, int per_mille);

/* Writes the token file anew. */
void identity_server_write_token(const struct identity_server *s, const char *assertion);

/* How many requests came; how many tokens were granted; and the n-th request (from 0; free()): its method and
 * target, and its body in a second line. */
size_t identity_server_requests(struct identity_server *s);
size_t identity_server_grants(struct identity_server *s);
char *identity_server_request(struct identity_server *s, size_t n);

#endif
