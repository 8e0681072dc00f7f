#include "tests/support/azurite.h"
#include "common/base/mem.h"
#include "tests/support/certificate.h"

#include <check.h>
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>

enum { START_MS = 30000, STOP_MS = 10000 };

static const char program[] = "tests/node_modules/.bin/azurite-blob";

/* The account that every Azurite has. Source: Azurite's README, "Default Storage Account". */
#define ACCOUNT "devstoreaccount1"
#define ACCOUNT_KEY "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

struct azurite {
    struct process *process; /* NULL while it is down */
    int port;
    const struct certificate *certificate; /* NULL: plain http */
    char url[64];
    char setting[512];
    char container_setting[128];
};

static void run_azurite(struct azurite *a)
{
    char port[8];
    const char *argv[32] = {"node", program, "--silent", "--inMemoryPersistence", "--disableTelemetry",
        "--blobHost", "127.0.0.1", "--blobPort", port};
    const char *tls[] = {"--oauth", "basic", "--cert", NULL, "--key", NULL};
    AUTO(free) char *line = NULL;
    const char *number;

    snprintf(port, sizeof(port), "%d", a->port);
    if (a->certificate) {
        tls[3] = a->certificate->certificate;
        tls[5] = a->certificate->key;
        memcpy(argv + 9, tls, sizeof(tls));
    }
    a->process = process_start(argv, NULL);
    line = process_find_line(a->process, "successfully listen", START_MS);
    if (!line) {
        AUTO(free) char *said = process_output(a->process);

        ck_abort_msg("Azurite does not listen; it said:\n%s", said);
    }
    number = strrchr(line, ':');
    ck_assert_msg(number != NULL, "Azurite names no port: %s", line);
    a->port = (int)strtol(number + 1, NULL, 10);
    ck_assert_int_gt(a->port, 0);
}

struct azurite *azurite_start_tls(const struct certificate *certificate)
{
    struct azurite *a = mem_zalloc(sizeof(*a));

    a->certificate = certificate;
    run_azurite(a);
    snprintf(a->url, sizeof(a->url), "http%s://127.0.0.1:%d/" ACCOUNT, certificate ? "s" : "", a->port);
    snprintf(a->setting, sizeof(a->setting),
        "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=http;AccountName=" ACCOUNT
        ";AccountKey=" ACCOUNT_KEY ";BlobEndpoint=%s;",
        a->url);
    snprintf(a->container_setting, sizeof(a->container_setting), "BLOB_URL=%s/jobgate", a->url);
    return a;
}

struct azurite *azurite_start(void)
{
    return azurite_start_tls(NULL);
}

const char azurite_key[] = ACCOUNT_KEY;

const char *azurite_container_setting(const struct azurite *a)
{
    return a->container_setting;
}

struct azurite *azurite_free(struct azurite *a)
{
    if (!a)
        return NULL;
    process_free(a->process);
    free(a);
    return NULL;
}

int azurite_port(const struct azurite *a)
{
    return a->port;
}

const char *azurite_url(const struct azurite *a)
{
    return a->url;
}

const char *azurite_setting(const struct azurite *a)
{
    return a->setting;
}

const char *azurite_connection_string(const struct azurite *a)
{
    return a->setting + strlen("AZURE_STORAGE_CONNECTION_STRING=");
}

/* The account's key, decoded; EVP_DecodeBlock counts the padding as bytes. */
static int decode_key(unsigned char key[128])
{
    static const char text[] = ACCOUNT_KEY;

    return EVP_DecodeBlock(key, (const unsigned char *)text, (int)strlen(text)) - 2;
}

/* Appends the query of a SAS that allows everything for ever. Source: Azure Storage REST, "Create an account
 * SAS". */
void azurite_append_sas(struct buf *url)
{
    static const char fields[] = ACCOUNT "\nrwdlac\nb\nsco\n\n2099-01-01T00:00:00Z\n\n\n2019-12-12\n";
    unsigned char key[128];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    char base64[2 * EVP_MAX_MD_SIZE];
    char *escaped;

    HMAC(EVP_sha256(), key, decode_key(key), (const unsigned char *)fields, strlen(fields), digest,
        &digest_length);
    EVP_EncodeBlock((unsigned char *)base64, digest, (int)digest_length);
    escaped = curl_easy_escape(NULL, base64, 0);
    buf_printf(url, "sv=2019-12-12&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=%s", escaped);
    curl_free(escaped);
}

void azurite_get(const struct azurite *a, const char *path, const char *query, struct http_reply *reply)
{
    AUTO_BUF struct buf url = BUF(4096);

    buf_printf(&url, "%s/%s?%s%s", a->url, path, query, *query ? "&" : "");
    azurite_append_sas(&url);
    http_get(url.data, reply);
}

void azurite_put(
    const struct azurite *a, const char *path, const void *data, size_t length, struct http_reply *reply)
{
    static const char *const headers[] = {
        "x-ms-blob-type: BlockBlob", "x-ms-blob-content-type: text/plain", NULL};
    AUTO_BUF struct buf url = BUF(4096);

    buf_printf(&url, "%s/%s?", a->url, path);
    azurite_append_sas(&url);
    http_ask(
        &(struct http_ask){
            .method = "PUT", .url = url.data, .headers = headers, .body = data, .body_length = length},
        reply);
}

void azurite_kill(struct azurite *a)
{
    a->process = process_free(a->process);
}

void azurite_restart(struct azurite *a)
{
    run_azurite(a);
}

void azurite_pause(struct azurite *a)
{
    process_signal(a->process, SIGSTOP);
}

void azurite_resume(struct azurite *a)
{
    process_signal(a->process, SIGCONT);
}
