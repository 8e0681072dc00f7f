#include "api/stats.h"

#include <check.h>

#include "common/base/json.h"
#include "tests/support/http.h"

Suite *stats_suite(void);

enum { TEXT_LIMIT = 1 << 26, QUEUES_MANY = 20000 };

static struct stats stats;
static struct buf text;
static json_t *shown;

static void open_stats(void)
{
    stats_init(&stats);
    buf_init(&text, TEXT_LIMIT);
}

static void close_stats(void)
{
    stats_release(&stats);
    buf_release(&text);
    json_decref(shown);
}

/* Reads what was written into `shown`. */
static void parse(void)
{
    struct error e = {0};

    ck_assert(!buf_is_overflown(&text));
    json_decref(shown);
    shown = json_parse(text.data, text.length, &e);
    ck_assert_msg(shown != NULL, "%s: %.2000s", e.text, text.data);
    buf_reset(&text);
}

static struct worker_overview workers[] = {
    {"one.A", 1795236093447, 16, 3},
    {"two.B", 1795236093000, 4, 0},
    {"three.C", 1795236091000, 1, 1},
};

static struct queue_overview overview_of(const char *name)
{
    struct queue_overview o = {.waiting = 5,
        .scheduled = 2,
        .running = 3,
        .dead = 1,
        .oldest_ms = 12345,
        .now_ms = 1795236093500,
        .submitted_total = 100,
        .started_total = 90,
        .succeeded_total = 80,
        .dead_total = 7,
        .cancelled_total = 6,
        .retried_total = 5,
        .returned_total = 4,
        .lost_total = 3,
        .replayed_total = 2};

    snprintf(o.shard.queue, sizeof(o.shard.queue), "%s", name);
    return o;
}

static void expect_int(const char *pointer, json_int_t value)
{
    ck_assert_msg(
        json_int_at(shown, pointer) == value, "%s is %lld", pointer, (long long)json_int_at(shown, pointer));
}

static void expect_seconds(const char *pointer, double seconds)
{
    ck_assert_msg(json_is_number(json_at(shown, pointer)), "%s is no number", pointer);
    ck_assert_double_eq_tol(json_number_value(json_at(shown, pointer)), seconds, 1e-9);
}

START_TEST(a_queue_is_written_whole)
{
    struct queue_overview o = overview_of("default");

    o.is_paused = true;
    o.workers = workers;
    o.worker_count = 2;
    stats_write_queue(&o, &text);
    parse();
    ck_assert_str_eq(json_text_at(shown, "/name"), "default");
    ck_assert(json_is_true(json_at(shown, "/paused")));
    expect_int("/waiting", 5);
    expect_int("/scheduled", 2);
    expect_int("/running", 3);
    expect_int("/dead", 1);
    expect_int("/workers", 2);
    expect_int("/slots", 20);
    expect_seconds("/oldest_age_s", 12.345);
    ck_assert_uint_eq(json_object_size(json_at(shown, "/totals")), 9);
    expect_int("/totals/submitted", 100);
    expect_int("/totals/started", 90);
    expect_int("/totals/succeeded", 80);
    expect_int("/totals/dead", 7);
    expect_int("/totals/cancelled", 6);
    expect_int("/totals/retried", 5);
    expect_int("/totals/returned", 4);
    expect_int("/totals/lost", 3);
    expect_int("/totals/replayed", 2);
}
END_TEST

START_TEST(an_empty_queue_is_written_too)
{
    struct queue_overview o = {.shard = {"a", 0}};

    stats_write_queue(&o, &text);
    parse();
    ck_assert(json_is_false(json_at(shown, "/paused")));
    expect_int("/waiting", 0);
    expect_int("/workers", 0);
    expect_int("/slots", 0);
    expect_seconds("/oldest_age_s", 0);
    expect_int("/totals/submitted", 0);
}
END_TEST

START_TEST(large_numbers_stay_exact)
{
    struct queue_overview o = overview_of("a");

    o.waiting = 9007199254740993;
    o.submitted_total = INT64_MAX;
    stats_add(&stats, &o);
    stats_write(&stats, &text);
    parse();
    expect_int("/waiting", 9007199254740993);
    expect_int("/queues/a/totals/submitted", INT64_MAX);
}
END_TEST

START_TEST(nothing_adds_up_to_nothing)
{
    stats_write(&stats, &text);
    parse();
    expect_int("/waiting", 0);
    expect_int("/scheduled", 0);
    expect_int("/running", 0);
    expect_int("/dead", 0);
    expect_int("/workers", 0);
    expect_int("/slots", 0);
    expect_seconds("/oldest_age_s", 0);
    ck_assert(json_is_object(json_at(shown, "/queues")));
    stats_write_queues(&stats, &text);
    parse();
    ck_assert_uint_eq(json_array_size(json_at(shown, "/queues")), 0);
    ck_assert(json_is_array(json_at(shown, "/queues")));
    stats_write_workers(&stats, &text);
    parse();
    ck_assert(json_is_array(json_at(shown, "/workers")));
    ck_assert_uint_eq(json_array_size(json_at(shown, "/workers")), 0);
}
END_TEST

