#include "common/base/json.h"

/* What one look over the text before jansson sees it finds out: how deep it goes, and where a member's value
 * stands. It takes any bytes; where the text is not JSON its findings mean nothing, and jansson says so
 * afterwards. */
struct scan {
    const char *text;
    size_t length;
    size_t at;
    int depth;
    const char *wanted; /* a top-level member's name, or NULL */
    size_t wanted_length;
    bool is_value;  /* at depth 1: behind the colon */
    bool is_wanted; /* the last name at depth 1 was the wanted one */
    struct json_span found;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void set_position_error(struct error *e, const char *text, size_t at, const char *why)
{
    int line = 1;
    int column = 1;

    for (size_t i = 0; i < at; i++) {
        column = text[i] == '\n' ? 1 : column + (((unsigned char)text[i] & 0xc0) != 0x80);
        line += text[i] == '\n';
    }
    error_set(e, ERROR_BAD_JSON, "line %d, column %d: %s", line, column, why);
}

/* Leaves s->at behind the closing quote; returns the length of what is between the quotes. */
static size_t scan_string(struct scan *s)
{
    size_t start = ++s->at;
    size_t length;

    while (s->at < s->length && s->text[s->at] != '"')
        s->at += s->text[s->at] == '\\' ? 2 : 1;
    if (s->at > s->length)
        s->at = s->length;
    length = s->at - start;
    s->at += s->at < s->length;
    return length;
}

static void scan_name(struct scan *s)
{
    const char *name = s->text + s->at + 1;
    size_t length = scan_string(s);

    s->is_wanted = s->wanted && length == s->wanted_length && memcmp(name, s->wanted, length) == 0;
}

static void begin_value(struct scan *s)
{
    s->is_value = true;
    s->at++;
    while (s->at < s->length && is_space(s->text[s->at]))
        s->at++;
    if (s->is_wanted)
        s->found = (struct json_span){.text = s->text + s->at};
}

static void end_value(struct scan *s)
{
    const char *end = s->text + s->at;

    if (s->is_value && s->is_wanted) {
        while (end > s->found.text && is_space(end[-1]))
            end--;
        s->found.length = (size_t)(end - s->found.text);
    }
    s->is_value = s->is_wanted = false;
}

/* Returns false where the depth is passed. */
static bool scan_step(struct scan *s)
{
    char c = s->text[s->at];

    if (c == '"') {
        if (s->depth == 1 && !s->is_value)
            scan_name(s);
        else
            scan_string(s);
        return true;
    }
    if (c == ':' && s->depth == 1 && !s->is_value) {
        begin_value(s);
        return true;
    }
    if (c == '{' || c == '[')
        s->depth++;
    else if (s->depth == 1 && (c == ',' || c == '}' || c == ']'))
        end_value(s);
    if (c == '}' || c == ']')
        s->depth--;
    s->at++;
    return s->depth <= JSON_MAX_DEPTH;
}

static bool scan(struct scan *s, struct error *e)
{
    const char *nul = memchr(s->text, '\0', s->length);

    if (nul) {
        set_position_error(e, s->text, (size_t)(nul - s->text), "a NUL byte");
        return false;
    }
    while (s->at < s->length)
        if (!scan_step(s)) {
            set_position_error(e, s->text, s->at - 1, "nested more than 64 deep");
            return false;
        }
    return true;
}

enum { LONG_TEXT = 64, TEXTS_AT_ONCE = 4096 };

static json_t *load(const char *text, size_t length, json_error_t *why)
{
    return json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, why);
}

