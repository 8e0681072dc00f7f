/*
 * excerpt: the beginning and the end of a stream of any length, in bounded memory: the first
 * EXCERPT_PART_BYTES, the last EXCERPT_PART_BYTES, and a line between that says how many bytes were left out.
 */
#ifndef JOBGATE_EXCERPT_H
#define JOBGATE_EXCERPT_H

#include "common/base/base.h"
#include "common/base/buf.h"

enum { EXCERPT_PART_BYTES = 32768, EXCERPT_MAX_BYTES = 2 * EXCERPT_PART_BYTES + 64 };

struct excerpt {
    struct buf head;
    char *tail;          /* a ring of EXCERPT_PART_BYTES; NULL while the head has room; owned */
    uint64_t tail_total; /* bytes that ever went into the ring */
};

void excerpt_init(struct excerpt *x);
void excerpt_add(struct excerpt *x, const char *data, size_t length);

/* Moves what there is to `out`, an uninitialised buffer, and releases the excerpt. */
void excerpt_finish(struct excerpt *x, struct buf *out);

#endif
