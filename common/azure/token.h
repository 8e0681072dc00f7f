/*
 * token: a token for one scope, kept fresh. It is fetched once however many want it, refreshed in the
 * background when half of its life is over (or when its issuer says), used until it really expires, and
 * dropped when a service refuses it.
 *
 *     IDLE --token_fetch, or time to refresh--> CALLING --granted, or given up--> IDLE
 *                                                 | ^
 *                                                 v |
 *                                               WAITING (before another try)
 */
#ifndef JOBGATE_AZURE_TOKEN_H
#define JOBGATE_AZURE_TOKEN_H

#include "common/azure/way.h"
#include "common/base/base.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct token;

/* How a fetch ended: NULL, and there is a token; or why there is none (STORE_AWAY, with what to do). Also
 * called for those that were begun to refresh a token that is still good. */
typedef void token_outcome(void *arg, const struct error *e);

/* For way WORKLOAD or MANAGED. loop and config are kept as references, scope is copied. Does no I/O until
 * token_fetch. Released with token_free, not from inside on_outcome. */
struct token *token_new(struct loop *l, const struct config *config, enum azure_way way, const char *scope,
    token_outcome *on_outcome, void *arg);
struct token *token_free(struct token *t); /* takes NULL; returns NULL */

/* The token, or NULL while there is none that is good. Borrowed until the loop's next turn. */
const char *token_value(const struct token *t);

/* Sees to it that on_outcome is called, later. Shortly after a failure it is called with that failure, so
 * that nobody hammers the issuer. */
void token_fetch(struct token *t);

/* A service refused the token: it is not used again. Returns whether that may help: at most once in
 * TOKEN_DROP_MS, because a new one that is refused too is not the one to blame. */
enum { TOKEN_DROP_MS = 10000 };
bool token_drop(struct token *t);

#endif
