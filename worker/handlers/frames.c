#include "worker/handlers/frames.h"

void frame_append(struct buf *out, char kind, const void *data, size_t length)
{
    const unsigned char head[FRAME_HEAD_BYTES] = {(unsigned char)kind, (unsigned char)(length >> 24),
        (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length};

    buf_append(out, head, sizeof(head));
    buf_append(out, data, length);
}

void frame_reader_init(struct frame_reader *r)
{
    *r = (struct frame_reader){.text = BUF(FRAME_TEXT_MAX)};
}

void frame_reader_release(struct frame_reader *r)
{
    buf_release(&r->text);
}

bool frame_reader_is_between(const struct frame_reader *r)
{
    return r->head_length == 0;
}

static void take_head(struct frame_reader *r, const char **at, size_t *rest)
{
    while (r->head_length < FRAME_HEAD_BYTES && *rest) {
        r->head[r->head_length++] = (unsigned char)*(*at)++;
        --*rest;
    }
}

static bool check_head(const struct frame_reader *r, uint32_t length, struct error *e)
{
    unsigned char kind = r->head[0];

    if (!kind || !strchr("PDEF", kind))
        return error_set(e, ERROR_HANDLER_BROKEN,
            "it broke the protocol: a frame begins with byte 0x%02x, which is none of P, D, E, F (does it "
            "print to "
            "stdout?)",
            kind);
    if (kind != 'D' && length > FRAME_TEXT_MAX)
        return error_set(e, ERROR_HANDLER_BROKEN,
            "it broke the protocol: a %c frame of %u bytes, more than %d", kind, length, FRAME_TEXT_MAX);
    return true;
}

static bool begin(struct frame_reader *r, struct error *e)
{
    uint32_t length =
        (uint32_t)r->head[1] << 24 | (uint32_t)r->head[2] << 16 | (uint32_t)r->head[3] << 8 | r->head[4];

    if (!check_head(r, length, e))
        return false;
    r->kind = (char)r->head[0];
    r->left = length;
    buf_reset(&r->text);
    return true;
}

static void end(struct frame_reader *r)
{
    r->kind = 0;
    r->head_length = 0;
}

/* Takes bytes of the frame's body; a text is gathered. */
static enum frame_found take_body(
    struct frame_reader *r, const char **at, size_t *rest, const char **data, size_t *length)
{
    size_t n = *rest < r->left ? *rest : r->left;
    char kind = r->kind;

    *data = *at;
    *length = n;
    *at += n;
    *rest -= n;
    r->left -= (uint32_t)n;
    if (kind != 'D')
        buf_append(&r->text, *data, n);
    if (r->left == 0)
        end(r);
    if (kind == 'D')
        return n ? FRAME_DATA : FRAME_NEED;
    if (r->kind)
        return FRAME_NEED;
    *data = r->text.data;
    *length = r->text.length;
    return kind == 'P' ? FRAME_PROGRESS : kind == 'E' ? FRAME_END : FRAME_FAILED;
}

enum frame_found frame_next(
    struct frame_reader *r, const char **at, size_t *rest, const char **data, size_t *length, struct error *e)
{
    enum frame_found found = FRAME_NEED;

    do {
        if (!r->kind) {
            take_head(r, at, rest);
            if (r->head_length < FRAME_HEAD_BYTES)
                return FRAME_NEED;
            if (!begin(r, e))
                return FRAME_BROKEN;
        }
        found = take_body(r, at, rest, data, length);
    } while (found == FRAME_NEED && *rest);
    return found;
}
