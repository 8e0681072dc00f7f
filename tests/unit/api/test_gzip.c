#include "api/gzip.h"

#include <check.h>

Suite *gzip_suite(void);

enum { LARGE = 300000 };

static void fill(struct buf *b, size_t length)
{
    while (b->length < length)
        buf_append_char(b, (char)('a' + b->length * b->length % 23));
}

static const size_t lengths[] = {0, 1, 1000, 65536, 65537, LARGE};

START_TEST(what_is_packed_comes_back)
{
    AUTO_BUF struct buf plain = BUF(LARGE);
    AUTO_BUF struct buf packed = BUF(2 * LARGE);
    AUTO_BUF struct buf back = BUF(LARGE);
    struct error e = {0};

    fill(&plain, lengths[_i]);
    gzip_pack(plain.data, plain.length, &packed);
    ck_assert_msg(gzip_unpack(packed.data, packed.length, &back, &e), "%s", e.text);
    ck_assert_uint_eq(back.length, plain.length);
    ck_assert(plain.length == 0 || memcmp(back.data, plain.data, plain.length) == 0);
    gzip_pack(plain.data, plain.length, &packed); /* a second member */
    buf_release(&back);
    back = BUF(2 * LARGE);
    ck_assert_msg(gzip_unpack(packed.data, packed.length, &back, &e), "%s", e.text);
    ck_assert_uint_eq(back.length, 2 * plain.length);
}
END_TEST

START_TEST(a_bomb_stops_at_the_bound)
{
    AUTO_BUF struct buf plain = BUF(LARGE);
    AUTO_BUF struct buf packed = BUF(2 * LARGE);
    struct error e = {0};

    fill(&plain, LARGE);
    gzip_pack(plain.data, plain.length, &packed);
    for (size_t bound = LARGE - 1; bound > 100; bound /= 3) {
        AUTO_BUF struct buf back = BUF(bound);

        ck_assert(!gzip_unpack(packed.data, packed.length, &back, &e));
        ck_assert_int_eq(e.code, ERROR_TOO_BIG);
        ck_assert_uint_le(back.length, bound);
    }
}
END_TEST

START_TEST(what_is_damaged_or_cut_is_refused)
{
    AUTO_BUF struct buf plain = BUF(LARGE);
    AUTO_BUF struct buf packed = BUF(2 * LARGE);
    struct error e = {0};

    fill(&plain, 1000);
    gzip_pack(plain.data, plain.length, &packed);
    for (size_t length = 1; length < packed.length; length++) {
        AUTO_BUF struct buf back = BUF(LARGE);

        ck_assert(!gzip_unpack(packed.data, length, &back, &e));
        ck_assert_int_eq(e.code, ERROR_BAD_REQUEST);
    }
    for (size_t at = 0; at < packed.length; at++) { /* some bytes of the head mean nothing */
        AUTO_BUF struct buf back = BUF(LARGE);

        packed.data[at] ^= 0x55;
        if (gzip_unpack(packed.data, packed.length, &back, &e))
            ck_assert_uint_eq(back.length, plain.length);
        packed.data[at] ^= 0x55;
    }
}
END_TEST

static const struct {
    const char *text;
    bool is_accepted;
} rows[] = {
    {"gzip", true},
    {"GZIP", true},
    {"br, gzip", true},
    {"gzip;q=0.5", true},
    {"deflate , gzip ; q=1", true},
    {"gzip;q=0", false},
    {"gzip;q=0.000, br", false},
    {"gzipped", false},
    {"identity", false},
    {"", false},
    {",,", false},
};

START_TEST(it_is_seen_who_takes_it)
{
    ck_assert_int_eq(gzip_is_accepted(rows[_i].text), rows[_i].is_accepted);
    ck_assert(!gzip_is_accepted(NULL));
}
END_TEST

Suite *gzip_suite(void)
{
    Suite *suite = suite_create("gzip");
    TCase *t = tcase_create("gzip");

    tcase_add_loop_test(t, what_is_packed_comes_back, 0, ARRAY_LENGTH(lengths));
    tcase_add_test(t, a_bomb_stops_at_the_bound);
    tcase_add_test(t, what_is_damaged_or_cut_is_refused);
    tcase_add_loop_test(t, it_is_seen_who_takes_it, 0, ARRAY_LENGTH(rows));
    suite_add_tcase(suite, t);
    return suite;
}
