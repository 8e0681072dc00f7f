/*
 * hold: keeps a caller waiting for its answer until a job is as it wishes, or its time is over.
 */
#ifndef JOBGATE_HOLD_H
#define JOBGATE_HOLD_H

#include "api/live/lookout.h"
#include "api/server.h"

struct hold_plan {
    /* Whether the wait is over with the job like this. */
    bool (*is_enough)(void *arg, const struct job *job);
    /* Must answer the exchange. job is the job as it stands (its payload may be missing), whether it is
     * enough or not; NULL with an e. Called once, later. */
    void (*done)(void *arg, const struct job *job, const struct error *e);
    void *arg;
};

/* Holds x's answer for up to wait_ms; until done, x->user and x->parameter are the hold's. It ends early when
 * the process stops or the caller closes its side. Fails: TOO_MANY_WAITERS. */
bool hold_start(struct exchange *x, const struct job_id *id, int64_t wait_ms, const struct hold_plan *plan,
    struct error *e) MUST_CHECK;

#endif
