#include "api/wire/reader.h"

#include <check.h>

Suite *reader_suite(void);

enum { BODY_LIMIT = 100, OUT_MAX = 1 << 17 };

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct row {
    const char *in;
    const char *out;
    enum reader_state state;
    enum error_code refusal;
    size_t requests;
} rows[] = {
    {HEAD "\r\n", HEAD "\r\n", READER_HEAD, ERROR_OK, 1},
    {HEAD, "", READER_HEAD, ERROR_OK, 0},
    {"\r\n\r\n" HEAD "\r\n", HEAD "\r\n", READER_HEAD, ERROR_OK, 1},
    {HEAD "Content-Length: 3\r\n\r\nabc" HEAD "\r\n", HEAD "Content-Length: 3\r\n\r\nabc" HEAD "\r\n",
        READER_HEAD, ERROR_OK, 2},
    {HEAD "Content-Length: 3\r\n\r\nab", HEAD "Content-Length: 3\r\n\r\nab", READER_BODY, ERROR_OK, 1},
    {HEAD "Content-Length: 101\r\n\r\nab", "!\r\n", READER_ENDED, ERROR_TOO_BIG, 1},
    {CHUNKED "3;x=y\r\nabc\r\n0002\r\nde\r\n0\r\n\r\n", CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        READER_HEAD, ERROR_OK, 1},
    {CHUNKED "1\r\na\r\n0\r\nX: y\r\nZ: 1\r\n\r\n" HEAD "\r\n", CHUNKED "1\r\na\r\n0\r\n\r\n" HEAD "\r\n",
        READER_HEAD, ERROR_OK, 2},
    {CHUNKED "1\r\nab", CHUNKED "1\r\na", READER_CHUNK_END, ERROR_OK, 1},
    {CHUNKED "1\r\nab\r\n", CHUNKED "1\r\na!\r\n", READER_ENDED, ERROR_BAD_REQUEST, 1},
    {CHUNKED "60\r\n", CHUNKED "60\r\n", READER_CHUNK, ERROR_OK, 1},
    {CHUNKED "65\r\n", CHUNKED "!\r\n", READER_ENDED, ERROR_TOO_BIG, 1},
    {CHUNKED "0\r\nbad\r\n\r\n", CHUNKED "!\r\n", READER_ENDED, ERROR_BAD_REQUEST, 1},
    {"GET / HTTP/1.1\nHost: a\n\n" HEAD "\r\n", "!\r\n", READER_ENDED, ERROR_BAD_REQUEST, 0},
    {HEAD "\r\nx\r\n\r\n" HEAD "\r\n", HEAD "\r\n!\r\n", READER_ENDED, ERROR_BAD_REQUEST, 1},
};

/* Feeds the text in pieces of `piece` bytes and gathers what goes on. */
static void feed(struct reader *r, const char *text, size_t length, size_t piece, struct buf *all)
{
    for (size_t at = 0; at < length; at += piece) {
        AUTO_BUF struct buf out = BUF(OUT_MAX);
        size_t n = length - at < piece ? length - at : piece;

        if (reader_feed(r, text + at, n, &out))
            buf_append(all, text + at, n);
        else
            buf_append(all, out.data, out.length);
    }
}

START_TEST(it_does_not_matter_how_it_comes)
{
    const struct row *row = &rows[_i];

    for (size_t piece = 1; piece <= strlen(row->in); piece++) {
        AUTO_BUF struct buf all = BUF(OUT_MAX);
        struct reader r;

        reader_init(&r, BODY_LIMIT);
        feed(&r, row->in, strlen(row->in), piece, &all);
        ck_assert_msg(strcmp(all.data, row->out) == 0, "in pieces of %zu: %s", piece, all.data);
        ck_assert_int_eq(r.state, row->state);
        ck_assert_int_eq(r.refusal.code, row->refusal);
        if (row->refusal != ERROR_TOO_BIG)
            ck_assert_uint_eq(r.requests, row->requests);
        reader_release(&r);
    }
}
END_TEST

START_TEST(what_is_right_is_not_copied)
{
    static const char text[] = HEAD "Content-Length: 3\r\n\r\nabc" HEAD "\r\n";
    AUTO_BUF struct buf out = BUF(OUT_MAX);
    struct reader r;

    reader_init(&r, BODY_LIMIT);
    ck_assert(reader_feed(&r, text, strlen(text), &out));
    ck_assert_uint_eq(out.length, 0);
    ck_assert(!reader_is_waiting(&r));
    ck_assert(!reader_feed(&r, "G", 1, &out));
    ck_assert_uint_eq(out.length, 0);
    ck_assert(reader_is_waiting(&r));
    reader_release(&r);
}
END_TEST

static const struct {
    const char *line; /* before the long part */
    enum error_code code;
} long_rows[] = {{"GET /", ERROR_TARGET_TOO_LONG}, {"GET / HTTP/1.1\r\nX: ", ERROR_HEAD_TOO_BIG}};

START_TEST(a_head_without_end_is_not_gathered_for_ever)
{
    AUTO_BUF struct buf text = BUF(2 * HEAD_MAX);
    struct reader r;

    buf_append_text(&text, long_rows[_i].line);
    while (text.length < HEAD_MAX + 100)
        buf_append_char(&text, 'a');
    for (size_t piece = 1000; piece < text.length + 1000; piece += 9000) {
        AUTO_BUF struct buf all = BUF(OUT_MAX);

        reader_init(&r, BODY_LIMIT);
        feed(&r, text.data, text.length, piece, &all);
        ck_assert_int_eq(r.refusal.code, long_rows[_i].code);
        ck_assert_str_eq(all.data, READER_REFUSAL_LINE);
        reader_release(&r);
    }
}
END_TEST

START_TEST(it_can_be_ended)
{
    AUTO_BUF struct buf out = BUF(OUT_MAX);
    struct reader r;
    struct error e;

    reader_init(&r, BODY_LIMIT);
    ck_assert(!reader_feed(&r, "GET", 3, &out));
    error_set(&e, ERROR_SLOW_REQUEST, "slow");
    reader_refuse(&r, &e, &out);
    ck_assert_str_eq(out.data, READER_REFUSAL_LINE);
    ck_assert_int_eq(r.refusal.code, ERROR_SLOW_REQUEST);
    ck_assert(!reader_is_waiting(&r));
    ck_assert(!reader_feed(&r, HEAD "\r\n", strlen(HEAD "\r\n"), &out));
    ck_assert_str_eq(out.data, READER_REFUSAL_LINE); /* nothing more */
    reader_release(&r);
}
END_TEST

Suite *reader_suite(void)
{
    Suite *suite = suite_create("reader");
    TCase *t = tcase_create("reader");

    tcase_add_loop_test(t, it_does_not_matter_how_it_comes, 0, ARRAY_LENGTH(rows));
    tcase_add_test(t, what_is_right_is_not_copied);
    tcase_add_loop_test(t, a_head_without_end_is_not_gathered_for_ever, 0, ARRAY_LENGTH(long_rows));
    tcase_add_test(t, it_can_be_ended);
    suite_add_tcase(suite, t);
    return suite;
}
