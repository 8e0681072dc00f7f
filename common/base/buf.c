#include "common/base/buf.h"
#include "common/base/mem.h"

char buf_empty[1];

void buf_init(struct buf *b, size_t ceiling)
{
    *b = BUF(ceiling);
}

void buf_release(struct buf *b)
{
    if (b->size)
        free(b->data);
    buf_init(b, b->ceiling);
}

void buf_wipe(struct buf *b)
{
    if (b->size)
        explicit_bzero(b->data, b->length);
    buf_reset(b);
}

void buf_reset(struct buf *b)
{
    b->length = 0;
    b->is_overflown = false;
    if (b->size)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t length)
{
    size_t size;

    if (b->is_overflown || length > b->ceiling - b->length) {
        b->is_overflown = true;
        return NULL;
    }
    if (b->length + length + 1 > b->size) {
        size = b->size < 64 ? 64 : b->size * 2;
        if (size < b->length + length + 1)
            size = b->length + length + 1;
        if (size - 1 > b->ceiling)
            size = b->ceiling + 1;
        b->data = mem_realloc(b->size ? b->data : NULL, size);
        b->data[b->length] = '\0';
        b->size = size;
    }
    return b->data + b->length;
}

void buf_added(struct buf *b, size_t length)
{
    assert(b->length + length < b->size || length == 0);
    b->length += length;
    if (b->size)
        b->data[b->length] = '\0';
}

bool buf_append(struct buf *b, const void *data, size_t length)
{
    char *at = buf_reserve(b, length);

    if (!at)
        return false;
    if (length)
        memcpy(at, data, length);
    buf_added(b, length);
    return true;
}

bool buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

bool buf_append_int(struct buf *b, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    return buf_append(b, at, (size_t)(digits + sizeof(digits) - at));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;
    int length;
    char *at;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    at = length < 0 ? NULL : buf_reserve(b, (size_t)length);
    if (at) {
        vsnprintf(at, (size_t)length + 1, format, again);
        buf_added(b, (size_t)length);
    }
    va_end(again);
    return at != NULL;
}

char *buf_take(struct buf *b, size_t *length)
{
    char *data = b->size ? b->data : mem_zalloc(1);

    if (length)
        *length = b->length;
    buf_init(b, b->ceiling);
    return data;
}
