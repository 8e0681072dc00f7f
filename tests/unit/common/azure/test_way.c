#include <check.h>

#include "common/azure/account.h"
#include "tests/support/settings.h"

Suite *way_suite(void);

#define KEY "QUJDRA=="
#define URL "BLOB_URL=https://store1.blob.core.windows.net/jobgate"
#define EMULATOR "BLOB_URL=http://127.0.0.1:10000/devstoreaccount1/jobgate"
#define STRING "AZURE_STORAGE_CONNECTION_STRING=AccountName=store1;AccountKey=" KEY
#define SET_KEY "AZURE_STORAGE_KEY=" KEY
#define SET_SAS "AZURE_STORAGE_SAS_TOKEN=sv=1&sig=SECRET"
#define CLIENT "AZURE_CLIENT_ID=c-1"
#define TENANT "AZURE_TENANT_ID=t-1"
#define FILE_SET "AZURE_FEDERATED_TOKEN_FILE=/run/token"
#define AUTH(way) "AZURE_AUTH=" way

static const struct {
    const char *settings[7];
    enum azure_way way;
    const char *explains; /* what the line for the log holds */
} right[] = {
    {{STRING}, AZURE_WAY_KEY, "AZURE_STORAGE_CONNECTION_STRING (AZURE_AUTH=auto chose)"},
    {{STRING, CLIENT, TENANT, FILE_SET}, AZURE_WAY_KEY, "AZURE_STORAGE_CONNECTION_STRING"},
    {{"AZURE_STORAGE_CONNECTION_STRING=AccountName=store1;SharedAccessSignature=sig=a"}, AZURE_WAY_SAS,
        "AZURE_STORAGE_CONNECTION_STRING"},
    {{URL, SET_KEY}, AZURE_WAY_KEY, "its key, AZURE_STORAGE_KEY"},
    {{URL, SET_KEY, CLIENT, TENANT, FILE_SET}, AZURE_WAY_KEY,
        "(AZURE_AUTH=auto chose); not set: AZURE_STORAGE_CONNECTION_STRING"},
    {{URL, SET_SAS}, AZURE_WAY_SAS, "a SAS, AZURE_STORAGE_SAS_TOKEN"},
    {{URL, CLIENT, TENANT, FILE_SET}, AZURE_WAY_WORKLOAD,
        "workload identity (client c-1, tenant t-1, token file /run/token) (AZURE_AUTH=auto chose); not set: "
        "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN"},
    {{URL}, AZURE_WAY_MANAGED,
        "managed identity (the one that the machine has) (AZURE_AUTH=auto chose); not set: "
        "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, "
        "AZURE_FEDERATED_TOKEN_FILE"},
    {{URL, CLIENT}, AZURE_WAY_MANAGED, "managed identity (client c-1)"},
    {{AUTH("connection_string"), STRING}, AZURE_WAY_KEY, "AZURE_STORAGE_CONNECTION_STRING"},
    {{AUTH("shared_key"), URL, SET_KEY, SET_SAS}, AZURE_WAY_KEY, "its key"},
    {{AUTH("sas"), URL, SET_KEY, SET_SAS}, AZURE_WAY_SAS, "a SAS"},
    {{AUTH("workload"), URL, SET_KEY, CLIENT, TENANT, FILE_SET}, AZURE_WAY_WORKLOAD, "workload identity"},
    {{AUTH("managed"), URL, CLIENT, TENANT, FILE_SET}, AZURE_WAY_MANAGED, "managed identity (client c-1)"},
    {{EMULATOR, SET_SAS}, AZURE_WAY_SAS, "a SAS"},
    {{"AZURE_STORAGE_ACCOUNT=store1"}, AZURE_WAY_MANAGED, "managed identity"},
};

START_TEST(the_way_is_chosen)
{
    AUTO_BUF struct buf line = BUF(4096);
    struct azure_account account;
    struct config config;
    struct error e;

    settings_load(&config, right[_i].settings);
    ck_assert_msg(azure_account_from_config(&account, &config, &e), "%s", e.text);
    ck_assert_int_eq(account.way, right[_i].way);
    azure_way_explain(&config, &line);
    ck_assert_msg(strstr(line.data, right[_i].explains) != NULL, "%s", line.data);
    ck_assert_ptr_null(strstr(line.data, KEY));
    ck_assert_ptr_null(strstr(line.data, "SECRET"));
    azure_account_release(&account);
    config_release(&config);
}
END_TEST

