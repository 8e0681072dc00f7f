/*
 * scheduler: submits what schedules ask for, when it is due. Any worker does it, whoever else does it too:
 * each time is submitted under an Idempotency-Key that names it, so that it comes once.
 */
#ifndef JOBGATE_SCHEDULER_H
#define JOBGATE_SCHEDULER_H

#include "worker/worker.h"

struct scheduler;

struct scheduler *scheduler_new(struct worker *w);
struct scheduler *scheduler_free(
    struct scheduler *s); /* takes NULL; returns NULL; its answers must have come */

/* Redis has become reachable, or is no more; also for good, while the worker stops. */
void scheduler_begin(struct scheduler *s);
void scheduler_end(struct scheduler *s);

#endif
