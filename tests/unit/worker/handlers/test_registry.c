#include <check.h>
#include <unistd.h>

#include "tests/support/stage.h"

Suite *registry_suite(void);

/* Loads `text`; returns what was wrong, released with free(), or NULL when nothing was. */
static char *find_mistakes(const char *text)
{
    struct stage s = {0};
    struct buf mistakes = BUF(1 << 16);
    char path[PROCESS_PATH_SIZE + 64];
    struct handlers *h;

    directory_make(s.directory);
    stage_write(&s, "file.json", text, 0600);
    snprintf(path, sizeof(path), "%s/file.json", s.directory);
    s.loop = loop_new();
    h = handlers_load(s.loop, NULL, path, &mistakes);
    ck_assert_int_eq(h == NULL, mistakes.length > 0);
    handlers_free(h);
    loop_free(s.loop);
    directory_remove(s.directory);
    return h ? NULL : buf_take(&mistakes, NULL);
}

static const char *const good[] = {
    "{\"types\": {\"e\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}",
    "{\"types\": {\"0-a_b\": {\"kind\": \"command\", \"command\": [\"/no/such/file\"], \"timeout_s\": "
    "86400}}}",
    "{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"no-such-program-anywhere\", \"\"], "
    "\"timeout_s\": 1}}}",
    "{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"wc\"], \"content_type\": \"text/plain; "
    "charset=utf-8\"}}}",
};

START_TEST(good_files_load)
{
    char *mistakes = find_mistakes(good[_i]);

    ck_assert_msg(!mistakes, "%s: %s", good[_i], mistakes);
}
END_TEST

static const struct {
    const char *text;
    const char *mistake;
} bad[] = {
    {"", "line 1, column"},
    {"[]", "(top): must be an object"},
    {"{}", "/types: must be an object with at least one type"},
    {"{\"types\": {}}", "/types: must be an object with at least one type"},
    {"{\"types\": []}", "/types: must be an object with at least one type"},
    {"{\"types\": {}, \"typos\": 1}", "/typos: is not a known field: it would be one of types"},
    {"{\"types\": {\"a\": 1}}", "/types/a: must be an object such as"},
    {"{\"types\": {\"a\": {}, \"a\": {}}}", "duplicate object key"},
    {"{\"types\": {\"A\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}",
        "/types/A: is not a type's name"},
    {"{\"types\": {\"\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}", "/types/: is not a type's name"},
    {"{\"types\": {\"a/b~\\n\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}",
        "/types/a~1b~0?: is not a type's name"},
    {"{\"types\": {\"a\": {}}}", "/types/a/kind: is missing"},
    {"{\"types\": {\"a\": {\"kind\": 1}}}", "/types/a/kind: must be a text"},
    {"{\"types\": {\"a\": {\"kind\": \"pipe\"}}}",
        "/types/a/kind: is not a known kind: it must be one of builtin, command"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\"}}}", "/types/a/builtin: is missing"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"ekko\"}}}",
        "/types/a/builtin: is not a known builtin: it must be one of echo, sleep, fail, sha256"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"command\": [\"/bin/cat\"]}}}",
        "/types/a/command: is not a known field: it would be one of kind, timeout_s, content_type, "
        "max_attempts, max_crashes, retry_delay_ms, retry_delay_max_ms, max_output_bytes, cache_s, "
        "retention_s, builtin"},
    {"{\"types\": {\"a\": {\"kind\": \"command\"}}}",
        "/types/a/command: is missing: it must be a list of 1 to 64 texts"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": []}}}",
        "/types/a/command: must be a list of 1 to 64 texts"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": \"cat\"}}}",
        "/types/a/command: must be a list"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"/bin/cat\", 1]}}}",
        "/types/a/command/1: must be a text"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"/bin/cat\", \"a\\u0000b\"]}}}",
        "/types/a/command/1: must be a text without a NUL"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"./cat\"]}}}",
        "/types/a/command/0: must be an absolute path"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"\"]}}}",
        "/types/a/command/0: must be an absolute path"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"timeout_s\": 0}}}",
        "/types/a/timeout_s: must be a whole number from 1 to 86400"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"timeout_s\": 86401}}}",
        "/types/a/timeout_s: must"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"timeout_s\": 1.5}}}",
        "/types/a/timeout_s: must"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"timeout_s\": \"30\"}}}",
        "/types/a/timeout_s: must"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"content_type\": \"text\"}}}",
        "/types/a/content_type: must be a media type"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"content_type\": \"a/b;\\r\\nX: "
     "y\"}}}",
        "/types/a/content_type: must be a media type"},
    {"{\"types\": {\"a\": {\"kind\": \"builtin\", \"builtin\": \"echo\", \"content_type\": \"\"}}}",
        "/types/a/content_type: must be a text of 1 to 127 bytes"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"max_memory_mb\": 0}}}",
        "/types/a/max_memory_mb: must be a whole number from 1 to 16777216"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"max_open_files\": 3}}}",
        "/types/a/max_open_files: must be a whole number from 16 to 1048576"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"directory\": \"here\"}}}",
        "/types/a/directory: must be an absolute path"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"inherit\": []}}}",
        "/types/a/inherit: must be a list of 1 to 64 texts"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"inherit\": [\"A=B\"]}}}",
        "/types/a/inherit/0: must be the name of an environment variable"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"inherit\": [\"A\", "
     "\"REDIS_URL\"]}}}",
        "/types/a/inherit/1: is a secret of the worker"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"environment\": [\"A\"]}}}",
        "/types/a/environment: must be an object of up to 64 texts"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"environment\": {\"A B\": "
     "\"\"}}}}",
        "/types/a/environment/A B: is not the name"},
    {"{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"cat\"], \"environment\": {\"A\": 1}}}}",
        "/types/a/environment/A: must be a text of up to 4096 bytes"},
};

