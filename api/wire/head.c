#include "api/wire/head.h"

enum { LENGTH_DIGITS_MAX = 18, CHUNK_DIGITS_MAX = 8, METHOD_MAX = 32 };

/* A stretch of a line. */
struct part {
    const char *text;
    size_t length;
};

/* What was found in the fields so far. */
struct fields {
    size_t count;
    size_t hosts;
    size_t lengths;
    size_t codings;
    int64_t content_length;
    bool is_chunked;
};

static bool bad(struct error *e, const char *why)
{
    error_set(e, ERROR_BAD_REQUEST, "%s", why);
    return false;
}

/* Source: RFC 9110 section 5.6.2. */
static bool is_token(struct part p)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < p.length; i++) {
        char c = p.text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c && strchr(others, c))))
            return false;
    }
    return p.length > 0;
}

static bool equals(struct part p, const char *text)
{
    if (strlen(text) != p.length)
        return false;
    for (size_t i = 0; i < p.length; i++)
        if ((p.text[i] | 0x20) != text[i] && p.text[i] != text[i])
            return false;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- the request line ---- */

/* Visible ASCII alone, and each % begins an escape, of no NUL. */
static bool check_target(struct part target, struct error *e)
{
    if (target.length > TARGET_MAX)
        return error_set(e, ERROR_TARGET_TOO_LONG, "the target has more than %d bytes", TARGET_MAX);
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.text[i];

        if (c <= ' ' || c >= 0x7f)
            return error_set(e, ERROR_BAD_REQUEST,
                "byte %zu of the target is not visible ASCII: percent-encode it", i + 1);
        if (c == '#')
            return bad(e, "the target holds a fragment (#)");
        if (c != '%')
            continue;
        if (i + 2 >= target.length || !is_hex(target.text[i + 1]) || !is_hex(target.text[i + 2]))
            return bad(e, "a % in the target is not followed by two hex digits");
        if (target.text[i + 1] == '0' && target.text[i + 2] == '0')
            return bad(e, "the target holds a NUL (%00)");
    }
    return true;
}

/* origin-form, absolute-form, and * for OPTIONS. Source: RFC 9112 section 3.2. */
static bool check_form(struct part method, struct part target, struct error *e)
{
    static const char *const schemes[] = {"http://", "https://"};

    if (target.text[0] == '/' || (target.length == 1 && target.text[0] == '*' && equals(method, "options")))
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        size_t length = strlen(schemes[i]);

        if (target.length > length && equals((struct part){target.text, length}, schemes[i]) &&
            target.text[length] != '/')
            return true;
    }
    return bad(e, "the target is neither a path such as /v1/jobs nor an http:// URL");
}

static bool check_version(struct part version, struct error *e)
{
    if (version.length != 8 || memcmp(version.text, "HTTP/", 5) != 0 || version.text[6] != '.')
        return bad(e, "the request line does not end with HTTP/1.1");
    if (version.text[5] != '1' || (version.text[7] != '0' && version.text[7] != '1'))
        return error_set(e, ERROR_BAD_VERSION, "HTTP/1.1 and HTTP/1.0 are served, not %.8s", version.text);
    return true;
}

static bool read_request_line(struct part line, bool *is_old, struct error *e)
{
    const char *first = memchr(line.text, ' ', line.length);
    const char *second;
    struct part method;
    struct part target;
    struct part version;

    if (!first)
        return bad(e, "the request line is not method, target and version, with one blank between");
    method = (struct part){line.text, (size_t)(first - line.text)};
    second = memchr(first + 1, ' ', line.length - method.length - 1);
    if (!second)
        return bad(e, "the request line is not method, target and version, with one blank between");
    target = (struct part){first + 1, (size_t)(second - first - 1)};
    version = (struct part){second + 1, line.length - method.length - target.length - 2};
    if (!is_token(method) || method.length > METHOD_MAX)
        return bad(e, "the method is not a word of HTTP");
    if (target.length == 0)
        return bad(e, "the request line has no target");
    if (!check_version(version, e) || !check_target(target, e))
        return false;
    *is_old = version.text[7] == '0';
    if (equals(method, "connect"))
        return error_set(e, ERROR_BAD_METHOD_EVER, "CONNECT is not served: this is no proxy");
    return check_form(method, target, e);
}

/* ---- fields ---- */

