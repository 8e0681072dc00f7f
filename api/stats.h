/*
 * stats: the numbers to look at and to scale on, of all queues together and of each.
 */
#ifndef JOBGATE_STATS_H
#define JOBGATE_STATS_H

#include "common/base/buf.h"
#include "common/queue/queue.h"

/* What any of these writes fits into it: 100000 queues, the most that QUEUES_MAX allows. */
enum { STATS_TEXT_MAX = 72 << 20 };

/* Adds up overviews. */
struct stats {
    int64_t waiting;
    int64_t demand; /* running, and waiting where the queue is not paused: what workers are needed for */
    int64_t scheduled;
    int64_t running;
    int64_t dead;
    int64_t oldest_ms;
    struct worker_overview *workers; /* each once, whatever queues it serves */
    size_t worker_count;
    struct buf queues; /* the JSON of each queue, `"name":{…}` with commas between */
    struct buf list;   /* the same as elements of a list */
};

void stats_init(struct stats *s);
void stats_release(struct stats *s);
void stats_add(struct stats *s, const struct queue_overview *o);

/* Append one queue; GET /v1/stats; GET /v1/queues; GET /v1/workers. */
void stats_write_queue(const struct queue_overview *o, struct buf *out);
void stats_write(const struct stats *s, struct buf *out);
void stats_write_queues(const struct stats *s, struct buf *out);
void stats_write_workers(const struct stats *s, struct buf *out);

#endif
