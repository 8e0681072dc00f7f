/*
 * listen: listening sockets, several of which may share one port (SO_REUSEPORT): of several loops and of
 * several processes.
 */
#ifndef JOBGATE_LISTEN_H
#define JOBGATE_LISTEN_H

#include <event2/listener.h>

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/net/loop.h"

enum { LISTEN_TEXT_SIZE = 64 };

/* An address to listen on. Plain data. */
struct listen_address {
    char host[256];
    unsigned port; /* 0 = any free one */
};

/* Parses "host:port", "[v6]:port" or ":port" (all addresses). Fails: INVALID, with what would be right. */
bool listen_parse(const char *text, struct listen_address *out, struct error *e) MUST_CHECK;

/* Whether only this machine can reach the address. A name counts as loopback only if it is "localhost". */
bool listen_is_loopback(const struct listen_address *address);

/* Opens a listening socket on l. Returns a listener that evconnlistener_free (or the evhttp it is bound to)
 * releases, and writes the bound "host:port". Fails: INVALID, with the system's word. */
struct evconnlistener *listen_open(struct loop *l, const struct listen_address *address, bool share_port,
    char bound[LISTEN_TEXT_SIZE], struct error *e) MUST_CHECK;

#endif
