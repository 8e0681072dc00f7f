#include "common/base/cron.h"

#include <strings.h>

enum {
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 86400,
    GAP_MAX_S = 2 * HOUR_S, /* longer ones are a change of the zone, not of the season */
    HORIZON_S = 9 * 366 * DAY_S,
};

static const char *const month_names[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

struct field {
    const char *name;
    int min;
    int max;
    const char *const *names; /* of min and so on; NULL = numbers only */
};

static const struct field fields[] = {
    {"the minute", 0, 59, NULL},
    {"the hour", 0, 23, NULL},
    {"the day of the month", 1, 31, NULL},
    {"the month", 1, 12, month_names},
    {"the day of the week", 0, 7, weekday_names},
};

static const struct {
    const char *word;
    const char *expression;
} words[] = {
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

/* ---- reading ---- */

static bool refuse(const struct field *f, const char *text, int length, struct error *e)
{
    return error_set(e, ERROR_INVALID,
        "%s is \"%.*s\": numbers from %d to %d%s are right, ranges (1-5), steps (*/10) and lists with commas",
        f->name, length, text, f->min, f->max, f->names ? " or names of three letters" : "");
}

/* A number or a name at *at, which moves behind it; -1 when there is none. */
static int read_value(const struct field *f, const char **at)
{
    size_t digits = strspn(*at, "0123456789");
    int value = 0;

    if (digits > 0 && digits <= 2) {
        for (size_t i = 0; i < digits; i++)
            value = value * 10 + ((*at)[i] - '0');
        *at += digits;
        return value;
    }
    for (int i = 0; f->names && f->names[i]; i++)
        if (strncasecmp(*at, f->names[i], 3) == 0) {
            *at += 3;
            return f->min + i;
        }
    return -1;
}

/* One item of a list: `*`, `a`, `a-b`, each with or without a step. */
static bool read_item(const struct field *f, const char **at, uint64_t *set)
{
    int first = f->min;
    int last = f->max == 7 ? 6 : f->max; /* 7 is a second name of Sunday */
    int step = 1;

    if (**at == '*') {
        ++*at;
    } else {
        first = last = read_value(f, at);
        if (**at == '-') {
            ++*at;
            last = read_value(f, at);
        } else if (**at == '/') {
            last = f->max == 7 ? 6 : f->max;
        }
    }
    if (**at == '/') {
        size_t digits = strspn(++*at, "0123456789");

        step = digits > 0 && digits <= 2 ? (int)strtol(*at, NULL, 10) : 0;
        *at += digits;
    }
    if (first < 0 || first < f->min || last > f->max || first > last || step < 1)
        return false;
    for (int i = first; i <= last; i += step)
        *set |= 1ULL << i;
    return true;
}

static bool read_field(const struct field *f, const char *text, int length, uint64_t *set, struct error *e)
{
    const char *at = text;
    const char *end = text + length;

    while (read_item(f, &at, set)) {
        if (at == end)
            return true;
        if (*at++ != ',')
            break;
    }
    return refuse(f, text, length, e);
}

bool cron_parse(const char *text, struct cron *out, struct error *e)
{
    uint64_t sets[ARRAY_LENGTH(fields)] = {0};
    const char *starts[ARRAY_LENGTH(fields)] = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (strcasecmp(text, words[i].word) == 0)
            text = words[i].expression;
    if (*text == '@')
        return error_set(
            e, ERROR_INVALID, "%.32s is not known: @hourly, @daily, @weekly, @monthly and @yearly are", text);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        size_t length;

        text += strspn(text, " \t");
        length = strcspn(text, " \t");
        if (length == 0 || length > CRON_TEXT_MAX)
            return error_set(e, ERROR_INVALID,
                "%zu fields stand there where five belong: minute, hour, day of month, month, day of week",
                i);
        starts[i] = text;
        if (!read_field(&fields[i], text, (int)length, &sets[i], e))
            return false;
        text += length;
    }
    if (text[strspn(text, " \t")])
        return error_set(e, ERROR_INVALID,
            "there is more behind the five fields (minute, hour, day of month, month, day of week): %.40s",
            text);
    *out = (struct cron){sets[0], sets[1], sets[2], sets[3], (sets[4] | sets[4] >> 7) & 0x7f,
        *starts[2] == '*', *starts[4] == '*'};
    return true;
}

/* ---- finding ---- */

static bool has(uint64_t set, int n)
{
    return (set >> n & 1) != 0;
}

static bool is_day_right(const struct cron *c, const struct tm *t)
{
    bool is_day = has(c->days, t->tm_mday);
    bool is_weekday = has(c->weekdays, t->tm_wday);

    return c->is_any_day || c->is_any_weekday ? is_day && is_weekday : is_day || is_weekday;
}

static bool matches(const struct cron *c, const struct tm *t)
{
    return has(c->months, t->tm_mon + 1) && is_day_right(c, t) && has(c->hours, t->tm_hour) &&
           has(c->minutes, t->tm_min);
}

static bool is_every_hour(const struct cron *c)
{
    return c->hours == (1ULL << 24) - 1;
}

/* Whether one of the minutes that the clock jumped over at at_s would have matched. */
static bool missed_in_gap(const struct cron *c, int64_t at_s, cron_clock *clock, void *arg)
{
    struct tm before;
    struct tm then;

    if (is_every_hour(c))
        return false;
    clock(arg, at_s - 1, &before);
    clock(arg, at_s, &then);
    if (then.tm_gmtoff - before.tm_gmtoff > GAP_MAX_S)
        return false;
    for (time_t shown = at_s + before.tm_gmtoff; shown < at_s + then.tm_gmtoff; shown += MINUTE_S) {
        struct tm missing;

        gmtime_r(&shown, &missing);
        if (matches(c, &missing))
            return true;
    }
    return false;
}

/* Whether the clock showed this minute before, because it was set back since. */
static bool is_second_time(const struct tm *t, int64_t at_s, cron_clock *clock, void *arg)
{
    for (int64_t back_s = HOUR_S / 2; back_s <= GAP_MAX_S; back_s += HOUR_S / 2) {
        struct tm earlier;

        clock(arg, at_s - back_s, &earlier);
        if (earlier.tm_gmtoff - t->tm_gmtoff == back_s)
            return true;
    }
    return false;
}

/* From at_s, a full minute, to the next one that may match. Never beyond the next hour of the clock within a
 * right day, nor its midnight otherwise, so that no shift is passed over unseen. */
static int64_t advance(const struct cron *c, int64_t at_s, const struct tm *t)
{
    int64_t to_hour_s = HOUR_S - t->tm_min * MINUTE_S;

    if (has(c->months, t->tm_mon + 1) && is_day_right(c, t))
        return at_s + (has(c->hours, t->tm_hour) ? MINUTE_S : to_hour_s);
    return at_s + (23 - t->tm_hour) * (int64_t)HOUR_S + to_hour_s;
}

bool cron_next(
    const struct cron *c, int64_t after_s, cron_clock *clock, void *arg, int64_t *next_s, struct error *e)
{
    int64_t at_s = (after_s / MINUTE_S + 1) * MINUTE_S;

    while (at_s < after_s + HORIZON_S) {
        struct tm t;

        clock(arg, at_s, &t);
        if (missed_in_gap(c, at_s, clock, arg) ||
            (matches(c, &t) && (is_every_hour(c) || !is_second_time(&t, at_s, clock, arg)))) {
            *next_s = at_s;
            return true;
        }
        at_s = advance(c, at_s, &t);
    }
    return error_set(e, ERROR_INVALID, "there is no such day in the next nine years");
}
