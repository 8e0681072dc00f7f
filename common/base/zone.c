#include "common/base/zone.h"

#include <fcntl.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo/"

/* Names are relative paths: nothing else of the file system may be reached through one. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length < ZONE_NAME_SIZE &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == length &&
           name[0] != '/' && name[0] != '+' && name[0] != '-' && name[length - 1] != '/' &&
           !strstr(name, "//");
}

/* Whether the file is one of the database: it begins with TZif. Source: RFC 8536 section 3. */
static bool is_in_database(const char *name)
{
    char path[sizeof(ZONES) + ZONE_NAME_SIZE];
    char magic[4] = "";
    int fd;
    bool is_zone;

    snprintf(path, sizeof(path), "%s%s", ZONES, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    is_zone = read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
    close(fd);
    return is_zone;
}

bool zone_check(const char *name, struct error *e)
{
    if (strcmp(name, "UTC") == 0 || (is_name(name) && is_in_database(name)))
        return true;
    return error_set(e, ERROR_INVALID,
        "%.63s is no time zone that this system knows: UTC or a name such as Europe/Berlin is right (the "
        "names "
        "are those of " ZONES ", package tzdata)",
        name);
}

void zone_local(void *name, int64_t unix_s, struct tm *out)
{
    const char *before = getenv("TZ"); /* NOLINT(concurrency-mt-unsafe): one thread, see zone.h */
    char saved[ZONE_NAME_SIZE * 4] = "";
    char value[ZONE_NAME_SIZE + 1];
    time_t seconds = unix_s;

    if (before)
        snprintf(saved, sizeof(saved), "%s", before);
    snprintf(value, sizeof(value), ":%s", (const char *)name);
    setenv("TZ", value, 1); /* NOLINT(concurrency-mt-unsafe) */
    tzset();
    localtime_r(&seconds, out);
    if (before)
        setenv("TZ", saved, 1); /* NOLINT(concurrency-mt-unsafe) */
    else
        unsetenv("TZ"); /* NOLINT(concurrency-mt-unsafe) */
    tzset();
}

void zone_utc(void *UNUSED(arg), int64_t unix_s, struct tm *out)
{
    time_t seconds = unix_s;

    gmtime_r(&seconds, out);
}
