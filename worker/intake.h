/*
 * intake: a payload that lies in the blob store, on its way into a handler; in one blob, or in the parts of
 * an upload, one after the other.
 *
 * While the store is slow and the handler waits for it, the run's time limit stands still. When the payload
 * cannot be read the run is killed: its end is then the intake's failure.
 */
#ifndef JOBGATE_WORKER_INTAKE_H
#define JOBGATE_WORKER_INTAKE_H

#include "common/blob/blob.h"
#include "common/queue/record.h"
#include "worker/handlers/handler.h"

struct intake;

/* Begins to read. Borrows all of it; run must not end before intake_free. */
struct intake *intake_start(struct blob_store *store, const struct job *job, struct run *run);

/* The run would take more: its on_hungry. */
void intake_feed(struct intake *i);

/* Why the payload could not be read: GONE when it is not there, or has not the bytes that were submitted;
 * else the store's error. NULL while it could. */
const struct error *intake_failure(const struct intake *i);

/* The run has ended. Takes NULL; returns NULL. */
struct intake *intake_free(struct intake *i);

#endif
