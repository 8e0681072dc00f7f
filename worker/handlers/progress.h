/*
 * progress: reads the lines in which a handler tells how far it is: one JSON object each, on descriptor 3 of
 * a command, in a frame of a pool's protocol.
 *
 *     {"fraction": 0.4, "message": "page 4 of 10", "content_type": "text/csv"}
 *
 * Each member is optional, others are passed over. content_type counts in the first line only. A line that is
 * too long or is none of these is counted, and the first of them remembered, and changes nothing else.
 */
#ifndef JOBGATE_PROGRESS_H
#define JOBGATE_PROGRESS_H

#include "worker/handlers/kind.h"

enum { PROGRESS_LINE_MAX = 4096 };

struct progress {
    struct buf line;  /* what came of one that is not whole */
    bool is_skipping; /* the rest of a line that is too long */
    bool has_new;     /* something came since it was told */
    uint64_t line_count;
    uint64_t bad_count;
    struct error first_bad;
    double fraction;
    char message[PROGRESS_MESSAGE_SIZE];
};

void progress_init(struct progress *p);
void progress_release(struct progress *p);

/* Takes bytes as they come. What they say of the content type goes to r. */
void progress_add(struct progress *p, struct run *r, const char *data, size_t length);

/* Takes one line, whole. */
void progress_add_line(struct progress *p, struct run *r, const char *line, size_t length);

/* Tells r's receiver what is new, if anything is. It may call r's functions. */
void progress_tell(struct progress *p, struct run *r);

/* Appends what was wrong with the lines, one line of text, or nothing. */
void progress_complain(const struct progress *p, struct buf *log);

#endif
