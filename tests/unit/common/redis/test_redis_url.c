#include "common/redis/redis_url.h"

#include <check.h>

Suite *redis_url_suite(void);

enum { PASSWORD_MAX = 1023, LONG_SIZE = 2048 };

static const struct good_row {
    const char *text;
    const char *host;
    int port;
    const char *user;
    const char *password;
    int database;
} good_rows[] = {
    {"redis://localhost", "localhost", 6379, "", "", 0},
    {"redis://localhost/", "localhost", 6379, "", "", 0},
    {"redis://127.0.0.1:6380", "127.0.0.1", 6380, "", "", 0},
    {"redis://cache.example.org:65535/15", "cache.example.org", 65535, "", "", 15},
    {"redis://[::1]", "::1", 6379, "", "", 0},
    {"redis://[2001:db8::7]:7000/1", "2001:db8::7", 7000, "", "", 1},
    {"redis://alice:secret@db", "db", 6379, "alice", "secret", 0},
    {"redis://alice:secret@[::1]:1/2", "::1", 1, "alice", "secret", 2},
    {"redis://:secret@db:1", "db", 1, "", "secret", 0},
    {"redis://al%3Aice:p%40ss%2Fw%3Ard%25@db", "db", 6379, "al:ice", "p@ss/w:rd%", 0},
    {"redis://alice:a:b@db", "db", 6379, "alice", "a:b", 0},
    {"redis://alice:a+b@db", "db", 6379, "alice", "a+b", 0},
    {"redis://alice:%C3%A9@db", "db", 6379, "alice", "\xc3\xa9", 0},
    {"redis://db/0", "db", 6379, "", "", 0},
    {"redis://db/00", "db", 6379, "", "", 0},
};

START_TEST(a_url_is_parsed)
{
    const struct good_row *row = &good_rows[_i];
    struct redis_url url;
    struct error e = {0};

    ck_assert_msg(redis_url_parse(row->text, &url, &e), "%s: %s", row->text, e.text);
    ck_assert_str_eq(url.host, row->host);
    ck_assert_int_eq(url.port, row->port);
    ck_assert_str_eq(url.user, row->user);
    ck_assert_str_eq(url.password, row->password);
    ck_assert_int_eq(url.database, row->database);
}
END_TEST

/* "hunter2" stands in each that has a password: the error's text must not show it. */
static const struct bad_row {
    const char *name;
    const char *text;
} bad_rows[] = {
    {"nothing", ""},
    {"a host alone", "localhost"},
    {"host and port", "localhost:6379"},
    {"no scheme", "//localhost:6379"},
    {"the scheme of TLS", "rediss://alice:hunter2@db"},
    {"another scheme", "http://alice:hunter2@db"},
    {"a scheme that begins alike", "redis2://db"},
    {"no host", "redis://"},
    {"no host before a port", "redis://:6379"},
    {"no host behind a user", "redis://alice:hunter2@"},
    {"no host before a database", "redis:///0"},
    {"brackets around nothing", "redis://[]:6379"},
    {"an open bracket", "redis://[::1"},
    {"a port past the last", "redis://alice:hunter2@db:65536"},
    {"port 0", "redis://alice:hunter2@db:0"},
    {"a port in words", "redis://alice:hunter2@db:http"},
    {"a negative port", "redis://alice:hunter2@db:-1"},
    {"a database in words", "redis://alice:hunter2@db/default"},
    {"a negative database", "redis://alice:hunter2@db/-1"},
    {"a signed database", "redis://alice:hunter2@db/+1"},
    {"a database with more behind", "redis://alice:hunter2@db/1x"},
    {"a database past all", "redis://alice:hunter2@db/99999999999999999999"},
    {"a path of two", "redis://alice:hunter2@db/1/2"},
    {"a query", "redis://alice:hunter2@db/1?timeout=2"},
    {"an empty query", "redis://alice:hunter2@db/1?"},
    {"a fragment", "redis://alice:hunter2@db/1#x"},
    {"a blank within", "redis://alice:hunter2@d b"},
    {"a NUL in the password", "redis://alice:hunter2%00x@db"},
    {"a NUL in the user", "redis://al%00ice:hunter2@db"},
    {"a newline behind", "redis://alice:hunter2@db\n"},
};

START_TEST(what_is_no_url_is_invalid_and_not_repeated)
{
    const struct bad_row *row = &bad_rows[_i];
    struct redis_url url = {.host = "before", .port = 7};
    struct error e = {0};

    ck_assert_msg(!redis_url_parse(row->text, &url, &e), "%s", row->name);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_str_ne(e.text, "");
    ck_assert_msg(!strstr(e.text, "hunter2") && !strstr(e.text, "alice"), "%s", e.text);
    ck_assert_str_eq(url.host, "before");
    ck_assert_int_eq(url.port, 7);
}
END_TEST

static const struct length_row {
    const char *name;
    const char *before; /* of the long part */
    int length;
    const char *behind;
    bool goes;
} length_rows[] = {
    {"the longest host", "redis://", 255, "", true},
    {"a host too long", "redis://", 256, "", false},
    {"the longest user", "redis://", 255, ":p@db", true},
    {"a user too long", "redis://", 256, ":p@db", false},
    {"the longest password", "redis://u:", PASSWORD_MAX, "@db", true},
    {"a password too long", "redis://u:", PASSWORD_MAX + 1, "@db", false},
};

START_TEST(what_is_too_long_is_invalid)
{
    const struct length_row *row = &length_rows[_i];
    struct redis_url url;
    struct error e = {0};
    char text[LONG_SIZE];

    snprintf(text, sizeof(text), "%s%0*d%s", row->before, row->length, 0, row->behind);
    ck_assert_msg(redis_url_parse(text, &url, &e) == row->goes, "%s: %s", row->name, e.text);
    ck_assert_int_eq(e.code, row->goes ? ERROR_OK : ERROR_INVALID);
}
END_TEST

START_TEST(wiping_leaves_no_password)
{
    static const char zeros[PASSWORD_MAX + 1];
    struct redis_url url;
    struct error e;

    ck_assert(redis_url_parse("redis://alice:hunter2@db", &url, &e));
    redis_url_wipe(&url);
    ck_assert_mem_eq(url.password, zeros, sizeof(url.password));
}
END_TEST

Suite *redis_url_suite(void)
{
    Suite *suite = suite_create("redis_url");
    TCase *all = tcase_create("redis_url");

    tcase_add_loop_test(all, a_url_is_parsed, 0, ARRAY_LENGTH(good_rows));
    tcase_add_loop_test(all, what_is_no_url_is_invalid_and_not_repeated, 0, ARRAY_LENGTH(bad_rows));
    tcase_add_loop_test(all, what_is_too_long_is_invalid, 0, ARRAY_LENGTH(length_rows));
    tcase_add_test(all, wiping_leaves_no_password);
    suite_add_tcase(suite, all);
    return suite;
}
