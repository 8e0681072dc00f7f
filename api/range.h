/*
 * range: what part of a content a request asks for. Pure. Source: RFC 9110 section 14.
 */
#ifndef JOBGATE_RANGE_H
#define JOBGATE_RANGE_H

#include "common/base/base.h"

enum range_verdict {
    RANGE_ALL,  /* no range, or one that is ignored: another unit, malformed, several at once */
    RANGE_PART, /* one range, which is filled in */
    RANGE_NONE, /* the content has no such bytes: 416 */
};

/* Reads a Range header (NULL: there is none) for a content of `size` bytes. Fills offset and length for PART.
 */
enum range_verdict range_read(const char *header, int64_t size, int64_t *offset, int64_t *length);

#endif
