/*
 * backoff: how long until the next try.
 */
#ifndef JOBGATE_BACKOFF_H
#define JOBGATE_BACKOFF_H

#include "worker/handlers/handler.h"

/* The wait in ms before the try that follows `failures` (1 or more) ones: the policy's delay, doubled with
 * each, at most its ceiling, and less by up to a fifth as random says, so that what failed together does not
 * come back together. */
int64_t backoff_ms(const struct retry_policy *policy, int failures, uint32_t random);

#endif
