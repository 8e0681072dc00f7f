#include "api/live/etag.h"

void etag_write(const void *data, size_t length, char out[ETAG_SIZE])
{
    char hash[HASH_TEXT_SIZE];

    hash_text((const struct hash_part[]){{data, length}, {NULL, 0}}, hash);
    snprintf(out, ETAG_SIZE, "W/\"%s\"", hash);
}

/* What stands in the quotes, with them. */
static const char *opaque(const char *etag)
{
    return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    const char *at = if_none_match + strspn(if_none_match, " \t");
    const char *wanted = opaque(etag);
    size_t length = strlen(wanted);

    if (*at == '*')
        return true;
    while (*at) {
        const char *end;

        at += strspn(at, " \t,");
        at = opaque(at);
        if (*at != '"')
            return false;
        end = strchr(at + 1, '"');
        if (!end)
            return false;
        if ((size_t)(end + 1 - at) == length && memcmp(at, wanted, length) == 0)
            return true;
        at = end + 1;
    }
    return false;
}
