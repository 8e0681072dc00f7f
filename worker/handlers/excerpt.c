#include "worker/handlers/excerpt.h"
#include "common/base/mem.h"

void excerpt_init(struct excerpt *x)
{
    *x = (struct excerpt){.head = BUF(EXCERPT_MAX_BYTES)};
}

static void add_to_tail(struct excerpt *x, const char *data, size_t length)
{
    if (!x->tail)
        x->tail = mem_alloc(EXCERPT_PART_BYTES);
    while (length) {
        size_t at = x->tail_total % EXCERPT_PART_BYTES;
        size_t n = EXCERPT_PART_BYTES - at < length ? EXCERPT_PART_BYTES - at : length;

        memcpy(x->tail + at, data, n);
        x->tail_total += n;
        data += n;
        length -= n;
    }
}

void excerpt_add(struct excerpt *x, const char *data, size_t length)
{
    size_t room = EXCERPT_PART_BYTES - x->head.length;
    size_t n = length < room ? length : room;

    buf_append(&x->head, data, n);
    if (n < length)
        add_to_tail(x, data + n, length - n);
}

void excerpt_finish(struct excerpt *x, struct buf *out)
{
    size_t at = x->tail_total % EXCERPT_PART_BYTES;

    *out = x->head;
    if (x->tail_total > EXCERPT_PART_BYTES) {
        buf_printf(
            out, "\n[%llu bytes left out]\n", (unsigned long long)(x->tail_total - EXCERPT_PART_BYTES));
        buf_append(out, x->tail + at, EXCERPT_PART_BYTES - at);
    }
    if (x->tail)
        buf_append(out, x->tail, at ? at : x->tail_total <= EXCERPT_PART_BYTES ? x->tail_total : 0);
    free(x->tail);
    excerpt_init(x);
}
