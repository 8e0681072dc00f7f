/*
 * verdicts: what became of each item of a batch, and the answer that says so.
 */
#ifndef JOBGATE_VERDICTS_H
#define JOBGATE_VERDICTS_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/id.h"

struct verdicts;

/* For up to `max` items. */
struct verdicts *verdicts_new(size_t max);
struct verdicts *verdicts_free(struct verdicts *v); /* takes NULL; returns NULL */

/* The job of an item; it counts as soon as it is accepted. */
void verdicts_set_id(struct verdicts *v, size_t item, const char *id);
const char *verdicts_id(const struct verdicts *v, size_t item);

void verdicts_accept(struct verdicts *v, size_t item);

/* members: NULL, or JSON members each behind a comma; left out when others took too much room. */
void verdicts_refuse(struct verdicts *v, size_t item, const struct error *e, const char *members);

/* How many of the first `count` items were accepted. */
size_t verdicts_accepted(const struct verdicts *v, size_t count);

/* Makes all that were accepted refused. */
void verdicts_refuse_accepted(struct verdicts *v, size_t count, const struct error *e);

/* Appends the answer about the first `count` items. */
void verdicts_write(const struct verdicts *v, size_t count, struct buf *out);

#endif
