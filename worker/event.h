/*
 * event: what a caller is told of the end of a job: a CloudEvent in JSON, with the job as GET shows it. Pure.
 * Source: CloudEvents 1.0.2, JSON event format; dataref: CloudEvents extension "Dataref".
 */
#ifndef JOBGATE_EVENT_H
#define JOBGATE_EVENT_H

#include "common/base/buf.h"
#include "common/blob/blob.h"
#include "common/queue/record.h"

enum { EVENT_ID_SIZE = JOB_ID_SIZE + 32 };

/* What names the end of this job, and no other end of it: job, attempt and state. */
void event_id(const struct job *job, char out[EVENT_ID_SIZE]);

/* Appends it. public_url: where callers reach the api, without a slash at its end; "" = references are
 * relative. store says where results lie. */
void event_write(
    const struct job *job, const char *public_url, const struct blob_store *store, struct buf *out);

#endif