/* Whether a value is a text that needs no look at all: printable ASCII without escapes. */
static bool is_plain_text(const struct json_span *value)
{
    const char *at = value->text + 1;
    const char *end = value->text + value->length - 1;

    if (value->length < LONG_TEXT || *value->text != '"' || *end != '"')
        return false;
    while (at < end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
        at++;
    return at == end;
}

/* Parses text with an empty text in the place of the member, which is a plain one: jansson reads byte by
 * byte, and with a long payload that is most of what a submission costs. NULL where it is not worth it, or
 * not JSON. */
static json_t *load_without(const char *text, size_t length, const struct json_span *member)
{
    char shorter[TEXTS_AT_ONCE];
    size_t before = (size_t)(member->text - text) + 1;
    size_t after = length - before - (member->length - 1);
    json_error_t why;

    if (before + after + 1 > sizeof(shorter))
        return NULL;
    memcpy(shorter, text, before);
    shorter[before] = '"';
    memcpy(shorter + before + 1, member->text + member->length, after);
    return load(shorter, before + 1 + after, &why);
}

/* jansson counts up to the last character that it took; where the text ends too soon or a byte is not UTF-8,
 * what is wrong stands behind it. */
static int column_of(const json_error_t *why)
{
    enum json_error_code code = json_error_code(why);

    return why->column + (code == json_error_premature_end_of_input || code == json_error_invalid_utf8);
}

json_t *json_parse_keeping(
    const char *text, size_t length, const char *name, struct json_span *member, struct error *e)
{
    struct scan s = {
        .text = text, .length = length, .wanted = name, .wanted_length = name ? strlen(name) : 0};
    json_error_t why;
    json_t *value = NULL;

    if (!scan(&s, e))
        return NULL;
    if (s.found.text && is_plain_text(&s.found))
        value = load_without(text, length, &s.found);
    if (!value)
        value = load(text, length, &why);
    if (!value) {
        error_set(e, ERROR_BAD_JSON, "line %d, column %d: %s", why.line, column_of(&why), why.text);
        return NULL;
    }
    if (!name)
        return value;
    if (json_object_get(value, name) && !s.found.text) {
        error_set(e, ERROR_BAD_JSON, "the name \"%s\" is to be written without escapes", name);
        json_decref(value);
        return NULL;
    }
    *member = json_is_object(value) ? s.found : (struct json_span){0};
    return value;
}

json_t *json_parse(const char *text, size_t length, struct error *e)
{
    return json_parse_keeping(text, length, NULL, NULL, e);
}

/* The length of the UTF-8 sequence at `at`, 0 when there is none. Source: RFC 3629 section 4. */
static size_t utf8_length(const unsigned char *at, size_t rest)
{
    size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;

    if (length > rest)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

static void write_escape(struct buf *b, unsigned char c)
{
    static const char short_form[] = "\b\t\n\f\r\"\\";
    const char *at = c ? strchr(short_form, c) : NULL;

    if (at) {
        buf_append_char(b, '\\');
        buf_append_char(b, "btnfr\"\\"[at - short_form]);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

void json_write_string(struct buf *b, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + length;
    const unsigned char *plain = at; /* the start of what needs no change */

    buf_append_char(b, '"');
    while (at < end) {
        size_t n;

        if (*at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\') {
            at++;
            continue;
        }
        n = utf8_length(at, (size_t)(end - at));
        if (n > 1) {
            at += n;
            continue;
        }
        buf_append(b, plain, (size_t)(at - plain));
        if (n == 1)
            write_escape(b, *at);
        else
            buf_append_text(b, "\xef\xbf\xbd");
        plain = ++at;
    }
    buf_append(b, plain, (size_t)(at - plain));
    buf_append_char(b, '"');
}

void json_write_member(struct buf *b, const char *name, const char *text)
{
    buf_append_text(b, ",\"");
    buf_append_text(b, name);
    buf_append_text(b, "\":");
    json_write_string(b, text, strlen(text));
}

static int append_dumped(const char *text, size_t length, void *b)
{
    return buf_append(b, text, length) ? 0 : -1;
}

void json_write_value(struct buf *b, const json_t *value)
{
    json_dump_callback(value, append_dumped, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

void json_write_pointer_step(struct buf *b, const char *name)
{
    buf_append_char(b, '/');
    for (; *name; name++)
        if (*name == '~')
            buf_append_text(b, "~0");
        else if (*name == '/')
            buf_append_text(b, "~1");
        else
            buf_append_char(b, *name);
}
