#include "common/base/config.h"
#include "common/base/mem.h"

#include <check.h>
#include <unistd.h>

Suite *config_suite(void);

/* An environment: "NAME=value", NULL behind the last. */
static const char *look_up(void *arg, const char *name)
{
    const char *const *settings = arg;
    size_t length = strlen(name);

    for (; *settings; settings++)
        if (strncmp(*settings, name, length) == 0 && (*settings)[length] == '=')
            return *settings + length + 1;
    return NULL;
}

struct loaded {
    struct config config;
    struct buf mistakes;
    bool is_right;
};

static struct loaded load(enum config_for program, const char *const *settings)
{
    struct loaded l = {.mistakes = BUF(1 << 16)};

    l.is_right = config_load(&l.config, program, look_up, (void *)settings, &l.mistakes);
    return l;
}

static void loaded_release(struct loaded *l)
{
    config_release(&l->config);
    buf_release(&l->mistakes);
}

#define LOADED __attribute__((cleanup(loaded_release))) struct loaded
#define SETTINGS(...) ((const char *[]){__VA_ARGS__, NULL})

START_TEST(the_api_starts_with_nothing_set)
{
    LOADED l = load(FOR_API, SETTINGS(NULL));

    ck_assert_msg(l.is_right, "%s", l.mistakes.data);
    ck_assert_str_eq(l.config.api_listen, "127.0.0.1:8080");
    ck_assert_int_eq(l.config.max_body, 1048576);
    ck_assert_str_eq(l.config.auth, "none");
    ck_assert_str_eq(l.config.redis_url, "redis://127.0.0.1:6379");
    ck_assert_str_eq(l.config.blob_url, "");
    ck_assert_str_eq(l.config.handlers_file, "");
}
END_TEST

START_TEST(the_worker_needs_its_handlers)
{
    LOADED without = load(FOR_WORKER, SETTINGS(NULL));
    LOADED with = load(FOR_WORKER, SETTINGS("HANDLERS_FILE=/etc/handlers.json"));

    ck_assert(!without.is_right);
    ck_assert_ptr_nonnull(
        strstr(without.mistakes.data, "HANDLERS_FILE: is not set, and there is no default: The JSON file"));
    ck_assert_msg(with.is_right, "%s", with.mistakes.data);
    ck_assert_str_eq(with.config.handlers_file, "/etc/handlers.json");
}
END_TEST

START_TEST(what_is_set_but_empty_counts_as_not_set)
{
    LOADED l =
        load(FOR_API, SETTINGS("MAX_BODY=", "REDIS_URL=", "REDIS_URL_FILE=", "LOG_LEVEL=", "API_LISTEN="));

    ck_assert_msg(l.is_right, "%s", l.mistakes.data);
    ck_assert_int_eq(l.config.max_body, 1048576);
    ck_assert_str_eq(l.config.redis_url, "redis://127.0.0.1:6379");
}
END_TEST

