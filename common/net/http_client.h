/*
 * http_client: HTTP requests through libcurl's multi interface on the loop: kept-alive connections, no
 * thread, no wait.
 *
 * Each call ends exactly once through on_done, never from inside http_send or http_cancel. The client follows
 * no redirect and retries nothing: what may be retried is known only by who asks. One exception is curl's
 * own: a request on a kept-alive connection that turns out to be closed, before a byte of an answer, is sent
 * again on a new one. A proxy of the environment (http_proxy, https_proxy) is used, but never for this host.
 * The program must ignore SIGPIPE. Source of the wiring: curl's documentation of curl_multi_socket_action.
 */
#ifndef JOBGATE_HTTP_CLIENT_H
#define JOBGATE_HTTP_CLIENT_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct http_client;
struct http_call;

enum { HTTP_HEADERS_MAX = 32 };

/* What is asked. Everything is borrowed and must live until on_done, except the struct itself and `headers`,
 * which are read by http_send alone. */
struct http_request {
    const char *method; /* "GET", "PUT", … */
    const char *url;
    const char *const *headers; /* "Name: value" each, as they go out; nothing else is added but Host, Accept
                                   and Content-Length (no Content-Type, no Expect) */
    size_t header_count;
    const void *body; /* NULL with a body_length of 0 sends none; PUT and POST then say Content-Length: 0 */
    size_t body_length;
    int64_t connect_timeout_ms;
    int64_t timeout_ms;        /* the whole call; 0 = none (then low_speed_s bounds it) */
    int64_t low_speed_s;       /* ends a call that moved less than a byte a second for so long; 0 = off */
    size_t max_response_bytes; /* of a body that is gathered (no on_data); beyond it the call fails TOO_BIG */
};

/* What came back. Valid inside the callbacks only. */
struct http_response {
    int status;                   /* 0 when no status line came */
    struct buf body;              /* gathered when there is no on_data */
    const struct http_call *call; /* for http_response_header */
};

struct http_events {
    /* Optional. The status and all headers are there (for the final response, not for 1xx). */
    void (*on_head)(void *arg, const struct http_response *response);
    /* Optional: the request's body comes in pieces, body_length bytes in all, and `body` is NULL. Writes up
     * to size bytes to room and returns how many; 0 pauses until http_resume. The call gets a connection of
     * its own, since what was sent cannot be sent again. */
    size_t (*on_body)(void *arg, char *room, size_t size);
    /* Optional: the body in pieces, instead of gathering it. Returning false pauses the call; the same piece
     * comes again after http_resume. */
    bool (*on_data)(void *arg, const void *data, size_t length);
    /* The end. e is NULL when a whole response came (whatever its status), else says why none did: TIMEOUT,
     * TOO_BIG, STORE_AWAY for every transport error (could not connect, reset, cut short), STOPPED after
     * http_cancel, INVALID when the URL is none. The text never holds the URL. */
    void (*on_done)(void *arg, const struct http_response *response, const struct error *e);
};

/* connections: how many may be kept open to one host; calls beyond it wait their turn. max_idle_s: a
 * connection that was idle for longer is not used again (a server that closes idle connections would answer
 * with a reset). Call it before other threads start. */
struct http_client *http_client_new(struct loop *loop, int connections, int max_idle_s);

struct guard;

/* From now on connections are made to addresses that g (borrowed) allows, and never through a proxy: for URLs
 * that come from callers. What is refused ends with STORE_AWAY, and says so. Call it before http_send. */
void http_client_guard(struct http_client *c, const struct guard *g);

/* Cancels what is under way without calling its on_done. Not from inside a callback of a call. Takes NULL;
 * returns NULL. */
struct http_client *http_client_free(struct http_client *c);

/* Starts a call. Borrows as http_request says. The call lives until its on_done returned. */
struct http_call *http_send(
    struct http_client *c, const struct http_request *request, const struct http_events *events, void *arg);

/* Goes on with a call that on_data or on_body paused. Not from inside these. */
void http_resume(struct http_call *call);

/* Ends a call: on_done comes with STOPPED, after this returned. What the call borrowed is let go at once, or,
 * from inside an on_head or on_data, when on_done comes. */
void http_cancel(struct http_call *call);

/* A header of the final response by its name (any case), NULL when absent. Valid until on_done returned. */
const char *http_response_header(const struct http_response *response, const char *name);

/* The moment of an HTTP date in Unix milliseconds, 0 when text is none. */
int64_t http_date_parse(const char *text);

#endif
