/*
 * buf: a growing byte buffer with a ceiling that is set at birth. Always NUL-terminated (the NUL is not
 * counted), so that `data` is a C string when what was appended is text.
 *
 * An append that would pass the ceiling appends nothing, marks the buffer as overflown and returns false;
 * later appends fail too. A caller that appends many pieces may ignore the single results and ask
 * buf_is_overflown once at the end.
 */
#ifndef JOBGATE_BUF_H
#define JOBGATE_BUF_H

#include "common/base/base.h"

struct buf {
    char *data;     /* never NULL after buf_init; owned */
    size_t length;  /* bytes used, without the NUL */
    size_t size;    /* bytes allocated; 0 while data points at the shared empty string */
    size_t ceiling; /* the most bytes it may ever hold */
    bool is_overflown;
};

extern char buf_empty[1]; /* what data points at before the first append; never written to */

/* An initialiser: AUTO_BUF struct buf b = BUF(limit); */
#define BUF(limit) ((struct buf){.data = buf_empty, .ceiling = (limit)})

void buf_init(struct buf *b, size_t ceiling);
void buf_release(struct buf *b); /* frees; the buffer may be initialised again */
void buf_reset(struct buf *b);   /* empties and keeps the memory */
void buf_wipe(struct buf *b);    /* overwrites what it held and empties: it was a secret */

bool buf_append(struct buf *b, const void *data, size_t length);
bool buf_append_text(struct buf *b, const char *text);
bool buf_append_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends value as decimal digits: what buf_printf("%lld") does, many times faster. */
bool buf_append_int(struct buf *b, int64_t value);

/* Makes room for `length` more bytes and returns where they go, or NULL past the ceiling; buf_added then
 * counts those that were written. */
char *buf_reserve(struct buf *b, size_t length) MUST_CHECK;
void buf_added(struct buf *b, size_t length);

/* Hands the memory over (released with free()) and leaves the buffer empty. *length may be NULL. */
char *buf_take(struct buf *b, size_t *length);

static inline bool buf_is_overflown(const struct buf *b)
{
    return b->is_overflown;
}

#define AUTO_BUF __attribute__((cleanup(buf_release)))

#endif
