/*
 * exit_status: what the end of a handler's process means for its job. Source: sysexits.h (65 EX_DATAERR, 75
 * EX_TEMPFAIL).
 */
#ifndef JOBGATE_EXIT_STATUS_H
#define JOBGATE_EXIT_STATUS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* `code` and `status` as waitid gives them (si_code, si_status); `log` is what it wrote to stderr, whose last
 * line goes into the error. Returns true for exit status 0. Fails: BAD_PAYLOAD (65), TRY_LATER (75),
 * HANDLER_FAILED (another status), HANDLER_KILLED (a signal). */
bool exit_status_judge(int code, int status, const struct buf *log, struct error *e) MUST_CHECK;

#endif
