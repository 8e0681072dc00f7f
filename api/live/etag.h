/*
 * etag: the tag of a job's resource: another one as soon as anything in it is another. Pure.
 * Source: RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2.
 */
#ifndef JOBGATE_ETAG_H
#define JOBGATE_ETAG_H

#include "common/base/base.h"
#include "common/base/hash.h"

enum { ETAG_SIZE = HASH_TEXT_SIZE + 4 };

/* The weak tag of a resource's bytes: it stays the same whatever encodes them. */
void etag_write(const void *data, size_t length, char out[ETAG_SIZE]);

/* Whether an If-None-Match names the tag, or is `*`. Weak comparison. */
bool etag_matches(const char *if_none_match, const char *etag);

/* Whether an If-Match names the tag, or is `*`. Strong comparison: a weak tag is like no other. */
bool etag_matches_strongly(const char *if_match, const char *etag);

#endif
