/*
 * gate: lets a request through to its route, or not: who asks (AUTH), whether that one may (scopes), and how
 * often (rates). One per loop.
 */
#ifndef JOBGATE_GATE_H
#define JOBGATE_GATE_H

#include "api/gate/caller.h"
#include "common/base/config.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/queue/queue.h"

struct exchange;
struct gate;

/* What a gate works with; all borrowed. */
struct gate_parts {
    struct loop *loop;
    const struct config *config;
    struct queue *queue;
    struct metrics *metrics;
};

/* Returns a gate that gate_free releases. Fails: INVALID. */
struct gate *gate_new(const struct gate_parts *parts, struct error *e) MUST_CHECK;

/* Exchanges that wait in it must have been answered. Takes NULL; returns NULL. */
struct gate *gate_free(struct gate *g);

/* Calls admitted(x) with the exchange's caller set, or answers x; at once or later. */
typedef void gate_admitted(struct exchange *x);
void gate_enter(struct gate *g, struct exchange *x, gate_admitted *admitted);

/* Adds to an answer what its caller is to know of its rate. */
void gate_add_headers(struct exchange *x);

/* Appends what is wrong with the settings that concern the gate. */
void gate_check(const struct config *config, struct buf *mistakes);

/* Whether AUTH lets everybody in. */
bool gate_is_open(const struct config *config);

#endif
