#include <check.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/net/secret.h"
#include "tests/support/process.h"
#include "tests/support/settings.h"

Suite *secret_suite(void);

enum { DEADLINE_MS = 30000 };

static struct loop *l;
static struct secret *s;
static struct config config;
static char folder[PROCESS_PATH_SIZE];
static char path[2 * PROCESS_PATH_SIZE];
static char value[64];
static int changes;
static int refusals; /* how often the user refuses what it is given */
static struct timer late;

static void on_late(void *UNUSED(arg))
{
    loop_stop(l);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static bool on_change(void *UNUSED(arg), const char *text, struct error *e)
{
    if (refusals > 0) {
        refusals--;
        loop_stop(l);
        return error_set(e, ERROR_INVALID, "does not please");
    }
    changes++;
    snprintf(value, sizeof(value), "%s", text);
    loop_stop(l);
    return true;
}

static void turn(int ms)
{
    timer_start(&late, ms);
    loop_run(l);
}

static void open_all(void)
{
    static const struct secret_user user = {.on_change = on_change, .component = "test"};
    char setting[3 * PROCESS_PATH_SIZE];

    log_set_level(LOG_ERROR);
    l = loop_new();
    timer_init(&late, l, on_late, NULL);
    directory_make(folder);
    snprintf(path, sizeof(path), "%s/key", folder);
    snprintf(setting, sizeof(setting), "AZURE_STORAGE_KEY_FILE=%s", path);
    write_file("one\n");
    settings_load(&config, (const char *const[]){setting, NULL});
    changes = refusals = 0;
    s = secret_follow(l, &config, "AZURE_STORAGE_KEY", &user);
    ck_assert_ptr_nonnull(s);
}

static void close_all(void)
{
    s = secret_free(s);
    timer_stop(&late);
    l = loop_free(l);
    config_release(&config);
    directory_remove(folder);
}

START_TEST(a_new_value_is_handed_over)
{
    turn(300);
    ck_assert_int_eq(changes, 0); /* it is the one that was loaded */
    write_file("two\n");
    turn(DEADLINE_MS);
    ck_assert_int_eq(changes, 1);
    ck_assert_str_eq(value, "two");
    write_file("two");
    turn(300);
    ck_assert_int_eq(changes, 1); /* the same again */
}
END_TEST

/* Between the start and the first look. */
START_TEST(a_value_that_came_meanwhile_is_handed_over)
{
    write_file("two");
    turn(DEADLINE_MS);
    ck_assert_int_eq(changes, 1);
    ck_assert_str_eq(value, "two");
}
END_TEST

static const char *const unusable[] = {"", "\n", "a\tb", NULL};

START_TEST(what_cannot_be_used_is_passed_over)
{
    if (unusable[_i])
        write_file(unusable[_i]);
    else
        ck_assert_int_eq(unlink(path), 0);
    turn(300);
    ck_assert_int_eq(changes, 0);
    write_file("two");
    turn(DEADLINE_MS);
    ck_assert_int_eq(changes, 1);
    ck_assert_str_eq(value, "two");
}
END_TEST

/* Its user could not use it: it is tried again, though the file is the same. */
START_TEST(what_was_refused_is_tried_again)
{
    refusals = 2;
    write_file("two");
    turn(DEADLINE_MS);
    turn(DEADLINE_MS);
    ck_assert_int_eq(refusals, 0);
    turn(DEADLINE_MS);
    ck_assert_int_eq(changes, 1);
    ck_assert_str_eq(value, "two");
}
END_TEST

START_TEST(what_is_no_file_is_not_followed)
{
    static const struct secret_user user = {.on_change = on_change, .component = "test"};

    ck_assert_ptr_null(secret_follow(l, &config, "REDIS_URL", &user));
    ck_assert_ptr_null(secret_free(NULL));
}
END_TEST

Suite *secret_suite(void)
{
    Suite *suite = suite_create("secret");
    TCase *tcase = tcase_create("secret");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_new_value_is_handed_over);
    tcase_add_test(tcase, a_value_that_came_meanwhile_is_handed_over);
    tcase_add_loop_test(tcase, what_cannot_be_used_is_passed_over, 0, ARRAY_LENGTH(unusable));
    tcase_add_test(tcase, what_was_refused_is_tried_again);
    tcase_add_test(tcase, what_is_no_file_is_not_followed);
    suite_add_tcase(suite, tcase);
    return suite;
}
