/*
 * retention: removes results, logs and statuses that have expired, with RESULT_CLEANUP=worker. One worker at
 * a time goes over the store, folder by folder, a page at a time; the rest of them stand by. Payloads are
 * removed by orphans.h as soon as no job needs them.
 *
 * A blob has expired when its metadata `expires` says so, or, without it, RETENTION_S after it was written.
 * It stays all the same while Redis knows its job: the payload of a job that still waits, the log of a dead
 * one.
 */
#ifndef JOBGATE_RETENTION_H
#define JOBGATE_RETENTION_H

#include "worker/worker.h"

struct retention;

/* Returns NULL when nothing is to be removed by this worker. */
struct retention *retention_new(struct worker *w);

/* Its questions to Redis must have been answered. Takes NULL; returns NULL. */
struct retention *retention_free(struct retention *r);

/* How often a round is begun, in seconds: a tenth of the retention, an hour at the most. */
int64_t retention_period_s(int64_t retention_s);

/* The job that a blob belongs to, by its name. Returns false when it is none of ours. */
bool retention_job_of(const char *name, struct job_id *out);

/* Whether a blob has expired, whatever Redis says. */
bool retention_is_over(const struct blob_properties *p, int64_t retention_s, int64_t now_ms);

#endif