START_TEST(bad_files_are_refused)
{
    char *mistakes = find_mistakes(bad[_i].text);

    ck_assert_msg(mistakes && strstr(mistakes, bad[_i].mistake), "%s: wanted %s, got %s", bad[_i].text,
        bad[_i].mistake, mistakes ? mistakes : "nothing");
    free(mistakes);
}
END_TEST

START_TEST(all_mistakes_are_listed)
{
    char *mistakes =
        find_mistakes("{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [1], \"timeout_s\": -1},"
                      "\"B\": {\"kind\": \"x\", \"content_type\": 3}}, \"more\": null}");
    int lines = 0;

    ck_assert_ptr_nonnull(mistakes);
    for (const char *c = mistakes; *c; c++)
        lines += *c == '\n';
    ck_assert_msg(lines == 6, "%s", mistakes);
    free(mistakes);
}
END_TEST

START_TEST(arguments_are_bounded)
{
    for (int count = 64; count <= 65; count++) {
        AUTO_BUF struct buf text = BUF(4096);
        char *mistakes;

        buf_append_text(&text, "{\"types\": {\"a\": {\"kind\": \"command\", \"command\": [\"/bin/true\"");
        for (int i = 1; i < count; i++)
            buf_append_text(&text, ", \"x\"");
        buf_append_text(&text, "]}}}");
        mistakes = find_mistakes(text.data);
        ck_assert_int_eq(mistakes != NULL, count > 64);
        free(mistakes);
    }
}
END_TEST

/* A name of a megabyte must not drive the line that names it out of the buffer. */
START_TEST(long_names_are_cut)
{
    AUTO_BUF struct buf text = BUF(1 << 20);
    char *mistakes;

    buf_append_text(&text, "{\"types\": {\"");
    for (int i = 0; i < 100000; i++)
        buf_append_text(&text, "\xc3\xa9");
    buf_append_text(&text, "\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}");
    mistakes = find_mistakes(text.data);
    ck_assert_ptr_nonnull(mistakes);
    ck_assert_ptr_nonnull(strstr(mistakes, "\xc3\xa9: is not a type's name"));
    ck_assert_uint_lt(strlen(mistakes), 512);
    free(mistakes);
}
END_TEST