/* Cuts the line at its colon; the value is without blanks around it. */
static bool split_field(struct part line, struct part *name, struct part *value, struct error *e)
{
    const char *colon = memchr(line.text, ':', line.length);

    if (line.length && (line.text[0] == ' ' || line.text[0] == '\t'))
        return bad(e, "a header is folded over two lines, which HTTP/1.1 has given up");
    if (!colon)
        return bad(e, "a header has no colon");
    *name = (struct part){line.text, (size_t)(colon - line.text)};
    *value = (struct part){colon + 1, line.length - name->length - 1};
    if (!is_token(*name))
        return bad(e, "the name of a header holds what no name may, or a blank before its colon");
    while (value->length && (value->text[0] == ' ' || value->text[0] == '\t')) {
        value->text++;
        value->length--;
    }
    while (value->length && (value->text[value->length - 1] == ' ' || value->text[value->length - 1] == '\t'))
        value->length--;
    for (size_t i = 0; i < value->length; i++) {
        unsigned char c = (unsigned char)value->text[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return error_set(e, ERROR_BAD_REQUEST, "the header %.*s holds a control character",
                (int)(name->length < 60 ? name->length : 60), name->text);
    }
    return true;
}

bool head_check_field(const char *line, size_t length, struct error *e)
{
    struct part name = {0};
    struct part value = {0};

    return split_field((struct part){line, length}, &name, &value, e);
}

/* A number beyond all bounds is one that is too large. */
static bool read_content_length(struct part value, struct fields *f, struct error *e)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.text[i] < '0' || value.text[i] > '9')
            return bad(e, "Content-Length is not a number");
    if (value.length == 0)
        return bad(e, "Content-Length is empty");
    f->content_length = 0;
    for (size_t i = 0; i < value.length; i++)
        f->content_length =
            value.length > LENGTH_DIGITS_MAX ? INT64_MAX : f->content_length * 10 + (value.text[i] - '0');
    return true;
}

/* Source of what a host may hold: RFC 3986 section 3.2.2. */
static bool check_host(struct part value, struct error *e)
{
    static const char others[] = "-._~!$&'()*+,;=:[]%";

    for (size_t i = 0; i < value.length; i++) {
        char c = value.text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c && strchr(others, c))))
            return bad(e, "Host holds what no host may");
    }
    return true;
}

static bool read_field(struct part line, struct fields *f, struct error *e)
{
    struct part name = {0};
    struct part value = {0};

    if (!split_field(line, &name, &value, e))
        return false;
    if (++f->count > FIELDS_MAX)
        return error_set(e, ERROR_HEAD_TOO_BIG, "there are more than %d headers", FIELDS_MAX);
    if (equals(name, "host")) {
        f->hosts++;
        return check_host(value, e);
    }
    if (equals(name, "content-length")) {
        f->lengths++;
        return read_content_length(value, f, e);
    }
    if (equals(name, "transfer-encoding")) {
        f->codings++;
        f->is_chunked = equals(value, "chunked");
    }
    return true;
}

/* What the fields say together. Source: RFC 9112 sections 3.2 and 6. */
static bool conclude(const struct fields *f, bool is_old, struct head *out, struct error *e)
{
    if (f->hosts > 1 || (f->hosts == 0 && !is_old))
        return bad(e, "a request has exactly one Host");
    if (f->lengths > 1)
        return bad(e, "there are several Content-Length");
    if (f->codings && f->lengths)
        return bad(e, "there are both Content-Length and Transfer-Encoding");
    if (f->codings && is_old)
        return bad(e, "HTTP/1.0 has no Transfer-Encoding");
    if (f->codings > 1 || (f->codings && !f->is_chunked))
        return error_set(e, ERROR_BAD_TRANSFER, "the only Transfer-Encoding that is known is chunked");
    *out = (struct head){f->codings          ? BODY_CHUNKED
                         : f->content_length ? BODY_LENGTH
                                             : BODY_NONE,
        f->content_length};
    return true;
}

/* Takes the next line off text, without its CRLF. */
static bool next_line(struct part *text, struct part *line, struct error *e)
{
    const char *end = memchr(text->text, '\n', text->length);

    if (!end || end == text->text || end[-1] != '\r')
        return bad(e, "a line does not end with CRLF");
    *line = (struct part){text->text, (size_t)(end - text->text) - 1};
    text->length -= line->length + 2;
    text->text = end + 1;
    return true;
}

bool head_read(const char *text, size_t length, struct head *out, struct error *e)
{
    struct part rest = {text, length};
    struct fields fields = {0};
    struct part line = {0};
    bool is_old = false;

    if (!next_line(&rest, &line, e) || !read_request_line(line, &is_old, e))
        return false;
    for (;;) {
        if (!next_line(&rest, &line, e))
            return false;
        if (line.length == 0)
            return conclude(&fields, is_old, out, e);
        if (!read_field(line, &fields, e))
            return false;
    }
}

/* ---- chunks ---- */

bool head_read_chunk_size(const char *line, size_t length, int64_t *size, struct error *e)
{
    size_t digits = 0;
    int64_t value = 0;

    while (digits < length && digits <= CHUNK_DIGITS_MAX && is_hex(line[digits])) {
        char c = line[digits++];

        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (digits == 0 || digits > CHUNK_DIGITS_MAX)
        return bad(e, "the size of a chunk is not 1 to 8 hex digits");
    if (digits < length && line[digits] != ';' && line[digits] != ' ' && line[digits] != '\t')
        return bad(e, "there is something else behind the size of a chunk");
    for (size_t i = digits; i < length; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t')
            return bad(e, "the extension of a chunk holds a control character");
    *size = value;
    return true;
}
