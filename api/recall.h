/*
 * recall: jobs that Redis has forgotten, as the blob store still knows them.
 */
#ifndef JOBGATE_RECALL_H
#define JOBGATE_RECALL_H

#include "api/server.h"
#include "common/queue/queue.h"

/* As jobs_get; a job that Redis knows no more is told from its status blob, which is looked at first, or from
 * the metadata of its result. NOT_FOUND when neither is there; STORE_AWAY when that cannot be known now. */
void jobs_recall(struct exchange *x, exchange_got *done);

/* The same for any id, without a look at Redis. e: as above. job is valid inside done only. */
typedef void recalled(void *arg, const struct job *job, const struct error *e);
void recall_start(struct api *a, const struct job_id *id, recalled *done, void *arg);

/* The job ended without a result: keeps what Redis will forget. Nobody is told. */
void recall_keep(struct api *a, const struct job *job);

#endif
