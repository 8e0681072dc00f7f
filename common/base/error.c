#include "common/base/error.h"

enum { NO_RETRY = 0, RETRY = 1 };

static const struct row {
    const char *name;
    int http;
    bool is_retryable;
    const char *title;
} rows[] = {
#define ERROR(code, name, http, retry, title) {name, http, retry, title},
#include "common/base/error.def"
#undef ERROR
};

bool error_set(struct error *e, enum error_code code, const char *format, ...)
{
    va_list args;

    e->code = code;
    va_start(args, format);
    vsnprintf(e->text, sizeof(e->text), format, args);
    va_end(args);
    return false;
}

const char *error_name(enum error_code code)
{
    return rows[code].name;
}

const char *error_title(enum error_code code)
{
    return rows[code].title;
}

int error_http_status(enum error_code code)
{
    return rows[code].http;
}

bool error_is_retryable(enum error_code code)
{
    return rows[code].is_retryable;
}

enum error_code error_from_name(const char *name)
{
    for (unsigned code = 0; code < ERROR_COUNT; code++)
        if (strcmp(rows[code].name, name) == 0)
            return code;
    return ERROR_COUNT;
}
