/*
 * guard: which addresses a request may go to whose URL a caller chose. It is asked with the address that a
 * connection is about to be made to, after the name was resolved, so that no name and no answer of a name
 * server gets around it (server-side request forgery). Pure.
 *
 * Refused is what the registries of special-purpose addresses do not list as globally reachable: loopback,
 * private, link-local (the metadata services of clouds among them), shared, documentation, multicast; and
 * IPv6 forms that hold such an IPv4 address. Source: IANA, IPv4 and IPv6 Special-Purpose Address Registry
 * (RFC 6890).
 */
#ifndef JOBGATE_GUARD_H
#define JOBGATE_GUARD_H

#include <sys/socket.h>

#include "common/base/base.h"
#include "common/base/error.h"

enum { GUARD_NETWORKS_MAX = 32 };

/* A network: the first `bits` bits of the address count. IPv4 stands in its IPv6 form (::ffff:a.b.c.d). */
struct guard_network {
    uint8_t address[16];
    int bits;
};

/* What is allowed although it would be refused. Plain data. */
struct guard {
    struct guard_network allowed[GUARD_NETWORKS_MAX];
    size_t count;
};

/* Reads a list of networks with commas or blanks between ("10.1.0.0/16, fd00::/8, 192.0.2.7"). Fails:
 * INVALID, with what would be right. */
bool guard_parse(const char *text, struct guard *out, struct error *e) MUST_CHECK;

/* Whether a connection to this address is allowed. */
bool guard_allows(const struct guard *g, const struct sockaddr *address);

/* The same for a host that stands in a URL, if it is an address (IPv6 without its brackets); a name is
 * allowed: it is asked about when it is resolved. */
bool guard_allows_host(const struct guard *g, const char *host);

#endif