START_TEST(unreadable_files_are_named)
{
    AUTO_BUF struct buf mistakes = BUF(4096);
    struct loop *loop = loop_new();

    ck_assert_ptr_null(handlers_load(loop, NULL, "/no/such/file.json", &mistakes));
    ck_assert_str_eq(mistakes.data, "/no/such/file.json: cannot be opened: No such file or directory\n");
    buf_reset(&mistakes);
    ck_assert_ptr_null(handlers_load(loop, NULL, "/tmp", &mistakes));
    ck_assert_str_eq(mistakes.data, "/tmp: cannot be read: Is a directory\n");
    buf_reset(&mistakes);
    ck_assert_ptr_null(handlers_load(loop, NULL, "/dev/zero", &mistakes));
    ck_assert_str_eq(mistakes.data, "/dev/zero: is larger than 1048576 bytes\n");
    loop_free(loop);
}
END_TEST

START_TEST(types_are_found_and_ordered)
{
    struct stage s = {0};

    stage_open(&s,
        "\"wc\": {\"kind\": \"command\", \"command\": [\"wc\", \"-w\"], \"timeout_s\": 30,"
        "\"content_type\": \"text/plain\"}, \"cat\": {\"kind\": \"command\", \"command\": [\"cat\"]},"
        "\"echo\": {\"kind\": \"builtin\", \"builtin\": \"echo\"},"
        "\"sum\": {\"kind\": \"builtin\", \"builtin\": \"sha256\"}");
    ck_assert_str_eq(handlers_type_at(s.handlers, 0), "cat");
    ck_assert_str_eq(handlers_type_at(s.handlers, 1), "echo");
    ck_assert_str_eq(handlers_type_at(s.handlers, 2), "sum");
    ck_assert_str_eq(handlers_type_at(s.handlers, 3), "wc");
    ck_assert_ptr_null(handlers_type_at(s.handlers, 4));
    ck_assert_ptr_null(handlers_find(s.handlers, "wcx"));
    ck_assert_ptr_null(handlers_find(s.handlers, ""));
    ck_assert_int_eq(handler_timeout_ms(handlers_find(s.handlers, "wc")), 30000);
    ck_assert_int_eq(handler_timeout_ms(handlers_find(s.handlers, "cat")), 300000);
    ck_assert_str_eq(handler_content_type(handlers_find(s.handlers, "wc")), "text/plain");
    ck_assert_str_eq(handler_content_type(handlers_find(s.handlers, "cat")), "application/octet-stream");
    ck_assert_str_eq(handler_content_type(handlers_find(s.handlers, "echo")), "application/json");
    ck_assert_str_eq(handler_content_type(handlers_find(s.handlers, "sum")), "text/plain");
    stage_close(&s);
}
END_TEST

/* A new file is loaded beside the old one, whose runs go on: a reload. */
START_TEST(two_files_share_a_loop)
{
    struct stage s = {0};
    AUTO_BUF struct buf mistakes = BUF(4096);
    struct handlers *old;
    char path[PROCESS_PATH_SIZE + 64];
    struct run_input input = stage_input("a", "x");
    struct ended ended;

    stage_open(&s, "\"a\": {\"kind\": \"command\", \"command\": [\"cat\"]}");
    old = s.handlers;
    snprintf(path, sizeof(path), "%s/handlers.json", s.directory);
    s.handlers = handlers_load(s.loop, NULL, path, &mistakes);
    ck_assert_ptr_nonnull(s.handlers);
    handlers_free(old);
    stage_run(&s, &input, &ended);
    ck_assert_str_eq(ended.result.data, "x");
    ended_release(&ended);
    stage_close(&s);
}
END_TEST

Suite *registry_suite(void)
{
    Suite *suite = suite_create("registry");
    TCase *c = tcase_create("registry");

    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, good_files_load, 0, (int)ARRAY_LENGTH(good));
    tcase_add_loop_test(c, bad_files_are_refused, 0, (int)ARRAY_LENGTH(bad));
    tcase_add_test(c, all_mistakes_are_listed);
    tcase_add_test(c, arguments_are_bounded);
    tcase_add_test(c, long_names_are_cut);
    tcase_add_test(c, unreadable_files_are_named);
    tcase_add_test(c, types_are_found_and_ordered);
    tcase_add_test(c, two_files_share_a_loop);
    suite_add_tcase(suite, c);
    return suite;
}
