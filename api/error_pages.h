/*
 * error_pages: evhttp answers some requests by itself (a malformed one, a body over the limit, a method that
 * it does not know) with pages in HTML that no setting changes. This watches what a connection sends and puts
 * a problem (RFC 9457) in the place of such a page.
 *
 * A client whose body is refused may still be sending it; closing the socket at once would reset the
 * connection and could take the answer with it. So the socket is kept open beside evhttp, and what comes is
 * read and thrown away, within bounds.
 */
#ifndef JOBGATE_ERROR_PAGES_H
#define JOBGATE_ERROR_PAGES_H

#include <event2/bufferevent.h>

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct error_pages;

/* For the connections of l. One per thread. */
struct error_pages *error_pages_new(struct loop *l, int64_t max_body_bytes);
struct error_pages *error_pages_free(struct error_pages *p); /* takes NULL; returns NULL */

/* Watches what b sends, until error_pages_unwatch. The problem is *refusal where its code is not ERROR_OK;
 * borrowed. */
struct error_watch;
struct error_watch *error_pages_watch(
    struct error_pages *p, struct bufferevent *b, const struct error *refusal);
void error_pages_unwatch(struct error_watch *w);

/* Appends a whole response with the problem e, behind which the connection is to be closed. */
void error_pages_write(struct evbuffer *out, const struct error *e);

/* Between these two the api itself writes: nothing is looked at. */
void error_pages_pause(struct error_pages *p);
void error_pages_resume(struct error_pages *p);

#endif
