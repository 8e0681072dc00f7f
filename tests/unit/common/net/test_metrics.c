#include "common/net/metrics.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/exposition.h"

Suite *metrics_suite(void);

enum { TEXT_MAX = 1 << 20, SERIES_LIMIT = 512, MANY = 600 };

#define SUBMITTED "jobgate_jobs_submitted_total"
#define REQUESTS "jobgate_http_requests_total"
#define SECONDS "jobgate_http_request_duration_seconds"

static struct metrics *m;
static struct buf text;

static void open_metrics(void)
{
    m = metrics_new();
    buf_init(&text, TEXT_MAX);
}

static void close_metrics(void)
{
    m = metrics_free(m);
    buf_release(&text);
}

/* Writes the exposition into `text` and asserts that it is one. */
static void expose(struct metrics *const *sets, size_t count)
{
    buf_reset(&text);
    metrics_expose(sets, count, &text);
    ck_assert(!buf_is_overflown(&text));
    exposition_check(text.data);
}

static double value_of(const char *series)
{
    expose(&m, 1);
    return exposition_value(text.data, series);
}

START_TEST(what_was_never_touched_is_not_shown)
{
    expose(&m, 1);
    ck_assert_str_eq(text.data, "");
    expose(NULL, 0);
    ck_assert_str_eq(text.data, "");
}
END_TEST

START_TEST(a_counter_adds_and_a_gauge_is_set)
{
    metrics_add(m, METRIC_JOBS_SUBMITTED, 1);
    metrics_add(m, METRIC_JOBS_SUBMITTED, 2);
    metrics_add(m, METRIC_JOBS_RUNNING, 5);
    metrics_add(m, METRIC_JOBS_RUNNING, -2);
    metrics_set(m, METRIC_WORKER_SLOTS, 7);
    metrics_set(m, METRIC_WORKER_SLOTS, 16);
    expose(&m, 1);
    ck_assert_str_eq(text.data, "# HELP " SUBMITTED " Jobs accepted by this process\n"
                                "# TYPE " SUBMITTED " counter\n" SUBMITTED " 3\n"
                                "# HELP jobgate_jobs_running Jobs held by this process\n"
                                "# TYPE jobgate_jobs_running gauge\n"
                                "jobgate_jobs_running 3\n"
                                "# HELP jobgate_worker_slots Jobs that this process may run at once\n"
                                "# TYPE jobgate_worker_slots gauge\n"
                                "jobgate_worker_slots 16\n");
}
END_TEST

START_TEST(series_are_told_apart_by_their_labels)
{
    struct series *accepted = metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"/v1/jobs\",status=\"202\"");
    struct series *refused = metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"/v1/jobs\",status=\"422\"");

    ck_assert_ptr_ne(accepted, refused);
    ck_assert_ptr_eq(metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"/v1/jobs\",status=\"202\""), accepted);
    ck_assert_ptr_ne(metrics_series(m, METRIC_HTTP_SECONDS, "route=\"/v1/jobs\",status=\"202\""), accepted);
    series_add(accepted, 2);
    series_add(refused, 1);
    ck_assert_double_eq(value_of(REQUESTS "{route=\"/v1/jobs\",status=\"202\"}"), 2);
    ck_assert_double_eq(value_of(REQUESTS "{route=\"/v1/jobs\",status=\"422\"}"), 1);
}
END_TEST

/* Counts, bytes and Unix times of any size that they have. */
static const double exact_values[] = {0, 0.1, 0.5, 1795236093.447, 999999999999999, 1e-9};

START_TEST(a_value_is_written_exactly)
{
    metrics_set(m, METRIC_START_TIME, exact_values[_i]);
    ck_assert_double_eq(value_of("process_start_time_seconds"), exact_values[_i]);
}
END_TEST

static const struct bucket_row {
    double seconds;
    const char *last_without; /* the last bucket that does not count it; NULL: all do */
    const char *first_with;
} bucket_rows[] = {
    {0, NULL, "0.001"},
    {0.001, NULL, "0.001"}, /* "le": less or equal */
    {0.0011, "0.001", "0.0025"},
    {0.99, "0.25", "1"},
    {60, "30", "60"},
    {60.001, "60", "+Inf"},
    {86400, "60", "+Inf"},
};

static double bucket_value(const char *bound)
{
    char series[128];

    snprintf(series, sizeof(series), SECONDS "_bucket{route=\"/\",le=\"%s\"}", bound);
    return value_of(series);
}

