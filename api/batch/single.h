/*
 * single: an item of a batch that is submitted by itself: it is scheduled, has a unique_key, or a payload
 * that lies in the blob store.
 */
#ifndef JOBGATE_SINGLE_H
#define JOBGATE_SINGLE_H

#include "api/batch/batch.h"

/* Takes what s owns. */
struct single *single_new(struct batch *b, size_t item, const struct submission *s, const struct job_id *id);

/* A list, to be started later. */
void single_add(struct single **list, struct single *s);

/* Submits it, or with an e refuses it; batch_done comes once, perhaps from within. Takes s. */
void single_start(struct single *s, const struct error *e);
void single_start_all(struct single *list, const struct error *e);

#endif
