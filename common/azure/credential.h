/*
 * credential: how this process proves to Azure who it is: by an account's key, by a SAS, or by a token of
 * Entra ID (workload identity or managed identity). One object for one loop and one scope.
 *
 * A key and a SAS are always at hand. A token may have to be fetched first: who wants to send something asks
 * credential_is_ready and, when it is not, credential_wait; then it signs and sends. Tokens are refreshed in
 * the background before they expire, one request at a time whoever waits, and are used until they really
 * expire. Where a secret comes from a file, a new one in it is taken over by itself.
 *
 *     if (!credential_is_ready(c))
 *         credential_wait(c, &op->wait, on_ready, op);       // on_ready comes back here
 *     op->generation = credential_generation(c);
 *     credential_sign(c, &request, &authorization, &e);      // one header line, none with a SAS
 *     ... url ? or & credential_sas(c) ...
 *     on 401 or 403: if (credential_refused(c, op->generation) && !op->is_second) send once more
 */
#ifndef JOBGATE_AZURE_CREDENTIAL_H
#define JOBGATE_AZURE_CREDENTIAL_H

#include <sys/queue.h>

#include "common/azure/account.h"
#include "common/azure/sign.h"
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct credential;

enum credential_kind { CREDENTIAL_KEY, CREDENTIAL_SAS, CREDENTIAL_TOKEN };

/* The scope of tokens for Blob Storage; it is the same in every cloud. */
#define CREDENTIAL_STORAGE_SCOPE "https://storage.azure.com/.default"

/* For requests to a storage account that azure_account_from_config filled (copied). loop and config are kept
 * as references. Never fails; no I/O is done yet. */
struct credential *credential_open_storage(
    struct loop *loop, const struct config *config, const struct azure_account *account);

/* For requests to another service ("https://redis.azure.com/.default"; copied): a token. Fails: INVALID, as
 * azure_way_for_scope. */
struct credential *credential_open_scope(
    struct loop *loop, const struct config *config, const char *scope, struct error *e) MUST_CHECK;

/* Calls nobody who waits. Not from inside a callback of its own. Takes NULL; returns NULL. */
struct credential *credential_free(struct credential *c);

enum credential_kind credential_kind_of(const struct credential *c);

/* Whether something to sign with is at hand now. */
bool credential_is_ready(const struct credential *c);

/* One who waits; embedded in what it belongs to, zeroed at first. */
typedef void credential_done(void *arg, const struct error *e);
struct credential_wait {
    struct credential *credential; /* NULL while nobody waits */
    credential_done *done;
    void *arg;
    unsigned round;
    TAILQ_ENTRY(credential_wait) link;
};

/* Calls done once, later: with NULL when it is ready, else with why it is not (STORE_AWAY, and the text says
 * what to do). Waiting again at once is right: attempts are spaced out in here. */
void credential_wait(struct credential *c, struct credential_wait *w, credential_done *done, void *arg);
void credential_wait_stop(struct credential_wait *w); /* harmless when it does not wait */

/* Appends the header "Authorization: …" for the request, nothing with a SAS. It must be ready. Fails: INVALID
 * and TOO_BIG as sign_append_authorization does, STORE_AWAY when it is not ready. */
bool credential_sign(
    struct credential *c, const struct sign_request *request, struct buf *out, struct error *e) MUST_CHECK;

/* The SAS to put behind the URL's '?' or '&', without either; "" with another kind. A secret; borrowed until
 * the loop's next turn. */
const char *credential_sas(const struct credential *c);

/* The token as it goes behind "Bearer ", NULL while there is none or with another kind. A secret, never to be
 * sent over plain http; borrowed until the loop's next turn. */
const char *credential_token(const struct credential *c);

/* Signs a text (the string-to-sign of a SAS) with the account's key: base64 of its HMAC-SHA256. Fails:
 * INVALID, when this is not a key. */
enum { CREDENTIAL_SIGNATURE_SIZE = 45 };
bool credential_sign_text(const struct credential *c, const char *text, char out[CREDENTIAL_SIGNATURE_SIZE],
    struct error *e) MUST_CHECK;

/* Counts the keys, SASs and tokens so far: what signed a request. */
unsigned credential_generation(const struct credential *c);

/* The service refused (401, or 403 AuthenticationFailed) what was signed by this generation. A token is
 * dropped. Returns whether another try, once, may go better: with a new token, or a key that came meanwhile.
 */
bool credential_refused(struct credential *c, unsigned generation);

#endif
