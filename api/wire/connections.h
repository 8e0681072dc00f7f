/*
 * connections: what stands between the sockets and evhttp: how many there may be, what they send (reader.h),
 * and how long they may take for it. One per loop.
 *
 * A connection that is one too many, or whose request is wrong or too slow, gets a problem for an answer and
 * is closed.
 */
#ifndef JOBGATE_CONNECTIONS_H
#define JOBGATE_CONNECTIONS_H

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "api/error_pages.h"
#include "common/base/base.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"

struct connections;

struct connection_limits {
    int64_t count_max;
    int64_t per_address_max; /* 0 = as many as count_max; of IPv6 an address is its first 64 bits */
    int64_t body_max;
    int64_t idle_timeout_ms; /* until the first byte of the first request; of TLS with its greeting */
    int64_t head_timeout_ms; /* from a request's first byte to the end of its head */
    int64_t body_timeout_ms; /* from there to the end of its body */
};

/* pages and metrics are borrowed. Returns one that connections_free releases, when evhttp has closed them. */
struct connections *connections_new(struct loop *l, const struct connection_limits *limits,
    struct error_pages *pages, struct metrics *metrics);
struct connections *connections_free(struct connections *c); /* takes NULL; returns NULL */

/* Accepts for these connections: is asked to wait while there are far too many. Borrowed. */
void connections_set_listener(struct connections *c, struct evconnlistener *listener);

/* For evhttp_set_bevcb: b, over which evhttp is about to set up a connection. Returns b. */
struct bufferevent *connections_add(struct connections *c, struct bufferevent *b);

/* on_close(connection, arg) is called when the connection is about to be freed; one at a time, NULL for none.
 * (evhttp's own callback for that is ours.) */
typedef void connection_closed(struct evhttp_connection *connection, void *arg);
void connections_on_close(
    struct connections *c, struct evhttp_connection *connection, connection_closed *on_close, void *arg);

#endif
