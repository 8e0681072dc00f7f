/*
 * lookout: tells those who wait for jobs that these have changed. One per loop, with one more connection to
 * Redis for all of them, opened for the first. Nobody polls.
 *
 * It subscribes to the events of the shards that somebody waits for. What they name is read from Redis, many
 * jobs in one request, and whoever waits for a job that looks otherwise now is told. Once a subscription
 * stands, after each reconnect too, all jobs of the shard are read. As a safety net every job is read again
 * now and then, a few at a time: each within 15 s, or 2 s while the subscription does not stand.
 */
#ifndef JOBGATE_LOOKOUT_H
#define JOBGATE_LOOKOUT_H

#include "common/base/config.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/queue/queue.h"

struct lookout;
struct watched;

/* What a watcher is told: first the job as it stands, then each change of it. job (without its payload) is
 * valid inside the callback only; NULL with an e: NOT_FOUND, BAD_RECORD, and STOPPED when the lookout drains
 * and the job could not be read. Both may be told several times. From within, the watcher may be stopped and
 * released. */
typedef void lookout_told(void *arg, const struct job *job, const struct error *e);

/* Somebody who waits for a job. Embedded; all its members are the lookout's. */
struct watcher {
    struct lookout *lookout; /* NULL while it does not wait */
    struct watched *watched;
    lookout_told *told;
    void *arg;
    bool is_fresh; /* it was told nothing yet */
    struct watcher *next;
    struct watcher *previous;
};

/* q reads the jobs; all are borrowed. */
struct lookout *lookout_new(
    struct loop *l, const struct config *config, struct queue *q, struct metrics *metrics);

/* Ends the connection. Nobody may wait any more. Takes NULL; returns NULL. */
struct lookout *lookout_free(struct lookout *w);

/* Starts to wait; told comes later, never from within. Fails: TOO_MANY_WAITERS. */
bool lookout_start(struct lookout *w, struct watcher *me, const struct job_id *id, lookout_told *told,
    void *arg, struct error *e) MUST_CHECK;

/* Ends the waiting; harmless when it does not wait. */
void lookout_stop(struct watcher *me);

/* The process stops: from now on everybody is told at once how the job stands, or STOPPED, and is expected to
 * end its waiting. */
void lookout_drain(struct lookout *w);
bool lookout_is_draining(const struct lookout *w);

#endif
