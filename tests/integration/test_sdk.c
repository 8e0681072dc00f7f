/*
 * Azure's own SDK agrees: @azure/storage-blob reads what jobgate wrote, writes what jobgate reads, follows
 * its links, and signs the same requests and links to the same signature.
 */
#include <check.h>
#include <jansson.h>
#include <openssl/evp.h>

#include "common/azure/account.h"
#include "common/azure/credential.h"
#include "common/azure/sas.h"
#include "common/azure/sign.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/azurite.h"
#include "tests/support/depot.h"
#include "tests/support/http.h"
#include "tests/support/identity_server.h"
#include "tests/support/scene.h"

Suite *sdk_suite(void);

#define NAME "results/ab/default/default.0.X"
#define ACCOUNT "acct"
#define KEY "dGhlIGtleSBvZiBhbiBhY2NvdW50IHRoYXQgaXMgNDggYnl0ZXMgbG9uZywgbm9ib2R5J3M="

enum { SDK_MS = 60000, ARGUMENTS_MAX = 8, LARGE = 2 * BLOB_BLOCK_BYTES + 12345 };

static struct azurite *azurite;
static struct depot *depot;

/* Asks the SDK (json_decref), with more in its environment (NULL behind the last, or NULL). */
static json_t *ask_sdk_with(const char *const *settings, const char *const *arguments)
{
    const char *argv[ARGUMENTS_MAX + 3] = {"node", "tests/sdk/sdk.js"};
    AUTO(free) char *said = NULL;
    struct error e;
    size_t count = 2;
    int status;

    while (*arguments)
        argv[count++] = *arguments++;
    status = process_run(argv, settings, SDK_MS, &said);
    ck_assert_msg(status == 0, "the SDK failed: %s", said);
    AUTO(json) json_t *value = json_parse(said, strlen(said), &e);

    ck_assert_msg(value != NULL, "%s: %s", e.text, said);
    return json_incref(value);
}

static json_t *ask_sdk(const char *const *arguments)
{
    return ask_sdk_with(NULL, arguments);
}

static void open_azurite(void)
{
    azurite = azurite_start();
    depot = depot_open((const char *[]){azurite_setting(azurite), NULL});
}

static void close_azurite(void)
{
    depot = depot_free(depot);
    azurite = azurite_free(azurite);
}

static const struct {
    int64_t length;
    size_t blocks;
} written[] = {{0, 0}, {1024, 0}, {BLOB_BLOCK_BYTES, 0}, {LARGE, 3}};

START_TEST(it_reads_what_was_written)
{
    int64_t total = 0;
    struct depot_end end;

    open_azurite();
    depot_upload(depot, NAME, written[_i].length, "3", &end);
    ck_assert_msg(end.error.code == ERROR_OK, "%s", end.error.text);
    AUTO(json)
    json_t *blob =
        ask_sdk((const char *[]){"read", azurite_connection_string(azurite), "jobgate", NAME, NULL});
    const json_t *blocks = json_at(blob, "/blocks");
    const json_t *block;
    size_t i;

    ck_assert_int_eq(json_int_at(blob, "/length"), written[_i].length);
    ck_assert_str_eq(json_text_at(blob, "/md5"), end.properties.md5);
    ck_assert_str_eq(json_text_at(blob, "/stored_md5"), end.properties.md5);
    ck_assert_str_eq(json_text_at(blob, "/type"), "text/plain");
    ck_assert_str_eq(json_text_at(blob, "/metadata/jobid"), "default.0.X");
    ck_assert_str_eq(json_text_at(blob, "/metadata/attempt"), "3");
    ck_assert_str_eq(json_text_at(blob, "/metadata/owner"), "ann");
    ck_assert_str_eq(json_text_at(blob, "/etag"), end.properties.etag);
    ck_assert_uint_eq(json_array_size(blocks), written[_i].blocks);
    json_array_foreach(blocks, i, block) total += json_integer_value(block);
    ck_assert_int_eq(total, written[_i].blocks ? written[_i].length : 0);
    close_azurite();
}
END_TEST

START_TEST(what_it_writes_is_read)
{
    struct depot_end end;

    open_azurite();
    AUTO(json)
    json_t *blob = ask_sdk(
        (const char *[]){"write", azurite_connection_string(azurite), "jobgate", NAME, "300000", NULL});

    depot_read(depot, NAME, &end);
    ck_assert_msg(end.error.code == ERROR_OK, "%s", end.error.text);
    ck_assert_int_eq(end.length, 300000);
    ck_assert(end.is_right);
    ck_assert_str_eq(end.properties.md5, json_text_at(blob, "/md5"));
    ck_assert_str_eq(end.properties.content_type, "text/plain");
    ck_assert_str_eq(end.properties.owner, "sdk");
    ck_assert_int_eq(end.properties.attempt, 7);
    close_azurite();
}
END_TEST

