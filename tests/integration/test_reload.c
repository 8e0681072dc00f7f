/*
 * A changed handlers file, as a worker meets it.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/support/scene.h"

Suite *reload_suite(void);

enum { WAIT_MS = 60000 };

static struct scene s;

/* One type, whose result is `word`. */
static void write_file(const char *name, const char *word)
{
    char path[PROCESS_PATH_SIZE + 64];
    char fresh[PROCESS_PATH_SIZE + 80];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", s.directory, name);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
        "{\"types\":{\"word\":{\"kind\":\"command\",\"command\":[\"sh\",\"-c\",\"while ! [ -e %s/go%s ]; do "
        "sleep 0.02; "
        "done; echo %s\"]},\"%s\":{\"kind\":\"builtin\",\"builtin\":\"echo\"}}}",
        s.directory, word, word, word);
    fclose(file);
    ck_assert_int_eq(rename(fresh, path), 0);
}

static void open_scene(void)
{
    scene_open(&s);
    write_file("handlers.json", "first");
    scene_touch(&s, "gosecond");
    scene_touch(&s, "gothird");
    scene_start_api(&s, NULL);
}

static void close_scene(void)
{
    scene_close(&s);
}

static void wait_for(const char *line)
{
    AUTO(free) char *found = process_find_line(jobgate_process(s.worker), line, WAIT_MS);

    ck_assert_ptr_nonnull(found);
}

static char *submit_word(void)
{
    return jobgate_submit(s.api, "{\"type\":\"word\"}");
}

static void expect_word(const char *word)
{
    AUTO(free) char *id = submit_word();

    scene_expect_result(&s, id, word, strlen(word));
}

/* What runs goes on with the program of the old file; what begins has that of the new one. */
START_TEST(changed_file_is_taken)
{
    AUTO(free) char *before = NULL;

    scene_start_worker(&s, NULL);
    before = submit_word();
    json_decref(jobgate_wait_for(s.api, before, "running"));
    write_file("handlers.json", "second");
    wait_for("the handlers file was read anew: 2 types");
    expect_word("second\n");
    scene_touch(&s, "gofirst");
    scene_expect_result(&s, before, "first\n", 6);
    ck_assert(jobgate_metric(s.worker, "jobgate_handlers_reloads_total") == 1);
}
END_TEST

START_TEST(swapped_link_is_a_change)
{
    char link[PROCESS_PATH_SIZE + 64];
    char setting[PROCESS_PATH_SIZE + 128];
    char fresh[PROCESS_PATH_SIZE + 64];

    write_file("one.json", "second");
    write_file("two.json", "third");
    snprintf(link, sizeof(link), "%s/link.json", s.directory);
    snprintf(fresh, sizeof(fresh), "%s/link.new", s.directory);
    snprintf(setting, sizeof(setting), "HANDLERS_FILE=%s", link);
    ck_assert_int_eq(symlink("one.json", link), 0);
    scene_start_worker(&s, (const char *[]){setting, NULL});
    expect_word("second\n");
    ck_assert_int_eq(symlink("two.json", fresh), 0);
    ck_assert_int_eq(rename(fresh, link), 0);
    wait_for("the handlers file was read anew");
    expect_word("third\n");
}
END_TEST

START_TEST(hangup_reads_it_anew)
{
    scene_touch(&s, "gofirst");
    scene_start_worker(&s, NULL);
    process_signal(jobgate_process(s.worker), SIGHUP);
    wait_for("the handlers file is the same as before");
    expect_word("first\n");
    ck_assert(jobgate_metric(s.worker, "jobgate_handlers_reloads_total") == 0);
}
END_TEST

static const struct {
    const char *text;
    const char *complaint;
} wrong[] = {
    {"{\"types\":{\"word\":{\"kind\":\"pipe\"}}}", "/types/word/kind: is not a known kind"},
    {"{\"types\":", "handlers.json: line 1, column"},
    {"", "handlers.json: line 1, column"},
};

START_TEST(wrong_file_is_refused_and_the_old_one_stays)
{
    char path[PROCESS_PATH_SIZE + 64];
    FILE *file;

    scene_touch(&s, "gofirst");
    scene_start_worker(&s, NULL);
    snprintf(path, sizeof(path), "%s/handlers.json", s.directory);
    file = fopen(path, "we");
    fputs(wrong[_i].text, file);
    fclose(file);
    wait_for(wrong[_i].complaint);
    wait_for("the handlers file is wrong: it is not taken, and what was there stays");
    expect_word("first\n");
    ck_assert(jobgate_metric(s.worker, "jobgate_handlers_refused_total") >= 1);
    write_file("handlers.json", "third");
    wait_for("the handlers file was read anew");
    expect_word("third\n");
}
END_TEST

START_TEST(missing_file_is_refused_too)
{
    char path[PROCESS_PATH_SIZE + 64];

    scene_touch(&s, "gofirst");
    scene_start_worker(&s, NULL);
    snprintf(path, sizeof(path), "%s/handlers.json", s.directory);
    ck_assert_int_eq(unlink(path), 0);
    process_signal(jobgate_process(s.worker), SIGHUP);
    wait_for("cannot be opened: No such file or directory");
    expect_word("first\n");
}
END_TEST

/* The api learns of it: a type that is new is accepted, one that went is refused. */
START_TEST(published_types_follow)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char url[256];
    int status;

    snprintf(url, sizeof(url), "%s/v1/jobs", jobgate_url(s.api));
    scene_start_worker(&s, NULL);
    write_file("handlers.json", "second");
    wait_for("the handlers file was read anew");
    do {
        struct http_reply reply = {0};

        http_post_json(url, "{\"type\":\"second\",\"payload\":1}", &reply);
        status = reply.status;
        http_reply_release(&reply);
    } while (status != 202 && wait_until(deadline_ms));
    ck_assert_int_eq(status, 202);
}
END_TEST

Suite *reload_suite(void)
{
    Suite *suite = suite_create("reload");
    TCase *c = tcase_create("reload");

    tcase_set_timeout(c, 180);
    tcase_add_checked_fixture(c, open_scene, close_scene);
    tcase_add_test(c, changed_file_is_taken);
    tcase_add_test(c, swapped_link_is_a_change);
    tcase_add_test(c, hangup_reads_it_anew);
    tcase_add_loop_test(c, wrong_file_is_refused_and_the_old_one_stays, 0, (int)ARRAY_LENGTH(wrong));
    tcase_add_test(c, missing_file_is_refused_too);
    tcase_add_test(c, published_types_follow);
    suite_add_tcase(suite, c);
    return suite;
}
