/*
 * helper: one thread for what would hold a loop up: syncing files, walking folders. A job belongs to the
 * helper from helper_start until its done or release is called, in the loop's thread; nothing else is shared.
 */
#ifndef JOBGATE_BLOB_HELPER_H
#define JOBGATE_BLOB_HELPER_H

#include <sys/queue.h>

#include "common/net/loop.h"

struct helper;

/* The first member of a job's own struct. */
struct helper_job {
    void (*run)(struct helper_job *job);     /* in the helper's thread */
    void (*done)(struct helper_job *job);    /* in the loop, when run has returned. The job is the callee's */
    void (*release)(struct helper_job *job); /* instead of done, for one that was dropped */
    bool is_dropped;
    TAILQ_ENTRY(helper_job) link;
};

/* The thread begins with the first job, and takes one at a time. */
struct helper *helper_new(struct loop *loop);

/* Waits for the job that runs, if any, and releases all. Takes NULL; returns NULL. */
struct helper *helper_free(struct helper *h);

void helper_start(struct helper *h, struct helper_job *job);

/* Nobody wants the outcome any more. A job that has not begun is not run. */
void helper_drop(struct helper *h, struct helper_job *job);

#endif
