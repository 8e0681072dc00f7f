/*
 * frames: the pool's protocol, docs/handlers.md: each frame is one byte that says what it is, four bytes of
 * length (big endian) and so many bytes.
 *
 *     to the process     J the job, a JSON object    D a piece of the payload    E the payload's end
 *     from the process   P progress, a JSON object   D a piece of the result     E done    F failed, a JSON
 * object
 */
#ifndef JOBGATE_FRAMES_H
#define JOBGATE_FRAMES_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum { FRAME_HEAD_BYTES = 5, FRAME_TEXT_MAX = 65536 /* of P, E and F */ };

/* Appends a frame; of a D, length is what is appended. */
void frame_append(struct buf *out, char kind, const void *data, size_t length);

/* Reads frames from a stream that comes in pieces of any size. */
struct frame_reader {
    unsigned char head[FRAME_HEAD_BYTES];
    size_t head_length;
    char kind;       /* 0 = the head is not whole */
    uint32_t left;   /* of the frame's bytes */
    struct buf text; /* of P, E and F */
};

/* What frame_next found. */
enum frame_found {
    FRAME_NEED,     /* everything was used; more is needed */
    FRAME_DATA,     /* a piece of a D: data, length */
    FRAME_PROGRESS, /* a whole P: its text in data, length */
    FRAME_END,      /* a whole E: likewise */
    FRAME_FAILED,   /* a whole F: likewise */
    FRAME_BROKEN,   /* e says why */
};

void frame_reader_init(struct frame_reader *r);
void frame_reader_release(struct frame_reader *r);

/* Whether it stands between two frames. */
bool frame_reader_is_between(const struct frame_reader *r);

/* Takes the next thing from *at (of *rest bytes) and moves both on. *data and *length are what the enum says,
 * valid until the next call. */
enum frame_found frame_next(struct frame_reader *r, const char **at, size_t *rest, const char **data,
    size_t *length, struct error *e);

#endif
