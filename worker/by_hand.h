/*
 * by_hand: what the worker's program does without Redis and without a store: runs one handler with its limits
 * and shows what it did, or looks whether the handlers file is right.
 */
#ifndef JOBGATE_BY_HAND_H
#define JOBGATE_BY_HAND_H

#include "common/base/base.h"

/* For --help. */
#define BY_HAND_USAGE                                                                                        \
    "jobgate-worker --run TYPE [--payload FILE]\n"                                                           \
    "            runs one job by hand, without Redis and store; its payload is FILE, or stdin; the result\n" \
    "            goes to stdout, all else to stderr\n"                                                       \
    "       jobgate-worker --check-handlers\n"                                                               \
    "            checks HANDLERS_FILE, and that what each type runs is there"

/* Does what the options ask for, if they are by hand's own: --run TYPE [--payload FILE], --check-handlers.
 * Returns false when they are not; else *status is the exit status (sysexits.h): of --run 0 when the job
 * succeeded, 65 bad_payload, 75 try_later, 1 for any other end; of --check-handlers 0, or 78 when something
 * is wrong; 64 and 78 for wrong options and settings. */
bool by_hand(int argc, char **argv, int *status) MUST_CHECK;

#endif
