/*
 * resource: the job resource, the same wherever it appears.
 */
#ifndef JOBGATE_RESOURCE_H
#define JOBGATE_RESOURCE_H

#include "common/base/buf.h"
#include "common/blob/blob.h"
#include "common/queue/record.h"

/* Appends the JSON of a job; members that are not known are absent. store says where results lie. */
void resource_write_job(struct buf *out, const struct job *job, const struct blob_store *store);

#endif
