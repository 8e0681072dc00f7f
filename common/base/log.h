/*
 * log: one line to stdout per thing that happened. JSON when stdout is not a terminal, key=value when it is.
 *
 * Levels mean actions: error = someone should look; warn = we coped; info = a unit of work began or ended;
 * debug = states. An error's text names the remedy. Lines are gathered and written at the end of the loop
 * turn (log_set_flush_hook); warnings and errors are written at once. Safe to use from several threads: each
 * has its own buffer, a line is never cut.
 */
#ifndef JOBGATE_LOG_H
#define JOBGATE_LOG_H

#include "common/base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* What a part of the program says with each of its lines. Plain data; the strings are borrowed. NULL ids are
 * left out. */
struct log_context {
    const char *component; /* "api", "worker", "redis", … */
    const char *job_id;
    const char *request_id;
    int attempt; /* 0 = left out */
};

void log_write(enum log_level level, const struct log_context *context, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A member of a line of its own, for what programs read. */
struct log_field {
    const char *name;
    const char *value;
};

/* A line with fields: in JSON members of the line, else name=value behind the message. */
void log_event(enum log_level level, const struct log_context *context, const char *message,
    const struct log_field *fields, size_t count);

#define log_debug(context, ...)                                                                              \
    do {                                                                                                     \
        if (log_is_enabled(LOG_DEBUG))                                                                       \
            log_write(LOG_DEBUG, context, __VA_ARGS__);                                                      \
    } while (0)
#define log_info(context, ...) log_write(LOG_INFO, context, __VA_ARGS__)
#define log_warn(context, ...) log_write(LOG_WARN, context, __VA_ARGS__)
#define log_error(context, ...) log_write(LOG_ERROR, context, __VA_ARGS__)

/* Lines below `level` are dropped. Process-wide; set before threads start. */
void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

/* Where lines go (default 1, stdout) and in which form. Process-wide; set before threads start. */
void log_set_output(int fd, bool as_json);

/* The name that every line carries as "service". Borrowed. */
void log_set_service(const char *name);

/* Called (in the thread that logged) when its buffer becomes non-empty; must see to it that log_flush is
 * called soon. Per thread. Without one, each line is written at once. */
void log_set_flush_hook(void (*hook)(void *arg), void *arg);

/* Writes what this thread has gathered. */
void log_flush(void);

#endif
