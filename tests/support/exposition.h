/*
 * exposition: reads the text that /metrics serves. Source: Prometheus text format 0.0.4.
 */
#ifndef JOBGATE_TESTS_EXPOSITION_H
#define JOBGATE_TESTS_EXPOSITION_H

#include "common/base/base.h"

/* Fails the test where text is not what Prometheus reads: a sample without HELP and TYPE, a family in two
 * places, a series twice, malformed names, labels or values, a counter below 0, a histogram whose buckets do
 * not add up. */
void exposition_check(const char *text);

/* The value of a series as it stands in text (`name` or `name{labels}`); -1 when it is not there. */
double exposition_value(const char *text, const char *series);

/* How many series of a family text holds, and what they add up to. */
size_t exposition_count(const char *text, const char *family, double *sum);

#endif
