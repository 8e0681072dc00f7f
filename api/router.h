/*
 * router: finds the route of a request in the table.
 */
#ifndef JOBGATE_ROUTER_H
#define JOBGATE_ROUTER_H

#include "api/server.h"

/* Returns the route of method and path (still percent-encoded), with the parameter decoded into `parameter`;
 * NULL with NOT_FOUND, or BAD_METHOD and the methods that would do ("GET, HEAD") in allow. A GET route serves
 * HEAD too. */
const struct route *router_find(const struct route *routes, enum evhttp_cmd_type method, const char *path,
    char parameter[PARAMETER_SIZE], char *allow, size_t allow_size, struct error *e) MUST_CHECK;

#endif
