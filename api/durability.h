/*
 * durability: how sure it is that Redis keeps a job before its caller is told so (SUBMIT_DURABILITY,
 * docs/guarantees.md).
 *
 * memory: Redis has it. replica: so many replicas have it too (WAIT). fsync: it is in Redis's append-only
 * file on disk (WAITAOF; Redis 7.2). The last two block a connection while they wait, so submissions have one
 * of their own then, and all that were accepted within a turn of the loop wait together.
 */
#ifndef JOBGATE_DURABILITY_H
#define JOBGATE_DURABILITY_H

#include "common/base/config.h"
#include "common/net/loop.h"
#include "common/queue/queue.h"
#include "common/redis/redis.h"

struct durability;

/* shared is the connection for everything else, which memory uses too. Borrows all. Fails: INVALID. */
struct durability *durability_new(
    struct loop *l, const struct config *config, struct queue *shared, struct error *e) MUST_CHECK;

/* Ends its connection; what waits is answered from within. Takes NULL; returns NULL. */
struct durability *durability_free(struct durability *d);

/* Where submissions are to be sent. */
struct queue *durability_queue(const struct durability *d);

/* e: NULL = it is kept as was asked for; REDIS_BUSY when too few replicas answered (the job may have been
 * accepted all the same), REDIS_AWAY. */
typedef void durability_reached(void *arg, const struct error *e);

/* Waits for what was accepted before. done is called once: at once when there is nothing to wait for, else
 * later. */
void durability_wait(struct durability *d, durability_reached *done, void *arg);

#endif