START_TEST(it_follows_a_link)
{
    struct depot_end end;

    open_azurite();
    depot_upload(depot, NAME, 5000, "1", &end);
    AUTO(free) char *link = depot_link(depot, NAME);
    AUTO(json) json_t *blob = ask_sdk((const char *[]){"follow", link, NULL});

    ck_assert_int_eq(json_int_at(blob, "/length"), 5000);
    ck_assert_str_eq(json_text_at(blob, "/md5"), end.properties.md5);
    close_azurite();
}
END_TEST

/* The whole way of a caller: both programs know themselves by tokens, the link is signed with a key that the
 * account lent, and Azurite accepts it. */
START_TEST(it_follows_a_link_of_an_identity)
{
    struct identity_server *server = identity_server_start();
    const char *settings[] = {"RESULT_DELIVERY=redirect", identity_server_certificate(server)->setting,
        identity_server_authority(server), identity_server_token_file(server),
        "AZURE_TENANT_ID=" IDENTITY_TENANT, "AZURE_CLIENT_ID=" IDENTITY_CLIENT, NULL};
    char certificates[CERTIFICATE_PATH_SIZE + 32];
    AUTO_REPLY struct http_reply reply = {0};
    struct scene s;
    char url[512];

    scene_open(&s);
    s.azurite = azurite_start_tls(identity_server_certificate(server));
    snprintf(s.store, sizeof(s.store), "%s", azurite_container_setting(s.azurite));
    scene_start_api(&s, settings);
    scene_start_worker(&s, settings);
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=cat", "text/plain", "0123456789", 10);

    json_decref(jobgate_wait_for(s.api, id, "succeeded"));
    snprintf(url, sizeof(url), "%s/v1/jobs/%s/result", jobgate_url(s.api), id);
    http_get(url, &reply);
    AUTO(free) char *said = process_output(jobgate_process(s.api));
    ck_assert_msg(reply.status == 302, "%d: %s: %s", reply.status, reply.body.data, said);
    AUTO(free) char *link = http_reply_header(&reply, "Location");

    ck_assert_ptr_nonnull(strstr(link, "&skoid="));
    snprintf(certificates, sizeof(certificates), "NODE_EXTRA_CA_CERTS=%s",
        identity_server_certificate(server)->authority);
    AUTO(json)
    json_t *blob = ask_sdk_with((const char *[]){certificates, NULL}, (const char *[]){"follow", link, NULL});

    ck_assert_int_eq(json_int_at(blob, "/length"), 10);
    ck_assert_str_eq(json_text_at(blob, "/md5"), "eB5eJF1ptWaXm4bijSPyxw==");
    scene_close(&s);
    identity_server_free(server);
}
END_TEST

/* ---- signatures ---- */

static void make_account(struct azure_account *account)
{
    struct error e;

    *account = (struct azure_account){.name = ACCOUNT};
    ck_assert_msg(azure_account_set_key(account, KEY, &e), "%s", e.text);
}

static int64_t header_length(const json_t *headers)
{
    const char *text = json_string_value(json_object_get(headers, "Content-Length"));

    return text ? strtoll(text, NULL, 10) : 0;
}

