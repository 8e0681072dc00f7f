/*
 * consumer: claims jobs of one queue shard.
 *
 * Idle, it waits in a blocking move on a connection of its own, so that exactly one worker is woken by a new
 * job and nothing polls. Awake and with room, it takes batches until the queue is empty. Whenever an answer
 * was lost it compares the worker's list in Redis with what the worker really has, and gives the difference
 * back.
 *
 * It claims only while it holds the shard's lease. When the lease cannot be renewed, what runs is killed,
 * before another worker may start it; when the worker was reaped, it goes on under a new name.
 */
#ifndef JOBGATE_CONSUMER_H
#define JOBGATE_CONSUMER_H

#include "worker/worker.h"

struct consumer *consumer_new(struct worker *w, const char *queue);
struct consumer *consumer_free(struct consumer *c); /* takes NULL; returns NULL */

/* Goes on with whatever can be done now, but taking jobs: who may take how many is decided over all
 * consumers. */
void consumer_pump(struct consumer *c);

/* Whether its queue may have jobs that it could take now. */
bool consumer_can_take(const struct consumer *c);

/* Whether it is being told whether its queue has jobs. */
bool consumer_is_taking(const struct consumer *c);

/* Takes up to count jobs. Only when it can. */
void consumer_take(struct consumer *c, size_t count);

/* Redis and this process may differ on what it holds: what stands in the worker's list and has no attempt
 * here is given back. */
void consumer_doubt(struct consumer *c);

/* The main connection is there; or it was lost: what was under way on it is unknown. */
void consumer_redis_ready(struct consumer *c);
void consumer_redis_lost(struct consumer *c);

/* What is cut off now: the worker's own settlements are dropped, its handlers killed, its jobs given back. */
void consumer_cut_off(struct consumer *c);

/* Claims no more; once the wait has ended and no attempt is left (or the deadline has passed), gives back
 * what the list still holds and tells worker_consumer_left. */
void consumer_leave(struct consumer *c);

/* Whether its connection will not come back by itself (redis_is_stuck). */
bool consumer_is_stuck(const struct consumer *c, int64_t now_ms);

/* The name under which it holds jobs now. Borrowed. */
const char *consumer_name(const struct consumer *c);

/* Whether it may still store and settle what it runs. */
bool consumer_is_entitled(const struct consumer *c);

const struct shard *consumer_shard(const struct consumer *c);
struct worker *consumer_worker(const struct consumer *c);
struct settler *consumer_settler(const struct consumer *c);

#endif
