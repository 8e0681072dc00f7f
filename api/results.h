/*
 * results: hands out the results of jobs.
 */
#ifndef JOBGATE_RESULTS_H
#define JOBGATE_RESULTS_H

#include "api/server.h"
#include "common/queue/record.h"

/* Answers with the result of a job; with a problem when it has none. */
void results_reply(struct exchange *x, const struct job *job);

#endif
