/*
 * environment: what a handler's program finds in its environment: an allow-list of the worker's own (so that
 * its secrets stay with it), and JOBGATE_JOB_ID, _TYPE, _QUEUE, _ATTEMPT and _DEADLINE (RFC 3339, UTC).
 */
#ifndef JOBGATE_ENVIRONMENT_H
#define JOBGATE_ENVIRONMENT_H

#include "worker/handlers/handler.h"

/* As execve takes it: one allocation that the caller frees. The deadline is input->timeout_ms from now. */
char **environment_new(const struct run_input *input) MUST_CHECK;

#endif
