/*
 * reader: what a connection sends, before evhttp sees it. It passes on whole heads that head.h finds right,
 * and bodies as they come; trailers and extensions of chunks are dropped (nobody here knows one, and evhttp
 * would take trailers for headers). Pure: bytes in, bytes out.
 *
 * The first thing that is wrong ends it: it passes on a line that evhttp refuses too, so that the answer
 * comes in its turn, and nothing more. `refusal` says what the answer is to be.
 */
#ifndef JOBGATE_READER_H
#define JOBGATE_READER_H

#include "api/wire/head.h"
#include "common/base/buf.h"

enum reader_state {
    READER_HEAD,
    READER_BODY,
    READER_CHUNK_SIZE,
    READER_CHUNK,
    READER_CHUNK_END,
    READER_TRAILERS,
    READER_ENDED
};

struct reader {
    enum reader_state state;
    int64_t body_max;
    int64_t left;         /* of the body or chunk */
    int64_t body_length;  /* of a chunked one, so far */
    size_t trailer_bytes; /* so far */
    struct buf held;      /* a head or line that is not whole yet */
    size_t looked_at;     /* bytes of it that hold no end */
    int empty_lines;      /* in front of the next request */
    size_t requests;      /* heads that were passed on */
    struct error refusal; /* code ERROR_OK while nothing is wrong */
};

/* A line that evhttp refuses in every state in which it reads lines. */
#define READER_REFUSAL_LINE "!\r\n"

void reader_init(struct reader *r, int64_t body_max);
void reader_release(struct reader *r);

/* Takes what came. Returns true when all of it is to be passed on as it is; else it is to be replaced by what
 * was appended to out. */
bool reader_feed(struct reader *r, const char *data, size_t length, struct buf *out) MUST_CHECK;

/* Whether it waits for the rest of a head or body. */
bool reader_is_waiting(const struct reader *r);

/* Gives up on what has not come yet: appends to out what is to be passed on. Only outside of bodies. */
void reader_refuse(struct reader *r, const struct error *e, struct buf *out);

#endif
