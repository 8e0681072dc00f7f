/*
 * outcome: answers a submission that was accepted: at once with 202, or when the job has ended, if its caller
 * waits for that (Prefer: wait).
 */
#ifndef JOBGATE_OUTCOME_H
#define JOBGATE_OUTCOME_H

#include "api/server.h"
#include "common/queue/queue.h"

enum outcome_form {
    OUTCOME_JOB,   /* 200 with the job that has ended; without a Prefer nobody waits */
    OUTCOME_RESULT /* 200 with its result, or the problem that it ended with; without a Prefer it waits a
                      while */
};

/* Answers x. job is the job as it stands; it is not needed any more when this returns, nor is x's body. What
 * was accepted is never answered with an error of ours: whatever hinders the waiting makes it 202. */
void outcome_reply(struct exchange *x, const struct job *job, enum outcome_form form);

#endif
