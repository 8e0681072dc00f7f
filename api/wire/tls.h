/*
 * tls: TLS in the process: the certificate and its key from files, read anew when they change. One per loop.
 */
#ifndef JOBGATE_TLS_H
#define JOBGATE_TLS_H

#include <event2/bufferevent.h>

#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct tls;

/* Reads TLS_CERT_FILE and TLS_KEY_FILE. Returns one that tls_free releases. Fails: INVALID, with OpenSSL's
 * word. */
struct tls *tls_new(struct loop *l, const struct config *config, struct error *e) MUST_CHECK;
struct tls *tls_free(struct tls *t); /* takes NULL; returns NULL */

/* For a connection that is about to be accepted: TLS 1.2 or newer, HTTP/1.1 by ALPN. NULL when it cannot be
 * had. */
struct bufferevent *tls_accept(struct tls *t, struct event_base *base);

/* Whether the settings ask for TLS. */
bool tls_is_wanted(const struct config *config);

/* Appends what is wrong with them. */
void tls_check(const struct config *config, struct buf *mistakes);

#endif
