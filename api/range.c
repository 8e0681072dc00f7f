#include "api/range.h"

#include <ctype.h>
#include <strings.h>

/* Reads digits; a number that is too large for any content counts as just that. Returns what is behind them,
 * NULL when there are none. */
static const char *read_number(const char *at, int64_t *out)
{
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (*out = 0; isdigit((unsigned char)*at); at++)
        *out = *out > INT64_MAX / 10 - 10 ? INT64_MAX / 10 : *out * 10 + (*at - '0');
    return at;
}

static bool is_end(const char *at)
{
    return at && at[strspn(at, " \t")] == '\0';
}

/* "-500": the last 500 bytes. */
static enum range_verdict read_suffix(const char *at, int64_t size, int64_t *offset, int64_t *length)
{
    int64_t count;

    if (!is_end(read_number(at, &count)))
        return RANGE_ALL;
    if (count == 0 || size == 0)
        return RANGE_NONE;
    *length = count < size ? count : size;
    *offset = size - *length;
    return RANGE_PART;
}

enum range_verdict range_read(const char *header, int64_t size, int64_t *offset, int64_t *length)
{
    int64_t first;
    int64_t last = INT64_MAX;
    const char *at;

    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return RANGE_ALL;
    at = header + 6 + strspn(header + 6, " \t");
    if (*at == '-')
        return read_suffix(at + 1, size, offset, length);
    at = read_number(at, &first);
    if (!at || *at != '-')
        return RANGE_ALL;
    at++;
    if (isdigit((unsigned char)*at))
        at = read_number(at, &last);
    if (!is_end(at) || last < first)
        return RANGE_ALL;
    if (first >= size)
        return RANGE_NONE;
    *offset = first;
    *length = (last < size - 1 ? last : size - 1) - first + 1;
    return RANGE_PART;
}
