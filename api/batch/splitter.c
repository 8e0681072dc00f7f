#include "api/batch/splitter.h"

void splitter_init(struct splitter *s, const char *text, size_t length, bool is_lines)
{
    *s = (struct splitter){.text = text, .length = length, .is_lines = is_lines};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_spaces(const struct splitter *s, size_t at)
{
    while (at < s->length && is_space(s->text[at]))
        at++;
    return at;
}

static enum split broken(const struct splitter *s, size_t at, const char *why, struct error *e)
{
    error_set(e, ERROR_BAD_JSON, "byte %zu, behind %zu items: %s", at, s->count, why);
    return SPLIT_BROKEN;
}

/* ---- lines ---- */

static enum split next_line(struct splitter *s, struct json_span *item)
{
    while ((s->at = skip_spaces(s, s->at)) < s->length) {
        const char *start = s->text + s->at;
        const char *end = memchr(start, '\n', s->length - s->at);

        item->text = start;
        item->length = end ? (size_t)(end - start) : s->length - s->at;
        s->at += item->length;
        s->count++;
        return SPLIT_ITEM;
    }
    return SPLIT_END;
}

/* ---- an array ---- */

/* Behind the closing quote of a string that begins at `at`; the end when it does not close. */
static size_t skip_string(const struct splitter *s, size_t at)
{
    for (at++; at < s->length && s->text[at] != '"'; at++)
        at += s->text[at] == '\\';
    return at < s->length ? at + 1 : s->length;
}

/* Where an element ends that begins at `at`: at the comma or bracket behind it. */
static size_t find_end(const struct splitter *s, size_t at)
{
    size_t depth = 0;

    while (at < s->length) {
        char c = s->text[at];

        if (c == '"') {
            at = skip_string(s, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return at;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        at++;
    }
    return at;
}

static enum split end_array(struct splitter *s, struct error *e)
{
    s->at = skip_spaces(s, s->at + 1);
    if (s->at < s->length)
        return broken(s, s->at, "nothing may stand behind the array", e);
    return SPLIT_END;
}

static enum split next_element(struct splitter *s, struct json_span *item, struct error *e)
{
    bool is_first = s->at == 0;
    size_t start;
    size_t end;

    s->at = skip_spaces(s, s->at);
    if (is_first && (s->at == s->length || s->text[s->at] != '['))
        return broken(
            s, s->at, "a batch is a JSON array of jobs, or with application/x-ndjson a job per line", e);
    if (!is_first && s->at < s->length && s->text[s->at] == ']')
        return end_array(s, e);
    start = skip_spaces(s, s->at + 1); /* behind the bracket or comma */
    if (is_first && start < s->length && s->text[start] == ']') {
        s->at = start;
        return end_array(s, e);
    }
    end = find_end(s, start);
    if (end == s->length)
        return broken(s, end, "the array does not end", e);
    if (s->text[end] == '}' || end == start)
        return broken(s, end, "an item, a comma or ] is expected", e);
    s->at = end;
    while (end > start && is_space(s->text[end - 1]))
        end--;
    *item = (struct json_span){s->text + start, end - start};
    s->count++;
    return SPLIT_ITEM;
}

enum split splitter_next(struct splitter *s, struct json_span *item, struct error *e)
{
    return s->is_lines ? next_line(s, item) : next_element(s, item, e);
}
