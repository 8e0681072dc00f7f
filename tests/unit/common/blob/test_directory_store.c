#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/blob/blob.h"
#include "tests/support/settings.h"

Suite *directory_store_suite(void);

#define NAME "results/ab/default/default.0.X"
#define PROPERTIES_NAME NAME ".properties"

static char top[64]; /* of this test only */
static char root[128];
static struct loop *l;
static struct blob_store *store;
static struct config config;

/* How one operation ended, copied. */
static int ends;
static struct error error; /* ERROR_OK: well */
static bool has_properties;
static struct blob_properties properties;
static struct buf got;
static int pieces;
static int pauses;
static struct blob_op *op;

static const char *lookup(void *arg, const char *name)
{
    if (strcmp(name, "BLOB_URL") == 0)
        return arg;
    return strcmp(name, "HANDLERS_FILE") == 0 ? "/x" : NULL;
}

static void open_all(void)
{
    AUTO_BUF struct buf mistakes = BUF(4096);
    char url[256];
    struct error e;

    snprintf(top, sizeof(top), "/tmp/test_directory_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(root, sizeof(root), "%s/deep/blobs", top);
    snprintf(url, sizeof(url), "file://%s/deep/bl%%6fbs/", top);
    ck_assert_msg(config_load(&config, FOR_WORKER, lookup, url, &mistakes), "%s", mistakes.data);
    l = loop_new();
    got = BUF(8 << 20);
    store = blob_store_open(l, &config, &e);
    ck_assert_msg(store != NULL, "%s", e.text);
}

static void close_all(void)
{
    char command[128];

    store = blob_store_free(store);
    config_release(&config);
    buf_release(&got);
    l = loop_free(l);
    snprintf(command, sizeof(command), "rm -rf %s", top);
    ck_assert_int_eq(system(command), 0);
}

static void keep_end(const struct error *e)
{
    ends++;
    error = e ? *e : (struct error){0};
    loop_stop(l);
}

static void on_put(void *UNUSED(arg), const struct blob_properties *p, const struct error *e)
{
    has_properties = p != NULL;
    if (p)
        properties = *p;
    keep_end(e);
}

static void on_check(void *UNUSED(arg), const struct error *e)
{
    keep_end(e);
}

static void on_head(void *UNUSED(arg), const struct blob_properties *p)
{
    has_properties = true;
    properties = *p;
}

static void resume(void *UNUSED(arg))
{
    blob_resume(op);
}

static bool on_data(void *UNUSED(arg), const void *data, size_t length)
{
    if (pauses-- > 0) {
        loop_call_later(l, resume, NULL);
        return false;
    }
    pieces++;
    buf_append(&got, data, length);
    return true;
}

static void on_get(void *UNUSED(arg), const struct error *e)
{
    keep_end(e);
}

static void run(void)
{
    ck_assert_int_eq(ends, 0);
    loop_run(l);
    ck_assert_int_eq(ends, 1);
    ends = 0;
}

static void put_data(const char *name, const char *attempt, const void *data, size_t length)
{
    struct blob_meta meta[] = {{"jobid", "default.0.X"}, {"attempt", attempt}, {"note", "say \"yes\" \\"}};
    struct blob_content content = {data, length, "text/plain; charset=utf-8", meta, ARRAY_LENGTH(meta)};

    blob_put(store, name, &content, on_put, NULL);
    run();
}

static void put(const char *attempt, const char *text)
{
    put_data(NAME, attempt, text, strlen(text));
}

static void get(const char *name)
{
    static const struct blob_reader reader = {on_head, on_data, on_get};

    has_properties = false;
    buf_reset(&got);
    op = blob_get(store, name, NULL, &reader, NULL);
    run();
}

static void check(void)
{
    blob_check(store, on_check, NULL);
    run();
}

static void check_well(void)
{
    check();
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
}

static void remove_file(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    ck_assert_int_eq(unlink(path), 0);
}

static void write_file(const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int count_files(const char *folder)
{
    char path[512];
    int count = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "%s/%s", root, folder);
    directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

START_TEST(a_put_can_be_read_back)
{
    check_well();
    put("2", "hello");
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
    ck_assert_str_eq(properties.md5, "XUFAKrxLKna5cZ2REBfFkg==");
    get(NAME);
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_str_eq(got.data, "hello");
    ck_assert_int_eq(properties.size, 5);
    ck_assert_str_eq(properties.content_type, "text/plain; charset=utf-8");
    ck_assert_str_eq(properties.md5, "XUFAKrxLKna5cZ2REBfFkg==");
    ck_assert_int_eq(properties.etag[0], '"');
    ck_assert_int_gt(properties.modified_ms, 0);
    ck_assert_str_eq(properties.job_id, "default.0.X");
    ck_assert_int_eq(properties.attempt, 2);
    ck_assert_int_eq(count_files("results/ab/default"), 2);
}
END_TEST

START_TEST(large_and_empty_blobs_are_whole)
{
    size_t length = 300000;
    char *data = mem_alloc(length);

    for (size_t i = 0; i < length; i++)
        data[i] = (char)(i * 31 >> 3);
    check_well();
    put_data("results/large", "1", data, length);
    pauses = 3;
    get("results/large");
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_uint_eq(got.length, length);
    ck_assert_int_eq(memcmp(got.data, data, length), 0);
    ck_assert_int_eq(pieces, 5);
    put_data("empty", "1", "", 0);
    get("empty");
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert(has_properties);
    ck_assert_int_eq(properties.size, 0);
    free(data);
}
END_TEST

START_TEST(the_first_writer_wins)
{
    check_well();
    put("1", "first");
    put("2", "second");
    ck_assert_int_eq(error.code, ERROR_EXISTS);
    ck_assert(has_properties);
    ck_assert_int_eq(properties.attempt, 1);
    ck_assert_str_eq(properties.job_id, "default.0.X");
    ck_assert_int_eq(properties.size, 5);
    get(NAME);
    ck_assert_str_eq(got.data, "first");
    ck_assert_int_eq(count_files("results/ab/default"), 2);
}
END_TEST

START_TEST(ones_own_blob_counts_as_written)
{
    check_well();
    put("1", "first");
    put("1", "first");
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_int_eq(count_files("results/ab/default"), 2);
}
END_TEST

static const char *const damaged[] = {NULL, "", "{", "[]", "{\"content_type\": 3}"};

static void damage(const char *text)
{
    if (text)
        write_file(NAME ".properties", text);
    else
        remove_file(NAME ".properties");
}

START_TEST(missing_properties_are_survived)
{
    check_well();
    put("1", "first");
    damage(damaged[_i]);
    get(NAME);
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_str_eq(got.data, "first");
    ck_assert_str_eq(properties.content_type, "application/octet-stream");
    ck_assert_str_eq(properties.md5, "");
    ck_assert_str_eq(properties.job_id, "");
    ck_assert_int_eq(properties.attempt, 0);
}
END_TEST

/* Its writer died between the blob and the properties. */
START_TEST(a_blob_of_nobody_is_known_by_its_bytes)
{
    check_well();
    put("1", "first");
    damage(damaged[_i]);
    put("2", "other");
    ck_assert_int_eq(error.code, ERROR_EXISTS);
    ck_assert_str_eq(properties.job_id, "");
    put("2", "first, and more");
    ck_assert_int_eq(error.code, ERROR_EXISTS);
    put("2", "firs");
    ck_assert_int_eq(error.code, ERROR_EXISTS);
    put("2", "first");
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
    get(NAME);
    ck_assert_int_eq(properties.attempt, 2);
    ck_assert_str_eq(properties.content_type, "text/plain; charset=utf-8");
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    check_well();
    get(NAME);
    ck_assert_int_eq(error.code, ERROR_NOT_FOUND);
    ck_assert(!has_properties);
    put("1", "first");
    get("results/ab/default");
    ck_assert_int_eq(error.code, ERROR_NOT_FOUND);
    ck_assert(!has_properties);
}
END_TEST

START_TEST(names_out_of_line_are_invalid)
{
    static const char *const names[] = {
        "", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", "a b", "a\nb", PROPERTIES_NAME};

    check_well();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        get(names[i]);
        ck_assert_int_eq(error.code, ERROR_INVALID);
        put_data(names[i], "1", "x", 1);
        ck_assert_int_eq(error.code, ERROR_INVALID);
    }
    ck_assert_int_eq(count_files(""), 0);
}
END_TEST

/* A directory that is not there may be a volume that is not mounted: nothing is written beside it. */
START_TEST(a_missing_directory_is_away_until_it_is_checked)
{
    put("1", "first");
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    ck_assert_int_ne(access(root, F_OK), 0);
    get(NAME);
    ck_assert_int_eq(error.code, ERROR_STORE_AWAY);
    check_well();
    put("1", "first");
    ck_assert_int_eq(error.code, ERROR_OK);
}
END_TEST

START_TEST(a_directory_that_cannot_be_used_is_refused)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/deep", top);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    check();
    ck_assert_int_eq(error.code, ERROR_STORE_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, path));
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
    char path[256];

    check_well();
    snprintf(path, sizeof(path), "%s/link", root);
    ck_assert_int_eq(symlink("/etc/hostname", path), 0);
    get("link");
    ck_assert_int_ne(error.code, ERROR_OK);
    ck_assert_uint_eq(got.length, 0);
}
END_TEST

