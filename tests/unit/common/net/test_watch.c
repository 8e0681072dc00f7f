#include "common/net/watch.h"

#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/support/process.h"

Suite *watch_suite(void);

enum { LIMIT_MS = 30000 };

static struct loop *loop;
static char directory[PROCESS_PATH_SIZE];
static char path[PROCESS_PATH_SIZE + 16];
static int changes;

static void open_watch(void)
{
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
    directory_make(directory);
    snprintf(path, sizeof(path), "%s/file", directory);
    changes = 0;
}

static void close_watch(void)
{
    loop = loop_free(loop);
    directory_remove(directory);
}

static void on_change(void *UNUSED(arg))
{
    changes++;
}

static void write_file(const char *name, const char *text)
{
    char at[PROCESS_PATH_SIZE + 16];
    FILE *file;

    snprintf(at, sizeof(at), "%s/%s", directory, name);
    file = fopen(at, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void wait_changes(int wanted)
{
    int64_t deadline_ms = clock_steady_ms() + LIMIT_MS;

    while (changes < wanted) {
        ck_assert_int_lt(clock_steady_ms(), deadline_ms);
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
    }
    ck_assert_int_eq(changes, wanted);
}

START_TEST(it_tells_of_each_change)
{
    struct watch *w;

    write_file("file", "one");
    w = watch_new(loop, path, on_change, NULL);
    write_file("file", "another");
    wait_changes(1);
    ck_assert_int_eq(unlink(path), 0);
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    ck_assert_int_eq(changes, 1);
    write_file("file", "a third one");
    wait_changes(2);
    event_base_loop(loop_base(loop), EVLOOP_ONCE); /* nothing happened since */
    ck_assert_int_eq(changes, 2);
    watch_free(w);
}
END_TEST

START_TEST(a_file_that_comes_later_is_a_change)
{
    struct watch *w = watch_new(loop, path, on_change, NULL);

    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    ck_assert_int_eq(changes, 0);
    write_file("file", "one");
    wait_changes(1);
    watch_free(w);
}
END_TEST

/* As a mounted secret changes: the file is a link to one below a link, and the upper one is swapped. */
START_TEST(a_link_above_it_that_is_swapped_is_a_change)
{
    char link_path[PROCESS_PATH_SIZE + 16];
    char swapped[PROCESS_PATH_SIZE + 16];
    struct watch *w;

    write_file("first", "same text");
    write_file("second", "same text");
    snprintf(link_path, sizeof(link_path), "%s/data", directory);
    snprintf(swapped, sizeof(swapped), "%s/new", directory);
    ck_assert_int_eq(symlink("first", link_path), 0);
    ck_assert_int_eq(symlink("data", path), 0);
    w = watch_new(loop, path, on_change, NULL);
    ck_assert_int_eq(symlink("second", swapped), 0);
    ck_assert_int_eq(rename(swapped, link_path), 0);
    wait_changes(1);
    watch_free(w);
}
END_TEST

static struct watch *freed_inside;

static void free_it(void *UNUSED(arg))
{
    changes++;
    freed_inside = watch_free(freed_inside);
}

START_TEST(it_may_be_freed_from_inside)
{
    freed_inside = watch_new(loop, path, free_it, NULL);
    write_file("file", "one");
    wait_changes(1);
    ck_assert_ptr_null(freed_inside);
    ck_assert_ptr_null(watch_free(NULL));
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *t = tcase_create("watch");

    tcase_add_checked_fixture(t, open_watch, close_watch);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, it_tells_of_each_change);
    tcase_add_test(t, a_file_that_comes_later_is_a_change);
    tcase_add_test(t, a_link_above_it_that_is_swapped_is_a_change);
    tcase_add_test(t, it_may_be_freed_from_inside);
    suite_add_tcase(suite, t);
    return suite;
}
