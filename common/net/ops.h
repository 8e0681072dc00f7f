/*
 * ops: the listener for operators and for the platform: /healthz (also /health), /readyz, /acceptz, /metrics,
 * without a key.
 *
 * healthz: whether it can go on; 503 means that only a restart helps. It is 200 as long as every pulse was
 * felt within its limit, whatever is away. readyz: 200 when every required check is well and the process is
 * not draining, else 503; its JSON body names every check and what it says. acceptz: whether work should be
 * sent here: 200 from when every required check was well once until it drains, so that what is away for all
 * replicas alike does not take all of them out.
 */
#ifndef JOBGATE_OPS_H
#define JOBGATE_OPS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/net/pulse.h"

struct ops;

/* Says whether a part is well. Writes a few words into text either way. Called in ops' loop. */
typedef bool ops_check(void *arg, char *text, size_t size);

/* Starts listening on "host:port". Returns ops that ops_free releases. Fails: INVALID. */
struct ops *ops_new(struct loop *l, const char *listen, struct error *e) MUST_CHECK;
struct ops *ops_free(struct ops *o); /* takes NULL; returns NULL */

/* Where it listens, "host:port". Borrowed. */
const char *ops_address(const struct ops *o);

/* Adds a check (at most 16; name is borrowed). A part that is not required shows in the body alone. */
void ops_add_check(struct ops *o, const char *name, bool is_required, ops_check *check, void *arg);

/* Adds a pulse that healthz watches (at most 65; name is copied, up to 31 bytes; pulse is borrowed).
 * limit_ms: how long it may be silent, PULSE_LIMIT_MS but in tests. */
void ops_add_pulse(struct ops *o, const char *name, const struct pulse *pulse, int64_t limit_ms);

/* Adds a set of metrics to what /metrics sums up (at most 65; borrowed). */
void ops_add_metrics(struct ops *o, struct metrics *m);

/* Serves what `write` appends, JSON, at `path` (borrowed; at most 8). */
typedef void ops_page(void *arg, struct buf *out);
void ops_add_page(struct ops *o, const char *path, ops_page *write, void *arg);

/* From now on /readyz and /acceptz answer 503 with "draining". */
void ops_set_draining(struct ops *o);

#endif