START_TEST(wrong_metadata_is_invalid)
{
    struct blob_meta meta = {"Job", "x"};
    struct blob_content content = {"x", 1, "text/plain", &meta, 1};

    check_well();
    blob_put(store, NAME, &content, on_put, NULL);
    run();
    ck_assert_int_eq(error.code, ERROR_INVALID);
}
END_TEST

START_TEST(cancelled_operations_are_silent)
{
    static const struct blob_reader reader = {on_head, on_data, on_get};
    struct blob_content content = {"x", 1, "text/plain", NULL, 0};

    check_well();
    put("1", "first");
    has_properties = false;
    blob_cancel(blob_put(store, "cancelled", &content, on_put, NULL));
    blob_cancel(blob_get(store, NAME, NULL, &reader, NULL));
    blob_check(store, on_check, NULL);
    run();
    ck_assert(!has_properties);
    blob_put(store, "freed", &content, on_put, NULL);
    blob_get(store, NAME, NULL, &reader, NULL);
    store = blob_store_free(store);
    ck_assert_int_eq(ends, 0);
}
END_TEST

START_TEST(urls_are_for_people)
{
    char expected[256];
    char url[256];

    blob_url(store, NAME, url, sizeof(url));
    snprintf(expected, sizeof(expected), "file://%s/" NAME, root);
    ck_assert_str_eq(url, expected);
}
END_TEST

