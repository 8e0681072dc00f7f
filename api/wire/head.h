/*
 * head: whether the head of a request, or a part of the framing of its body, is HTTP/1.1 to the letter. What
 * two programs could read in two ways is refused, so that no proxy in front can be made to see other requests
 * than we do. Pure.
 *
 * Source: RFC 9112; where it lets a server choose (bare LF, line folding, several Content-Length), the
 * strict way.
 */
#ifndef JOBGATE_HEAD_H
#define JOBGATE_HEAD_H

#include "common/base/base.h"
#include "common/base/error.h"

enum {
    HEAD_MAX = 32768,  /* bytes, from the request line to the empty line */
    TARGET_MAX = 8192, /* of the request's target */
    FIELDS_MAX = 100,  /* header fields */
};

enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

/* What follows the head. */
struct head {
    enum body_framing framing;
    int64_t content_length; /* with BODY_LENGTH */
};

/* Reads a whole head, up to and with its empty line. Fails: BAD_REQUEST, TARGET_TOO_LONG, HEAD_TOO_BIG,
 * BAD_TRANSFER, BAD_VERSION; the text says what is wrong. */
bool head_read(const char *text, size_t length, struct head *out, struct error *e) MUST_CHECK;

/* Checks one field's line, without its CRLF. Fails: BAD_REQUEST. */
bool head_check_field(const char *line, size_t length, struct error *e) MUST_CHECK;

/* Reads a chunk's first line, without its CRLF: the size, behind which an extension is passed over. Fails:
 * BAD_REQUEST. */
bool head_read_chunk_size(const char *line, size_t length, int64_t *size, struct error *e) MUST_CHECK;

#endif