/* Signs what the SDK would have sent, and compares. */
static void compare_signature(const json_t *request, const struct azure_account *account)
{
    AUTO_BUF struct buf lines = BUF(65536);
    AUTO_BUF struct buf signature = BUF(1024);
    const char *url = json_text_at(request, "/url");
    const char *path = strchr(url + strlen("https://"), '/');
    const char *query = strchr(path, '?');
    const char *headers[SIGN_HEADERS_MAX];
    size_t offsets[SIGN_HEADERS_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;
    char *only_path = mem_dup(path, strlen(path) + 1);
    struct error e;

    only_path[strcspn(only_path, "?")] = '\0';
    json_object_foreach((json_t *)json_at(request, "/headers"), name, value)
    {
        if (strcasecmp(name, "authorization") == 0 || strcasecmp(name, "content-length") == 0)
            continue;
        offsets[count++] = lines.length;
        buf_printf(&lines, "%s: %s", name, json_string_value(value));
        buf_append_char(&lines, '\0');
    }
    for (size_t i = 0; i < count; i++)
        headers[i] = lines.data + offsets[i];
    ck_assert_msg(sign_append_authorization(&(struct sign_request){json_text_at(request, "/method"),
                                                only_path, query ? query + 1 : "", headers, count,
                                                (size_t)header_length(json_at(request, "/headers"))},
                      account, &signature, &e),
        "%s", e.text);
    ck_assert_msg(strcmp(signature.data + strlen("Authorization: "),
                      json_text_at(request, "/headers/Authorization")) == 0,
        "%s %s: %s, and the SDK has %s", json_text_at(request, "/method"), url, signature.data,
        json_text_at(request, "/headers/Authorization"));
    free(only_path);
}

START_TEST(requests_are_signed_alike)
{
    struct azure_account account;
    const json_t *request;
    size_t i;

    make_account(&account);
    AUTO(json) json_t *requests = ask_sdk((const char *[]){"sign", ACCOUNT, KEY, NULL});

    ck_assert_uint_eq(json_array_size(requests), 10);
    json_array_foreach(requests, i, request) compare_signature(request, &account);
    azure_account_release(&account);
}
END_TEST

#define START "2026-11-21T03:19:22Z"
#define EXPIRY "2026-11-21T03:39:22Z"
#define KEY_START "2026-11-21T03:00:00Z"
#define KEY_EXPIRY "2026-11-22T03:00:00Z"
#define VALUE "YSBkZWxlZ2F0aW9uIGtleSBvZiAzMiBieXRlcyAuLi4="

/* The value of a parameter (free()). */
static char *parameter(const char *query, const char *name)
{
    char form[32];
    const char *at;

    snprintf(form, sizeof(form), "&%s=", name);
    at = strncmp(query, form + 1, strlen(form) - 1) == 0 ? query : strstr(query, form);
    ck_assert_msg(at != NULL, "no %s in %s", name, query);
    at = strchr(at, '=') + 1;
    return strndup(at, strcspn(at, "&"));
}

/* The order of parameters is free. */
static void assert_same_query(const char *ours, const char *theirs)
{
    static const char *const names[] = {"sv", "sr", "sp", "st", "se", "spr", "sig"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        AUTO(free) char *left = parameter(ours, names[i]);
        AUTO(free) char *right = parameter(theirs, names[i]);

        ck_assert_msg(strcmp(left, right) == 0, "%s: %s, and the SDK has %s", names[i], left, right);
    }
    ck_assert_uint_eq(strlen(ours), strlen(theirs));
}

START_TEST(links_are_signed_alike)
{
    static const char xml[] =
        "<UserDelegationKey><SignedOid>11111111-2222</SignedOid><SignedTid>33333333-4444</SignedTid>"
        "<SignedStart>" KEY_START "</SignedStart><SignedExpiry>" KEY_EXPIRY "</SignedExpiry>"
        "<SignedService>b</SignedService><SignedVersion>2025-11-05</SignedVersion><Value>" VALUE
        "</Value></UserDelegationKey>";
    static const char lent[] =
        "{\"signedObjectId\":\"11111111-2222\",\"signedTenantId\":\"33333333-4444\",\"signedStartsOn\":"
        "\"" KEY_START "\",\"signedExpiresOn\":\"" KEY_EXPIRY
        "\",\"signedService\":\"b\",\"signedVersion\":\"2025-11-05\",\"value\":\"" VALUE "\"}";
    struct sas_grant grant = {ACCOUNT, "jobgate", NAME, START, EXPIRY, true};
    AUTO_BUF struct buf query = BUF(4096);
    AUTO_BUF struct buf text = BUF(4096);
    char signature[CREDENTIAL_SIGNATURE_SIZE];
    struct sas_key key;
    struct error e;

    AUTO(json) json_t *queries = ask_sdk((const char *[]){"sas", ACCOUNT, KEY, lent, START, EXPIRY, NULL});

    ck_assert_msg(sas_key_parse(&key, xml, strlen(xml), &e), "%s", e.text);
    sas_append_string(&grant, &key, &text);
    ck_assert(sas_sign(&key, text.data, signature, &e));
    sas_append_query(&grant, &key, signature, &query);
    assert_same_query(query.data, json_text_at(queries, "/delegation"));
    buf_reset(&query);
    buf_reset(&text);
    sas_append_string(&grant, NULL, &text);
    key.value_length = (size_t)EVP_DecodeBlock(key.value, (const unsigned char *)KEY, (int)strlen(KEY)) - 1;
    ck_assert(sas_sign(&key, text.data, signature, &e));
    sas_append_query(&grant, NULL, signature, &query);
    assert_same_query(query.data, json_text_at(queries, "/service"));
}
END_TEST

Suite *sdk_suite(void)
{
    Suite *suite = suite_create("sdk");
    TCase *tcase = tcase_create("sdk");

    tcase_set_timeout(tcase, 180);
    tcase_add_loop_test(tcase, it_reads_what_was_written, 0, ARRAY_LENGTH(written));
    tcase_add_test(tcase, what_it_writes_is_read);
    tcase_add_test(tcase, it_follows_a_link);
    tcase_add_test(tcase, it_follows_a_link_of_an_identity);
    tcase_add_test(tcase, requests_are_signed_alike);
    tcase_add_test(tcase, links_are_signed_alike);
    suite_add_tcase(suite, tcase);
    return suite;
}
