/*
 * answer: what a job of the chaos test results in. The handler computes it from the payload, and so does the
 * ledger.
 *
 * A payload is "<name> <ms> <mode> <bytes>": who it is, how long the handler takes, how it behaves (modes
 * below), and how long the result is.
 */
#ifndef JOBGATE_TESTS_ANSWER_H
#define JOBGATE_TESTS_ANSWER_H

#include "common/base/base.h"

enum { ANSWER_MAX = 65536, PAYLOAD_SIZE = 128 };

enum mode {
    MODE_WELL,
    MODE_FAIL,  /* its first try asks to be tried again */
    MODE_CRASH, /* its first try is killed */
    MODE_TALK,  /* it writes a log */
    MODE_COUNT
};

struct order {
    char name[64];
    int ms;
    enum mode mode;
    size_t bytes; /* up to ANSWER_MAX */
};

/* Writes an order as a payload; reads one. Returns false when text is none. */
void order_write(const struct order *order, char payload[PAYLOAD_SIZE]);
bool order_read(const char *payload, struct order *order) MUST_CHECK;

/* Fills out with order->bytes bytes. */
void answer_make(const struct order *order, char out[ANSWER_MAX]);

#endif
