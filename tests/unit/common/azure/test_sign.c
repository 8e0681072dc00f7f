#include <check.h>

#include "common/azure/sign.h"

Suite *sign_suite(void);

/* The emulator's published key. The signatures were made with
 * printf STRING | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY -binary | base64. */
#define KEY "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

static const struct row {
    const char *name;
    const char *account;
    struct sign_request request;
    const char *headers[SIGN_HEADERS_MAX];
    const char *string;
    const char *signature;
} rows[] = {
    {"the documentation's example", "myaccount",
        {.method = "GET", .path = "/mycontainer", .query = "restype=container&comp=metadata&timeout=20"},
        {"x-ms-version: 2015-02-21", "x-ms-date: Fri, 26 Jun 2015 23:39:12 GMT"},
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
        "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20",
        "1u9lui2jDxj0+fpbHjQ5m5NnastJRSYM+PSmfi8TXx4="},
    {"put blob", "myaccount",
        {.method = "PUT", .path = "/jobgate/results/ab/q/x", .query = "", .content_length = 5},
        {"x-ms-date: Sat, 21 Nov 2026 03:34:22 GMT", "x-ms-version: 2025-11-05",
            "X-MS-Blob-Type:  BlockBlob ", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==", "If-None-Match: *",
            "x-ms-meta-jobid: q.0.X", "x-ms-meta-attempt: 1"},
        "PUT\n\n\n5\nXUFAKrxLKna5cZ2REBfFkg==\n\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n"
        "x-ms-date:Sat, 21 Nov 2026 03:34:22 "
        "GMT\nx-ms-meta-attempt:1\nx-ms-meta-jobid:q.0.X\nx-ms-version:2025-11-05\n"
        "/myaccount/jobgate/results/ab/q/x",
        "gNXOIm7qo/obwOBN0obSh5FMv9mMS7TJpCU53Goz3oY="},
    {"an emulator's path holds the account too", "devstoreaccount1",
        {.method = "PUT", .path = "/devstoreaccount1/jobgate", .query = "restype=container"},
        {"x-ms-date: Sat, 21 Nov 2026 03:34:22 GMT", "x-ms-version: 2025-11-05"},
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Sat, 21 Nov 2026 03:34:22 GMT\nx-ms-version:2025-11-05\n"
        "/devstoreaccount1/devstoreaccount1/jobgate\nrestype:container",
        "XIYM4OJ9L41qImYEbvSAbb9MRIRuIiKE/SyMWKPaBIw="},
    {"every line, and a query that is encoded, repeated and in capitals", "acc",
        {.method = "GET",
            .path = "/c/b%20c",
            .query = "Prefix=a%20b%2Fc&include=snapshots&comp=list&include=metadata",
            .content_length = 3},
        {"Range: bytes=0-9", "If-Unmodified-Since: d", "If-None-Match: c", "If-Match: b",
            "If-Modified-Since: a", "Date: Fri, 26 Jun 2015 23:39:12 GMT", "Content-Type: text/plain",
            "Content-Language: en", "Content-Encoding: gzip", "User-Agent: none of it"},
        "GET\ngzip\nen\n3\n\ntext/plain\nFri, 26 Jun 2015 23:39:12 GMT\na\nb\nc\nd\nbytes=0-9\n"
        "/acc/c/b%20c\ncomp:list\ninclude:metadata,snapshots\nprefix:a b/c",
        "gLfD3axKBVBzOgdYtNfrQSeGbU3QDHbSh1rJdkKLqdk="},
};

static struct sign_request request_of(const struct row *row)
{
    struct sign_request request = row->request;

    request.headers = row->headers;
    while (row->headers[request.header_count])
        request.header_count++;
    return request;
}

START_TEST(each_string_is_right)
{
    struct sign_request request = request_of(&rows[_i]);
    AUTO_BUF struct buf out = BUF(4096);
    struct error e;

    ck_assert_msg(sign_append_string(&request, rows[_i].account, &out, &e), "%s: %s", rows[_i].name, e.text);
    ck_assert_str_eq(out.data, rows[_i].string);
}
END_TEST

