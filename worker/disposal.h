/*
 * disposal: what is done in the blob store after a job has ended, one after the other and beside everything
 * else: blobs that nobody needs any more are removed (what it does not get to is found by the sweep,
 * orphans.h), and the end of a job without a result is kept.
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

/* Writes a small blob of JSON; one of that name that is there already goes. text is copied. */
void disposal_put(struct disposal *d, const char *name, const char *text, size_t length);

/* Removes the payload of a job that will not be run again. */
void disposal_add_payload(struct disposal *d, const struct job_id *id, const struct job_spec *spec);

#endif
