/*
 * backpressure: refuses submissions while Redis's memory is nearly full, so that it is never quite full and
 * what is accepted can be finished. It asks Redis once a second (INFO memory).
 */
#ifndef JOBGATE_BACKPRESSURE_H
#define JOBGATE_BACKPRESSURE_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/redis/redis.h"

struct backpressure;

/* Borrows r. high_water_percent: of Redis's maxmemory; a Redis without one is never full. */
struct backpressure *backpressure_new(struct loop *l, struct redis *r, int64_t high_water_percent);
struct backpressure *backpressure_free(struct backpressure *b); /* takes NULL; returns NULL; r must be gone */

/* Fails: REDIS_FULL, with the numbers. */
bool backpressure_admits(const struct backpressure *b, struct error *e) MUST_CHECK;

#endif