static const struct {
    const char *settings[7];
    const char *begins;
    const char *says;
} wrong[] = {
    {{URL, SET_KEY, SET_SAS}, "AZURE_STORAGE_KEY: is set, and AZURE_STORAGE_SAS_TOKEN too", "keep one"},
    {{URL, FILE_SET, TENANT}, "AZURE_CLIENT_ID: is not set",
        "annotate the ServiceAccount azure.workload.identity/client-id: <client id>, then delete the pod"},
    {{URL, FILE_SET, CLIENT}, "AZURE_TENANT_ID: is not set", "then delete the pod"},
    {{AUTH("workload"), URL, CLIENT, TENANT}, "AZURE_FEDERATED_TOKEN_FILE: is not set",
        "label the pod's template azure.workload.identity/use: \"true\", then delete the pod (restarting its "
        "container changes nothing)"},
    {{AUTH("connection_string"), URL}, "AZURE_STORAGE_CONNECTION_STRING: is not set",
        "AZURE_AUTH=connection_string needs it"},
    {{AUTH("shared_key"), URL}, "AZURE_STORAGE_KEY: is not set", "AZURE_AUTH=shared_key needs it"},
    {{AUTH("sas"), URL, SET_KEY}, "AZURE_STORAGE_SAS_TOKEN: is not set", "AZURE_AUTH=sas needs it"},
    {{AUTH("managed"), STRING}, "BLOB_URL: is not set, nor is AZURE_STORAGE_ACCOUNT", "needs one of them"},
    {{EMULATOR}, "AZURE_STORAGE_KEY: is not set", "a token is never sent over plain http"},
    {{AUTH("workload"), EMULATOR, CLIENT, TENANT, FILE_SET}, "AZURE_STORAGE_KEY: is not set",
        "a token is never sent over plain http"},
    {{"AZURE_STORAGE_CONNECTION_STRING=BlobEndpoint=http://azurite:10000/store1;SharedAccessSignature=sig=a"},
        "AZURE_STORAGE_SAS_TOKEN: a SAS is never sent over plain http", "http://azurite:10000/store1"},
    {{"AZURE_STORAGE_CONNECTION_STRING=BlobEndpoint=http://127.0.0.1.evil.example/x;"
      "SharedAccessSignature=sig=a"},
        "AZURE_STORAGE_SAS_TOKEN: a SAS is never sent over plain http", "evil"},
    {{"AZURE_STORAGE_ACCOUNT=Store1"}, "AZURE_STORAGE_ACCOUNT: the account's name", "lower-case"},
};

START_TEST(what_is_missing_is_named)
{
    AUTO_BUF struct buf line = BUF(4096);
    struct azure_account account = {.name = "untouched"};
    struct config config;
    struct error e;

    settings_load(&config, wrong[_i].settings);
    ck_assert(!azure_account_from_config(&account, &config, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_msg(strncmp(e.text, wrong[_i].begins, strlen(wrong[_i].begins)) == 0, "%s", e.text);
    ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s", e.text);
    ck_assert_ptr_null(strstr(e.text, "SECRET"));
    ck_assert_str_eq(account.name, "untouched");
    config_release(&config);
}
END_TEST

/* Without a URL the cloud's suffix makes it. */
START_TEST(another_cloud_has_another_suffix)
{
    struct azure_account account;
    struct config config;
    struct error e;

    settings_load(&config, (const char *const[]){"AZURE_STORAGE_ACCOUNT=store1", "BLOB_CONTAINER=results",
                               "AZURE_STORAGE_SUFFIX=core.chinacloudapi.cn", NULL});
    ck_assert_msg(azure_account_from_config(&account, &config, &e), "%s", e.text);
    ck_assert_str_eq(account.endpoint, "https://store1.blob.core.chinacloudapi.cn");
    ck_assert_str_eq(account.container, "results");
    config_release(&config);
}
END_TEST

static const struct {
    const char *settings[5];
    enum azure_way way;
    const char *says; /* NULL: it is right */
} scopes[] = {
    {{STRING}, AZURE_WAY_MANAGED, NULL},
    {{STRING, FILE_SET, TENANT, CLIENT}, AZURE_WAY_WORKLOAD, NULL},
    {{AUTH("managed"), FILE_SET}, AZURE_WAY_MANAGED, NULL},
    {{AUTH("workload"), FILE_SET, TENANT}, AZURE_WAY_MANAGED, "AZURE_CLIENT_ID: is not set"},
    {{AUTH("shared_key"), SET_KEY}, AZURE_WAY_MANAGED, NULL},
};

/* A key opens the storage account alone. */
START_TEST(other_scopes_take_an_identity)
{
    enum azure_way way = AZURE_WAY_KEY;
    struct config config;
    struct error e = {.text = ""};

    settings_load(&config, scopes[_i].settings);
    ck_assert_int_eq(azure_way_for_scope(&config, &way, &e), !scopes[_i].says);
    if (scopes[_i].says)
        ck_assert_msg(strstr(e.text, scopes[_i].says) != NULL, "%s", e.text);
    else
        ck_assert_int_eq(way, scopes[_i].way);
    config_release(&config);
}
END_TEST

/* A directory needs nobody's leave. */
START_TEST(a_directory_is_not_explained)
{
    AUTO_BUF struct buf line = BUF(4096);
    struct config config;

    settings_load(&config, (const char *const[]){"BLOB_URL=file:///a", NULL});
    azure_way_explain(&config, &line);
    ck_assert_str_eq(line.data, "");
    config_release(&config);
}
END_TEST

Suite *way_suite(void)
{
    Suite *suite = suite_create("way");
    TCase *tcase = tcase_create("way");

    tcase_add_loop_test(tcase, the_way_is_chosen, 0, ARRAY_LENGTH(right));
    tcase_add_loop_test(tcase, what_is_missing_is_named, 0, ARRAY_LENGTH(wrong));
    tcase_add_test(tcase, another_cloud_has_another_suffix);
    tcase_add_loop_test(tcase, other_scopes_take_an_identity, 0, ARRAY_LENGTH(scopes));
    tcase_add_test(tcase, a_directory_is_not_explained);
    suite_add_tcase(suite, tcase);
    return suite;
}
