/*
 * types: what workers say they serve, as one loop of the api knows it; read every 2 s.
 */
#ifndef JOBGATE_API_TYPES_H
#define JOBGATE_API_TYPES_H

#include "api/server.h"
#include "common/net/loop.h"
#include "common/queue/types.h"

struct types;

struct types *types_new(struct loop *l, struct queue *q); /* borrows */
struct types *types_free(struct types *t); /* takes NULL; returns NULL; its answers must have come */

/* Redis is there: reads now. */
void types_look(struct types *t);

/* Returns false when no worker said that it serves this type. *out is valid until the next turn of the loop.
 */
bool types_find(const struct types *t, const char *name, struct known_type *out);

/* Whether a submission of this type is to be accepted: it is known, or none at all is (no worker was ever
 * there), or UNKNOWN_TYPES=park. Else what is wrong, with the types that the caller could use instead, is
 * appended to `why`. */
bool types_admit(const struct exchange *x, const char *name, struct buf *why) MUST_CHECK;

#endif
