/*
 * account_priv: how the parts of an account are checked and set, whichever setting they stand in. Private to
 * account.c and connection_string.c; `setting` is for the error's text.
 */
#ifndef JOBGATE_AZURE_ACCOUNT_PRIV_H
#define JOBGATE_AZURE_ACCOUNT_PRIV_H

#include "common/azure/account.h"

struct evhttp_uri;

bool account_set_name(struct azure_account *a, const char *setting, const char *text, size_t length,
    struct error *e) MUST_CHECK;
bool account_set_container(struct azure_account *a, const char *setting, const char *text, size_t length,
    struct error *e) MUST_CHECK;
bool account_set_key(struct azure_account *a, const char *setting, const char *text, size_t length,
    struct error *e) MUST_CHECK;
bool account_set_sas(struct azure_account *a, const char *setting, const char *text, size_t length,
    struct error *e) MUST_CHECK;

/* Takes the account's name from a host such as name.blob.core.windows.net, where it is one. */
void account_set_name_of_host(struct azure_account *a, const char *host);

/* Parses the URL of an endpoint; released with evhttp_uri_free. */
struct evhttp_uri *account_parse_uri(const char *setting, const char *text, struct error *e) MUST_CHECK;

/* Writes scheme://host[:port]path as the endpoint. */
bool account_set_endpoint(struct azure_account *a, const char *setting, const struct evhttp_uri *uri,
    const char *path, size_t path_length, struct error *e) MUST_CHECK;

/* Whether a host, with or without what may stand behind it in a URL, is this machine by its name or number.
 */
bool account_is_this_host(const char *host);

#endif