static const struct {
    const char *url;
    const char *connection_string;
    const char *says; /* NULL: it is right */
} settings[] = {
    {"", "", NULL},
    {"file:///a", "", NULL},
    {"file://localhost/a", "", NULL},
    {"", "UseDevelopmentStorage=true", NULL},
    {"file:///a", "UseDevelopmentStorage=true", "keep one"},
    {"file://a", "", "three slashes"},
    {"file://", "", "three slashes"},
    {"file:///a%00b", "", "NUL"},
    {"ftp://a/b", "", "not an http or https URL"},
    {"http://127.0.0.1:10000/devstoreaccount1/jobgate", "", "AZURE_STORAGE_KEY"},
    {"https://store1.blob.core.windows.net/jobgate", "", NULL},
};

START_TEST(settings_are_checked)
{
    char url[128];
    char connection_string[128];
    struct config c;
    struct error e = {.text = ""};

    snprintf(url, sizeof(url), "BLOB_URL=%s", settings[_i].url);
    snprintf(connection_string, sizeof(connection_string), "AZURE_STORAGE_CONNECTION_STRING=%s",
        settings[_i].connection_string);
    settings_load(&c, (const char *const[]){url, connection_string, NULL});
    ck_assert_int_eq(blob_settings_check(&c, &e), !settings[_i].says);
    ck_assert_msg(!settings[_i].says || strstr(e.text, settings[_i].says), "%s", e.text);
    config_release(&c);
}
END_TEST

Suite *directory_store_suite(void)
{
    Suite *suite = suite_create("directory_store");
    TCase *tcase = tcase_create("directory_store");
    TCase *plain = tcase_create("settings");

    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_put_can_be_read_back);
    tcase_add_test(tcase, large_and_empty_blobs_are_whole);
    tcase_add_test(tcase, the_first_writer_wins);
    tcase_add_test(tcase, ones_own_blob_counts_as_written);
    tcase_add_loop_test(tcase, missing_properties_are_survived, 0, ARRAY_LENGTH(damaged));
    tcase_add_loop_test(tcase, a_blob_of_nobody_is_known_by_its_bytes, 0, ARRAY_LENGTH(damaged));
    tcase_add_test(tcase, what_is_not_there_is_not_found);
    tcase_add_test(tcase, names_out_of_line_are_invalid);
    tcase_add_test(tcase, a_missing_directory_is_away_until_it_is_checked);
    tcase_add_test(tcase, a_directory_that_cannot_be_used_is_refused);
    tcase_add_test(tcase, a_symbolic_link_is_not_followed);
    tcase_add_test(tcase, wrong_metadata_is_invalid);
    tcase_add_test(tcase, cancelled_operations_are_silent);
    tcase_add_test(tcase, urls_are_for_people);
    tcase_add_loop_test(plain, settings_are_checked, 0, ARRAY_LENGTH(settings));
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, plain);
    return suite;
}
