/*
 * server: evhttp under the api. It turns each request into an exchange, finds its route and sends the answer.
 *
 * An exchange is answered exactly once, also when its client has gone; the exchange is released with the
 * answer. Until then its request's body and headers may be read.
 */
#ifndef JOBGATE_SERVER_H
#define JOBGATE_SERVER_H

#include <event2/buffer.h>
#include <event2/http.h>

#include "api/gate/caller.h"
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/net/listen.h"
#include "common/net/metrics.h"
#include "common/queue/record.h"

struct api;
struct server;
struct exchange;
struct job;

/* job is valid inside the callback only; NULL with an e. */
typedef void exchange_got(struct exchange *x, const struct job *job, const struct error *e);

enum { PARAMETER_SIZE = 256, REQUEST_ID_SIZE = 65, ADDRESS_SIZE = 46, LOGGED_PATH_SIZE = 129 };

/* One row of the route table. A `{}` in the pattern matches one segment, which becomes the exchange's
 * parameter. */
struct route {
    enum evhttp_cmd_type method;
    const char *pattern;
    void (*handle)(struct exchange *x);
    enum scope scope; /* what its caller must have */
    const char
        *operation; /* its name in the contract (api/openapi/contract.json); NULL = it is no part of it */
};

struct exchange {
    struct api *api;
    struct server *server;
    struct evhttp_request *request; /* borrowed from evhttp */
    const struct route *route;
    struct caller *caller; /* set before the route's handler is called; of a request without a route NULL */
    char parameter[PARAMETER_SIZE]; /* decoded; what {} matched */
    int64_t started_us;             /* moved on by what was the caller's own wish to wait */
    int64_t arrived_us;
    int64_t bytes_sent; /* of the answer's body */
    char request_id[REQUEST_ID_SIZE];
    char traceparent[TRACEPARENT_SIZE]; /* of the request, continued: our span is the parent; "" = none */
    char parent_span_id[17];            /* of the request */
    char job_id[JOB_ID_SIZE];           /* the job that it is about, for the log; "" = none */
    /* for the log, when evhttp may have forgotten the request: */
    char address[ADDRESS_SIZE]; /* of the peer */
    enum evhttp_cmd_type method;
    char path[LOGGED_PATH_SIZE];          /* the head of the path */
    void (*admitted)(struct exchange *x); /* of the gate */
    exchange_got *on_job;                 /* of jobs_get */
    void *user;                           /* the handler's own */
    int tries;                            /* likewise */
    /* Optional: the client has left, or the server stops, while a stream is under way; it must end the
     * stream. Before exchange_begin_stream it must be NULL. */
    void (*on_gone)(struct exchange *x);
    void (*on_drained)(struct exchange *x); /* of the stream's last piece */
    struct timer gone;
    void (*on_closed)(struct exchange *x, bool is_stopping); /* of exchange_wait; NULL while nothing waits */
    struct event *peer;                                      /* what the caller does meanwhile */
    int stream_status;
    bool is_endless; /* the stream has no announced length */
    struct exchange *next;
    struct exchange *previous;
};

/* routes is an array that ends with a pattern of NULL; borrowed. Fails: INVALID. */
struct server *server_new(struct api *a, const struct route *routes, const struct listen_address *address,
    char bound[LISTEN_TEXT_SIZE], struct error *e) MUST_CHECK;

/* Says Connection: close from now on. */
void server_drain(struct server *s);

/* Stops accepting connections, and says Connection: close from now on. */
void server_close(struct server *s);

/* How many exchanges wait for their answer. */
size_t server_in_flight(const struct server *s);

/* Answers what is still in flight with 503, closes every connection. Takes NULL; returns NULL. */
struct server *server_free(struct server *s);

/* ---- what a handler needs ---- */

struct gate *exchange_gate(const struct exchange *x);       /* of its loop */
struct metrics *exchange_metrics(const struct exchange *x); /* of its loop */

/* The path as it came, percent-encoded, without the query. Borrowed until the answer. */
const char *exchange_path(const struct exchange *x);

/* Says which job the request is about. */
void exchange_note_job(struct exchange *x, const char *id);

/* The request's body as one stretch; valid until the answer. */
const char *exchange_body(struct exchange *x, size_t *length);

/* A header of the request, NULL when absent. */
const char *exchange_header(const struct exchange *x, const char *name);

/* Adds a header to the answer. */
void exchange_add_header(struct exchange *x, const char *name, const char *value);

/* Answers. The content is copied; content_type is NULL when there is none. */
void exchange_reply(
    struct exchange *x, int status, const char *content_type, const void *content, size_t length);

/* Answers with e as application/problem+json. `members` is NULL or JSON members of the problem's own, each
 * behind a comma. Source: RFC 9457. */
void exchange_problem(struct exchange *x, const struct error *e, const char *members);

/* Nothing of the answer will be sent for a while. on_closed comes once if the caller closes its side (it may
 * still read: it is to be answered all the same), or breaks the connection, or if is_stopping: the server
 * ends now. It must lead to the answer, at once when it is stopping. exchange_stop_waiting ends that. */
void exchange_wait(struct exchange *x, void (*on_closed)(struct exchange *x, bool is_stopping));
void exchange_stop_waiting(struct exchange *x);

/* An answer in pieces. Between begin and end; content_length is announced. With a negative one the stream has
 * no announced length, and may be silent for as long as it likes. */
void exchange_begin_stream(struct exchange *x, int status, const char *content_type, int64_t content_length);
/* Returns false when so much waits to be sent that on_drained will tell when to go on, or when the client has
 * gone. */
bool exchange_stream(
    struct exchange *x, const void *data, size_t length, void (*on_drained)(struct exchange *x));
/* Bytes of the stream that the caller has not taken yet, beyond what the kernel holds. */
size_t exchange_backlog(const struct exchange *x);
bool exchange_is_head(const struct exchange *x);
bool exchange_is_gone(const struct exchange *x);
/* is_whole = false cuts the connection, so that nobody takes what came for everything. */
void exchange_end_stream(struct exchange *x, bool is_whole);

#endif
