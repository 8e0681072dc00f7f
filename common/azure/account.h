/*
 * account: which storage account and container are meant, and what opens them: a key, a SAS, or an identity
 * of this process. Source: Azure Storage, "Configure connection strings"; for names, "Naming and referencing
 * containers, blobs, and metadata".
 */
#ifndef JOBGATE_AZURE_ACCOUNT_H
#define JOBGATE_AZURE_ACCOUNT_H

#include "common/azure/way.h"
#include "common/base/base.h"
#include "common/base/config.h"
#include "common/base/error.h"

enum {
    ACCOUNT_NAME_SIZE = 25,
    ACCOUNT_ENDPOINT_SIZE = 256,
    ACCOUNT_CONTAINER_SIZE = 64,
    ACCOUNT_KEY_MAX = 128,
    ACCOUNT_SAS_SIZE = 2048
};

/* Plain data, but for key and SAS: released (wiped) by azure_account_release. */
struct azure_account {
    char name[ACCOUNT_NAME_SIZE];         /* "" of a SAS for an endpoint that does not tell */
    char endpoint[ACCOUNT_ENDPOINT_SIZE]; /* "https://name.blob.core.windows.net",
                                             "http://127.0.0.1:10000/name": no '/' behind */
    char container[ACCOUNT_CONTAINER_SIZE];
    enum azure_way way;
    uint8_t key[ACCOUNT_KEY_MAX]; /* decoded */
    size_t key_length;            /* 0 unless way is KEY */
    char sas[ACCOUNT_SAS_SIZE];   /* a query, without '?'; "" unless way is SAS */
};

/* Fills out from the settings: a connection string, or BLOB_URL (or AZURE_STORAGE_ACCOUNT and the suffix of
 * the cloud) and what AZURE_AUTH chooses. Not for a BLOB_URL of a directory. Fails: INVALID, naming the
 * setting, what is wrong and what would be right; never quoting a value that may be secret. */
bool azure_account_from_config(
    struct azure_account *out, const struct config *config, struct error *e) MUST_CHECK;

/* The setting that holds the key or SAS of an account from these settings: "AZURE_STORAGE_KEY", …. Not for an
 * identity. */
const char *azure_account_setting(const struct config *config);

/* Fills out from a connection string as Azure's portal gives it (DefaultEndpointsProtocol, AccountName,
 * AccountKey, EndpointSuffix, BlobEndpoint, SharedAccessSignature, or UseDevelopmentStorage=true for the
 * emulator) and the container's name. Fails as above. */
bool azure_account_from_connection_string(
    struct azure_account *out, const char *text, const char *container, struct error *e) MUST_CHECK;

/* Fills out, but for what opens it, from a BLOB_URL (https://<account>.blob.core.windows.net/<container>, or
 * on this host http://127.0.0.1:<port>/<account>/<container>). name is that of the account where the host
 * does not tell it (a domain of one's own), or "". Fails as above. */
bool azure_account_from_url(
    struct azure_account *out, const char *url, const char *name, struct error *e) MUST_CHECK;

/* Sets way and what opens the account: a key in base64 (AZURE_STORAGE_KEY), a SAS with or without '?' in
 * front (AZURE_STORAGE_SAS_TOKEN). Fails as above; a is then as it was. */
bool azure_account_set_key(struct azure_account *a, const char *text, struct error *e) MUST_CHECK;
bool azure_account_set_sas(struct azure_account *a, const char *text, struct error *e) MUST_CHECK;

/* The path of the endpoint: "" or "/name". Borrowed from a. */
const char *azure_account_path(const struct azure_account *a);

void azure_account_release(struct azure_account *a);

#endif
