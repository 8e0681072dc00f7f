/*
 * manners: what every answer has, whatever its route: the request's id, how long it took, who may read it
 * (CORS); and what every request brings: an id, a trace. Pure, but for what it adds to an answer.
 */
#ifndef JOBGATE_MANNERS_H
#define JOBGATE_MANNERS_H

#include "api/server.h"
#include "common/base/config.h"

/* Reads the request's X-Request-Id (1 to 64 of A-Z a-z 0-9 . _ : -; another one is replaced) and traceparent.
 */
void manners_begin(struct exchange *x);

/* Adds the headers. */
void manners_add_headers(struct exchange *x);

/* Answers OPTIONS where these methods are allowed: with 204, and, to a browser that asks whether a page of
 * another origin may send such a request, with what it may. Source: the Fetch standard, "CORS protocol". */
void manners_answer_options(struct exchange *x, const char *allow);

/* Whether an origin stands in CORS_ORIGINS ("*", or origins with commas between). */
bool origin_is_allowed(const char *allowed, const char *origin);

/* Continues a trace: the same trace and flags, `span_id` as the parent of what follows. Returns false, and
 * leaves out empty, when `text` is no traceparent. Source: W3C Trace Context, section 3.2. */
bool trace_continue(const char *text, const char span_id[17], char out[TRACEPARENT_SIZE]) MUST_CHECK;

/* Appends what is wrong with CORS_ORIGINS. */
void manners_check(const struct config *config, struct buf *mistakes);

#endif
