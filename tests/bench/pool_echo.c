/*
 * pool_echo: a process of a pool that gives back its payload, in as little as that takes (the protocol is in
 * docs/handlers.md).
 */
#include "tests/bench/bench.h"

enum { ROOM = 1 << 20, HEAD = 5, ID_MAX = 128 };

static unsigned char in[ROOM];
static size_t in_start;
static size_t in_end;
static unsigned char out[ROOM];
static size_t out_length;

/* Makes `wanted` bytes stand at in + in_start; ends the process at the end of stdin. */
static void need(size_t wanted)
{
    if (in_end - in_start >= wanted)
        return;
    memmove(in, in + in_start, in_end - in_start);
    in_end -= in_start;
    in_start = 0;
    while (in_end < wanted) {
        ssize_t n = read(0, in + in_end, sizeof(in) - in_end);

        if (n <= 0)
            exit(0);
        in_end += (size_t)n;
    }
}

static void flush_out(void)
{
    size_t sent = 0;

    while (sent < out_length) {
        ssize_t n = write(1, out + sent, out_length - sent);

        if (n <= 0)
            exit(1);
        sent += (size_t)n;
    }
    out_length = 0;
}

static void put(char kind, const void *data, size_t length)
{
    const unsigned char head[HEAD] = {(unsigned char)kind, (unsigned char)(length >> 24),
        (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length};

    if (out_length + sizeof(head) + length > sizeof(out))
        flush_out();
    memcpy(out + out_length, head, sizeof(head));
    memcpy(out + out_length + sizeof(head), data, length);
    out_length += sizeof(head) + length;
}

/* The text of the member "id", which holds no escapes. */
static size_t find_id(const char *json, size_t length, char id[ID_MAX])
{
    static const char member[] = "\"id\":\"";
    const char *at = memmem(json, length, member, sizeof(member) - 1);
    const char *end = at ? memchr(at + sizeof(member) - 1, '"', ID_MAX) : NULL;
    size_t n;

    if (!end)
        die("a job without an id");
    n = (size_t)(end - at) - (sizeof(member) - 1);
    memcpy(id, at + sizeof(member) - 1, n);
    return n;
}

int main(void)
{
    char id[ID_MAX];
    size_t id_length = 0;

    while (true) {
        size_t length;
        char kind;

        need(HEAD);
        kind = (char)in[in_start];
        length = (size_t)in[in_start + 1] << 24 | (size_t)in[in_start + 2] << 16 |
                 (size_t)in[in_start + 3] << 8 | in[in_start + 4];
        if (length > ROOM / 2)
            die("a frame of %zu bytes", length);
        need(HEAD + length);
        if (kind == 'J')
            id_length = find_id((const char *)in + in_start + HEAD, length, id);
        else if (kind == 'D')
            put('D', in + in_start + HEAD, length);
        in_start += HEAD + length;
        if (kind == 'E') {
            put('E', id, id_length);
            flush_out();
        }
    }
}
