#include "api/listing/cursor.h"

#include <check.h>

Suite *cursor_suite(void);

#define LIST "0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef"
#define ULID "01M7Y93WW81WRZMV2HD7V6524Y"

static const struct shard shard = {.queue = "default"};

static struct cursor make(int64_t at, const char *worker)
{
    struct cursor c = {.entry.at = at};
    struct error e;

    ck_assert(id_parse("default.0." ULID, &c.entry.id, &e));
    snprintf(c.worker, sizeof(c.worker), "%s", worker);
    return c;
}

START_TEST(cursor_comes_back_as_it_was)
{
    static const int64_t places[] = {0, 1, 1795236093447, 9007199254740991};
    static const char *const workers[] = {"", "vm.01M7Y6GTMEE9HJK83JH8JHQF9V",
        "a-host-whose-name-is-cut-to-fit.01KA2B3C4D5E6F7G8H9JKMNPQR.1234"};

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(workers); j++) {
            struct cursor c = make(places[i], workers[j]);
            struct cursor back;
            char text[CURSOR_SIZE];
            struct error e;

            cursor_write(&c, LIST, text);
            ck_assert_msg(cursor_read(text, &shard, LIST, &back, &e), "%s", e.text);
            ck_assert_int_eq(back.entry.at, c.entry.at);
            ck_assert_str_eq(back.entry.id.text, c.entry.id.text);
            ck_assert_str_eq(back.worker, c.worker);
        }
}
END_TEST

START_TEST(cursor_of_another_list_is_refused)
{
    struct cursor c = make(5, "");
    struct cursor out = {.entry.at = 77};
    char text[CURSOR_SIZE];
    struct error e;

    cursor_write(&c, LIST, text);
    ck_assert(!cursor_read(text, &shard, OTHER, &out, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "another list"));
    ck_assert_int_eq(out.entry.at, 77);
}
END_TEST

/* Writes a plain text as cursors are written. */
static void to_hex(const char *plain, char out[CURSOR_SIZE])
{
    for (; *plain; plain++, out += 2)
        snprintf(out, 3, "%02x", (unsigned char)*plain);
    *out = '\0';
}

static const char *const broken[] = {
    "",
    "01234567",
    "01234567.",
    "01234567.5",
    "01234567.5." ULID,
    "01234567.5.01M7Y93WW81WRZMV2HD7V6524.",
    "01234567.5.default.",
    "01234567.-5." ULID ".",
    "01234567.+5." ULID ".",
    "01234567. 5." ULID ".",
    "01234567.5x." ULID ".",
    "01234567..." ULID ".",
    "01234567.9007199254740992." ULID ".",
    "01234567.99999999999999999999." ULID ".",
    "01234567.5." ULID ".this-name-is-longer-than-a-name-of-a-worker-can-be-which-is-63-byte",
    "01234567.5." ULID ".a worker",
};

START_TEST(cursor_that_is_none_is_refused)
{
    struct cursor out;
    char text[CURSOR_SIZE];
    struct error e;

    to_hex(broken[_i], text);
    ck_assert_msg(!cursor_read(text, &shard, LIST, &out, &e), "%s", broken[_i]);
    ck_assert_int_eq(e.code, ERROR_INVALID);
}
END_TEST

START_TEST(text_that_is_no_hex_is_refused)
{
    static const char *const texts[] = {"5", "zz", "0", "3G", "../..", "3031323334353637\n"};
    AUTO(free) char *longer = malloc(2000);
    struct cursor out;
    struct error e;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        ck_assert(!cursor_read(texts[i], &shard, LIST, &out, &e));
    memset(longer, '3', 1999);
    for (size_t length = 0; length < 2000; length += 37) {
        longer[1999 - length] = '\0';
        ck_assert(!cursor_read(longer, &shard, LIST, &out, &e));
    }
}
END_TEST

Suite *cursor_suite(void)
{
    Suite *suite = suite_create("cursor");
    TCase *tcase = tcase_create("cursor");

    tcase_add_test(tcase, cursor_comes_back_as_it_was);
    tcase_add_test(tcase, cursor_of_another_list_is_refused);
    tcase_add_loop_test(tcase, cursor_that_is_none_is_refused, 0, ARRAY_LENGTH(broken));
    tcase_add_test(tcase, text_that_is_no_hex_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
