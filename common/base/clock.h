/*
 * clock: the only place that asks for the time. Tests own it through clock_set_for_test.
 */
#ifndef JOBGATE_CLOCK_H
#define JOBGATE_CLOCK_H

#include "common/base/base.h"

/* Milliseconds since 1970 in UTC. For what is shown and stored; jumps when the machine's clock is set. */
int64_t clock_unix_ms(void);

/* Milliseconds of a clock that never jumps; for timeouts and durations. */
int64_t clock_steady_ms(void);

/* Microseconds of the same clock as clock_steady_ms. */
int64_t clock_steady_us(void);

/* Writes `unix_ms` as RFC 3339 in UTC with milliseconds ("2026-11-21T03:34:22.001Z"); years 1970 to 9999. */
enum { CLOCK_RFC3339_SIZE = 25 };
void clock_format_rfc3339(int64_t unix_ms, char out[CLOCK_RFC3339_SIZE]);

/* Reads an RFC 3339 time with any offset; digits of the second beyond the third are dropped, a leap second
 * counts as the next one. Returns false when text is none, or before 1970. */
bool clock_parse_rfc3339(const char *text, int64_t *unix_ms) MUST_CHECK;

/* Writes `unix_ms` as an HTTP date in GMT ("Sat, 21 Nov 2026 03:34:22 GMT"); RFC 9110 section 5.6.7. */
enum { CLOCK_HTTP_DATE_SIZE = 30 };
void clock_format_http_date(int64_t unix_ms, char out[CLOCK_HTTP_DATE_SIZE]);

/* Makes clock_unix_ms return unix_ms until it is called with -1. Tests only. */
void clock_set_for_test(int64_t unix_ms);

#endif
