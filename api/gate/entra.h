/*
 * entra: who has a token of Entra ID: fetches and keeps the keys of the issuer (JWKS), and remembers the
 * tokens that it found right. One per loop.
 *
 * The keys are fetched at the start, each hour, and when a token names one that is not known: then at most
 * once in REFETCH_MS, so that nobody can make us ask at will.
 */
#ifndef JOBGATE_ENTRA_H
#define JOBGATE_ENTRA_H

#include "api/gate/caller.h"
#include "common/base/config.h"
#include "common/net/loop.h"

struct entra;

/* Fails: INVALID. */
struct entra *entra_new(struct loop *l, const struct config *config, struct error *e) MUST_CHECK;

/* Forgets those that wait. Takes NULL; returns NULL. */
struct entra *entra_free(struct entra *n);

/* c is borrowed; NULL with an e: UNAUTHENTICATED, or IDENTITY_AWAY while there are no keys. */
typedef void entra_identified(void *arg, struct caller *c, const struct error *e);

/* Finds out whose token it is; done comes at once or later. token is borrowed until then. */
void entra_identify(struct entra *n, const char *token, entra_identified *done, void *arg);

/* Appends what is wrong with the settings. */
void entra_check(const struct config *config, struct buf *mistakes);

#endif