START_TEST(a_histogram_counts_in_the_right_buckets)
{
    const struct bucket_row *row = &bucket_rows[_i];

    series_observe(metrics_series(m, METRIC_HTTP_SECONDS, "route=\"/\""), row->seconds);
    if (row->last_without)
        ck_assert_double_eq(bucket_value(row->last_without), 0);
    ck_assert_double_eq(bucket_value(row->first_with), 1);
    ck_assert_double_eq(bucket_value("+Inf"), 1);
    ck_assert_double_eq(value_of(SECONDS "_count{route=\"/\"}"), 1);
    ck_assert_double_eq_tol(value_of(SECONDS "_sum{route=\"/\"}"), row->seconds, 1e-6);
}
END_TEST

START_TEST(several_sets_are_added_up)
{
    struct metrics *sets[3] = {m, metrics_new(), metrics_new()};

    metrics_add(sets[0], METRIC_JOBS_SUBMITTED, 1);
    metrics_add(sets[2], METRIC_JOBS_SUBMITTED, 4);
    series_add(metrics_series(sets[1], METRIC_HTTP_REQUESTS, "status=\"200\""), 3);
    series_add(metrics_series(sets[2], METRIC_HTTP_REQUESTS, "status=\"404\""), 2);
    series_add(metrics_series(sets[0], METRIC_HTTP_REQUESTS, "status=\"200\""), 1);
    series_observe(metrics_series(sets[0], METRIC_HTTP_SECONDS, ""), 0.002);
    series_observe(metrics_series(sets[1], METRIC_HTTP_SECONDS, ""), 20);
    expose(sets, ARRAY_LENGTH(sets));
    ck_assert_double_eq(exposition_value(text.data, SUBMITTED), 5);
    ck_assert_double_eq(exposition_value(text.data, REQUESTS "{status=\"200\"}"), 4);
    ck_assert_double_eq(exposition_value(text.data, REQUESTS "{status=\"404\"}"), 2);
    ck_assert_double_eq(exposition_value(text.data, SECONDS "_bucket{le=\"0.0025\"}"), 1);
    ck_assert_double_eq(exposition_value(text.data, SECONDS "_count"), 2);
    ck_assert_double_eq_tol(exposition_value(text.data, SECONDS "_sum"), 20.002, 1e-6);
    metrics_free(sets[1]);
    metrics_free(sets[2]);
}
END_TEST

/* Adds 1 to `count` series that differ in a number. */
static void add_many(struct metrics *to, enum metric metric, int count)
{
    for (int i = 0; i < count; i++) {
        char labels[32];

        snprintf(labels, sizeof(labels), "route=\"/%d\"", i);
        series_add(metrics_series(to, metric, labels), 1);
    }
}

START_TEST(series_beyond_the_bound_share_one)
{
    struct series *late;
    double sum;

    add_many(m, METRIC_HTTP_REQUESTS, MANY);
    late = metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"late\"");
    ck_assert_ptr_eq(metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"later\""), late);
    series_add(late, 1);
    series_add(metrics_series(m, METRIC_HTTP_REQUESTS, "route=\"/7\""), 1);
    expose(&m, 1);
    ck_assert_uint_le(exposition_count(text.data, REQUESTS, &sum), SERIES_LIMIT);
    ck_assert_double_eq(sum, MANY + 2);
    ck_assert_double_eq(exposition_value(text.data, REQUESTS "{route=\"/7\"}"), 2);
    ck_assert_double_gt(exposition_value(text.data, REQUESTS "{other=\"true\"}"), MANY - SERIES_LIMIT);
}
END_TEST

START_TEST(one_metric_beyond_the_bound_leaves_the_others_theirs)
{
    double sum;

    add_many(m, METRIC_HTTP_REQUESTS, MANY);
    for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
        if (metric != METRIC_HTTP_REQUESTS)
            metrics_add(m, metric, 3);
    add_many(m, METRIC_JOBS_FINISHED, MANY);
    expose(&m, 1);
    exposition_count(text.data, SUBMITTED, &sum);
    ck_assert_double_eq(sum, 3);
    exposition_count(text.data, "jobgate_jobs_finished_total", &sum);
    ck_assert_double_eq(sum, MANY + 3);
    exposition_count(text.data, REQUESTS, &sum);
    ck_assert_double_eq(sum, MANY);
}
END_TEST

START_TEST(labels_that_are_too_long_share_one_too)
{
    char labels[1024];
    double sum;

    snprintf(labels, sizeof(labels), "route=\"%0900d\"", 1);
    series_add(metrics_series(m, METRIC_HTTP_REQUESTS, labels), 1);
    snprintf(labels, sizeof(labels), "route=\"%0900d\"", 2);
    series_add(metrics_series(m, METRIC_HTTP_REQUESTS, labels), 1);
    expose(&m, 1);
    ck_assert_uint_eq(exposition_count(text.data, REQUESTS, &sum), 1);
    ck_assert_double_eq(exposition_value(text.data, REQUESTS "{other=\"true\"}"), 2);
}
END_TEST

