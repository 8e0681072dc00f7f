#include "api/wire/reader.h"

enum { LINE_MAX_BYTES = 1024, TRAILERS_MAX = 8192, EMPTY_LINES_MAX = 8 };

/* One call of feed: what of the data went on as it is, as long as all did. */
struct passage {
    const char *data;
    size_t length;
    size_t at;   /* how much was read */
    size_t same; /* how much was passed on unchanged, while is_same */
    bool is_same;
    struct buf *out;
};

void reader_init(struct reader *r, int64_t body_max)
{
    *r = (struct reader){.body_max = body_max, .held = BUF(HEAD_MAX + 1)};
}

void reader_release(struct reader *r)
{
    buf_release(&r->held);
}

bool reader_is_waiting(const struct reader *r)
{
    return r->state != READER_ENDED && (r->state != READER_HEAD || r->held.length > 0);
}

/* From here on, what is passed on is another thing than what came. */
static void diverge(struct passage *p)
{
    if (p->is_same)
        buf_append(p->out, p->data, p->same);
    p->is_same = false;
}

static void pass(struct passage *p, const char *text, size_t length)
{
    if (p->is_same && text == p->data + p->same) {
        p->same += length;
        return;
    }
    diverge(p);
    buf_append(p->out, text, length);
}

static void end_with(struct reader *r, struct passage *p, const struct error *e)
{
    r->refusal = *e;
    r->state = READER_ENDED;
    buf_release(&r->held);
    r->held = BUF(0);
    diverge(p);
    buf_append_text(p->out, READER_REFUSAL_LINE);
}

/* ---- heads ---- */

/* The length of the head that text begins with, 0 when its end is not there yet. A bare LF ends the search
 * too. */
static size_t find_end(const char *text, size_t length, size_t from)
{
    const char *at = text + (from > 3 ? from - 3 : 0);
    const char *end = text + length;

    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        bool is_bare = at == text || at[-1] != '\r';
        bool is_last = at - text >= 3 && memcmp(at - 3, "\r\n\r", 3) == 0;

        at++;
        if (is_bare || is_last)
            return (size_t)(at - text);
    }
    return 0;
}

static void begin_body(struct reader *r, struct passage *p, const struct head *head)
{
    struct error e;

    r->requests++;
    r->empty_lines = 0;
    r->left = head->content_length;
    r->body_length = 0;
    r->trailer_bytes = 0;
    if (head->framing == BODY_LENGTH && head->content_length > r->body_max) {
        error_set(&e, ERROR_TOO_BIG, "the body is larger than %lld bytes, the limit (MAX_BODY)",
            (long long)r->body_max);
        end_with(r, p, &e);
        return;
    }
    r->state = head->framing == BODY_LENGTH    ? READER_BODY
               : head->framing == BODY_CHUNKED ? READER_CHUNK_SIZE
                                               : READER_HEAD;
}

static void take_head(struct reader *r, struct passage *p, const char *text, size_t length)
{
    struct head head;
    struct error e;

    if (!head_read(text, length, &head, &e)) {
        end_with(r, p, &e);
        return;
    }
    begin_body(r, p, &head);
    if (r->state == READER_ENDED)
        r->requests--;
    else
        pass(p, text, length);
}

static void refuse_size(struct reader *r, struct passage *p, const char *text, size_t length)
{
    struct error e;

    if (!memchr(text, '\n', length))
        error_set(&e, ERROR_TARGET_TOO_LONG, "the request line has more than %d bytes", HEAD_MAX);
    else
        error_set(
            &e, ERROR_HEAD_TOO_BIG, "the request line and the headers have more than %d bytes", HEAD_MAX);
    end_with(r, p, &e);
}

/* Empty lines in front of a request are passed over. Source: RFC 9112 section 2.2. */
static bool is_empty_line(struct reader *r, const char *text, size_t length)
{
    if (length < 2 || memcmp(text, "\r\n", 2) != 0 || r->empty_lines >= EMPTY_LINES_MAX)
        return false;
    r->empty_lines++;
    return true;
}

static bool skip_empty_lines(struct reader *r, struct passage *p)
{
    while (r->held.length == 0 && is_empty_line(r, p->data + p->at, p->length - p->at)) {
        diverge(p);
        p->at += 2;
    }
    return p->at < p->length;
}

static void hold(struct reader *r, struct passage *p, size_t length)
{
    diverge(p);
    buf_append(&r->held, p->data + p->at, length);
    p->at += length;
}

/* A head that came in pieces. */
static void feed_held_head(struct reader *r, struct passage *p)
{
    size_t before = r->held.length;
    size_t room = HEAD_MAX - before;
    size_t length = p->length - p->at;
    size_t end;

    if (before == 1 && r->held.data[0] == '\r' && length > 1)
        length = 1; /* it may be an empty line */
    hold(r, p, length < room ? length : room);
    if (r->held.length == 2 && is_empty_line(r, r->held.data, 2)) {
        buf_reset(&r->held);
        r->looked_at = 0;
        return;
    }
    end = find_end(r->held.data, r->held.length, r->looked_at);
    if (end) {
        p->at -= r->held.length - end;
        take_head(r, p, r->held.data, end);
        if (r->state != READER_ENDED)
            buf_release(&r->held);
        r->held = BUF(HEAD_MAX + 1);
        r->looked_at = 0;
    } else if (r->held.length >= HEAD_MAX) {
        refuse_size(r, p, r->held.data, r->held.length);
    } else {
        r->looked_at = r->held.length;
    }
}

