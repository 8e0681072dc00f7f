/*
 * jobs: what the routes on jobs share.
 */
#ifndef JOBGATE_JOBS_H
#define JOBGATE_JOBS_H

#include "api/live/etag.h"
#include "api/server.h"
#include "common/queue/queue.h"

/* Tells x->on_job of the job that was read, as far as the caller may see it. */
void jobs_tell(struct exchange *x, const struct job *job, const struct error *e);

/* Reads the job that the path names; done gets NULL with NOT_FOUND also for one that the caller may not see.
 * done comes later, or at once when nothing could be sent. */
void jobs_get(struct exchange *x, exchange_got *done);

/* The tag of the job's resource. */
void jobs_etag(const struct exchange *x, const struct job *job, char out[ETAG_SIZE]);

/* Answers a GET of the job: 200 with its resource, or 304 when If-None-Match has its tag. */
void jobs_reply_as_it_stands(struct exchange *x, const struct job *job);

/* Appends the job's resource. */
void jobs_write(const struct exchange *x, const struct job *job, struct buf *out);

/* Answers with the job's resource. */
void jobs_reply(struct exchange *x, int status, const struct job *job);

/* Logs what went wrong with a request: an error only when somebody should look. */
void jobs_log_failure(const struct exchange *x, const char *what, const struct error *e);

#endif
