/*
 * metrics: counters, gauges and histograms of one loop, and their exposition as text.
 * Source: Prometheus text format 0.0.4.
 *
 * Each loop owns one `struct metrics` and alone writes to it; another thread may read it at any time (values
 * are atomic, series are only ever added). metrics_expose adds up several.
 */
#ifndef JOBGATE_METRICS_H
#define JOBGATE_METRICS_H

#include "common/base/base.h"
#include "common/base/buf.h"

enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
#include "common/net/metrics.def"
#undef METRIC
    METRIC_COUNT
};

struct metrics;
struct series; /* one metric with one set of labels */

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m); /* takes NULL; returns NULL */

/* The series of a metric with these labels (`route="/v1/jobs",status="202"`, values without quotes or
 * backslashes; "" for none), made at the first use. Lives as long as m. Beyond a bound of 512 series, those
 * that come later share one whose labels say other="true". */
struct series *metrics_series(struct metrics *m, enum metric metric, const char *labels);

void series_add(struct series *s, double amount);      /* counter or gauge */
void series_set(struct series *s, double value);       /* gauge */
void series_observe(struct series *s, double seconds); /* histogram: 1 ms to 60 s */

/* metrics_series with no labels, and its verbs, for the simple ones. */
void metrics_add(struct metrics *m, enum metric metric, double amount);
void metrics_set(struct metrics *m, enum metric metric, double value);

/* Appends the exposition of the sum of `count` sets. */
void metrics_expose(struct metrics *const *sets, size_t count, struct buf *out);

/* Sets the process_* metrics from /proc/self. */
void metrics_read_process(struct metrics *m);

#endif
