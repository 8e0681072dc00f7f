#include "common/base/log.h"
#include "common/base/clock.h"
#include "common/base/json.h"

#include <check.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

Suite *log_suite(void);

static const struct log_context quiet = {0};
static int fd;
static int hook_calls;

static void open_log(void)
{
    fd = memfd_create("log", 0);
    log_set_output(fd, true);
    log_set_service("api");
    clock_set_for_test(1000);
}

/* What was written since the start. Released with free(). */
static char *written(void)
{
    off_t length = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)length + 1);

    ck_assert_int_eq(pread(fd, text, (size_t)length, 0), length);
    return text;
}

static void count_hook(void *UNUSED(arg))
{
    hook_calls++;
}

START_TEST(a_line_of_json_holds_what_is_known)
{
    struct log_context context = {
        .component = "worker", .job_id = "default.0.01", .request_id = "r\"1", .attempt = 2};
    AUTO(free) char *text = NULL;

    open_log();
    log_info(&context, "uploaded %d bytes", 7);
    text = written();
    ck_assert_str_eq(text,
        "{\"time\":\"1970-01-01T00:00:01.000Z\",\"level\":\"info\",\"service\":\"api\","
        "\"component\":\"worker\",\"job_id\":\"default.0.01\",\"attempt\":2,\"request_id\":\"r\\\"1\","
        "\"message\":\"uploaded 7 bytes\"}\n");
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
    AUTO(free) char *text = NULL;

    open_log();
    log_warn(&quiet, "no");
    text = written();
    ck_assert_str_eq(text, "{\"time\":\"1970-01-01T00:00:01.000Z\",\"level\":\"warn\",\"service\":\"api\","
                           "\"message\":\"no\"}\n");
}
END_TEST

START_TEST(a_text_line_stays_one_line)
{
    struct log_context context = {.component = "redis", .job_id = "j", .request_id = "r", .attempt = 1};
    AUTO(free) char *text = NULL;

    open_log();
    log_set_output(fd, false);
    log_error(&context, "two\nlines\tand \x1b[31mred");
    text = written();
    ck_assert_str_eq(
        text, "1970-01-01T00:00:01.000Z error api redis job=j attempt=1 request=r: two lines and  [31mred\n");
}
END_TEST

START_TEST(a_lower_level_is_dropped)
{
    AUTO(free) char *text = NULL;

    open_log();
    log_set_level(LOG_WARN);
    ck_assert(!log_is_enabled(LOG_INFO));
    log_info(&quiet, "unseen");
    log_debug(&quiet, "unseen");
    text = written();
    ck_assert_str_eq(text, "");
}
END_TEST

static void check_json_line(const char *line)
{
    struct error e = {0};
    AUTO(json) json_t *value = json_parse(line, strlen(line), &e);

    ck_assert_msg(value != NULL, "%s in %s", e.text, line);
}

START_TEST(whatever_comes_in_the_line_is_json)
{
    char hostile[3000];
    struct log_context context = {.component = "api", .request_id = "\xff\x01\"\\\n"};
    AUTO(free) char *text = NULL;

    open_log();
    memset(hostile, '\x01', sizeof(hostile) - 1);
    hostile[sizeof(hostile) - 1] = '\0';
    log_error(&context, "%s", hostile);
    text = written();
    ck_assert(text[strlen(text) - 1] == '\n');
    check_json_line(text);
}
END_TEST

START_TEST(a_huge_id_does_not_break_the_line)
{
    char hostile[70000];
    struct log_context context = {.component = "api", .request_id = hostile};
    AUTO(free) char *text = NULL;

    open_log();
    memset(hostile, 'x', sizeof(hostile) - 1);
    hostile[sizeof(hostile) - 1] = '\0';
    log_error(&context, "bad request");
    log_error(&quiet, "next");
    text = written();
    ck_assert_ptr_nonnull(strchr(text, '\n'));
    *strchr(text, '\n') = '\0';
    check_json_line(text);
    check_json_line(text + strlen(text) + 1);
}
END_TEST

START_TEST(lines_are_gathered_until_the_flush)
{
    AUTO(free) char *before = NULL;
    AUTO(free) char *after = NULL;

    open_log();
    log_set_flush_hook(count_hook, NULL);
    log_info(&quiet, "one");
    log_info(&quiet, "two");
    before = written();
    ck_assert_str_eq(before, "");
    ck_assert_int_eq(hook_calls, 1);
    log_flush();
    after = written();
    ck_assert_ptr_nonnull(strstr(after, "one"));
    ck_assert_ptr_nonnull(strstr(after, "two"));
    log_info(&quiet, "three");
    ck_assert_int_eq(hook_calls, 2);
    log_set_flush_hook(NULL, NULL);
    log_flush();
}
END_TEST

START_TEST(a_warning_comes_at_once_and_in_order)
{
    AUTO(free) char *text = NULL;

    open_log();
    log_set_flush_hook(count_hook, NULL);
    log_info(&quiet, "first");
    log_warn(&quiet, "second");
    text = written();
    ck_assert_ptr_nonnull(strstr(text, "first"));
    ck_assert_ptr_nonnull(strstr(text, "second"));
    ck_assert(strstr(text, "first") < strstr(text, "second"));
    log_set_flush_hook(NULL, NULL);
    log_flush();
}
END_TEST

enum { MANY = 2000, THREADS = 4 };

static void *log_many(void *arg)
{
    struct log_context context = {.component = arg};

    log_set_flush_hook(count_hook, NULL);
    for (int i = 0; i < MANY; i++)
        log_info(&context, "line %d", i);
    log_set_flush_hook(NULL, NULL);
    log_flush();
    return NULL;
}

START_TEST(more_lines_than_fit_are_all_written)
{
    AUTO(free) char *text = NULL;
    int lines = 0;

    open_log();
    log_many("one");
    text = written();
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, MANY);
}
END_TEST

START_TEST(threads_do_not_cut_each_others_lines)
{
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    AUTO(free) char *text = NULL;
    char *end;
    int lines = 0;

    open_log();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    text = written();
    for (char *at = text; (end = strchr(at, '\n')); at = end + 1, lines++) {
        *end = '\0';
        check_json_line(at);
    }
    ck_assert_int_eq(lines, MANY * THREADS);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *all = tcase_create("log");

    tcase_add_test(all, a_line_of_json_holds_what_is_known);
    tcase_add_test(all, what_is_not_known_is_left_out);
    tcase_add_test(all, a_text_line_stays_one_line);
    tcase_add_test(all, a_lower_level_is_dropped);
    tcase_add_test(all, whatever_comes_in_the_line_is_json);
    tcase_add_test(all, a_huge_id_does_not_break_the_line);
    tcase_add_test(all, lines_are_gathered_until_the_flush);
    tcase_add_test(all, a_warning_comes_at_once_and_in_order);
    tcase_add_test(all, more_lines_than_fit_are_all_written);
    tcase_add_test(all, threads_do_not_cut_each_others_lines);
    tcase_set_timeout(all, 20);
    suite_add_tcase(suite, all);
    return suite;
}
