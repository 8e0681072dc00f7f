/*
 * zone: the clocks of time zones, by their names in the IANA time zone database ("Europe/Berlin"), as the
 * system has it (/usr/share/zoneinfo). UTC is always there.
 */
#ifndef JOBGATE_ZONE_H
#define JOBGATE_ZONE_H

#include <time.h>

#include "common/base/base.h"
#include "common/base/error.h"

enum { ZONE_NAME_SIZE = 64 };

/* Whether the system knows the zone. Reads a file. Fails: INVALID, with what would be right. */
bool zone_check(const char *name, struct error *e) MUST_CHECK;

/* How unix_s reads on the zone's clock; by UTC when the system does not know it. A cron_clock: `name` is the
 * zone's name. It sets TZ for as long as it runs: for programs of one thread. */
void zone_local(void *name, int64_t unix_s, struct tm *out);

/* The same for UTC, with any number of threads; arg is not looked at. */
void zone_utc(void *arg, int64_t unix_s, struct tm *out);

#endif
