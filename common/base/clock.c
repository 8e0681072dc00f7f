#include "common/base/clock.h"

#include <time.h>

static int64_t fixed_unix_ms = -1;

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
    return fixed_unix_ms >= 0 ? fixed_unix_ms : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_steady_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_steady_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_format_rfc3339(int64_t unix_ms, char out[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    size_t length;

    gmtime_r(&seconds, &tm);
    length = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + length, CLOCK_RFC3339_SIZE - length, ".%03dZ", (int)(unix_ms % 1000));
}

/* Reads `count` digits. */
static bool read_digits(const char **at, int count, int *out)
{
    int value = 0;

    for (; count; count--, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool read_char(const char **at, const char *choices)
{
    if (!**at || !strchr(choices, **at))
        return false;
    ++*at;
    return true;
}

static bool read_fraction(const char **at, int *ms)
{
    int weight = 100;
    const char *first;

    *ms = 0;
    if (**at != '.')
        return true;
    first = ++*at;
    for (; **at >= '0' && **at <= '9'; ++*at, weight /= 10)
        *ms += (**at - '0') * weight;
    return *at > first;
}

static bool read_offset(const char **at, int *minutes)
{
    int sign = **at == '-' ? -1 : 1;
    int hours = 0;
    int rest = 0;

    *minutes = 0;
    if (read_char(at, "Zz"))
        return true;
    if (!read_char(at, "+-") || !read_digits(at, 2, &hours) || !read_char(at, ":") ||
        !read_digits(at, 2, &rest))
        return false;
    *minutes = sign * (hours * 60 + rest);
    return hours < 24 && rest < 60;
}

static bool is_date(const struct tm *tm)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1 || tm->tm_mday > days[tm->tm_mon])
        return false;
    return tm->tm_mon != 1 || tm->tm_mday < 29 || is_leap;
}

/* Source: RFC 3339 section 5.6. */
bool clock_parse_rfc3339(const char *text, int64_t *unix_ms)
{
    struct tm tm = {0};
    int ms;
    int offset;
    int64_t result;
    bool is_read =
        read_digits(&text, 4, &tm.tm_year) && read_char(&text, "-") && read_digits(&text, 2, &tm.tm_mon) &&
        read_char(&text, "-") && read_digits(&text, 2, &tm.tm_mday) && read_char(&text, "Tt ") &&
        read_digits(&text, 2, &tm.tm_hour) && read_char(&text, ":") && read_digits(&text, 2, &tm.tm_min) &&
        read_char(&text, ":") && read_digits(&text, 2, &tm.tm_sec) && read_fraction(&text, &ms) &&
        read_offset(&text, &offset) && !*text;

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!is_read || !is_date(&tm) || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    result = ((int64_t)timegm(&tm) - offset * 60) * 1000 + ms;
    if (result < 0)
        return false;
    *unix_ms = result;
    return true;
}

void clock_format_http_date(int64_t unix_ms, char out[CLOCK_HTTP_DATE_SIZE])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(out, CLOCK_HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

void clock_set_for_test(int64_t unix_ms)
{
    fixed_unix_ms = unix_ms;
}
