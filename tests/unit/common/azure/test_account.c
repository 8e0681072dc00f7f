#include <check.h>

#include "common/azure/account.h"

Suite *account_suite(void);

#define KEY "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

static const struct {
    const char *text;
    const char *name;
    const char *endpoint;
    const char *path;
} strings[] = {
    {"DefaultEndpointsProtocol=https;AccountName=store1;AccountKey=" KEY ";EndpointSuffix=core.windows.net",
        "store1", "https://store1.blob.core.windows.net", ""},
    {"AccountName=store1;AccountKey=" KEY, "store1", "https://store1.blob.core.windows.net", ""},
    {"accountkey=" KEY ";;accountname=store1;", "store1", "https://store1.blob.core.windows.net", ""},
    {"DefaultEndpointsProtocol=http;AccountName=store1;AccountKey=" KEY
     ";EndpointSuffix=core.chinacloudapi.cn",
        "store1", "http://store1.blob.core.chinacloudapi.cn", ""},
    {"AccountName=devstoreaccount1;AccountKey=" KEY ";BlobEndpoint=http://azurite:10000/devstoreaccount1/;"
     "QueueEndpoint=http://azurite:10001/devstoreaccount1",
        "devstoreaccount1", "http://azurite:10000/devstoreaccount1", "/devstoreaccount1"},
    {"UseDevelopmentStorage=true", "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1",
        "/devstoreaccount1"},
    {"UseDevelopmentStorage=True;", "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1",
        "/devstoreaccount1"},
};

START_TEST(connection_strings_are_read)
{
    struct azure_account a;
    struct error e;

    ck_assert_msg(azure_account_from_connection_string(&a, strings[_i].text, "jobgate", &e), "%s", e.text);
    ck_assert_str_eq(a.name, strings[_i].name);
    ck_assert_str_eq(a.endpoint, strings[_i].endpoint);
    ck_assert_str_eq(azure_account_path(&a), strings[_i].path);
    ck_assert_str_eq(a.container, "jobgate");
    ck_assert_uint_eq(a.key_length, 64);
    ck_assert_uint_eq(a.key[0], 0x11);
    ck_assert_uint_eq(a.key[63], 0x1b);
    azure_account_release(&a);
}
END_TEST

static const struct {
    const char *text;
    const char *container;
    const char *says; /* what the error's text holds */
} wrong_strings[] = {
    {"", "jobgate", "has no AccountName"},
    {"AccountName=store1", "jobgate", "has no AccountKey"},
    {"AccountKey=" KEY, "jobgate", "has no AccountName"},
    {"AccountName=store1;AccountKey=", "jobgate", "not base64"},
    {"AccountName=store1;AccountKey=SECRET", "jobgate", "not base64"},
    {"AccountName=store1;AccountKey=SECRET==SECRET==", "jobgate", "not base64"},
    {"AccountName=store1;AccountKey= SECRETSECRET", "jobgate", "not base64"},
    {"AccountName=Store1;AccountKey=" KEY, "jobgate", "lower-case"},
    {"AccountName=st;AccountKey=" KEY, "jobgate", "3 to 24"},
    {"AccountName=store1;AccountKey=" KEY ";SECRETSECRET", "jobgate", "piece 3 is none of"},
    {"AccountName=store1;AccountKey=" KEY ";Colour=SECRET", "jobgate", "piece 3 is none of"},
    {"AccountName=store1;AccountKey=" KEY ";AccountKey=" KEY, "jobgate", "piece 3 repeats"},
    {"AccountName;AccountKey=" KEY, "jobgate", "piece 1 has no '='"},
    {"SharedAccessSignature=sv=SECRET&sig=SECRET", "jobgate", "has no BlobEndpoint and no AccountName"},
    {"BlobEndpoint=https://store1.blob.core.windows.net;SharedAccessSignature=sv=SECRET", "jobgate",
        "no signature"},
    {"BlobEndpoint=https://store1.blob.core.windows.net;SharedAccessSignature=sv=SECRET sig", "jobgate",
        "holds what no query may"},
    {"AccountName=store1;AccountKey=" KEY ";SharedAccessSignature=sv=SECRET&sig=SECRET", "jobgate",
        "has an AccountKey and a SharedAccessSignature: keep one"},
    {"UseDevelopmentStorage=false", "jobgate", "can only be true"},
    {"UseDevelopmentStorage=true;AccountName=store1", "jobgate", "stands alone"},
    {"AccountName=store1;AccountKey=" KEY ";DefaultEndpointsProtocol=ftp", "jobgate",
        "neither https nor http"},
    {"AccountName=store1;AccountKey=" KEY ";BlobEndpoint=store1.example", "jobgate",
        "not an http or https URL"},
    {"AccountName=store1;AccountKey=" KEY ";BlobEndpoint=https://u:SECRET@store1.example", "jobgate",
        "user name"},
    {"AccountName=store1;AccountKey=" KEY ";BlobEndpoint=https://store1.example/?sig=SECRET", "jobgate",
        "a SAS has a setting of its own"},
    {"AccountName=store1;AccountKey=" KEY, "jo", "BLOB_CONTAINER"},
    {"AccountName=store1;AccountKey=" KEY, "Job", "3 to 63 lower-case"},
    {"AccountName=store1;AccountKey=" KEY, "job--gate", "3 to 63 lower-case"},
    {"AccountName=store1;AccountKey=" KEY, "jobgate-", "3 to 63 lower-case"},
};

