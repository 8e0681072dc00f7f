/*
 * gzip: bodies that come or go compressed. Pure. Source: RFC 1952, RFC 9110 section 12.5.3.
 */
#ifndef JOBGATE_GZIP_H
#define JOBGATE_GZIP_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* Appends what data holds, one or several members; out's ceiling is the bound. Fails: TOO_BIG beyond it,
 * BAD_REQUEST when it is damaged or cut short. */
bool gzip_unpack(const void *data, size_t length, struct buf *out, struct error *e) MUST_CHECK;

/* Appends data, compressed fast. */
void gzip_pack(const void *data, size_t length, struct buf *out);

/* Whether an Accept-Encoding takes gzip. */
bool gzip_is_accepted(const char *accept_encoding);

#endif