/* Found by this test: the sum had two series other="true", and Prometheus refuses such a page whole. */
START_TEST(sets_beyond_the_bound_add_up_to_one_other)
{
    struct metrics *sets[3] = {m, metrics_new(), metrics_new()};
    char labels[1024];
    double sum;

    snprintf(labels, sizeof(labels), "route=\"%0900d\"", 1);
    series_add(metrics_series(sets[0], METRIC_HTTP_REQUESTS, labels), 1);
    add_many(sets[1], METRIC_HTTP_REQUESTS, MANY);
    add_many(sets[2], METRIC_JOBS_FINISHED, MANY);
    expose(sets, ARRAY_LENGTH(sets));
    exposition_count(text.data, REQUESTS, &sum);
    ck_assert_double_eq(sum, MANY + 1);
    exposition_count(text.data, "jobgate_jobs_finished_total", &sum);
    ck_assert_double_eq(sum, MANY);
    metrics_free(sets[1]);
    metrics_free(sets[2]);
}
END_TEST

/* Each row of metrics.def by itself, so that a wrong name, type or help is seen. */
START_TEST(every_metric_can_be_exposed)
{
    metrics_add(m, (enum metric)_i, 1);
    series_add(metrics_series(m, (enum metric)_i, "queue=\"default\""), 1);
    expose(&m, 1);
    if (strstr(text.data, " counter\n"))
        ck_assert_ptr_nonnull(strstr(text.data, "_total "));
    else
        ck_assert_ptr_null(strstr(text.data, "_total "));
}
END_TEST

START_TEST(the_process_is_measured)
{
    double fds;
    double started;
    int fd;

    metrics_read_process(m);
    fds = value_of("process_open_fds");
    started = value_of("process_start_time_seconds");
    ck_assert_double_ge(fds, 1);
    ck_assert_double_le(started, (double)time(NULL) + 2);
    ck_assert_double_ge(started, (double)time(NULL) - 3600);
    ck_assert_double_ge(value_of("process_resident_memory_bytes"), 1 << 20);
    ck_assert_double_ge(value_of("process_cpu_seconds_total"), 0);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    metrics_read_process(m);
    ck_assert_double_eq(value_of("process_open_fds"), fds + 1);
    close(fd);
}
END_TEST

static void *add_in_thread(void *arg)
{
    add_many(arg, METRIC_HTTP_REQUESTS, MANY);
    return NULL;
}

START_TEST(another_thread_may_read_at_any_time)
{
    pthread_t writer;
    double before = 0;
    double sum;

    ck_assert_int_eq(pthread_create(&writer, NULL, add_in_thread, m), 0);
    for (int i = 0; i < 100; i++) {
        expose(&m, 1);
        exposition_count(text.data, REQUESTS, &sum);
        ck_assert_double_ge(sum, before);
        before = sum;
    }
    pthread_join(writer, NULL);
    expose(&m, 1);
    exposition_count(text.data, REQUESTS, &sum);
    ck_assert_double_eq(sum, MANY);
}
END_TEST

Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *all = tcase_create("metrics");

    tcase_add_checked_fixture(all, open_metrics, close_metrics);
    tcase_set_timeout(all, 20);
    tcase_add_test(all, what_was_never_touched_is_not_shown);
    tcase_add_test(all, a_counter_adds_and_a_gauge_is_set);
    tcase_add_test(all, series_are_told_apart_by_their_labels);
    tcase_add_loop_test(all, a_value_is_written_exactly, 0, ARRAY_LENGTH(exact_values));
    tcase_add_loop_test(all, a_histogram_counts_in_the_right_buckets, 0, ARRAY_LENGTH(bucket_rows));
    tcase_add_test(all, several_sets_are_added_up);
    tcase_add_test(all, series_beyond_the_bound_share_one);
    tcase_add_test(all, one_metric_beyond_the_bound_leaves_the_others_theirs);
    tcase_add_test(all, labels_that_are_too_long_share_one_too);
    tcase_add_test(all, sets_beyond_the_bound_add_up_to_one_other);
    tcase_add_loop_test(all, every_metric_can_be_exposed, 0, METRIC_COUNT);
    tcase_add_test(all, the_process_is_measured);
    tcase_add_test(all, another_thread_may_read_at_any_time);
    suite_add_tcase(suite, all);
    return suite;
}
