#include "common/blob/blocks.h"
#include "common/base/mem.h"

#include <sys/mman.h>

enum { FIRST_BYTES = 4096, STEP = 4 };

static size_t charge_of(size_t size)
{
    return size > BLOCK_FREE_BYTES ? size : 0;
}

static char *take_memory(struct block_budget *budget, size_t size)
{
    if (size == BLOCK_SPARE_BYTES && budget->spare_count)
        return budget->spares[--budget->spare_count];
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Large blocks are mapped, so that they move without a copy while they grow and leave nothing behind. */
static void resize(struct block *b, struct block_budget *budget, size_t size)
{
    char *data;

    if (size <= BLOCK_FREE_BYTES) {
        b->data = mem_realloc(b->data, size);
        b->size = size;
        return;
    }
    if (b->size > BLOCK_FREE_BYTES)
        data = mremap(b->data, b->size, size, MREMAP_MAYMOVE);
    else
        data = take_memory(budget, size);
    if (data == MAP_FAILED)
        abort(); /* out of memory: mem.h's policy */
    if (b->size <= BLOCK_FREE_BYTES) {
        if (b->length)
            memcpy(data, b->data, b->length);
        free(b->data);
    }
    b->data = data;
    b->size = size;
}

/* The size that a block of this size takes next, to hold `wanted` bytes. */
static size_t next_size(size_t size, size_t wanted)
{
    size_t next = size ? size * STEP : FIRST_BYTES;

    while (next < wanted && next < BLOB_BLOCK_BYTES)
        next *= STEP;
    return next < BLOB_BLOCK_BYTES ? next : BLOB_BLOCK_BYTES;
}

bool block_grow(struct block *b, struct block_budget *budget, size_t wanted)
{
    size_t size = next_size(b->size, wanted);

    if (b->size == BLOB_BLOCK_BYTES)
        return false;
    if (size > BLOCK_FREE_BYTES && size < BLOCK_SPARE_BYTES && budget->spare_count)
        size = BLOCK_SPARE_BYTES;
    while (budget->used_bytes - charge_of(b->size) + charge_of(size) > budget->max_bytes && size > b->size)
        size /= STEP;
    if (size <= b->size)
        return false;
    budget->used_bytes += charge_of(size) - charge_of(b->size);
    resize(b, budget, size);
    return true;
}

void block_release(struct block *b, struct block_budget *budget)
{
    budget->used_bytes -= charge_of(b->size);
    if (b->size == BLOCK_SPARE_BYTES && budget->spare_count < BLOCK_SPARES)
        budget->spares[budget->spare_count++] = b->data;
    else if (b->size > BLOCK_FREE_BYTES)
        munmap(b->data, b->size);
    else
        free(b->data);
    *b = (struct block){0};
}

void block_budget_release(struct block_budget *budget)
{
    while (budget->spare_count)
        munmap(budget->spares[--budget->spare_count], BLOCK_SPARE_BYTES);
}
