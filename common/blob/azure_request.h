/*
 * azure_request: one request to Blob Storage: signed, sent when a connection is free, tried again where that
 * may help, and judged. Operations are made of these. Private to common/blob.
 *
 * A try that met a passing trouble (no answer, 5xx, 408, 429) is followed by another after what the store
 * asks to wait, or 0.8, 1.6, 3.2 s … with jitter. Each try is signed anew, because the service takes a date
 * for 15 minutes only. All tries of a request carry one x-ms-client-request-id.
 */
#ifndef JOBGATE_BLOB_AZURE_REQUEST_H
#define JOBGATE_BLOB_AZURE_REQUEST_H

#include "common/azure/account.h"
#include "common/azure/answer.h"
#include "common/azure/credential.h"
#include "common/blob/circuit.h"
#include "common/blob/store.h"
#include "common/net/http_client.h"

#include <sys/queue.h>

struct azure_request;
struct azure_lines;

TAILQ_HEAD(azure_requests, azure_request);

/* What all requests of a store share. */
struct azure_client {
    struct loop *loop;
    struct http_client *http;
    struct azure_account account; /* without what opens it: that is the credential's */
    struct credential *credential;
    struct id_generator ids;
    struct circuit circuit;
    int64_t timeout_ms;
    int64_t deadline_ms;
    int connections;
    int calls; /* under way, at most one for each connection */
    struct azure_requests all;
    /* Those whose turn comes when a call ends. curl would queue them too, at several times the cost. */
    struct azure_requests queue;
};

enum { AZURE_TRIES_ENDLESS = -1 };

/* What is asked. */
struct azure_ask {
    const char *method;
    const char *name;  /* of the blob; "" = the container itself, NULL = the account. Copied */
    const char *query; /* as it is sent, without '?'. Copied */
    int status;        /* of success: any other 2xx does not come from Blob Storage */
    int status_too;    /* another one of success; 0 = none */
    bool is_unnamed; /* the answer may lack x-ms-request-id (Azurite's to this): its body tells whose it is */
    /* Adds the headers of this request's own; asked at each try. Optional. */
    void (*add_lines)(void *arg, struct azure_lines *lines);
    const void *body; /* borrowed until the end */
    size_t length;
    int retries;        /* after the first try; AZURE_TRIES_ENDLESS = until it is cancelled */
    int64_t ends_at_ms; /* steady clock: the last moment for all tries; 0 = none */
    bool is_probe;      /* it is sent though the circuit is open */
    bool is_list;       /* the answer is a page of a list: larger than others */
    /* Optional, for a body that is not gathered: called once the answer is one of success. From then on
     * nothing is tried again, and the receiver sets the pace. As in http_events. */
    void (*on_head)(void *arg, const struct http_response *response);
    bool (*on_data)(void *arg, const void *data, size_t length);
};

/* How it ended. Borrowed in the callback. */
struct azure_outcome {
    const struct error *error;            /* NULL: the answer is one of success */
    const struct answer *answer;          /* NULL when no whole answer came */
    const struct http_response *response; /* likewise */
};

/* Called once, never from inside azure_send. */
typedef void azure_done(void *arg, const struct azure_outcome *outcome);

/* Sends. The request ends itself after done. */
struct azure_request *azure_send(
    struct azure_client *c, const struct azure_ask *ask, azure_done *done, void *arg);

/* Goes on with an answer that on_data paused. */
void azure_resume(struct azure_request *r);

/* Ends a request; done is not called. The body is let go at once. Not from inside on_head and on_data. */
void azure_cancel(struct azure_request *r);

/* For add_lines: "Name: value". What does not fit fails the request. */
void azure_line(struct azure_lines *lines, const char *format, ...) PRINTF_LIKE(2, 3);

/* The steady moment at which an operation that starts now is to end. */
int64_t azure_deadline(const struct azure_client *c);

/* Makes the shared part. And ends all requests without calling back. */
void azure_client_init(struct azure_client *c, struct loop *loop, const struct config *config,
    const struct azure_account *account);
void azure_client_release(struct azure_client *c);

#endif
