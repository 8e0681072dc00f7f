/*
 * lease: a worker's right to hold jobs of one queue shard. It is renewed by a heartbeat, four times in each
 * LEASE_MS.
 *
 * It is counted from when the renewal was sent, by this machine's steady clock, so that it ends here before
 * it ends in Redis. When it cannot be renewed, on_lost comes while a fifth of it is left: time to kill the
 * handlers. A worker that was reaped meanwhile never comes back under its name: on_reaped, and lease_begin
 * with another.
 */
#ifndef JOBGATE_LEASE_H
#define JOBGATE_LEASE_H

#include "common/net/loop.h"
#include "common/queue/queue.h"

struct lease;

struct lease_events {
    loop_callback *on_held; /* it is held, and was not before */
    loop_callback *on_lost; /* it was held, and could not be renewed in time */
    loop_callback *on_reaped;
    void (*on_revoked)(void *arg, const struct job_id *ids, size_t count); /* jobs that were cancelled here */
};

/* Borrows everything but events. slots: how many jobs the worker runs at once. */
struct lease *lease_new(struct loop *l, struct queue *q, const struct shard *shard, int64_t lease_ms,
    int64_t slots, const struct lease_events *events, void *arg);
struct lease *lease_free(struct lease *s); /* takes NULL; returns NULL; its answers must have come */

/* Registers under a name that was never used before (kept as a reference), now or as soon as Redis is there.
 */
void lease_begin(struct lease *s, const char *worker);

/* Redis is there (again): renews at once. */
void lease_resume(struct lease *s);

bool lease_is_held(const struct lease *s);

/* Why the last renewal failed. Borrowed until the next turn. */
const char *lease_trouble(const struct lease *s);

/* How many workers the shard has, as the last renewal told; at least 1. */
size_t lease_worker_count(const struct lease *s);

#endif
