/*
 * splitter: finds the items of a batch one after the other, without reading what is in them: the elements of
 * a JSON array, or lines (NDJSON). Pure.
 */
#ifndef JOBGATE_SPLITTER_H
#define JOBGATE_SPLITTER_H

#include "common/base/error.h"
#include "common/base/json.h"

struct splitter {
    const char *text;
    size_t length;
    size_t at;
    bool is_lines;
    size_t count; /* items found so far */
};

enum split { SPLIT_ITEM, SPLIT_END, SPLIT_BROKEN };

void splitter_init(struct splitter *s, const char *text, size_t length, bool is_lines);

/* The next item; it may be anything, JSON or not. Empty lines are passed over. BROKEN, with BAD_JSON: the
 * text is no array. */
enum split splitter_next(struct splitter *s, struct json_span *item, struct error *e) MUST_CHECK;

#endif
