/*
 * resource: the job resource, the same wherever it appears.
 */
#ifndef JOBGATE_RESOURCE_H
#define JOBGATE_RESOURCE_H

#include "common/base/buf.h"
#include "common/blob/blob.h"
#include "common/queue/record.h"
#include "common/queue/types.h"

/* Appends the JSON of a job; members that are not known are absent. store says where results lie, type (NULL
 * = it is unknown) what the job has by default. */
void resource_write_job(
    struct buf *out, const struct job *job, const struct blob_store *store, const struct known_type *type);

#endif
