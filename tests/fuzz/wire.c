#include "api/wire/reader.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_LIMIT = 4096, OUT_MAX = 1 << 20 };

/* Feeds data in pieces of `piece` bytes; gathers what goes on. */
static void feed(struct reader *r, const uint8_t *data, size_t size, size_t piece, struct buf *all)
{
    for (size_t at = 0; at < size; at += piece) {
        AUTO_BUF struct buf out = BUF(OUT_MAX);
        size_t n = size - at < piece ? size - at : piece;

        if (reader_feed(r, (const char *)data + at, n, &out))
            buf_append(all, data + at, n);
        else
            buf_append(all, out.data, out.length);
    }
}

/* What a connection sends, whole and in pieces: the same goes on, and the same is refused. The first byte
 * says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf whole = BUF(OUT_MAX);
    AUTO_BUF struct buf parts = BUF(OUT_MAX);
    struct reader a;
    struct reader b;

    if (size < 2)
        return 0;
    reader_init(&a, BODY_LIMIT);
    reader_init(&b, BODY_LIMIT);
    feed(&a, data + 1, size - 1, size - 1, &whole);
    feed(&b, data + 1, size - 1, 1 + data[0] % 64, &parts);
    assert(whole.length == parts.length && memcmp(whole.data, parts.data, whole.length) == 0);
    assert(a.state == b.state && a.refusal.code == b.refusal.code && a.requests == b.requests);
    if (a.state == READER_ENDED)
        fuzz_check_error(&a.refusal);
    reader_release(&a);
    reader_release(&b);
    return 0;
}
