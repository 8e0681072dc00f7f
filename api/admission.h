/*
 * admission: what of a submission depends on how this installation is set up, once its values were read.
 */
#ifndef JOBGATE_ADMISSION_H
#define JOBGATE_ADMISSION_H

#include "api/complaints.h"
#include "api/server.h"
#include "api/submission.h"

/* Whether this can be submitted here: some worker serves its type (UNKNOWN_TYPES), neither type nor queue is
 * jobgate's own, and its callback_url leads where requests may go. Fails: INVALID with every mistake in
 * complaints. */
bool admission_check(
    const struct exchange *x, const struct submission *s, struct complaints *c, struct error *e) MUST_CHECK;

#endif
