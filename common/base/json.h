/*
 * json: jansson with the strictness that hostile input needs, and a writer for text that we make ourselves.
 * Source: RFC 8259; what it leaves open is refused: duplicate names, invalid UTF-8, lone surrogates, trailing
 * bytes, integers beyond 64 bits, numbers beyond a double, more than JSON_MAX_DEPTH levels.
 */
#ifndef JOBGATE_JSON_H
#define JOBGATE_JSON_H

#include <jansson.h>

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum { JSON_MAX_DEPTH = 64 };

/* A stretch of a text, borrowed. text is NULL when there is none. */
struct json_span {
    const char *text;
    size_t length;
};

/* Parses text whole (any JSON value). Returns a new reference that the caller releases (json_decref or
 * AUTO(json)). Fails: BAD_JSON with line, column and why. */
json_t *json_parse(const char *text, size_t length, struct error *e) MUST_CHECK;

/* As json_parse, and sets *member to the text of the top-level member `name`, exactly as it stands in `text`
 * (so that no digit of a number is lost); in the value itself a long text may stand there empty. member->text
 * is NULL when the top level is no object or has no such member. Fails: BAD_JSON; also when the name is
 * spelled with escapes, which hides it from the caller. */
json_t *json_parse_keeping(
    const char *text, size_t length, const char *name, struct json_span *member, struct error *e) MUST_CHECK;

/* Appends text as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void json_write_string(struct buf *b, const char *text, size_t length);

/* Appends `,"name":"text"`. The name is written as it is. */
void json_write_member(struct buf *b, const char *name, const char *text);

/* Appends value in its compact form. */
void json_write_value(struct buf *b, const json_t *value);

/* Appends one step of a JSON Pointer: '/' and name with '~' and '/' escaped. Source: RFC 6901 section 3. */
void json_write_pointer_step(struct buf *b, const char *name);

static inline void auto_json(json_t **p)
{
    json_decref(*p);
}

#endif
