#include "worker/handlers/progress.h"
#include "common/base/json.h"

void progress_init(struct progress *p)
{
    *p = (struct progress){.line = BUF(PROGRESS_LINE_MAX), .fraction = -1};
}

void progress_release(struct progress *p)
{
    buf_release(&p->line);
}

static void refuse(struct progress *p, const char *why)
{
    if (p->bad_count++ == 0)
        error_set(&p->first_bad, ERROR_BAD_JSON, "line %llu: %s", (unsigned long long)p->line_count, why);
}

/* Copies a text, cut between characters, with control characters as spaces. */
static void copy_message(char out[PROGRESS_MESSAGE_SIZE], const char *text, size_t length)
{
    size_t n = length < PROGRESS_MESSAGE_SIZE ? length : PROGRESS_MESSAGE_SIZE - 1;

    while (n < length && n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
    out[n] = '\0';
}

static const char *wrong_with(const json_t *fraction, const json_t *message, const json_t *type)
{
    if (fraction &&
        !(json_is_number(fraction) && json_number_value(fraction) >= 0 && json_number_value(fraction) <= 1))
        return "fraction is not a number from 0 to 1";
    if (message && !json_is_string(message))
        return "message is not a text";
    if (type && !(json_is_string(type) && strlen(json_string_value(type)) == json_string_length(type) &&
                    content_type_is_valid(json_string_value(type))))
        return "content_type is not a media type such as text/plain";
    return NULL;
}

static void take(struct progress *p, struct run *r, const json_t *object)
{
    const json_t *fraction = json_object_get(object, "fraction");
    const json_t *message = json_object_get(object, "message");
    const json_t *type = json_object_get(object, "content_type");
    const char *wrong =
        json_is_object(object) ? wrong_with(fraction, message, type) : "it is not a JSON object";

    if (!wrong && type && p->line_count > 1)
        wrong = "content_type is for the first line only";
    if (wrong) {
        refuse(p, wrong);
        return;
    }
    if (fraction)
        p->fraction = json_number_value(fraction);
    if (message)
        copy_message(p->message, json_string_value(message), json_string_length(message));
    if (type)
        snprintf(r->content_type, sizeof(r->content_type), "%s", json_string_value(type));
    p->has_new = true;
}

void progress_add_line(struct progress *p, struct run *r, const char *line, size_t length)
{
    struct error e;
    AUTO(json) json_t *object = NULL;

    p->line_count++;
    object = json_parse(line, length, &e);
    if (object)
        take(p, r, object);
    else
        refuse(p, e.text);
}

static void end_line(struct progress *p, struct run *r)
{
    if (p->is_skipping)
        p->is_skipping = false;
    else if (p->line.length)
        progress_add_line(p, r, p->line.data, p->line.length);
    buf_reset(&p->line);
}

static void add_part(struct progress *p, const char *data, size_t length)
{
    if (p->is_skipping || buf_append(&p->line, data, length))
        return;
    p->is_skipping = true;
    p->line_count++;
    refuse(p, "it is longer than 4096 bytes");
}

void progress_add(struct progress *p, struct run *r, const char *data, size_t length)
{
    while (length) {
        const char *newline = memchr(data, '\n', length);
        size_t n = newline ? (size_t)(newline - data) : length;

        add_part(p, data, n);
        if (newline)
            end_line(p, r);
        data += n + (newline != NULL);
        length -= n + (newline != NULL);
    }
}

void progress_tell(struct progress *p, struct run *r)
{
    struct run_progress told = {
        .fraction = p->fraction, .message = p->message, .content_type = r->content_type};

    if (p->has_new && r->events->on_progress)
        r->events->on_progress(r->arg, &told);
    p->has_new = false;
}

void progress_complain(const struct progress *p, struct buf *log)
{
    if (p->bad_count)
        buf_printf(log, "%s[jobgate: %llu of %llu lines of progress were none: %s]\n",
            log->length && log->data[log->length - 1] != '\n' ? "\n" : "", (unsigned long long)p->bad_count,
            (unsigned long long)p->line_count, p->first_bad.text);
}
