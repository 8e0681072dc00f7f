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
#include "common/net/loop.h"

struct error_pages;

/* For the connections of l. One per thread. */
struct error_pages *error_pages_new(struct loop *l, int64_t max_body_bytes);
struct error_pages *error_pages_free(struct error_pages *p); /* takes NULL; returns NULL */

/* Watches what b sends until b is freed; in the loop's thread, where p is the only one. */
void error_pages_watch(struct error_pages *p, struct bufferevent *b);

/* Between these two the api itself writes: nothing is looked at. */
void error_pages_pause(struct error_pages *p);
void error_pages_resume(struct error_pages *p);

#endif
