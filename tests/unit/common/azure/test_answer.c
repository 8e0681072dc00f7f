#include <check.h>

#include "common/azure/answer.h"

Suite *answer_suite(void);

enum { NOW_MS = 1000 };

#define XML(code)                                                                                            \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>" code "</Code><Message>In the store's words.\n" \
    "RequestId:1\nTime:2026</Message></Error>"

static const char *find(const void *arg, const char *name)
{
    const char *const *headers = arg;

    for (; headers[0]; headers += 2)
        if (strcasecmp(headers[0], name) == 0)
            return headers[1];
    return NULL;
}

static struct answer read_answer(int status, const char *const *headers, const char *body)
{
    struct answer a;

    answer_read(&a, status, find, headers, body, strlen(body), NOW_MS);
    return a;
}

static const char *const none[] = {NULL};
static const char *const of_store[] = {"x-ms-request-id", "r-1", NULL};

static const struct {
    int status;
    const char *code; /* in the body as XML; NULL: no body */
    enum answer_verdict verdict;
    enum error_code error;
} rows[] = {
    {201, NULL, ANSWER_DONE, ERROR_STORE_REFUSED},
    {400, "InvalidHeaderValue", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {400, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {401, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {403, "AuthenticationFailed", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {404, "BlobNotFound", ANSWER_NO_BLOB, ERROR_STORE_REFUSED},
    {404, NULL, ANSWER_NO_BLOB, ERROR_STORE_REFUSED},
    {404, "ContainerNotFound", ANSWER_NO_CONTAINER, ERROR_STORE_AWAY},
    {404, "ResourceNotFound", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {405, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {408, NULL, ANSWER_AGAIN, ERROR_STORE_AWAY},
    {409, "BlobAlreadyExists", ANSWER_EXISTS, ERROR_STORE_REFUSED},
    {409, "ContainerAlreadyExists", ANSWER_EXISTS, ERROR_STORE_REFUSED},
    {409, "ContainerBeingDeleted", ANSWER_AGAIN, ERROR_STORE_AWAY},
    {409, "MemoryExtentStoreAtSizeLimit", ANSWER_LATER, ERROR_STORE_AWAY},
    {409, "LeaseIdMissing", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {411, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {412, "ConditionNotMet", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {413, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {416, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {429, NULL, ANSWER_AGAIN, ERROR_STORE_AWAY},
    {500, "InternalError", ANSWER_AGAIN, ERROR_STORE_AWAY},
    {500, "OperationTimedOut", ANSWER_AGAIN, ERROR_STORE_AWAY},
    {500, "FeatureNotSupported", ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {500, NULL, ANSWER_AGAIN, ERROR_STORE_AWAY},
    {501, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
    {502, NULL, ANSWER_AGAIN, ERROR_STORE_AWAY},
    {503, "ServerBusy", ANSWER_AGAIN, ERROR_STORE_AWAY},
    {504, NULL, ANSWER_AGAIN, ERROR_STORE_AWAY},
    {505, NULL, ANSWER_REFUSED, ERROR_STORE_REFUSED},
};

START_TEST(each_answer_is_judged)
{
    char body[256] = "";
    struct answer a;
    struct error e;

    if (rows[_i].code)
        snprintf(body, sizeof(body), XML("%s"), rows[_i].code);
    a = read_answer(rows[_i].status, of_store, body);
    ck_assert_str_eq(a.code, rows[_i].code ? rows[_i].code : "");
    ck_assert_int_eq(a.verdict, rows[_i].verdict);
    answer_explain(&a, "PUT x", &e);
    ck_assert_int_eq(e.code, rows[_i].error);
    ck_assert_ptr_nonnull(strstr(e.text, "r-1"));
    ck_assert_ptr_nonnull(strstr(e.text, "PUT x"));
}
END_TEST

START_TEST(the_header_says_the_code_where_there_is_no_body)
{
    const char *const headers[] = {"x-ms-error-code", "BlobNotFound", "x-ms-request-id", "r-1", NULL};
    struct answer a = read_answer(404, headers, "");

    ck_assert_str_eq(a.code, "BlobNotFound");
    ck_assert_int_eq(a.verdict, ANSWER_NO_BLOB);
}
END_TEST

START_TEST(the_stores_own_words_are_told)
{
    struct answer a = read_answer(416, of_store, XML("InvalidRange"));
    struct error e;

    answer_explain(&a, "GET results/x", &e);
    ck_assert_str_eq(e.text,
        "the blob store answered 416 InvalidRange: In the store's words.; its request id r-1; GET results/x");
}
END_TEST

static const struct {
    const char *code;
    const char *remedy;
} forbidden[] = {
    {"AuthenticationFailed", "clock"},
    {"AuthorizationFailure", "network"},
    {"AuthorizationPermissionMismatch", "Storage Blob Data Contributor"},
    {"KeyBasedAuthenticationNotPermitted", "shared key"},
};

START_TEST(a_403_names_the_remedy)
{
    char body[256];
    struct answer a;
    struct error e;

    snprintf(body, sizeof(body), XML("%s"), forbidden[_i].code);
    a = read_answer(403, of_store, body);
    answer_explain(&a, "PUT x", &e);
    ck_assert_ptr_nonnull(strstr(e.text, forbidden[_i].remedy));
}
END_TEST

/* What is not from Blob Storage is said to be so, and a 404 of a proxy does not mean that there is no blob.
 */
START_TEST(html_of_a_proxy_is_survived)
{
    static const int statuses[] = {200, 301, 403, 404};

    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        struct answer a = read_answer(statuses[i], none, "<html><body><h1>Hello</h1>\xff\x01</body></html>");
        struct error e;

        answer_explain(&a, "PUT x", &e);
        ck_assert_int_ne(a.verdict, ANSWER_NO_BLOB);
        ck_assert_int_eq(e.code, ERROR_STORE_REFUSED);
        ck_assert_ptr_nonnull(strstr(e.text, "not from Blob Storage"));
    }
}
END_TEST

START_TEST(broken_xml_is_survived)
{
    static const char *const bodies[] = {"<Code>", "<Code>X", "<Code></Code>", "<Message>\n</Message>",
        "Code>", "<Code>\x01\x02</Code>", "<Error><Code>"};

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct answer a = read_answer(500, of_store, bodies[i]);

        ck_assert_int_eq(a.verdict, ANSWER_AGAIN);
        ck_assert_uint_le(strlen(a.code), 1);
    }
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char body[1024];
    struct answer a;
    struct error e;

    memset(body, 'x', sizeof(body));
    memcpy(body, "<Code>", 6);
    body[sizeof(body) - 1] = '\0';
    a = read_answer(400, of_store, body);
    ck_assert_uint_eq(strlen(a.code), ANSWER_TEXT_SIZE - 1);
    answer_explain(&a, body, &e);
    ck_assert_uint_lt(strlen(e.text), sizeof(e.text));
}
END_TEST

static const struct {
    const char *headers[5];
    int64_t wait_ms;
} waits[] = {
    {{NULL}, -1},
    {{"Retry-After", "7", NULL}, 7000},
    {{"Retry-After", "0", NULL}, 0},
    {{"Retry-After", "x", NULL}, -1},
    {{"Retry-After", "-5", NULL}, -1},
    {{"Retry-After", "99999999999999999999", NULL}, 86400000},
    {{"Retry-After", "Thu, 01 Jan 1970 00:00:03 GMT", NULL}, 2000},
    {{"Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT", NULL}, 0},
    {{"x-ms-retry-after-ms", "250", "Retry-After", "7", NULL}, 250},
    {{"retry-after-ms", "20", "x-ms-retry-after-ms", "250", NULL}, 20},
};

START_TEST(what_the_store_asks_to_wait_is_read)
{
    ck_assert_int_eq(read_answer(503, waits[_i].headers, "").wait_ms, waits[_i].wait_ms);
}
END_TEST

START_TEST(a_container_that_is_being_deleted_takes_30_s)
{
    ck_assert_int_eq(read_answer(409, of_store, XML("ContainerBeingDeleted")).wait_ms, 30000);
}
END_TEST

static const struct {
    int retry;
    uint32_t random;
    int64_t delay_ms;
} delays[] = {
    {1, 0, 640},
    {1, 200, 800},
    {1, 500, 1040},
    {1, 501, 640},
    {2, 200, 1600},
    {3, 200, 3200},
    {3, 0xffffffffU, 3200 * (800 + 0xffffffffU % 501) / 1000},
    {8, 200, 60000},
    {1000000, 500, 60000},
};

START_TEST(delays_double_with_jitter_up_to_a_minute)
{
    ck_assert_int_eq(answer_retry_delay_ms(delays[_i].retry, -1, delays[_i].random), delays[_i].delay_ms);
    ck_assert_int_eq(answer_retry_delay_ms(delays[_i].retry, 5, delays[_i].random), 5);
}
END_TEST

Suite *answer_suite(void)
{
    Suite *suite = suite_create("answer");
    TCase *tcase = tcase_create("answer");

    tcase_add_loop_test(tcase, each_answer_is_judged, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tcase, the_header_says_the_code_where_there_is_no_body);
    tcase_add_test(tcase, the_stores_own_words_are_told);
    tcase_add_loop_test(tcase, a_403_names_the_remedy, 0, ARRAY_LENGTH(forbidden));
    tcase_add_test(tcase, html_of_a_proxy_is_survived);
    tcase_add_test(tcase, broken_xml_is_survived);
    tcase_add_test(tcase, long_texts_are_cut);
    tcase_add_loop_test(tcase, what_the_store_asks_to_wait_is_read, 0, ARRAY_LENGTH(waits));
    tcase_add_test(tcase, a_container_that_is_being_deleted_takes_30_s);
    tcase_add_loop_test(tcase, delays_double_with_jitter_up_to_a_minute, 0, ARRAY_LENGTH(delays));
    suite_add_tcase(suite, tcase);
    return suite;
}
