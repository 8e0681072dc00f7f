/*
 * batch: what the files of the batch share.
 */
#ifndef JOBGATE_BATCH_H
#define JOBGATE_BATCH_H

#include "api/batch/splitter.h"
#include "api/batch/verdicts.h"
#include "api/intake.h"
#include "common/net/loop.h"
#include "common/queue/submit_batch.h"

struct lane;
struct single;

/* POST /v1/jobs/batch on its way. Payloads stay in the request's body until the answer. */
struct batch {
    struct exchange *exchange;
    const char *body;
    size_t length;
    struct splitter splitter;
    size_t count; /* items */
    struct idempotency idempotency;
    struct verdicts *verdicts;
    struct lane *lanes;
    struct timer work;
    size_t under_way; /* items, and requests about none, that are to be answered */
    bool is_read;
    bool is_ending;
};

/* Jobs of one queue that are sent together. */
struct chunk {
    struct batch *batch;
    struct submit_batch jobs;
    char key[HASH_TEXT_SIZE]; /* with an Idempotency-Key: what names this chunk of the batch */
    uint32_t items[SUBMIT_BATCH_MAX];
    struct chunk *next;
};

/* A queue that the batch has jobs for. */
struct lane {
    struct batch *batch;
    struct shard shard;
    bool is_known;
    bool is_asking;         /* to be told whether there may be such a queue */
    struct error failure;   /* neither: why there may not */
    struct chunk *open;     /* jobs are being added to it */
    struct chunk *waiting;  /* until it is known */
    struct single *singles; /* likewise */
    int64_t chunks;
    struct lane *next;
};

/* `count` of what is under way has been answered. */
void batch_done(struct batch *b, size_t count);

#endif
