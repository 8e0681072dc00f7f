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

static bool matches(const char *header, const char *etag, bool is_strong)
{
    const char *at = header + strspn(header, " \t");
    const char *wanted = is_strong ? etag : opaque(etag);
    size_t length = strlen(wanted);

    if (*at == '*')
        return true;
    while (*at) {
        bool is_weak;
        const char *end;

        at += strspn(at, " \t,");
        is_weak = opaque(at) != at;
        at = opaque(at);
        if (*at != '"')
            return false;
        end = strchr(at + 1, '"');
        if (!end)
            return false;
        if (!(is_strong && is_weak) && (size_t)(end + 1 - at) == length && memcmp(at, wanted, length) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    return matches(if_none_match, etag, false);
}

bool etag_matches_strongly(const char *if_match, const char *etag)
{
    return matches(if_match, etag, true);
}
