#include "common/net/metrics.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <unistd.h>

#define OTHER_LABELS "other=\"true\""

enum { SERIES_MAX = 512, LABELS_SIZE = 160, BUCKET_COUNT = 12 };
enum type { COUNTER, GAUGE, HISTOGRAM };

static const double bucket_bounds[BUCKET_COUNT] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 60};

static const struct {
    const char *name;
    enum type type;
    const char *help;
} descriptions[] = {
#define METRIC(id, name, type, help) {name, type, help},
#include "common/net/metrics.def"
#undef METRIC
};

struct series {
    enum metric metric;
    char labels[LABELS_SIZE];
    double value;                       /* of a histogram: the sum */
    uint64_t buckets[BUCKET_COUNT + 1]; /* counts of their own, not cumulative; the last is +Inf */
};

struct metrics {
    struct series *series[SERIES_MAX];
    size_t
        count; /* grows only after the slot is filled, so that a reader in another thread sees whole series */
    struct series *plain[METRIC_COUNT]; /* those without labels */
    struct series *other[METRIC_COUNT];
};

struct metrics *metrics_new(void)
{
    return mem_zalloc(sizeof(struct metrics));
}

struct metrics *metrics_free(struct metrics *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->count; i++)
        free(m->series[i]);
    free(m);
    return NULL;
}

static struct series *add_series(struct metrics *m, enum metric metric, const char *labels)
{
    struct series *s = mem_zalloc(sizeof(*s));

    s->metric = metric;
    snprintf(s->labels, sizeof(s->labels), "%s", labels);
    m->series[m->count] = s;
    __atomic_store_n(&m->count, m->count + 1, __ATOMIC_RELEASE);
    return s;
}

static struct series *find_series(const struct metrics *m, enum metric metric, const char *labels)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->series[i]->metric == metric && strcmp(m->series[i]->labels, labels) == 0)
            return m->series[i];
    return NULL;
}

struct series *metrics_series(struct metrics *m, enum metric metric, const char *labels)
{
    struct series *s = find_series(m, metric, labels);

    if (s)
        return s;
    if (m->count + METRIC_COUNT < SERIES_MAX && strlen(labels) < LABELS_SIZE)
        return add_series(m, metric, labels);
    if (!m->other[metric]) {
        s = find_series(m, metric, OTHER_LABELS); /* a sum got it from a set as one among others */
        m->other[metric] = s ? s : add_series(m, metric, OTHER_LABELS);
    }
    return m->other[metric];
}

static struct series *plain(struct metrics *m, enum metric metric)
{
    if (!m->plain[metric])
        m->plain[metric] = metrics_series(m, metric, "");
    return m->plain[metric];
}

/* One thread writes, so a load and a store need not be one step; they are atomic for the readers' sake. */
void series_add(struct series *s, double amount)
{
    double value = s->value + amount;

    __atomic_store(&s->value, &value, __ATOMIC_RELAXED);
}

void series_set(struct series *s, double value)
{
    __atomic_store(&s->value, &value, __ATOMIC_RELAXED);
}

void series_observe(struct series *s, double seconds)
{
    size_t i = 0;

    while (i < BUCKET_COUNT && seconds > bucket_bounds[i])
        i++;
    __atomic_store_n(&s->buckets[i], s->buckets[i] + 1, __ATOMIC_RELAXED);
    series_add(s, seconds);
}

void metrics_add(struct metrics *m, enum metric metric, double amount)
{
    series_add(plain(m, metric), amount);
}

void metrics_set(struct metrics *m, enum metric metric, double value)
{
    series_set(plain(m, metric), value);
}

static void sum_into(struct series *total, const struct series *s)
{
    double value;

    __atomic_load((double *)&s->value, &value, __ATOMIC_RELAXED);
    total->value += value;
    for (size_t i = 0; i <= BUCKET_COUNT; i++)
        total->buckets[i] += __atomic_load_n(&s->buckets[i], __ATOMIC_RELAXED);
}