START_TEST(queues_are_added_up)
{
    struct queue_overview first = overview_of("default");
    struct queue_overview second = overview_of("bulk");

    second.waiting = 1000000;
    second.oldest_ms = 60000;
    second.dead = 0;
    stats_add(&stats, &first);
    stats_add(&stats, &second);
    stats_write(&stats, &text);
    parse();
    expect_int("/waiting", 1000005);
    expect_int("/scheduled", 4);
    expect_int("/running", 6);
    expect_int("/dead", 1);
    expect_seconds("/oldest_age_s", 60);
    expect_int("/queues/default/waiting", 5);
    expect_int("/queues/bulk/waiting", 1000000);
    stats_write_queues(&stats, &text);
    parse();
    ck_assert_str_eq(json_text_at(shown, "/queues/0/name"), "default");
    ck_assert_str_eq(json_text_at(shown, "/queues/1/name"), "bulk");
    ck_assert_uint_eq(json_array_size(json_at(shown, "/queues")), 2);
}
END_TEST

/* Worker one serves both queues, the others one each. What it runs is added up, what it could run is not. */
static void add_shared_workers(void)
{
    struct queue_overview first = overview_of("default");
    struct queue_overview second = overview_of("bulk");
    struct worker_overview of_second[] = {{"three.C", 1795236091000, 1, 1}, {"one.A", 1795236093999, 16, 4}};

    first.workers = workers;
    first.worker_count = 2;
    second.workers = of_second;
    second.worker_count = 2;
    stats_add(&stats, &first);
    stats_add(&stats, &second);
}

START_TEST(a_worker_counts_once_whatever_it_serves)
{
    add_shared_workers();
    stats_write(&stats, &text);
    parse();
    expect_int("/workers", 3);
    expect_int("/slots", 21);
    expect_int("/queues/default/workers", 2);
    expect_int("/queues/default/slots", 20);
    expect_int("/queues/bulk/workers", 2);
    expect_int("/queues/bulk/slots", 17);
}
END_TEST

/* Found by this test: the heartbeat shown was that of the first queue, however late the others' were. */
START_TEST(a_worker_is_shown_with_its_last_heartbeat)
{
    add_shared_workers();
    stats_write_workers(&stats, &text);
    parse();
    ck_assert_uint_eq(json_array_size(json_at(shown, "/workers")), 3);
    ck_assert_str_eq(json_text_at(shown, "/workers/0/name"), "one.A");
    expect_int("/workers/0/slots", 16);
    expect_int("/workers/0/running", 7);
    ck_assert_str_eq(json_text_at(shown, "/workers/0/last_heartbeat_at"), "2026-11-21T04:41:33.999Z");
    ck_assert_str_eq(json_text_at(shown, "/workers/1/name"), "two.B");
    ck_assert_str_eq(json_text_at(shown, "/workers/2/last_heartbeat_at"), "2026-11-21T04:41:31.000Z");
}
END_TEST

START_TEST(a_worker_without_a_heartbeat_is_shown_without)
{
    struct queue_overview o = overview_of("default");
    struct worker_overview worker = {"gone.X", 0, 1, 2};

    o.workers = &worker;
    o.worker_count = 1;
    stats_add(&stats, &o);
    stats_write_workers(&stats, &text);
    parse();
    expect_int("/workers/0/running", 2);
    ck_assert_ptr_null(json_at(shown, "/workers/0/last_heartbeat_at"));
}
END_TEST

START_TEST(a_workers_name_may_hold_anything)
{
    struct queue_overview o = overview_of("default");
    struct worker_overview worker = {"a\"b\\c\n\xff", 1795236093447, 1, 0};

    o.workers = &worker;
    o.worker_count = 1;
    stats_add(&stats, &o);
    stats_write_workers(&stats, &text);
    parse();
    ck_assert_str_eq(json_text_at(shown, "/workers/0/name"), "a\"b\\c\n\xef\xbf\xbd");
}
END_TEST

/* QUEUES_MAX goes up to 100000. */
START_TEST(many_queues_are_all_there)
{
    struct queue_overview o = overview_of("a");

    for (int i = 0; i < QUEUES_MANY; i++) {
        snprintf(o.shard.queue, sizeof(o.shard.queue), "queue-with-a-long-name-%d", i);
        stats_add(&stats, &o);
    }
    stats_write(&stats, &text);
    parse();
    ck_assert_uint_eq(json_object_size(json_at(shown, "/queues")), QUEUES_MANY);
    stats_write_queues(&stats, &text);
    parse();
    ck_assert_uint_eq(json_array_size(json_at(shown, "/queues")), QUEUES_MANY);
}
END_TEST

Suite *stats_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *all = tcase_create("stats");

    tcase_add_checked_fixture(all, open_stats, close_stats);
    tcase_set_timeout(all, 20);
    tcase_add_test(all, a_queue_is_written_whole);
    tcase_add_test(all, an_empty_queue_is_written_too);
    tcase_add_test(all, large_numbers_stay_exact);
    tcase_add_test(all, nothing_adds_up_to_nothing);
    tcase_add_test(all, queues_are_added_up);
    tcase_add_test(all, a_worker_counts_once_whatever_it_serves);
    tcase_add_test(all, a_worker_is_shown_with_its_last_heartbeat);
    tcase_add_test(all, a_worker_without_a_heartbeat_is_shown_without);
    tcase_add_test(all, a_workers_name_may_hold_anything);
    tcase_add_test(all, many_queues_are_all_there);
    suite_add_tcase(suite, all);
    return suite;
}
