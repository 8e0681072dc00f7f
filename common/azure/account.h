/*
 * account: which storage account and container are meant, and the key that opens them: from a connection
 * string, or from the URL of a container and a key. Source: Azure Storage, "Configure connection strings";
 * for names, "Naming and referencing containers, blobs, and metadata".
 */
#ifndef JOBGATE_AZURE_ACCOUNT_H
#define JOBGATE_AZURE_ACCOUNT_H

#include "common/base/base.h"
#include "common/base/error.h"

enum {
    ACCOUNT_NAME_SIZE = 25,
    ACCOUNT_ENDPOINT_SIZE = 256,
    ACCOUNT_CONTAINER_SIZE = 64,
    ACCOUNT_KEY_MAX = 128
};

/* Plain data, but for the key: released (wiped) by azure_account_release. */
struct azure_account {
    char name[ACCOUNT_NAME_SIZE];
    char endpoint[ACCOUNT_ENDPOINT_SIZE]; /* "https://name.blob.core.windows.net",
                                             "http://127.0.0.1:10000/name": no '/' behind */
    char container[ACCOUNT_CONTAINER_SIZE];
    uint8_t key[ACCOUNT_KEY_MAX]; /* decoded */
    size_t key_length;
};

/* Fills out from a connection string as Azure's portal gives it (DefaultEndpointsProtocol, AccountName,
 * AccountKey, EndpointSuffix, BlobEndpoint, or UseDevelopmentStorage=true for the emulator) and the
 * container's name. Fails: INVALID, naming the setting, what is wrong and what would be right; never quoting
 * a value that may be secret. */
bool azure_account_from_connection_string(
    struct azure_account *out, const char *text, const char *container, struct error *e) MUST_CHECK;

/* Fills out from BLOB_URL (https://<account>.blob.core.windows.net/<container>, or on this host
 * http://127.0.0.1:<port>/<account>/<container>) and the account's key in base64. Fails as above. */
bool azure_account_from_url(
    struct azure_account *out, const char *url, const char *key, struct error *e) MUST_CHECK;

/* The path of the endpoint: "" or "/name". Borrowed from a. */
const char *azure_account_path(const struct azure_account *a);

void azure_account_release(struct azure_account *a);

#endif
