/*
 * hash: a short digest of texts that come from a caller, for names of keys and comparisons.
 */
#ifndef JOBGATE_HASH_H
#define JOBGATE_HASH_H

#include "common/base/base.h"

enum { HASH_TEXT_SIZE = 33 };

/* Writes the first 128 bits of the SHA-256 of the parts, in hex. Each part's length goes in too, so that
 * ("ab", "c") and
 * ("a", "bc") differ. The list of parts (pointer and length each) ends with a NULL pointer. */
struct hash_part {
    const void *data;
    size_t length;
};
void hash_text(const struct hash_part *parts, char out[HASH_TEXT_SIZE]);

#endif