static void feed_head(struct reader *r, struct passage *p)
{
    const char *text;
    size_t length;
    size_t end;

    if (!skip_empty_lines(r, p))
        return;
    text = p->data + p->at;
    length = p->length - p->at;
    end = r->held.length ? 0 : find_end(text, length < HEAD_MAX ? length : HEAD_MAX, 0);
    if (end) {
        p->at += end;
        take_head(r, p, text, end);
    } else {
        feed_held_head(r, p);
    }
}

/* ---- bodies ---- */

static void feed_bytes(struct reader *r, struct passage *p, enum reader_state next)
{
    size_t length = p->length - p->at;

    if ((int64_t)length > r->left)
        length = (size_t)r->left;
    pass(p, p->data + p->at, length);
    p->at += length;
    r->left -= (int64_t)length;
    if (r->left == 0)
        r->state = next;
}

/* Gathers a line up to its CRLF. Returns false when it is not whole yet, or when it ended the reader. */
static bool take_line(struct reader *r, struct passage *p, struct buf *line)
{
    const char *text = p->data + p->at;
    const char *end = memchr(text, '\n', p->length - p->at);
    size_t length = end ? (size_t)(end - text) + 1 : p->length - p->at;
    struct error e;

    if (r->held.length + length > LINE_MAX_BYTES) {
        error_set(
            &e, ERROR_BAD_REQUEST, "a line of the body's framing has more than %d bytes", LINE_MAX_BYTES);
        end_with(r, p, &e);
        return false;
    }
    hold(r, p, length);
    if (!end)
        return false;
    if (r->held.length < 2 || r->held.data[r->held.length - 2] != '\r') {
        error_set(&e, ERROR_BAD_REQUEST, "a line of the body's framing does not end with CRLF");
        end_with(r, p, &e);
        return false;
    }
    buf_reset(line);
    buf_append(line, r->held.data, r->held.length - 2);
    buf_reset(&r->held);
    return true;
}

static void begin_chunk(struct reader *r, struct passage *p, const struct buf *line)
{
    char text[24];
    struct error e;

    if (!head_read_chunk_size(line->data, line->length, &r->left, &e)) {
        end_with(r, p, &e);
        return;
    }
    r->body_length += r->left;
    if (r->body_length > r->body_max) {
        error_set(&e, ERROR_TOO_BIG, "the body is larger than %lld bytes, the limit (MAX_BODY)",
            (long long)r->body_max);
        end_with(r, p, &e);
        return;
    }
    r->state = r->left ? READER_CHUNK : READER_TRAILERS;
    if (r->left) {
        snprintf(text, sizeof(text), "%llx\r\n", (unsigned long long)r->left);
        pass(p, text, strlen(text));
    }
}

static void feed_trailer(struct reader *r, struct passage *p, const struct buf *line)
{
    struct error e;

    r->trailer_bytes += line->length + 2;
    if (line->length == 0) {
        pass(p, "0\r\n\r\n", 5);
        r->state = READER_HEAD;
    } else if (r->trailer_bytes > TRAILERS_MAX) {
        error_set(&e, ERROR_HEAD_TOO_BIG, "the trailers have more than %d bytes", TRAILERS_MAX);
        end_with(r, p, &e);
    } else if (!head_check_field(line->data, line->length, &e)) {
        end_with(r, p, &e);
    }
}

static void feed_line(struct reader *r, struct passage *p)
{
    AUTO_BUF struct buf line = BUF(LINE_MAX_BYTES + 1);
    struct error e;

    if (!take_line(r, p, &line))
        return;
    if (r->state == READER_CHUNK_SIZE) {
        begin_chunk(r, p, &line);
    } else if (r->state == READER_TRAILERS) {
        feed_trailer(r, p, &line);
    } else if (line.length == 0) {
        pass(p, "\r\n", 2);
        r->state = READER_CHUNK_SIZE;
    } else {
        error_set(&e, ERROR_BAD_REQUEST, "a chunk is longer than its size");
        end_with(r, p, &e);
    }
}

bool reader_feed(struct reader *r, const char *data, size_t length, struct buf *out)
{
    struct passage p = {.data = data, .length = length, .is_same = true, .out = out};

    while (p.at < p.length && r->state != READER_ENDED) {
        if (r->state == READER_HEAD)
            feed_head(r, &p);
        else if (r->state == READER_BODY)
            feed_bytes(r, &p, READER_HEAD);
        else if (r->state == READER_CHUNK)
            feed_bytes(r, &p, READER_CHUNK_END);
        else
            feed_line(r, &p);
    }
    if (p.is_same && p.same < p.length)
        diverge(&p); /* what came behind the end */
    return p.is_same;
}

void reader_refuse(struct reader *r, const struct error *e, struct buf *out)
{
    struct passage p = {.data = "", .is_same = true, .out = out};

    end_with(r, &p, e);
}
