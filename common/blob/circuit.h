/*
 * circuit: keeps a store that is down from being hammered. After CIRCUIT_FAILURES tries in a row that met a
 * passing trouble it opens: nothing is to be sent for a second, then one try; when that fails too, nothing
 * for twice as long, up to 10 s. One good answer closes it. Pure: the caller passes the time.
 */
#ifndef JOBGATE_BLOB_CIRCUIT_H
#define JOBGATE_BLOB_CIRCUIT_H

#include "common/base/base.h"

enum { CIRCUIT_FAILURES = 10, CIRCUIT_FIRST_MS = 1000, CIRCUIT_LONGEST_MS = 10000 };

/* All zero at birth: closed. */
struct circuit {
    int failures;        /* in a row */
    int64_t wait_ms;     /* how long it stays open; 0 while it is closed */
    int64_t opens_to_ms; /* the moment of the next try */
    bool is_trying;      /* the one try is under way */
};

/* Whether a request may be sent now. In an open circuit whose wait is over, true means: this is the one try,
 * and its outcome must be told. */
bool circuit_admits(struct circuit *c, int64_t now_ms);

bool circuit_is_open(const struct circuit *c);

/* Milliseconds until it is worth to ask again; 0 while it is closed. */
int64_t circuit_wait_ms(const struct circuit *c, int64_t now_ms);

/* The outcome of a request that was sent. Returns whether that opened or closed the circuit. */
bool circuit_failed(struct circuit *c, int64_t now_ms);
bool circuit_well(struct circuit *c);

/* The one try was given up without an outcome. */
void circuit_abandoned(struct circuit *c);

#endif
