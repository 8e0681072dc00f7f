/*
 * spec: reads one object of the handlers file strictly. Each mistake becomes a line with a JSON Pointer (RFC
 * 6901), what is wrong and what would be right; reading goes on, so that a person sees all of them at once.
 */
#ifndef JOBGATE_SPEC_H
#define JOBGATE_SPEC_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/json.h"

enum { SPEC_POINTER_SIZE = 192 };

struct spec {
    const json_t *object;            /* borrowed */
    char pointer[SPEC_POINTER_SIZE]; /* of the object; cut when a name is longer than any good one */
    struct buf *mistakes;
    size_t *mistake_count; /* counted apart, as the buffer may be full */
};

/* The spec of the member `name` of parent's object. */
void spec_enter(struct spec *s, const struct spec *parent, const char *name, const json_t *object);

/* Adds a mistake about the object's member `field`, or about the object when field is NULL. */
void spec_mistake(struct spec *s, const char *field, const char *format, ...) PRINTF_LIKE(3, 4);

/* Adds a mistake for each member that stands in none of the two lists (each ends with NULL; more may be
 * NULL). */
void spec_refuse_unknown(struct spec *s, const char *const *known, const char *const *more);

/* A whole number from min to max; preset when there is none, or a mistake. */
int64_t spec_int(struct spec *s, const char *field, int64_t preset, int64_t min, int64_t max);

/* A text of 1 to max bytes without NUL. Borrowed; NULL when there is none (a mistake if it is required), or a
 * mistake. */
const char *spec_text(struct spec *s, const char *field, bool is_required, size_t max);

/* A list of min to max texts without NUL, required. Returns it as execve takes it, ending with NULL: one
 * allocation that holds the texts too and that the caller frees. NULL after a mistake. */
char **spec_texts(struct spec *s, const char *field, size_t min, size_t max);

/* The same of an array of texts without NUL. */
char **spec_copy_texts(const json_t *list);

#endif
