/*
 * disposal: removes blobs that nobody needs any more, one after the other, beside everything else. What it
 * does not get to is found by the sweep (orphans.h).
 */
#ifndef JOBGATE_DISPOSAL_H
#define JOBGATE_DISPOSAL_H

#include "common/blob/blob.h"
#include "common/queue/record.h"

struct disposal;

struct disposal *disposal_new(struct blob_store *store); /* borrows */
struct disposal *disposal_free(struct disposal *d);      /* before its store; takes NULL; returns NULL */

/* Removes a blob. */
void disposal_add(struct disposal *d, const char *name);

/* Removes the payload of a job that will not be run again. */
void disposal_add_payload(struct disposal *d, const struct job_id *id, const struct job_spec *spec);

#endif
