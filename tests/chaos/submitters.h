/*
 * submitters: threads that submit jobs and keep a ledger of every one that was acknowledged.
 *
 * Half of them send an Idempotency-Key and repeat what got no answer until it gets one; of the others what
 * got no answer is forgotten: it may have been accepted or not. Some jobs are cancelled again.
 */
#ifndef JOBGATE_TESTS_SUBMITTERS_H
#define JOBGATE_TESTS_SUBMITTERS_H

#include "tests/chaos/answer.h"

enum { JOB_ID_MAX = 160 };

/* A job that was acknowledged. */
struct entry {
    char id[JOB_ID_MAX];
    struct order order;
    bool has_key;
    bool was_cancel_tried; /* it may end cancelled */
    bool was_cancelled;    /* that was acknowledged: it must */
};

struct submitters;

/* Starts `count` threads that submit to "http://…" until submitters_stop. queues: names, NULL behind the
 * last. pause_ms: what each waits between two jobs on average. Borrows. */
struct submitters *submitters_start(
    const char *url, const char *const *queues, size_t count, int pause_ms, unsigned seed);

/* Begins no more jobs; what is repeated has to be acknowledged within patience_ms. Returns false when
 * something was not. */
bool submitters_stop(struct submitters *s, int patience_ms) MUST_CHECK;

/* After the stop: the ledger. Borrowed. */
const struct entry *submitters_ledger(const struct submitters *s, size_t *count);

/* After the stop: how many tries got no 202, and how many of these were repeated. */
size_t submitters_unanswered(const struct submitters *s, size_t *repeated);

struct submitters *submitters_free(struct submitters *s); /* stopped; takes NULL; returns NULL */

#endif
