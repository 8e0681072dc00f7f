#include "api/listing/cursor.h"

#include <errno.h>

enum { CHECK_LENGTH = 8, PLAIN_SIZE = 192 };

#define AT_MAX 9007199254740991 /* scores are doubles */

/* In plain: <check>.<at>.<ULID>.<worker>; written in hex, so that nobody takes it for something to be made.
 */
void cursor_write(const struct cursor *c, const char list[HASH_TEXT_SIZE], char out[CURSOR_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    const char *ulid = strrchr(c->entry.id.text, '.') + 1;
    char plain[PLAIN_SIZE];
    int length =
        snprintf(plain, sizeof(plain), "%.8s.%lld.%s.%s", list, (long long)c->entry.at, ulid, c->worker);

    for (int i = 0; i < length; i++) {
        out[2 * i] = digits[(unsigned char)plain[i] >> 4];
        out[2 * i + 1] = digits[(unsigned char)plain[i] & 15];
    }
    out[2 * length] = '\0';
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(const char *text, char plain[PLAIN_SIZE])
{
    size_t length = strlen(text);

    if (length % 2 || length / 2 >= PLAIN_SIZE)
        return false;
    for (size_t i = 0; i < length / 2; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0 || high * 16 + low <= ' ' || high * 16 + low > '~')
            return false;
        plain[i] = (char)(high * 16 + low);
    }
    plain[length / 2] = '\0';
    return true;
}

static bool parse(const char *plain, const struct shard *shard, struct cursor *out)
{
    char id[PLAIN_SIZE];
    char *end;
    const char *ulid;
    const char *worker;
    long long at;
    struct error e;

    errno = 0;
    at = strtoll(plain, &end, 10);
    if (plain[0] < '0' || plain[0] > '9' || *end != '.' || errno || at > AT_MAX)
        return false;
    ulid = end + 1;
    worker = strchr(ulid, '.');
    if (!worker || strlen(worker + 1) >= WORKER_ID_SIZE)
        return false;
    snprintf(id, sizeof(id), "%s.%u.%.*s", shard->queue, shard->number, (int)(worker - ulid), ulid);
    if (!id_parse(id, &out->entry.id, &e))
        return false;
    out->entry.at = at;
    snprintf(out->worker, sizeof(out->worker), "%s", worker + 1);
    return true;
}

bool cursor_read(const char *text, const struct shard *shard, const char list[HASH_TEXT_SIZE],
    struct cursor *out, struct error *e)
{
    char plain[PLAIN_SIZE];
    struct cursor c = {0};

    if (!decode(text, plain) || strlen(plain) < CHECK_LENGTH + 1 || plain[CHECK_LENGTH] != '.')
        return error_set(e, ERROR_INVALID, "cursor is none: take it as the page before gave it");
    if (memcmp(plain, list, CHECK_LENGTH) != 0)
        return error_set(e, ERROR_INVALID,
            "cursor is one of another list: queue, state and filters are to be those of the page before");
    if (!parse(plain + CHECK_LENGTH + 1, shard, &c))
        return error_set(e, ERROR_INVALID, "cursor is damaged: take it as the page before gave it");
    *out = c;
    return true;
}
