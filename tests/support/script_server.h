/*
 * script_server: a server on a loop that answers each HTTP request with the next bytes of a script, whatever
 * they are: how a store answers, and how one breaks off.
 */
#ifndef JOBGATE_TESTS_SCRIPT_SERVER_H
#define JOBGATE_TESTS_SCRIPT_SERVER_H

#include "common/base/base.h"
#include "common/net/loop.h"

struct script_server;

/* Listens on a free port of 127.0.0.1. Returns a server that script_server_free releases; what goes wrong
 * fails the test. */
struct script_server *script_server_new(struct loop *l);
struct script_server *script_server_free(struct script_server *s); /* takes NULL; returns NULL */

int script_server_port(const struct script_server *s);

/* What the next request that the script does not yet reach gets: these bytes; then the connection is closed
 * if `closes`. NULL sends nothing (a server that hangs, or with `closes` one that loses its answer). Requests
 * beyond the script fail the test. */
void script_server_say(struct script_server *s, const char *bytes, bool closes);

/* How many requests came, over how many connections; and the n-th (from 0) as it came, head and body.
 * Borrowed. */
size_t script_server_requests(const struct script_server *s);
size_t script_server_connections(const struct script_server *s);
const char *script_server_request(const struct script_server *s, size_t n);

#endif