/* The error names the setting, and never what may be secret. */
START_TEST(wrong_connection_strings_are_refused)
{
    struct azure_account a = {.name = "untouched"};
    struct error e;

    ck_assert(
        !azure_account_from_connection_string(&a, wrong_strings[_i].text, wrong_strings[_i].container, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_msg(strstr(e.text, wrong_strings[_i].says) != NULL, "%s", e.text);
    ck_assert(strncmp(e.text, "AZURE_STORAGE_CONNECTION_STRING: ", 33) == 0 ||
              strncmp(e.text, "BLOB_CONTAINER: ", 16) == 0);
    ck_assert_ptr_null(strstr(e.text, "SECRET"));
    ck_assert_ptr_null(strstr(e.text, "Eby8"));
    ck_assert_str_eq(a.name, "untouched");
}
END_TEST

static const struct {
    const char *text;
    const char *name;
    const char *endpoint;
    const char *sas;
} shared[] = {
    {"BlobEndpoint=https://store1.blob.core.windows.net/;QueueEndpoint=https://store1.queue.core.windows.net/"
     ";"
     "SharedAccessSignature=sv=2022-11-02&ss=b&sig=a%2Bb%3D",
        "store1", "https://store1.blob.core.windows.net", "sv=2022-11-02&ss=b&sig=a%2Bb%3D"},
    {"SharedAccessSignature=?sig=a;AccountName=store1", "store1", "https://store1.blob.core.windows.net",
        "sig=a"},
    {"SharedAccessSignature=sv=1&sig=a;BlobEndpoint=https://results.example.org", "",
        "https://results.example.org", "sv=1&sig=a"},
};

START_TEST(connection_strings_with_a_sas_are_read)
{
    struct azure_account a;
    struct error e;

    ck_assert_msg(azure_account_from_connection_string(&a, shared[_i].text, "jobgate", &e), "%s", e.text);
    ck_assert_int_eq(a.way, AZURE_WAY_SAS);
    ck_assert_str_eq(a.name, shared[_i].name);
    ck_assert_str_eq(a.endpoint, shared[_i].endpoint);
    ck_assert_str_eq(a.sas, shared[_i].sas);
    ck_assert_uint_eq(a.key_length, 0);
    azure_account_release(&a);
    ck_assert_str_eq(a.sas, "");
}
END_TEST

static const struct {
    const char *url;
    const char *name;
    const char *endpoint;
    const char *container;
} urls[] = {
    {"https://store1.blob.core.windows.net/jobgate", "store1", "https://store1.blob.core.windows.net",
        "jobgate"},
    {"https://store1.blob.core.windows.net/jobgate/", "store1", "https://store1.blob.core.windows.net",
        "jobgate"},
    {"https://store1.z42.blob.storage.azure.net/j-1", "store1", "https://store1.z42.blob.storage.azure.net",
        "j-1"},
    {"http://127.0.0.1:10000/devstoreaccount1/jobgate", "devstoreaccount1",
        "http://127.0.0.1:10000/devstoreaccount1", "jobgate"},
    {"http://localhost/devstoreaccount1/jobgate", "devstoreaccount1", "http://localhost/devstoreaccount1",
        "jobgate"},
    {"https://[::1]:443/devstoreaccount1/jobgate", "devstoreaccount1", "https://[::1]:443/devstoreaccount1",
        "jobgate"},
};

START_TEST(urls_are_read)
{
    struct azure_account a;
    struct error e;

    ck_assert_msg(azure_account_from_url(&a, urls[_i].url, "", &e), "%s", e.text);
    ck_assert_str_eq(a.name, urls[_i].name);
    ck_assert_str_eq(a.endpoint, urls[_i].endpoint);
    ck_assert_str_eq(a.container, urls[_i].container);
    ck_assert_msg(azure_account_set_key(&a, KEY, &e), "%s", e.text);
    ck_assert_uint_eq(a.key_length, 64);
    azure_account_release(&a);
    ck_assert_uint_eq(a.key_length, 0);
    ck_assert_uint_eq(a.key[0], 0);
}
END_TEST

/* A domain of one's own does not tell the account; a private endpoint's name does. */
START_TEST(the_name_may_come_from_a_setting)
{
    struct azure_account a;
    struct error e;

    ck_assert_msg(azure_account_from_url(&a, "https://results.example.org/jobs", "store1", &e), "%s", e.text);
    ck_assert_str_eq(a.name, "store1");
    ck_assert_str_eq(a.endpoint, "https://results.example.org");
    ck_assert(azure_account_from_url(&a, "https://store2.privatelink.blob.core.windows.net/jobs", "", &e));
    ck_assert_str_eq(a.name, "store2");
    ck_assert(!azure_account_from_url(&a, "https://results.example.org/jobs", "Store1", &e));
    ck_assert_msg(strncmp(e.text, "AZURE_STORAGE_ACCOUNT: ", 23) == 0, "%s", e.text);
}
END_TEST

static const char *const wrong_urls[][2] = {
    {"s3://bucket/x", "not an http or https URL"},
    {"https:///x", "not an http or https URL"},
    {"http://store1.blob.core.windows.net/jobgate", "for Azure say https"},
    {"https://example.org/jobgate", "is not <account>.blob.core.windows.net"},
    {"https://store1.blob.core.windows.net", "names no container"},
    {"https://store1.blob.core.windows.net/", "names no container"},
    {"https://store1.blob.core.windows.net/jobgate/results", "3 to 63 lower-case"},
    {"https://store1.blob.core.windows.net/jobgate?sv=1&sig=SECRET", "a SAS has a setting of its own"},
    {"https://store1.blob.core.windows.net/jobgate#x", "fragment"},
    {"https://SECRET@store1.blob.core.windows.net/jobgate", "AZURE_STORAGE_KEY"},
    {"http://127.0.0.1:10000/jobgate", "http://127.0.0.1:10000/<account>/<container>"},
    {"http://127.0.0.1:10000", "names no container"},
};

START_TEST(wrong_urls_are_refused)
{
    struct azure_account a;
    struct error e;

    ck_assert(!azure_account_from_url(&a, wrong_urls[_i][0], "", &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_msg(strstr(e.text, wrong_urls[_i][1]) != NULL, "%s", e.text);
    ck_assert_ptr_null(strstr(e.text, "SECRET"));
}
END_TEST

/* The largest key that fits, and one that does not; the same of a SAS. */
START_TEST(the_length_of_a_secret_is_bounded)
{
    char text[ACCOUNT_SAS_SIZE + 1] = "";
    struct azure_account a = {.name = "x"};
    struct error e;

    ck_assert(!azure_account_set_key(&a, "SECRET", &e));
    ck_assert_msg(strstr(e.text, "AZURE_STORAGE_KEY: the account's key is not base64"), "%s", e.text);
    memset(text, 'A', 172);
    text[170] = text[171] = '='; /* 127 bytes */
    ck_assert(azure_account_set_key(&a, text, &e));
    ck_assert_uint_eq(a.key_length, 127);
    memset(text, 'A', 176);
    ck_assert(!azure_account_set_key(&a, text, &e));
    ck_assert_int_eq(a.way, AZURE_WAY_KEY);
    memset(text, 'a', sizeof(text) - 1);
    for (size_t i = 0; i < 5; i++)
        text[i] = "?sig="[i];
    ck_assert(azure_account_set_sas(&a, text, &e));
    text[0] = '&';
    ck_assert(!azure_account_set_sas(&a, text, &e));
    ck_assert_msg(strstr(e.text, "longer than 2047 bytes"), "%s", e.text);
    azure_account_release(&a);
}
END_TEST

Suite *account_suite(void)
{
    Suite *suite = suite_create("account");
    TCase *tcase = tcase_create("account");

    tcase_add_loop_test(tcase, connection_strings_are_read, 0, ARRAY_LENGTH(strings));
    tcase_add_loop_test(tcase, connection_strings_with_a_sas_are_read, 0, ARRAY_LENGTH(shared));
    tcase_add_loop_test(tcase, wrong_connection_strings_are_refused, 0, ARRAY_LENGTH(wrong_strings));
    tcase_add_loop_test(tcase, urls_are_read, 0, ARRAY_LENGTH(urls));
    tcase_add_test(tcase, the_name_may_come_from_a_setting);
    tcase_add_loop_test(tcase, wrong_urls_are_refused, 0, ARRAY_LENGTH(wrong_urls));
    tcase_add_test(tcase, the_length_of_a_secret_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
