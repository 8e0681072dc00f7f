/*
 * process: the api's process: its loops, a thread each, the ops listener, and the way down.
 */
#ifndef JOBGATE_API_PROCESS_H
#define JOBGATE_API_PROCESS_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct process;

/* Starts everything; loop is the main thread's, which the first api and the ops listener use. Fails: INVALID.
 */
struct process *process_new(struct loop *loop, const struct config *config, struct error *e) MUST_CHECK;

/* Ends the other threads and releases everything. Takes NULL; returns NULL. */
struct process *process_free(struct process *p);

/* Appends what is wrong with addresses and URLs. */
void process_check(const struct config *config, struct buf *mistakes);

#endif
