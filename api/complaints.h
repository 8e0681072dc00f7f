/*
 * complaints: every mistake found in a request's values, so that a person sees all of them at once. Pure.
 */
#ifndef JOBGATE_COMPLAINTS_H
#define JOBGATE_COMPLAINTS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* They stand in `text` as members of a problem: `,"errors":[{"pointer":"/queue","detail":"…"},…]`;
 * "parameter" stands for "pointer" where the query is meant. */
struct complaints {
    struct buf text;
    size_t count;
    const char
        *prefix; /* of every pointer: where in the body the value stands that is being read. Borrowed */
};

void complaints_init(struct complaints *c);
void complaints_release(struct complaints *c);

/* Adds one about the member `name` (NULL: the value itself) of the value at `base`, a JSON Pointer below the
 * prefix. What is more than there is room for is only counted. */
void complain_pointer(struct complaints *c, const char *base, const char *name, const char *detail);

/* Adds one about a parameter of the query, or a header. */
void complain_parameter(struct complaints *c, const char *name, const char *detail);

/* Whether there is none. Fails: INVALID, with how many there are. */
bool complaints_check(struct complaints *c, struct error *e) MUST_CHECK;

#endif
