/*
 * upkeep: what any worker does for a queue shard, whoever else does it too: it gives back the jobs of workers
 * that have vanished, and makes scheduled jobs queued when they are due. The scripts check again, so that
 * nothing is done twice.
 *
 * Nobody reaps until LEASE_MS after Redis became reachable: if it was Redis that was away, every worker was
 * silent.
 */
#ifndef JOBGATE_UPKEEP_H
#define JOBGATE_UPKEEP_H

#include "worker/lease.h"
#include "worker/worker.h"

struct upkeep;

struct upkeep *upkeep_new(struct worker *w, const struct shard *shard, const struct lease *lease);
struct upkeep *upkeep_free(struct upkeep *u); /* takes NULL; returns NULL; its answers must have come */

/* Redis has become reachable, or is no more. */
void upkeep_begin(struct upkeep *u);
void upkeep_end(struct upkeep *u);

#endif
