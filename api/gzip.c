#include "api/gzip.h"

#include <strings.h>
#include <zlib.h>

enum { WINDOW = 15 + 16 /* gzip, not zlib */, PIECE = 65536, LEVEL = 1, MEMORY_LEVEL = 8 };

/* Appends the next piece of what the stream holds. Returns zlib's word. */
static int unpack_piece(z_stream *z, struct buf *out, bool *is_full)
{
    char *room = buf_reserve(out, PIECE);
    size_t size = PIECE;
    int status;

    if (!room) { /* near the ceiling: byte by byte is slow, and happens once */
        out->is_overflown = false;
        size = 1;
        room = buf_reserve(out, size);
    }
    if (!room) {
        *is_full = true;
        return Z_OK;
    }
    z->next_out = (Bytef *)room;
    z->avail_out = (uInt)size;
    status = inflate(z, Z_NO_FLUSH);
    buf_added(out, size - z->avail_out);
    return status;
}

bool gzip_unpack(const void *data, size_t length, struct buf *out, struct error *e)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)length};
    bool is_full = false;
    int status = Z_OK;

    if (inflateInit2(&z, WINDOW) != Z_OK)
        abort(); /* mem.h's policy */
    while (!is_full && (status == Z_OK || (status == Z_STREAM_END && z.avail_in > 0))) {
        if (status == Z_STREAM_END && inflateReset(&z) != Z_OK)
            break;
        status = unpack_piece(&z, out, &is_full);
    }
    inflateEnd(&z);
    if (is_full)
        return error_set(e, ERROR_TOO_BIG, "the unpacked body is larger than %zu bytes, the limit (MAX_BODY)",
            out->ceiling);
    if (status != Z_STREAM_END)
        return error_set(e, ERROR_BAD_REQUEST, "the body is not whole gzip, as Content-Encoding says");
    return true;
}

void gzip_pack(const void *data, size_t length, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)length};
    size_t bound;
    char *room;

    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* mem.h's policy */
    bound = deflateBound(&z, length);
    room = buf_reserve(out, bound);
    if (room) {
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
        deflate(&z, Z_FINISH);
        buf_added(out, bound - z.avail_out);
    }
    deflateEnd(&z);
}

bool gzip_is_accepted(const char *accept_encoding)
{
    const char *at = accept_encoding;

    while (at && *at) {
        size_t length = strcspn(at, ",");
        size_t name = strspn(at, " \t");
        const char *quality = memchr(at, ';', length);
        bool is_gzip = strncasecmp(at + name, "gzip", 4) == 0 && strchr(" \t;,", at[name + 4]) != NULL;

        if (is_gzip) { /* q=0 says no */
            const char *q = quality ? strstr(quality, "q=") : NULL;

            return !q || strtod(q + 2, NULL) > 0;
        }
        at += length;
        at += *at == ',';
    }
    return false;
}
