/*
 * query: the parameters of a request's query, checked.
 */
#ifndef JOBGATE_QUERY_H
#define JOBGATE_QUERY_H

#include <event2/keyvalq_struct.h>

#include "api/server.h"
#include "common/base/id.h"

/* Decoded pairs; query_release when done. Fails: BAD_REQUEST when it is malformed, holds a NUL, or a
 * parameter that is not in `known` (a list that ends with NULL) or stands there twice. */
bool query_read(
    const struct exchange *x, const char *const *known, struct evkeyvalq *out, struct error *e) MUST_CHECK;
void query_release(struct evkeyvalq *query);

/* A parameter as a name; preset when it is absent. Fails: INVALID. */
bool query_name(const struct evkeyvalq *query, const char *parameter, const char *preset, char out[NAME_SIZE],
    struct error *e) MUST_CHECK;

/* A parameter as a time (RFC 3339), Unix ms; preset when it is absent. Fails: INVALID. */
bool query_time(const struct evkeyvalq *query, const char *parameter, int64_t preset, int64_t *out,
    struct error *e) MUST_CHECK;

/* A parameter as a whole number from min to max; preset when it is absent. Fails: INVALID. */
bool query_int(const struct evkeyvalq *query, const char *parameter, int64_t preset, int64_t min, int64_t max,
    int64_t *out, struct error *e) MUST_CHECK;

#endif
