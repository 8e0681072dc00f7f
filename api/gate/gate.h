/*
 * gate: lets a request through to its route, or not: who asks, and whether that one may.
 *
 * One per loop. What it says depends on AUTH.
 */
#ifndef JOBGATE_GATE_H
#define JOBGATE_GATE_H

#include "api/gate/caller.h"
#include "common/base/config.h"

struct exchange;
struct gate;

/* Returns a gate that gate_free releases. */
struct gate *gate_new(const struct config *config);
struct gate *gate_free(struct gate *g); /* takes NULL; returns NULL */

/* Calls admitted(x) with the exchange's caller set, or answers x. */
void gate_enter(struct gate *g, struct exchange *x, void (*admitted)(struct exchange *x));

#endif
