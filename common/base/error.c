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

/* Drops a UTF-8 sequence that the end of the text cut through. */
static void drop_cut_sequence(char *text, size_t length)
{
    size_t start = length;
    size_t wanted;
    unsigned char lead;

    while (start && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (!start)
        return;
    lead = (unsigned char)text[--start];
    wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (wanted > length - start)
        text[start] = '\0';
}

bool error_set(struct error *e, enum error_code code, const char *format, ...)
{
    struct error made = {.code = code}; /* apart, because e's old text may be among the arguments */
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(made.text, sizeof(made.text), format, args);
    va_end(args);
    if (length >= (int)sizeof(made.text))
        drop_cut_sequence(made.text, sizeof(made.text) - 1);
    *e = made;
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
