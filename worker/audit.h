/*
 * audit: looks whether every job of a queue shard that lives stands in exactly one place: ready, scheduled,
 * dead, or one worker's list. It goes over the lists and then over the records, a batch at a time. Jobs move
 * meanwhile, so what looks wrong is looked at again, exactly, a while later; what is still wrong then is
 * counted and named in the log.
 *
 *     CHOSEN ─▶ WORKERS ─▶ LISTS (ready, held, scheduled, dead, each worker's) ─▶ RECORDS ─▶ SUSPECTS ─▶ done
 */
#ifndef JOBGATE_AUDIT_H
#define JOBGATE_AUDIT_H

#include "worker/worker.h"

struct audit;

struct audit *audit_new(struct worker *w, const struct shard *shard);
struct audit *audit_free(struct audit *a); /* takes NULL; returns NULL; its answers must have come */

/* Redis has become reachable, or is no more. */
void audit_begin(struct audit *a);
void audit_end(struct audit *a);

#endif