START_TEST(every_mistake_is_listed)
{
    LOADED l = load(FOR_WORKER, SETTINGS("WORKER_CONCURRENCY=0", "DRAIN_S=soon", "LOG_LEVEL=loud",
                                    "BLOB_CONTAINER=x", "REDIS_URL=redis://a", "REDIS_URL_FILE=/nowhere",
                                    "AZURE_STORAGE_KEY_FILE=/nowhere", "MAX_BODY=is the api's alone"));
    int lines = 0;

    ck_assert(!l.is_right);
    for (const char *at = l.mistakes.data; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_ptr_nonnull(
        strstr(l.mistakes.data, "WORKER_CONCURRENCY: \"0\" is not a whole number from 1 to 4096 (jobs)\n"));
    ck_assert_ptr_nonnull(
        strstr(l.mistakes.data, "DRAIN_S: \"soon\" is not a whole number from 0 to 86400 (s)\n"));
    ck_assert_ptr_nonnull(strstr(l.mistakes.data, "LOG_LEVEL: \"loud\" is none of debug|info|warn|error\n"));
    ck_assert_ptr_nonnull(strstr(l.mistakes.data, "BLOB_CONTAINER: has 1 bytes where 3 to 63 are allowed\n"));
    ck_assert_ptr_nonnull(strstr(l.mistakes.data, "REDIS_URL: is set, and REDIS_URL_FILE too: keep one\n"));
    ck_assert_ptr_nonnull(
        strstr(l.mistakes.data, "AZURE_STORAGE_KEY_FILE: /nowhere: No such file or directory\n"));
    ck_assert_ptr_nonnull(strstr(l.mistakes.data, "HANDLERS_FILE: is not set"));
    ck_assert_ptr_null(strstr(l.mistakes.data, "MAX_BODY"));
    ck_assert_int_eq(lines, 7);
}
END_TEST

static const struct int_row {
    const char *setting;
    int64_t value; /* -1: refused */
} int_rows[] = {
    {"MAX_BODY=1024", 1024},
    {"MAX_BODY=268435456", 268435456},
    {"MAX_BODY=1023", -1},
    {"MAX_BODY=268435457", -1},
    {"MAX_BODY=-5", -1},
    {"MAX_BODY=1k", -1},
    {"MAX_BODY=2048 ", -1},
    {"MAX_BODY= 2048", -1},
    {"MAX_BODY=+2048", -1},
    {"MAX_BODY=2048.0", -1},
    {"MAX_BODY=0x800", -1},
    {"MAX_BODY=-", -1},
    {"MAX_BODY=9223372036854775808", -1},
    {"MAX_BODY=99999999999999999999999999", -1},
};

START_TEST(a_number_has_bounds)
{
    LOADED l = load(FOR_API, SETTINGS(int_rows[_i].setting));

    ck_assert_msg(l.is_right == (int_rows[_i].value >= 0), "%s: %s", int_rows[_i].setting, l.mistakes.data);
    if (l.is_right)
        ck_assert_int_eq(l.config.max_body, int_rows[_i].value);
}
END_TEST

static const struct choice_row {
    const char *setting;
    int value; /* -1: refused */
} choice_rows[] = {
    {"LOG_LEVEL=debug", 0},
    {"LOG_LEVEL=error", 3},
    {"LOG_LEVEL=warning", -1},
    {"LOG_LEVEL=war", -1},
    {"LOG_LEVEL=ERROR", -1},
    {"LOG_LEVEL=info|warn", -1},
    {"LOG_LEVEL=|", -1},
};

START_TEST(a_choice_is_one_of_its_words)
{
    LOADED l = load(FOR_API, SETTINGS(choice_rows[_i].setting));

    ck_assert_msg(
        l.is_right == (choice_rows[_i].value >= 0), "%s: %s", choice_rows[_i].setting, l.mistakes.data);
    if (l.is_right)
        ck_assert_int_eq(l.config.log_level, choice_rows[_i].value);
}
END_TEST

START_TEST(the_enums_follow_the_table)
{
    LOADED l = load(FOR_WORKER, SETTINGS("HANDLERS_FILE=x", "RESULT_STORE=large"));

    ck_assert_msg(l.is_right, "%s", l.mistakes.data);
    ck_assert_int_eq(l.config.result_store, RESULT_STORE_LARGE);
}
END_TEST

START_TEST(a_text_has_no_control_characters)
{
    LOADED l = load(FOR_API, SETTINGS("API_LISTEN=127.0.0.1:80\n"));

    ck_assert(!l.is_right);
    ck_assert_str_eq(l.mistakes.data, "API_LISTEN: holds a control character at byte 13\n");
}
END_TEST

/* Writes a file of its own and "<name>=<its path>". The caller unlinks the path. */
static const char *write_secret(const char *name, const char *text, size_t length, char setting[512])
{
    const char *directory = getenv("TMPDIR");
    int fd;

    snprintf(setting, 512, "%s=%s/secret.XXXXXX", name, directory ? directory : "/tmp");
    fd = mkstemp(setting + strlen(name) + 1);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
    return setting + strlen(name) + 1;
}

static const struct secret_row {
    const char *name;
    const char *text;
    size_t length;
    const char *value; /* NULL: refused */
} secret_rows[] = {
    {"plain", "redis://a", 9, "redis://a"},
    {"a newline behind", "redis://a\n", 10, "redis://a"},
    {"a newline of another system", "redis://a\r\n", 11, "redis://a"},
    {"a newline inside", "redis://a\nb", 11, NULL},
    {"a NUL inside", "redis\0//a", 9, NULL},
    {"nothing", "", 0, NULL},
};

START_TEST(a_secret_comes_from_a_file)
{
    const struct secret_row *row = &secret_rows[_i];
    char setting[512];
    const char *path = write_secret("REDIS_URL_FILE", row->text, row->length, setting);
    LOADED l = load(FOR_API, SETTINGS(setting));

    unlink(path);
    ck_assert_msg(l.is_right == (row->value != NULL), "%s: %s", row->name, l.mistakes.data);
    if (row->value)
        ck_assert_str_eq(l.config.redis_url, row->value);
}
END_TEST

START_TEST(a_secret_file_has_a_largest_size)
{
    AUTO(free) char *huge = mem_zalloc(100000);
    char setting[512];
    const char *path;

    memset(huge, 'x', 100000);
    path = write_secret("REDIS_URL_FILE", huge, 100000, setting);
    {
        LOADED l = load(FOR_API, SETTINGS(setting));

        unlink(path);
        ck_assert(!l.is_right);
        ck_assert_ptr_nonnull(strstr(l.mistakes.data, "is larger than 65535 bytes or holds a NUL byte"));
        ck_assert_ptr_null(strstr(l.mistakes.data, "xxx"));
    }
}
END_TEST

START_TEST(a_directory_is_no_secret)
{
    LOADED l = load(FOR_API, SETTINGS("REDIS_URL_FILE=/"));

    ck_assert(!l.is_right);
    ck_assert_str_eq(l.mistakes.data, "REDIS_URL_FILE: /: Is a directory\n");
}
END_TEST

START_TEST(only_secrets_come_from_files)
{
    LOADED l = load(FOR_API, SETTINGS("API_LISTEN_FILE=/nowhere"));

    ck_assert_msg(l.is_right, "%s", l.mistakes.data);
}
END_TEST

START_TEST(secrets_are_masked)
{
    LOADED l = load(FOR_BOTH,
        SETTINGS("REDIS_URL=redis://:hunter2@a", "HANDLERS_FILE=h.json", "MAX_BODY=2048", "LOG_LEVEL=warn"));
    AUTO_BUF struct buf shown = BUF(1 << 16);

    ck_assert_msg(l.is_right, "%s", l.mistakes.data);
    config_print(&l.config, &shown);
    ck_assert_ptr_null(strstr(shown.data, "hunter2"));
    ck_assert_ptr_nonnull(strstr(shown.data, "\nREDIS_URL=***\n"));
    ck_assert_ptr_nonnull(strstr(shown.data, "\nAZURE_STORAGE_KEY=\n"));
    ck_assert_ptr_nonnull(strstr(shown.data, "\nMAX_BODY=2048\n"));
    ck_assert_ptr_nonnull(strstr(shown.data, "\nLOG_LEVEL=warn"));
    ck_assert_ptr_nonnull(strstr(shown.data, "\nHANDLERS_FILE=h.json\n"));
}
END_TEST

START_TEST(a_secret_that_is_wrong_is_not_shown)
{
    LOADED l = load(FOR_API, SETTINGS("REDIS_URL=redis://:hunter2\x01@a"));

    ck_assert(!l.is_right);
    ck_assert_ptr_nonnull(strstr(l.mistakes.data, "REDIS_URL: holds a control character"));
    ck_assert_ptr_null(strstr(l.mistakes.data, "hunter2"));
}
END_TEST

START_TEST(a_program_shows_its_own_settings_only)
{
    LOADED api = load(FOR_API, SETTINGS(NULL));
    AUTO_BUF struct buf shown = BUF(1 << 16);
    AUTO_BUF struct buf help = BUF(1 << 16);

    config_print(&api.config, &shown);
    config_help(FOR_WORKER, &help);
    ck_assert_ptr_nonnull(strstr(shown.data, "API_LISTEN="));
    ck_assert_ptr_null(strstr(shown.data, "HANDLERS_FILE="));
    ck_assert_ptr_null(strstr(help.data, "API_LISTEN"));
    ck_assert_ptr_nonnull(strstr(help.data, "  DRAIN_S (0 to 86400 s; default 25)\n      How long"));
    ck_assert_ptr_nonnull(strstr(help.data, "  HANDLERS_FILE (path)\n"));
}
END_TEST

START_TEST(what_is_released_is_forgotten)
{
    struct loaded l = load(FOR_API, SETTINGS("REDIS_URL=redis://b"));

    loaded_release(&l);
    ck_assert_ptr_null(l.config.redis_url);
    loaded_release(&l);
}
END_TEST

START_TEST(a_module_adds_its_mistakes)
{
    AUTO_BUF struct buf mistakes = BUF(1000);

    config_mistake(&mistakes, "API_LISTEN", "is no address");
    ck_assert_str_eq(mistakes.data, "API_LISTEN: is no address\n");
}
END_TEST

START_TEST(secrets_leave_the_environment)
{
    ck_assert_int_eq(setenv("AZURE_STORAGE_KEY", "SECRET", 1), 0);
    ck_assert_int_eq(setenv("BLOB_CONTAINER", "results", 1), 0);
    config_forget_environment();
    ck_assert_str_eq(getenv("AZURE_STORAGE_KEY"), "");
    ck_assert_str_eq(getenv("BLOB_CONTAINER"), "results");
}
END_TEST

START_TEST(a_secret_is_read_again)
{
    char setting[512];
    const char *path = write_secret("REDIS_URL_FILE", "redis://a\n", 10, setting);
    LOADED l = load(FOR_API, SETTINGS(setting));
    char *value = NULL;
    struct error e;
    FILE *file;

    ck_assert_str_eq(config_secret_file(&l.config, "REDIS_URL"), path);
    ck_assert_ptr_null(config_secret_file(&l.config, "AZURE_STORAGE_KEY"));
    ck_assert_str_eq(config_secret_value(&l.config, "REDIS_URL"), "redis://a");
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("redis://b\n", file);
    fclose(file);
    ck_assert_msg(config_secret_read(&l.config, "REDIS_URL", &value, &e), "%s", e.text);
    ck_assert_str_eq(value, "redis://b");
    config_secret_free(value);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert(!config_secret_read(&l.config, "REDIS_URL", &value, &e));
    ck_assert_msg(strstr(e.text, "is empty") != NULL, "%s", e.text);
    unlink(path);
    ck_assert(!config_secret_read(&l.config, "REDIS_URL", &value, &e));
    ck_assert_msg(strstr(e.text, "No such file") != NULL, "%s", e.text);
}
END_TEST

START_TEST(the_page_in_docs_is_current)
{
    static const char path[] = "docs/configuration.md";
    AUTO_BUF struct buf page = BUF(1 << 20);
    AUTO(free) char *kept = mem_zalloc(1 << 20);
    FILE *file = fopen(path, "re");

    ck_assert_msg(
        file != NULL, "%s is missing (run `make docs`, and the tests from the top of the tree)", path);
    ck_assert_uint_gt(fread(kept, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    config_markdown(&page);
    ck_assert_msg(strcmp(page.data, kept) == 0, "%s is not current: run `make docs`", path);
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *all = tcase_create("config");

    tcase_add_test(all, the_api_starts_with_nothing_set);
    tcase_add_test(all, the_worker_needs_its_handlers);
    tcase_add_test(all, what_is_set_but_empty_counts_as_not_set);
    tcase_add_test(all, every_mistake_is_listed);
    tcase_add_loop_test(all, a_number_has_bounds, 0, ARRAY_LENGTH(int_rows));
    tcase_add_loop_test(all, a_choice_is_one_of_its_words, 0, ARRAY_LENGTH(choice_rows));
    tcase_add_test(all, the_enums_follow_the_table);
    tcase_add_test(all, a_text_has_no_control_characters);
    tcase_add_loop_test(all, a_secret_comes_from_a_file, 0, ARRAY_LENGTH(secret_rows));
    tcase_add_test(all, a_secret_file_has_a_largest_size);
    tcase_add_test(all, a_directory_is_no_secret);
    tcase_add_test(all, only_secrets_come_from_files);
    tcase_add_test(all, secrets_are_masked);
    tcase_add_test(all, a_secret_that_is_wrong_is_not_shown);
    tcase_add_test(all, a_program_shows_its_own_settings_only);
    tcase_add_test(all, what_is_released_is_forgotten);
    tcase_add_test(all, a_module_adds_its_mistakes);
    tcase_add_test(all, secrets_leave_the_environment);
    tcase_add_test(all, a_secret_is_read_again);
    tcase_add_test(all, the_page_in_docs_is_current);
    suite_add_tcase(suite, all);
    return suite;
}
