/*
 * http: one blocking HTTP call at a time, for tests.
 */
#ifndef JOBGATE_TESTS_HTTP_H
#define JOBGATE_TESTS_HTTP_H

#include <jansson.h>

#include "common/base/base.h"
#include "common/base/buf.h"

/* What came back. http_reply_release frees it; a reply that was only initialised may be released too. */
struct http_reply {
    int status;         /* 0: no answer came, and `failure` says why */
    struct buf headers; /* "Name: value\r\n" lines of the final response */
    struct buf body;
    char failure[256];
};

/* What is asked, where it is more than a method and a URL. Everything is borrowed. */
struct http_ask {
    const char *method; /* NULL: GET, or POST with a body */
    const char *url;
    const char *const
        *headers; /* "Name: value", NULL behind the last; may be NULL. Nothing is added but what curl must */
    const void *body; /* NULL: none */
    size_t body_length;
    int timeout_ms; /* 0: 30 s */
};

/* Asks and waits for the whole answer. No redirect is followed. Fills reply, which must have been
 * initialised; what was in it before is released. */
void http_ask(const struct http_ask *ask, struct http_reply *reply);

/* The common cases: a GET; a POST of JSON text. */
void http_get(const char *url, struct http_reply *reply);
void http_post_json(const char *url, const char *json, struct http_reply *reply);

void http_reply_release(struct http_reply *reply);
#define AUTO_REPLY __attribute__((cleanup(http_reply_release)))

/* A header by its name, in any case, without surrounding blanks. Released with free(). NULL when absent. */
char *http_reply_header(const struct http_reply *reply, const char *name);

/* The body as JSON (json_decref). Fails the test when it is not JSON. */
json_t *http_reply_json(const struct http_reply *reply);

/* A member of a JSON value by its JSON Pointer ("/result/size"). Borrowed. NULL when there is none. */
const json_t *json_at(const json_t *value, const char *pointer);

/* The same for a member that has to be a string, or an integer: anything else fails the test. */
const char *json_text_at(const json_t *value, const char *pointer);
json_int_t json_int_at(const json_t *value, const char *pointer);

#endif
