/*
 * cursor: where a list goes on, as a text that callers take as it is. Pure.
 */
#ifndef JOBGATE_CURSOR_H
#define JOBGATE_CURSOR_H

#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/queue/page.h"

enum { CURSOR_SIZE = 512 };

/* The last job that was looked at. */
struct cursor {
    struct page_entry entry;
    char worker[WORKER_ID_SIZE]; /* of running jobs: whose it is; else "" */
};

/* `list` is a hash of everything that makes the list: a cursor is good for that list alone. */
void cursor_write(const struct cursor *c, const char list[HASH_TEXT_SIZE], char out[CURSOR_SIZE]);

/* Fails: INVALID, when text is none, or one of another list. */
bool cursor_read(const char *text, const struct shard *shard, const char list[HASH_TEXT_SIZE],
    struct cursor *out, struct error *e) MUST_CHECK;

#endif
