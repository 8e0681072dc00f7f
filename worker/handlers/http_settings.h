/*
 * http_settings: what the handlers file says of a type of the kind http, and what its requests share: the
 * client with its connections, and the credential. Only http.c includes this.
 */
#ifndef JOBGATE_HTTP_SETTINGS_H
#define JOBGATE_HTTP_SETTINGS_H

#include "common/azure/credential.h"
#include "common/base/config.h"
#include "common/net/http_client.h"
#include "worker/handlers/spec.h"

enum { BEARER_MAX_BYTES = 16384, SHOWN_URL_SIZE = 128 };

struct http_settings {
    char *url;
    char shown_url[SHOWN_URL_SIZE]; /* without its query, which may hold a secret */
    char *request_content_type;
    char **headers;     /* "Name: value", ending with NULL; NULL: none */
    char *bearer_file;  /* NULL: none */
    char *bearer_scope; /* NULL: none */
    int64_t connect_timeout_ms;
    int connections;
    struct http_client *client;    /* NULL until the first request */
    struct credential *credential; /* likewise; NULL without bearer_scope */
};

extern const char *const http_settings_fields[];

void *http_settings_parse(struct spec *s, const char **content_type);
void http_settings_release(void *settings); /* takes NULL; no request may be under way */

/* Sees to it that client and credential are there. Fails: HANDLER_START. */
bool http_settings_open(
    struct http_settings *h, struct loop *l, const struct config *config, struct error *e) MUST_CHECK;

/* Whether the bearer's file can be read, and there is a way to a token. Fails: HANDLER_START. */
bool http_settings_check(
    struct http_settings *h, struct loop *l, const struct config *config, struct error *e) MUST_CHECK;

/* Reads the token anew: it may have been rotated. Fails: HANDLER_AWAY. */
bool http_settings_read_bearer(const struct http_settings *h, struct buf *token, struct error *e) MUST_CHECK;

#endif
