/*
 * types: tells Redis what this worker serves, again and again, so that the api knows it.
 */
#ifndef JOBGATE_WORKER_TYPES_H
#define JOBGATE_WORKER_TYPES_H

#include "worker/worker.h"

struct publisher;

struct publisher *publisher_new(struct worker *w); /* borrows */
struct publisher *publisher_free(
    struct publisher *p); /* takes NULL; returns NULL; its answers must have come */

/* Redis is there, or the handlers are others: tells it now. Until this was called for the first time nothing
 * is told. */
void publisher_tell(struct publisher *p);

/* Appends what is published. Exposed for tests. */
void types_write(const struct handlers *handlers, const char *queues, struct buf *out);

#endif
