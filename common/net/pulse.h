/*
 * pulse: whether a loop turns and does its work, as seen from anywhere, another thread too.
 *
 * Once a second the loop asks is_well and notes the time when that says yes. So a loop that stands still and
 * one that is not well look the same from outside: nothing was noted for long.
 */
#ifndef JOBGATE_PULSE_H
#define JOBGATE_PULSE_H

#include "common/net/loop.h"

enum { PULSE_LIMIT_MS = 30000 }; /* silent for longer, it is not to be expected that it comes back */

struct pulse;

typedef bool pulse_check(void *arg);

/* is_well is optional, and called in the loop's thread. The first beat is now. */
struct pulse *pulse_new(struct loop *l, pulse_check *is_well, void *arg);
struct pulse *pulse_free(struct pulse *p); /* in the loop's thread, or when that has ended; takes NULL */

/* How long ago it last beat, at now_ms of clock_steady_ms. From any thread. */
int64_t pulse_age_ms(const struct pulse *p, int64_t now_ms);

#endif
