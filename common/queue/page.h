/*
 * page: the ids of a place, a few at a time, behind one that was seen. Jobs that come and go meanwhile shift
 * nothing: one that stays where it is is seen once.
 */
#ifndef JOBGATE_PAGE_H
#define JOBGATE_PAGE_H

#include "common/queue/queue.h"

/* An id and where it stood: of what waits its place, else its score (Unix ms). */
struct page_entry {
    struct job_id id;
    int64_t at;
};

/* Valid inside the callback only. */
typedef void queue_paged(void *arg, const struct page_entry *entries, size_t count, const struct error *e);

/* Up to count (at least 1) entries of PLACE_READY (or what waits while the queue is paused), PLACE_SCHEDULED
 * or PLACE_DEAD. after: the last one seen; NULL: from the beginning. What is no id is left out; fewer than
 * count may come although there are more, but none only at the end. Fails: REDIS_AWAY. */
bool queue_page(struct queue *q, const struct shard *shard, enum place place, const struct page_entry *after,
    size_t count, queue_paged *done, void *arg, struct error *e) MUST_CHECK;

/* The same of what a worker holds, all of it at once: it is not more than a worker runs. `at` means nothing.
 */
bool queue_page_taken(struct queue *q, const struct shard *shard, const char *worker, queue_paged *done,
    void *arg, struct error *e) MUST_CHECK;

#endif
