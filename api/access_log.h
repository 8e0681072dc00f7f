/*
 * access_log: one line for each request that was answered: who asked for what, what came of it, how long it
 * took.
 */
#ifndef JOBGATE_ACCESS_LOG_H
#define JOBGATE_ACCESS_LOG_H

#include "api/server.h"

/* Of the path 128 bytes, and nothing of the query: it may hold what is nobody else's business. evhttp may
 * have forgotten the request. */
void access_log_write(const struct exchange *x, int status);

#endif
