/*
 * environment: what a handler's program finds in its environment: an allow-list of the worker's own (so that
 * its secrets stay with it), what the handlers file adds, and what is known of the job.
 */
#ifndef JOBGATE_ENVIRONMENT_H
#define JOBGATE_ENVIRONMENT_H

#include "worker/handlers/handler.h"

/* What the handlers file says of it. Borrowed; either may be NULL. */
struct environment_rules {
    char *const *inherited; /* names of the worker's own that are handed on too, ending with NULL */
    char *const *fixed;     /* "NAME=value", ending with NULL; they go before the inherited */
};

/* As execve takes it: one allocation that the caller frees. It holds JOBGATE_TYPE, JOBGATE_RUN and TMPDIR;
 * with_job also JOBGATE_JOB_ID, _QUEUE, _ATTEMPT, _DEADLINE (RFC 3339, UTC: input->timeout_ms from now),
 * _OWNER and TRACEPARENT where there is one, and JOBGATE_META_<name> for each metadata. */
char **environment_new(const struct environment_rules *rules, const struct run_input *input, bool with_job,
    const char *directory, const char *run) MUST_CHECK;

#endif
