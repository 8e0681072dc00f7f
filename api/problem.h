/*
 * problem: errors as application/problem+json. Source: RFC 9457.
 */
#ifndef JOBGATE_PROBLEM_H
#define JOBGATE_PROBLEM_H

#include "common/base/buf.h"
#include "common/base/error.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* Appends the problem that e is, with `members` (NULL, or JSON members each behind a comma) at its end. */
void problem_write(struct buf *out, const struct error *e, const char *members);

#endif
