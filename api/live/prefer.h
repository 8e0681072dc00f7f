/*
 * prefer: what a caller would like (the Prefer header). A preference is no demand: what is malformed or not
 * known is passed over. Sources: RFC 7240; RFC 9110 section 5.6.
 */
#ifndef JOBGATE_PREFER_H
#define JOBGATE_PREFER_H

#include "common/base/base.h"

struct exchange;

struct prefer {
    bool respond_async;
    bool has_wait;
    int64_t wait_s;
};

/* Adds the preferences of one header's value to out, which begins zeroed. Of a preference that stands there
 * twice the first counts. Pure. */
void prefer_parse(const char *value, struct prefer *out);

/* Reads all Prefer headers of a request. wait_s is cut to WAIT_MAX_S. */
void prefer_read(const struct exchange *x, struct prefer *out);

/* Says in the answer that `wait` was heeded. */
void prefer_applied_wait(struct exchange *x, int64_t wait_s);

#endif
