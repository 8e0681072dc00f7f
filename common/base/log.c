#include "common/base/log.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/buf.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 16384,
    GATHER_BYTES = 32768,
    MESSAGE_SIZE = 1024,
    USUAL_LINE_BYTES = 640,
    ID_MAX_BYTES = 256
};

/* The longest line: every byte as \u00xx. */
static_assert((MESSAGE_SIZE + 3 * ID_MAX_BYTES) * 6 + 512 < LINE_MAX_BYTES, "a line is never cut");

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static struct {
    enum log_level level;
    int fd;
    bool as_json;
    const char *service;
} output = {.level = LOG_INFO, .fd = STDOUT_FILENO, .as_json = true, .service = "jobgate"};

static __thread struct {
    char *lines; /* GATHER_BYTES, allocated at the first use; lives as long as the thread */
    size_t length;
    void (*flush_hook)(void *arg);
    void *flush_arg;
} gathered;

void log_set_level(enum log_level level)
{
    output.level = level;
}

bool log_is_enabled(enum log_level level)
{
    return level >= output.level;
}

void log_set_output(int fd, bool as_json)
{
    output.fd = fd;
    output.as_json = as_json;
}

void log_set_service(const char *name)
{
    output.service = name;
}

void log_set_flush_hook(void (*hook)(void *arg), void *arg)
{
    gathered.flush_hook = hook;
    gathered.flush_arg = arg;
}

/* A full pipe takes a long write in pieces, and between them those of another thread: one at a time. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

/* A pipe whose reader is slow may be non-blocking: it is waited for, a second at the most, then the lines are
 * lost. */
static void write_alone(const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(output.fd, data, length);

        if (n >= 0) {
            data += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = output.fd, .events = POLLOUT};

            if (poll(&writable, 1, 1000) <= 0)
                return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void write_all(const char *data, size_t length)
{
    pthread_mutex_lock(&writing);
    write_alone(data, length);
    pthread_mutex_unlock(&writing);
}

void log_flush(void)
{
    if (gathered.length)
        write_all(gathered.lines, gathered.length);
    gathered.length = 0;
    if (!gathered.flush_hook) {
        free(gathered.lines);
        gathered.lines = NULL;
    }
}

static void gather(enum log_level level, const struct buf *line)
{
    bool was_empty = gathered.length == 0;

    if (!gathered.flush_hook || level >= LOG_WARN) {
        log_flush();
        write_all(line->data, line->length);
        return;
    }
    if (!gathered.lines)
        gathered.lines = malloc(GATHER_BYTES);
    if (gathered.length + line->length > GATHER_BYTES || !gathered.lines) {
        log_flush();
        was_empty = true;
    }
    if (!gathered.lines || line->length > GATHER_BYTES) {
        write_all(line->data, line->length);
        return;
    }
    memcpy(gathered.lines + gathered.length, line->data, line->length);
    gathered.length += line->length;
    if (was_empty)
        gathered.flush_hook(gathered.flush_arg);
}

/* An id may come from a caller: of a long one the head is enough. */
static void write_id(struct buf *line, const char *name, const char *id)
{
    if (!id)
        return;
    buf_append_text(line, ",\"");
    buf_append_text(line, name);
    buf_append_text(line, "\":");
    json_write_string(line, id, strnlen(id, ID_MAX_BYTES));
}

/* What stands in one line. */
struct entry {
    enum log_level level;
    const struct log_context *context;
    const char *message;
    const struct log_field *fields;
    size_t field_count;
};

static void format_json(struct buf *line, const char *time, const struct entry *entry)
{
    const struct log_context *context = entry->context;

    buf_append_text(line, "{\"time\":\"");
    buf_append_text(line, time);
    buf_append_text(line, "\",\"level\":\"");
    buf_append_text(line, level_names[entry->level]);
    buf_append_text(line, "\",\"service\":\"");
    buf_append_text(line, output.service);
    buf_append_char(line, '"');
    write_id(line, "component", context->component);
    write_id(line, "job_id", context->job_id);
    if (context->attempt) {
        buf_append_text(line, ",\"attempt\":");
        buf_append_int(line, context->attempt);
    }
    write_id(line, "request_id", context->request_id);
    json_write_member(line, "message", entry->message);
    for (size_t i = 0; i < entry->field_count; i++)
        json_write_member(line, entry->fields[i].name, entry->fields[i].value);
    buf_append_char(line, '}');
}

static void append_printable(struct buf *line, const char *text)
{
    for (; *text; text++)
        buf_append_char(line, (unsigned char)*text < ' ' ? ' ' : *text);
}

static void format_text(struct buf *line, const char *time, const struct entry *entry)
{
    const struct log_context *context = entry->context;

    buf_printf(line, "%s %-5s %s", time, level_names[entry->level], output.service);
    if (context->component)
        buf_printf(line, " %.256s", context->component);
    if (context->job_id)
        buf_printf(line, " job=%.256s", context->job_id);
    if (context->attempt)
        buf_printf(line, " attempt=%d", context->attempt);
    if (context->request_id)
        buf_printf(line, " request=%.256s", context->request_id);
    buf_append_text(line, ": ");
    append_printable(line, entry->message);
    for (size_t i = 0; i < entry->field_count; i++) {
        buf_printf(line, " %s=", entry->fields[i].name);
        append_printable(line, entry->fields[i].value);
    }
}

static void write_entry(const struct entry *entry)
{
    AUTO_BUF struct buf line = BUF(LINE_MAX_BYTES * 4);
    char time[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_unix_ms(), time);
    if (!buf_reserve(&line, USUAL_LINE_BYTES)) /* at once, not piece by piece */
        return;
    (output.as_json ? format_json : format_text)(&line, time, entry);
    buf_append_char(&line, '\n');
    gather(entry->level, &line);
}

void log_event(enum log_level level, const struct log_context *context, const char *message,
    const struct log_field *fields, size_t count)
{
    if (log_is_enabled(level))
        write_entry(&(struct entry){level, context, message, fields, count});
}

void log_write(enum log_level level, const struct log_context *context, const char *format, ...)
{
    char message[1024];
    va_list args;

    if (!log_is_enabled(level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    write_entry(&(struct entry){level, context, message, NULL, 0});
}
