/*
 * sign: the Authorization header of a request to Azure Blob Storage, by an account's key ("SharedKey").
 * Pure: no clock, no network, no globals; the date is one of the request's headers.
 * Source: Azure Storage REST, "Authorize with Shared Key", as it stands for versions since 2015-02-21.
 *
 * The service sorts header names like .NET does for en-US, not like ASCII. The two agree on the service's own
 * headers and on metadata names of [a-z_]+; names of metadata that mix '_' and digits they may sort
 * differently: none are used.
 */
#ifndef JOBGATE_AZURE_SIGN_H
#define JOBGATE_AZURE_SIGN_H

#include "common/azure/account.h"
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* The one version of the REST interface that we speak; every request says it (x-ms-version). */
#define AZURE_VERSION "2025-11-05"

enum { SIGN_HEADERS_MAX = 48, SIGN_PARAMETERS_MAX = 16 };

/* A request as it will go out. Everything is borrowed. */
struct sign_request {
    const char *method;
    const char *path;  /* as it is sent: percent-encoded, from its first '/' on; holds the account where the
                          endpoint does */
    const char *query; /* as it is sent, without '?'; "" when there is none */
    const char *const *headers; /* "Name: value" each, x-ms-date among them; a name stands once */
    size_t header_count;
    size_t content_length;
};

/* Appends the string-to-sign of request to out.
 * Fails: INVALID (a header holds CR or LF or no colon, a query value holds '+', which nobody reads the same
 * way: send %20 or %2B), TOO_BIG (more than SIGN_HEADERS_MAX headers or SIGN_PARAMETERS_MAX parameters, or
 * out reached its ceiling). */
bool sign_append_string(
    const struct sign_request *request, const char *account, struct buf *out, struct error *e) MUST_CHECK;

/* Appends the header "Authorization: SharedKey <account>:<signature>". Fails as sign_append_string does. */
bool sign_append_authorization(const struct sign_request *request, const struct azure_account *account,
    struct buf *out, struct error *e) MUST_CHECK;

#endif
