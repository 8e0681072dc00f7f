/*
 * azurite: a private Azurite (blob service only, in memory) for one test. tests/setup.sh installs it.
 */
#ifndef JOBGATE_TESTS_AZURITE_H
#define JOBGATE_TESTS_AZURITE_H

#include "common/base/buf.h"
#include "tests/support/http.h"
#include "tests/support/process.h"

struct azurite;

/* Starts one and waits until it listens. Returns an azurite that azurite_free ends and releases. */
struct azurite *azurite_start(void);
struct azurite *azurite_free(struct azurite *a); /* takes NULL; returns NULL */

/* The same over https, with the certificate (borrowed), where bearer tokens are taken too. Its one setting is
 * azurite_container_setting. */
struct certificate;
struct azurite *azurite_start_tls(const struct certificate *certificate);

/* The container jobgate of its account, without a key: "BLOB_URL=…". Borrowed. */
const char *azurite_container_setting(const struct azurite *a);

/* Its key, as the value of AZURE_STORAGE_KEY; and appends a SAS of the account that allows everything for
 * ever, as the value of AZURE_STORAGE_SAS_TOKEN. */
extern const char azurite_key[];
void azurite_append_sas(struct buf *out);

int azurite_port(const struct azurite *a);

/* The connection string of its one account, and the same as a setting, "AZURE_STORAGE_CONNECTION_STRING=…".
 * Borrowed. */
const char *azurite_connection_string(const struct azurite *a);
const char *azurite_setting(const struct azurite *a);

/* "http://127.0.0.1:<port>/devstoreaccount1". Borrowed. */
const char *azurite_url(const struct azurite *a);

/* A second client, with a signature of another kind (an account SAS) and no code of the programs: gets
 * "<container>/<blob>" or, with a query ("restype=container&comp=list"), what that means; puts a blob, into a
 * container that is there. Fill reply, whatever was in it before. */
void azurite_get(const struct azurite *a, const char *path, const char *query, struct http_reply *reply);
void azurite_put(
    const struct azurite *a, const char *path, const void *data, size_t length, struct http_reply *reply);

/* Kills it, and all that it held; and starts an empty one on the same port. */
void azurite_kill(struct azurite *a);
void azurite_restart(struct azurite *a);

/* Freezes it, so that connections stay and nothing answers; and lets it go on. */
void azurite_pause(struct azurite *a);
void azurite_resume(struct azurite *a);

#endif
