#include <check.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/watch.h"
#include "tests/support/process.h"

Suite *watch_suite(void);

enum { DEADLINE_MS = 30000 };

static struct loop *l;
static struct watch *w;
static char folder[PROCESS_PATH_SIZE];
static char path[2 * PROCESS_PATH_SIZE];
static int changes;
static int wanted;
static struct timer late;

static void on_late(void *UNUSED(arg))
{
    loop_stop(l);
}

static void open_all(void)
{
    l = loop_new();
    directory_make(folder);
    snprintf(path, sizeof(path), "%s/secret", folder);
    changes = wanted = 0;
    timer_init(&late, l, on_late, NULL);
}

static void close_all(void)
{
    w = watch_free(w);
    timer_stop(&late);
    l = loop_free(l);
    directory_remove(folder);
}

static void on_change(void *UNUSED(arg))
{
    if (++changes == wanted)
        loop_stop(l);
}

/* Turns the loop until on_change was called count times in all. */
static void wait_for(int count)
{
    wanted = count;
    if (changes < count) {
        timer_start(&late, DEADLINE_MS);
        loop_run(l);
    }
    ck_assert_int_eq(changes, count);
}

/* Turns the loop for a while in which on_change must not come. */
static void pass(int ms)
{
    int before = changes;

    timer_start(&late, ms);
    loop_run(l);
    ck_assert_int_eq(changes, before);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void watch_file(void)
{
    w = watch_new(l, path, on_change, NULL);
}

START_TEST(a_file_written_anew_is_told)
{
    write_file(path, "one");
    watch_file();
    wait_for(1);
    write_file(path, "two");
    wait_for(2);
    pass(3 * WATCH_SETTLE_MS);
}
END_TEST

START_TEST(a_file_renamed_over_it_is_told)
{
    char other[3 * PROCESS_PATH_SIZE];

    write_file(path, "one");
    watch_file();
    wait_for(1);
    snprintf(other, sizeof(other), "%s.new", path);
    write_file(other, "two");
    ck_assert_int_eq(rename(other, path), 0);
    wait_for(2);
}
END_TEST

static void make_version(const char *name, const char *text)
{
    char at[3 * PROCESS_PATH_SIZE];

    snprintf(at, sizeof(at), "%s/%s", folder, name);
    ck_assert_int_eq(mkdir(at, 0700), 0);
    snprintf(at, sizeof(at), "%s/%s/secret", folder, name);
    write_file(at, text);
}

static void point_to(const char *version)
{
    char link_path[2 * PROCESS_PATH_SIZE];
    char new_path[2 * PROCESS_PATH_SIZE];

    snprintf(link_path, sizeof(link_path), "%s/..data", folder);
    snprintf(new_path, sizeof(new_path), "%s/..data_tmp", folder);
    ck_assert_int_eq(symlink(version, new_path), 0);
    ck_assert_int_eq(rename(new_path, link_path), 0);
}

/* What the kubelet and the CSI driver do: secret -> ..data/secret, ..data -> a folder for each version. */
START_TEST(a_swapped_symlink_is_told)
{
    make_version("..v1", "one");
    make_version("..v2", "two");
    make_version("..v3", "three");
    point_to("..v1");
    ck_assert_int_eq(symlink("..data/secret", path), 0);
    watch_file();
    wait_for(1);
    point_to("..v2");
    wait_for(2);
    point_to("..v3");
    wait_for(3);
}
END_TEST

/* The swap happens elsewhere than in the folder of the path. */
START_TEST(a_symlink_far_away_is_followed)
{
    char mount[2 * PROCESS_PATH_SIZE];

    make_version("..v1", "one");
    make_version("..v2", "two");
    point_to("..v1");
    snprintf(mount, sizeof(mount), "%s/mount", folder);
    ck_assert_int_eq(mkdir(mount, 0700), 0);
    snprintf(path, sizeof(path), "%s/mount/secret", folder);
    ck_assert_int_eq(symlink("../..data/secret", path), 0);
    watch_file();
    wait_for(1);
    point_to("..v2");
    wait_for(2);
}
END_TEST

START_TEST(a_file_that_comes_later_is_told)
{
    snprintf(path, sizeof(path), "%s/later/secret", folder);
    watch_file();
    pass(2 * WATCH_SETTLE_MS);
    make_version("later", "one");
    wait_for(1);
}
END_TEST

START_TEST(a_file_that_goes_is_no_change)
{
    write_file(path, "one");
    watch_file();
    wait_for(1);
    ck_assert_int_eq(unlink(path), 0);
    pass(3 * WATCH_SETTLE_MS);
    write_file(path, "two");
    wait_for(2);
}
END_TEST

START_TEST(other_files_of_the_folder_are_no_change)
{
    char other[3 * PROCESS_PATH_SIZE];

    write_file(path, "one");
    watch_file();
    wait_for(1);
    snprintf(other, sizeof(other), "%s.other", path);
    write_file(other, "two");
    pass(3 * WATCH_SETTLE_MS);
}
END_TEST

/* inotify is not told of what another host writes: here it is kept from knowing by a watch that is lost. */
START_TEST(what_inotify_does_not_tell_is_found)
{
    struct watch *second;
    int64_t began_ms;

    write_file(path, "one");
    watch_file();
    wait_for(1);
    for (int fd = 3; fd < 64; fd++) { /* its descriptor reads nothing more */
        char link_path[64];
        char target[64] = "";

        snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", fd);
        if (readlink(link_path, target, sizeof(target) - 1) > 0 && strstr(target, "inotify"))
            ck_assert_int_ge(dup2(0, fd), 0);
    }
    began_ms = clock_steady_ms();
    write_file(path, "two");
    wait_for(2);
    ck_assert_int_ge(clock_steady_ms() - began_ms, WATCH_SETTLE_MS);
    second = watch_new(l, path, on_change, NULL);
    wait_for(3);
    watch_free(second);
}
END_TEST

START_TEST(what_could_not_be_used_is_told_again)
{
    write_file(path, "one");
    watch_file();
    wait_for(1);
    watch_again(w, 1);
    wait_for(2);
    pass(50);
}
END_TEST

static void free_inside(void *UNUSED(arg))
{
    w = watch_free(w);
    on_change(NULL);
}

START_TEST(it_may_be_freed_from_inside)
{
    write_file(path, "one");
    w = watch_new(l, path, free_inside, NULL);
    wait_for(1);
    write_file(path, "two");
    pass(2 * WATCH_SETTLE_MS);
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_file_written_anew_is_told);
    tcase_add_test(tcase, a_file_renamed_over_it_is_told);
    tcase_add_test(tcase, a_swapped_symlink_is_told);
    tcase_add_test(tcase, a_symlink_far_away_is_followed);
    tcase_add_test(tcase, a_file_that_comes_later_is_told);
    tcase_add_test(tcase, a_file_that_goes_is_no_change);
    tcase_add_test(tcase, other_files_of_the_folder_are_no_change);
    tcase_add_test(tcase, what_inotify_does_not_tell_is_found);
    tcase_add_test(tcase, what_could_not_be_used_is_told_again);
    tcase_add_test(tcase, it_may_be_freed_from_inside);
    suite_add_tcase(suite, tcase);
    return suite;
}
