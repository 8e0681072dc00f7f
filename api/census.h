/*
 * census: keeps the gauges of the queues current, and what /v1/stats answers on the ops port: looked at every
 * two seconds.
 */
#ifndef JOBGATE_CENSUS_H
#define JOBGATE_CENSUS_H

#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/queue/queue.h"

struct census;

/* Borrows everything. */
struct census *census_new(struct loop *l, struct queue *q, struct metrics *m);

/* Stops looking. Before the queue's connection is freed, which answers what is pending; then census_free. */
void census_stop(struct census *c);
struct census *census_free(struct census *c); /* takes NULL; returns NULL */

/* Appends the last stats, or an empty object when there are none yet; an ops_page. */
void census_write(void *census, struct buf *out);

#endif
