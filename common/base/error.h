/*
 * error: the one error type. A code from error.def, and a text that says what was wrong, where, and what
 * would be right.
 *
 * Fallible functions return bool (true = done) and take `struct error *` last; on failure their outputs are
 * untouched. Nothing below main and the callbacks logs an error: it is returned, and the layer that ends the
 * request or job logs it once.
 */
#ifndef JOBGATE_ERROR_H
#define JOBGATE_ERROR_H

#include "common/base/base.h"

enum error_code {
#define ERROR(code, name, http, retry, title) ERROR_##code,
#include "common/base/error.def"
#undef ERROR
    ERROR_COUNT
};

struct error {
    enum error_code code;
    char text[256]; /* cut, never overflown; always valid UTF-8 when its inputs are */
};

/* Fills e and returns false, so that the failing line is `return error_set(e, ERROR_X, "…", …)`. e->text may
 * be among the arguments: error_set(e, e->code, "while reading: %s", e->text). */
bool error_set(struct error *e, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The stable machine-readable name of a code, lower case: "not_found". Static storage. */
const char *error_name(enum error_code code);

/* The one-line title of a code. Static storage. */
const char *error_title(enum error_code code);

/* The HTTP status with which the api reports this code. */
int error_http_status(enum error_code code);

/* Whether the same thing may succeed when tried again later. */
bool error_is_retryable(enum error_code code);

/* The code that error_name gave `name`; ERROR_COUNT when no code has that name. */
enum error_code error_from_name(const char *name);

#endif
