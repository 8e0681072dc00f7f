/*
 * ops: the listener for operators: /healthz (also /health), /readyz, /metrics, without a key.
 *
 * healthz answers 200 as long as the loop turns. readyz answers 200 when every required check is well and the
 * process is not draining, else 503; its JSON body names every check and what it says.
 */
#ifndef JOBGATE_OPS_H
#define JOBGATE_OPS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"

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

/* Adds a set of metrics to what /metrics sums up (at most 65; borrowed). */
void ops_add_metrics(struct ops *o, struct metrics *m);

/* Serves what `write` appends, JSON, at `path` (borrowed; at most 8). */
typedef void ops_page(void *arg, struct buf *out);
void ops_add_page(struct ops *o, const char *path, ops_page *write, void *arg);

/* From now on /readyz answers 503 with "draining". */
void ops_set_draining(struct ops *o);

#endif
