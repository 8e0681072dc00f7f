/*
 * health: watches whether the blob store can be used, says so once when that changes, and makes the container
 * or directory when it is missing. It asks every 10 s; every 1 to 10 s while the store is away.
 */
#ifndef JOBGATE_BLOB_HEALTH_H
#define JOBGATE_BLOB_HEALTH_H

#include "common/blob/blob.h"
#include "common/net/metrics.h"

struct blob_health;

/* store and metrics are borrowed; component too, for log lines. on_up (optional) is called each time that it
 * came back. */
struct blob_health *blob_health_new(struct loop *l, struct blob_store *store, struct metrics *metrics,
    const char *component, loop_callback *on_up, void *arg);
struct blob_health *blob_health_free(struct blob_health *h); /* takes NULL; returns NULL */

bool blob_health_is_up(const struct blob_health *h);

/* Says in a few words how it stands. Borrowed until the next turn. */
const char *blob_health_describe(const struct blob_health *h);

/* Tells it what an operation met: NULL = the store answered well. */
void blob_health_report(struct blob_health *h, const struct error *e);

#endif
