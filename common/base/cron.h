/*
 * cron: cron expressions, and the moments that they name. Pure: who asks says how a moment reads on the clock
 * of the time zone.
 *
 * Five fields: minute, hour, day of month, month, day of week; each a `*`, numbers, names (jan, mon), ranges,
 * steps and lists of these. Or one of @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually).
 * Sunday is 0 and 7. When both days are given, either may match. Source: POSIX, crontab; the names, steps and
 * @words as in Vixie cron's crontab(5).
 *
 * When the clock is set forward, what falls into the gap comes right behind it, once; when it is set back,
 * what names its hours comes the first time only. An expression of all hours goes by real time instead.
 */
#ifndef JOBGATE_CRON_H
#define JOBGATE_CRON_H

#include <time.h>

#include "common/base/base.h"
#include "common/base/error.h"

enum { CRON_TEXT_MAX = 255 };

/* A set of numbers: bit n is n. */
struct cron {
    uint64_t minutes;
    uint64_t hours;
    uint64_t days;
    uint64_t months;
    uint64_t weekdays;
    bool is_any_day;     /* the field began with `*` */
    bool is_any_weekday; /* likewise */
};

/* How unix_s reads on the clock of a place, tm_gmtoff included. */
typedef void cron_clock(void *arg, int64_t unix_s, struct tm *out);

/* Fails: INVALID, naming the field and what it may hold. */
bool cron_parse(const char *text, struct cron *out, struct error *e) MUST_CHECK;

/* The first moment after `after_s` (Unix seconds). Fails: INVALID, when there is none in nine years: it names
 * a day that no month has. */
bool cron_next(const struct cron *c, int64_t after_s, cron_clock *clock, void *arg, int64_t *next_s,
    struct error *e) MUST_CHECK;

#endif
