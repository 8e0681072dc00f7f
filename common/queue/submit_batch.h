/*
 * submit_batch: many jobs of one shard, gathered one after the other and submitted in one round trip. They
 * are queued at once: one that is scheduled, or has a unique_key, is for queue_submit.
 */
#ifndef JOBGATE_SUBMIT_BATCH_H
#define JOBGATE_SUBMIT_BATCH_H

#include "common/queue/queue.h"

enum { SUBMIT_BATCH_MAX = 1000 }; /* jobs; a script of so many takes Redis about two milliseconds */

/* Embedded; plain data. */
struct submit_batch {
    struct shard shard;
    size_t count;
    struct redis_request keys; /* parts of the command */
    struct redis_request records;
};

void submit_batch_init(struct submit_batch *b, const struct shard *shard);
void submit_batch_release(struct submit_batch *b);

/* Adds a job; at most SUBMIT_BATCH_MAX. Everything is copied. Fails: TOO_BIG; then it is not added. */
bool submit_batch_add(struct submit_batch *b, const struct job_id *id, const struct job_spec *spec,
    const void *payload, size_t payload_length, struct error *e) MUST_CHECK;

struct submit_batch_terms {
    int64_t depth_max;       /* how many jobs may wait in the queue */
    const char *idempotency; /* hash that names this batch, or NULL */
    const char *fingerprint; /* hash of the request; with idempotency */
    int64_t idempotency_s;   /* how long it is remembered */
};

/* The answer; valid inside the callback only. verdict: ACCEPTED (the first `accepted` of them; the others had
 * no room), REPEATED, MISMATCH, FULL, TAKEN. */
struct submit_batch_result {
    enum submit_verdict verdict;
    size_t accepted;
    const char *ulids; /* of REPEATED: those of the jobs that were accepted before, one behind the other */
    size_t ulid_count;
};

/* result is NULL with an e: REDIS_FULL, REDIS_AWAY (whether they were accepted is then not known), INTERNAL.
 */
typedef void queue_batch_submitted(
    void *arg, const struct submit_batch_result *result, const struct error *e);

/* Fails: REDIS_AWAY. */
bool queue_submit_batch(struct queue *q, const struct submit_batch *b, const struct submit_batch_terms *terms,
    queue_batch_submitted *done, void *arg, struct error *e) MUST_CHECK;

/* is_same: whether nobody, or the same request, had this Idempotency-Key of a whole batch. */
typedef void queue_batch_claimed(void *arg, bool is_same, const struct error *e);

/* Remembers which request a batch's Idempotency-Key came with. Fails: REDIS_AWAY. */
bool queue_claim_batch(struct queue *q, const char *idempotency, const char *fingerprint,
    int64_t idempotency_s, queue_batch_claimed *done, void *arg, struct error *e) MUST_CHECK;

#endif
