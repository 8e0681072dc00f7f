/*
 * blocks: the buffers of uploads, and the budget that bounds them all together.
 *
 * A block begins small and grows to BLOB_BLOCK_BYTES. Up to BLOCK_FREE_BYTES it costs nothing, so that every
 * upload can go on, if slowly, when the budget is used up by others; what is beyond is taken from the budget.
 */
#ifndef JOBGATE_BLOB_BLOCKS_H
#define JOBGATE_BLOB_BLOCKS_H

#include "common/base/base.h"
#include "common/blob/blob.h"

enum { BLOCK_FREE_BYTES = 64 * 1024, BLOCK_SPARES = 4, BLOCK_SPARE_BYTES = 1024 * 1024 };

/* Zeroed but for max_bytes at birth. A few buffers of middle size are kept for the next block: pages that are
 * fetched anew cost more than what is copied into them. */
struct block_budget {
    size_t max_bytes;
    size_t used_bytes;
    char *spares[BLOCK_SPARES];
    size_t spare_count;
};

/* Lets the spare buffers go. */
void block_budget_release(struct block_budget *budget);

/* Zeroed at birth. */
struct block {
    char *data;
    size_t length;
    size_t size;
};

/* Makes room for at least one more byte, for `wanted` if it can. Returns false when the block is full, or
 * when the budget does not allow it to grow. */
bool block_grow(struct block *b, struct block_budget *budget, size_t wanted) MUST_CHECK;

void block_release(struct block *b, struct block_budget *budget);

#endif