static void expose_histogram(const struct series *s, const char *name, struct buf *out)
{
    const char *comma = *s->labels ? "," : "";
    uint64_t count = 0;

    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        count += s->buckets[i];
        buf_printf(out, "%s_bucket{%s%sle=\"", name, s->labels, comma);
        if (i < BUCKET_COUNT)
            buf_printf(out, "%g", bucket_bounds[i]);
        else
            buf_append_text(out, "+Inf");
        buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    buf_printf(out, *s->labels ? "%s_sum{%s} %.9g\n" : "%s_sum%s %.9g\n", name, s->labels, s->value);
    buf_printf(out, *s->labels ? "%s_count{%s} %llu\n" : "%s_count%s %llu\n", name, s->labels,
        (unsigned long long)count);
}

static void expose_series(const struct series *s, struct buf *out)
{
    const char *name = descriptions[s->metric].name;

    if (descriptions[s->metric].type == HISTOGRAM)
        expose_histogram(s, name, out);
    else
        buf_printf(out, *s->labels ? "%s{%s} %.15g\n" : "%s%s %.15g\n", name, s->labels, s->value);
}

static void expose_metric(const struct metrics *total, enum metric metric, struct buf *out)
{
    static const char *const type_names[] = {"counter", "gauge", "histogram"};
    bool is_first = true;

    for (size_t i = 0; i < total->count; i++) {
        if (total->series[i]->metric != metric)
            continue;
        if (is_first)
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", descriptions[metric].name,
                descriptions[metric].help, descriptions[metric].name, type_names[descriptions[metric].type]);
        is_first = false;
        expose_series(total->series[i], out);
    }
}

void metrics_expose(struct metrics *const *sets, size_t count, struct buf *out)
{
    struct metrics *total = metrics_new();

    for (size_t set = 0; set < count; set++) {
        size_t series_count = __atomic_load_n(&sets[set]->count, __ATOMIC_ACQUIRE);

        for (size_t i = 0; i < series_count; i++) {
            const struct series *s = sets[set]->series[i];

            sum_into(metrics_series(total, s->metric, s->labels), s);
        }
    }
    for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
        expose_metric(total, metric, out);
    metrics_free(total);
}

static double count_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double count = -3; /* ".", ".." and the directory itself */

    if (!dir)
        return 0;
    while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe): each loop has a stream of its own */
        count++;
    closedir(dir);
    return count;
}

void metrics_read_process(struct metrics *m)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024] = "";
    const char *after_name;
    unsigned long long user_ticks;
    unsigned long long system_ticks;
    unsigned long long start_ticks;
    long resident_pages;
    FILE *boot;

    if (file) {
        if (!fgets(line, sizeof(line), file))
            line[0] = '\0';
        fclose(file);
    }
    /* Source: proc(5), /proc/pid/stat; the name in field 2 may hold spaces and parentheses. */
    after_name = strrchr(line, ')');
    if (!after_name ||
        sscanf(after_name + 1,
            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %*u %ld",
            &user_ticks, &system_ticks, &start_ticks, &resident_pages) != 4)
        return;
    metrics_set(m, METRIC_CPU_SECONDS, (double)(user_ticks + system_ticks) / (double)sysconf(_SC_CLK_TCK));
    metrics_set(m, METRIC_RESIDENT_BYTES, (double)resident_pages * (double)sysconf(_SC_PAGESIZE));
    metrics_set(m, METRIC_OPEN_FDS, count_open_fds());
    boot = fopen("/proc/stat", "re");
    while (boot && fgets(line, sizeof(line), boot)) {
        unsigned long long boot_s;

        if (sscanf(line, "btime %llu", &boot_s) == 1)
            metrics_set(
                m, METRIC_START_TIME, (double)boot_s + (double)start_ticks / (double)sysconf(_SC_CLK_TCK));
    }
    if (boot)
        fclose(boot);
}
