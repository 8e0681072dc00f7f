/*
 * token_request: the request for a token, to Entra ID with the token of the Kubernetes service account, or to
 * the machine's metadata service (IMDS).
 * Source: Microsoft identity platform, "client credentials flow", case of a federated credential; "How to use
 * managed identities on a VM to acquire an access token".
 */
#ifndef JOBGATE_AZURE_TOKEN_REQUEST_H
#define JOBGATE_AZURE_TOKEN_REQUEST_H

#include "common/azure/way.h"
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"

enum { TOKEN_URL_SIZE = 1024, TOKEN_BODY_MAX = 131072 };

/* Ready for http_send. */
struct token_request {
    const char *method;
    const char *header;
    char url[TOKEN_URL_SIZE];
    struct buf body; /* holds a secret; token_request_release wipes it */
};

/* Fills out for a token of scope ("https://storage.azure.com/.default"). For WORKLOAD it reads the token
 * file, which Kubernetes rotates: each request is made anew. Fails: INVALID, naming the setting or the file
 * and what is wrong. out is to be released either way. */
bool token_request_make(struct token_request *out, const struct config *config, enum azure_way way,
    const char *scope, struct error *e) MUST_CHECK;
void token_request_release(struct token_request *q);

/* Whether the settings that a request needs are right, the file aside. Fails as above. */
bool token_request_check(const struct config *config, enum azure_way way, struct error *e) MUST_CHECK;

#endif
