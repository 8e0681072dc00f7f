#include <check.h>

#include "common/azure/sas.h"

Suite *sas_suite(void);

static const struct sas_grant grant = {.account = "acct",
    .container = "c",
    .blob = "results/ab/q/x",
    .start = "2026-11-21T03:19:22Z",
    .expiry = "2026-11-21T03:39:22Z",
    .is_https_only = true};

#define KEY_XML(value)                                                                                       \
    "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey><SignedOid>o-1</SignedOid>"    \
    "<SignedTid>t-1</SignedTid><SignedStart>2026-11-21T03:00:00Z</SignedStart>"                              \
    "<SignedExpiry>2026-11-22T03:00:00Z</SignedExpiry><SignedService>b</SignedService>"                      \
    "<SignedVersion>2025-11-05</SignedVersion><Value>" value "</Value></UserDelegationKey>"

/* printf 'a delegation key of 32 bytes ...' | base64 */
#define VALUE "YSBkZWxlZ2F0aW9uIGtleSBvZiAzMiBieXRlcyAuLi4="

START_TEST(times_have_no_fraction)
{
    char text[SAS_TIME_SIZE];

    sas_time(INT64_C(1795232062987), text);
    ck_assert_str_eq(text, "2026-11-21T03:34:22Z");
}
END_TEST

START_TEST(a_service_sas_has_its_lines)
{
    AUTO_BUF struct buf text = BUF(1024);
    AUTO_BUF struct buf query = BUF(1024);

    sas_append_string(&grant, NULL, &text);
    ck_assert_str_eq(text.data,
        "r\n2026-11-21T03:19:22Z\n2026-11-21T03:39:22Z\n/blob/acct/c/results/ab/q/x\n\n\nhttps\n"
        "2025-11-05\nb\n\n\n\n\n\n\n");
    sas_append_query(&grant, NULL, "a+/=", &query);
    ck_assert_str_eq(query.data,
        "sv=2025-11-05&sr=b&sp=r&st=2026-11-21T03%3A19%3A22Z&se=2026-11-21T03%3A39%3A22Z&spr=https&"
        "sig=a%2B%2F%3D");
}
END_TEST

/* The signature was made with openssl: printf '<the lines>' | openssl dgst -sha256 -mac HMAC -macopt
 * key:'a delegation key of 32 bytes ...' -binary | base64 */
START_TEST(a_user_delegation_sas_has_its_lines)
{
    static const char xml[] = KEY_XML(VALUE);
    AUTO_BUF struct buf text = BUF(1024);
    AUTO_BUF struct buf query = BUF(1024);
    char signature[SAS_SIGNATURE_SIZE];
    struct sas_key key;
    struct error e;

    ck_assert_msg(sas_key_parse(&key, xml, strlen(xml), &e), "%s", e.text);
    ck_assert_uint_eq(key.value_length, 32);
    sas_append_string(&grant, &key, &text);
    ck_assert_str_eq(text.data,
        "r\n2026-11-21T03:19:22Z\n2026-11-21T03:39:22Z\n/blob/acct/c/results/ab/q/x\no-1\nt-1\n"
        "2026-11-21T03:00:00Z\n2026-11-22T03:00:00Z\nb\n2025-11-05\n\n\n\n\n\n\nhttps\n2025-11-05\nb\n"
        "\n\n\n\n\n\n");
    ck_assert(sas_sign(&key, text.data, signature, &e));
    ck_assert_str_eq(signature, "pi86MC+HajqwEJSuZYZALlrdzSrtqN8lNWZIylievPY=");
    sas_append_query(&grant, &key, "x", &query);
    ck_assert_ptr_nonnull(strstr(query.data,
        "&skoid=o-1&sktid=t-1&skt=2026-11-21T03%3A00%3A00Z&ske=2026-11-22T03%3A00%3A00Z&sks=b&skv=2025-11-05&"
        "sig=x"));
    sas_key_release(&key);
    ck_assert_uint_eq(key.value_length, 0);
}
END_TEST

static const char *const wrong[] = {
    "",
    "<html></html>",
    "<UserDelegationKey></UserDelegationKey>",
    KEY_XML(""),
    KEY_XML("!!!!"),
    KEY_XML("YQ"),
    "<UserDelegationKey><SignedOid>o</SignedOid>",
    "<!DOCTYPE x [<!ENTITY a \"b\">]>" KEY_XML(VALUE),
    "<UserDelegationKey><SignedOid>a\nb</SignedOid><SignedTid>t</SignedTid><SignedStart>s</SignedStart>"
    "<SignedExpiry>e</SignedExpiry><SignedService>b</SignedService><SignedVersion>v</SignedVersion>"
    "<Value>" VALUE "</Value></UserDelegationKey>",
};

START_TEST(what_is_no_key_is_refused)
{
    struct sas_key key;
    struct error e;

    ck_assert_msg(!sas_key_parse(&key, wrong[_i], strlen(wrong[_i]), &e), "%d", _i);
    ck_assert_int_eq(e.code, ERROR_STORE_REFUSED);
    ck_assert_uint_eq(key.value_length, 0);
}
END_TEST

Suite *sas_suite(void)
{
    Suite *suite = suite_create("sas");
    TCase *tcase = tcase_create("sas");

    tcase_add_test(tcase, times_have_no_fraction);
    tcase_add_test(tcase, a_service_sas_has_its_lines);
    tcase_add_test(tcase, a_user_delegation_sas_has_its_lines);
    tcase_add_loop_test(tcase, what_is_no_key_is_refused, 0, ARRAY_LENGTH(wrong));
    suite_add_tcase(suite, tcase);
    return suite;
}
