/*
 * idset: a set of job ids, kept as 64-bit hashes. Two ids that share a hash count as one; its user makes sure
 * of what matters.
 */
#ifndef JOBGATE_IDSET_H
#define JOBGATE_IDSET_H

#include "common/base/base.h"

struct idset {
    uint64_t *slots; /* 0 = free */
    size_t size;     /* a power of two, or 0 */
    size_t count;
};

void idset_release(struct idset *s); /* empties it and frees its memory */

/* Returns false when it was there already. */
bool idset_add(struct idset *s, const char *id);
bool idset_has(const struct idset *s, const char *id);

#endif