START_TEST(each_signature_is_that_of_openssl)
{
    struct sign_request request = request_of(&rows[_i]);
    AUTO_BUF struct buf out = BUF(4096);
    struct azure_account account;
    char expected[256];
    struct error e;

    ck_assert(azure_account_from_url(&account, "http://127.0.0.1/abc/container", "", &e));
    ck_assert(azure_account_set_key(&account, KEY, &e));
    snprintf(account.name, sizeof(account.name), "%s", rows[_i].account);
    ck_assert_msg(sign_append_authorization(&request, &account, &out, &e), "%s", e.text);
    snprintf(
        expected, sizeof(expected), "Authorization: SharedKey %s:%s", rows[_i].account, rows[_i].signature);
    ck_assert_str_eq(out.data, expected);
    azure_account_release(&account);
}
END_TEST

static const struct {
    const char *header;
    const char *query;
    size_t ceiling;
    enum error_code code;
} wrong[] = {
    {"x-ms-meta-a: one\r\nx-ms-meta-b: two", "", 4096, ERROR_INVALID},
    {"x-ms-meta-a: one\ntwo", "", 4096, ERROR_INVALID},
    {"no colon", "", 4096, ERROR_INVALID},
    {"x-ms-date: d", "prefix=a+b", 4096, ERROR_INVALID},
    {"x-ms-date: d", "a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", 4096, ERROR_TOO_BIG},
    {"x-ms-date: d", "", 20, ERROR_TOO_BIG},
};

START_TEST(what_cannot_be_signed_is_refused)
{
    const char *headers[] = {wrong[_i].header};
    struct sign_request request = {"GET", "/c/b", wrong[_i].query, headers, 1, 0};
    AUTO_BUF struct buf out = BUF(wrong[_i].ceiling);
    struct error e;

    ck_assert(!sign_append_string(&request, "acc", &out, &e));
    ck_assert_int_eq(e.code, wrong[_i].code);
}
END_TEST

START_TEST(too_many_headers_are_refused)
{
    const char *headers[SIGN_HEADERS_MAX + 1];
    struct sign_request request = {"GET", "/c/b", "", headers, ARRAY_LENGTH(headers), 0};
    AUTO_BUF struct buf out = BUF(4096);
    struct error e;

    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++)
        headers[i] = "x-ms-a: b";
    ck_assert(!sign_append_string(&request, "acc", &out, &e));
    ck_assert_int_eq(e.code, ERROR_TOO_BIG);
}
END_TEST

/* A '%' that begins no escape stands for itself, also at the very end. */
START_TEST(broken_escapes_are_kept)
{
    struct sign_request request = {"GET", "/c", "a=%zz%4&b=%41%", NULL, 0, 0};
    AUTO_BUF struct buf out = BUF(4096);
    struct error e;

    ck_assert(sign_append_string(&request, "acc", &out, &e));
    ck_assert_str_eq(out.data, "GET\n\n\n\n\n\n\n\n\n\n\n\n/acc/c\na:%zz%4\nb:A%");
}
END_TEST

Suite *sign_suite(void)
{
    Suite *suite = suite_create("sign");
    TCase *tcase = tcase_create("sign");

    tcase_add_loop_test(tcase, each_string_is_right, 0, ARRAY_LENGTH(rows));
    tcase_add_loop_test(tcase, each_signature_is_that_of_openssl, 0, ARRAY_LENGTH(rows));
    tcase_add_loop_test(tcase, what_cannot_be_signed_is_refused, 0, ARRAY_LENGTH(wrong));
    tcase_add_test(tcase, too_many_headers_are_refused);
    tcase_add_test(tcase, broken_escapes_are_kept);
    suite_add_tcase(suite, tcase);
    return suite;
}
