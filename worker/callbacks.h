/*
 * callbacks: sees that callers who named a callback_url are told of the end of their jobs.
 *
 *     …:callbacks ──▶ this ──▶ a job of type jobgate-callback in the queue jobgate-callbacks ──▶
 * handlers/callback.c
 *
 * The script that ends a job notes its id in its shard's `…:callbacks`, in the same step. Any worker makes a
 * job of it, under an Idempotency-Key that names job and end, and then takes the id away: so an end is told
 * at least once, whoever dies. What is told is settled here, and does not change with the job.
 *
 * The queue is served from when there is something in it, so that it costs nothing where nobody is called.
 */
#ifndef JOBGATE_CALLBACKS_H
#define JOBGATE_CALLBACKS_H

#include "worker/worker.h"

#define CALLBACK_QUEUE RESERVED_PREFIX "callbacks"
#define CALLBACK_TYPE RESERVED_PREFIX "callback"

struct callbacks;

/* For the jobs of one shard (borrowed). */
struct callbacks *callbacks_new(struct worker *w, const struct shard *shard);
struct callbacks *callbacks_free(
    struct callbacks *c); /* takes NULL; returns NULL; its answers must have come */

/* Redis has become reachable, or is no more. */
void callbacks_begin(struct callbacks *c);
void callbacks_end(struct callbacks *c);

/* A job of this shard that names a callback_url has ended: it need not wait for the next look. */
void callbacks_hint(struct callbacks *c);

#endif
