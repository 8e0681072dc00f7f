/*
 * limiter: how much each caller may. The tokens of a caller's rate lie in Redis, where all replicas share
 * them; a limiter (one per loop) takes some at a time, a tenth of a second's worth, so that most requests
 * cost no round trip. What it does not spend within a second is lost: the caller may get that little less,
 * never more. While Redis does not answer nobody is held up: what needs Redis is refused for that reason.
 */
#ifndef JOBGATE_LIMITER_H
#define JOBGATE_LIMITER_H

#include "api/gate/caller.h"
#include "common/queue/queue.h"

struct limiter;
struct bucket;

/* q is borrowed. Returns a limiter that limiter_free releases. */
struct limiter *limiter_new(struct queue *q);

/* Forgets those that wait. Takes NULL; returns NULL. */
struct limiter *limiter_free(struct limiter *l);

/* Finds the bucket of c's rate and puts it into c. */
void limiter_attach(struct limiter *l, struct caller *c);

/* Takes a token of c's. done(arg, retry_ms) comes at once or later; retry_ms is 0 when there was one, else
 * how long until there is. */
typedef void limiter_taken(void *arg, int64_t retry_ms);
void limiter_take(struct limiter *l, const struct caller *c, limiter_taken *done, void *arg);

/* The values of RateLimit-Policy and RateLimit. Source: draft-ietf-httpapi-ratelimit-headers-10. */
enum { RATE_TEXT_SIZE = 96 };
const char *limiter_policy(const struct caller *c); /* borrowed */
void limiter_describe(const struct caller *c, char out[RATE_TEXT_SIZE]);

#endif
