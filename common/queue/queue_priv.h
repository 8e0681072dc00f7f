/*
 * queue_priv: what the files of the queue share.
 */
#ifndef JOBGATE_QUEUE_PRIV_H
#define JOBGATE_QUEUE_PRIV_H

#include "common/base/hash.h"
#include "common/queue/page.h"
#include "common/queue/queue.h"
#include "common/queue/schedules.h"
#include "common/queue/scripts.h"
#include "common/queue/submit_batch.h"
#include "common/queue/types.h"

struct queue {
    struct redis *redis;
    struct redis_request request; /* what is being written; reused */
    struct buf record;            /* likewise */
    queue_stray_found *stray_found;
    void *stray_arg;
};

/* Where the ids of an answer stand, so that what is none can be removed there. */
struct guard {
    struct queue *queue;
    struct shard shard;
    struct key key;
    bool is_sorted; /* a sorted set, else a list */
};

/* A verb under way: what to call with the answer. Released by the one who reads the answer. */
struct pending {
    union {
        queue_submitted *submitted;
        queue_batch_submitted *batch_submitted;
        queue_batch_claimed *batch_claimed;
        queue_got *got;
        queue_settled *settled;
        queue_renewed *renewed;
        queue_named *named;
        queue_reaped *reaped;
        queue_due_found *due_found;
        queue_cancelled *cancelled;
        queue_counted *counted;
        queue_paused *paused;
        queue_chosen *chosen;
        queue_scanned *scanned;
        queue_located *located;
        queue_places_counted *places_counted;
        queue_listed *listed;
        queue_paged *paged;
        queue_records_got *records_got;
        queue_overlooked *overlooked;
        queue_registered *registered;
        types_published *types_published;
        types_read *types_read;
        schedule_put_done *schedule_put;
        schedules_listed *schedules_listed;
        schedules_due_found *schedules_due;
        queue_leased *leased;
    } done;
    void *arg;
    struct job_id id;                 /* of queue_get */
    char fingerprint[HASH_TEXT_SIZE]; /* of queue_claim_batch */
    bool is_reversed;                 /* of a list: the answer has the last first */
    struct guard *guard;              /* of lists that only workers read; else NULL. Owned */
};

/* Sends q->request; takes p, and frees it when it fails. */
bool queue_send(
    struct queue *q, int64_t block_ms, redis_done *done, struct pending *p, struct error *e) MUST_CHECK;

/* A pending whose callback the caller fills in. */
struct pending *queue_pending(void *arg);

/* Hands the texts of an array to p's `named`; a redis_done. */
void queue_on_named(void *arg, const redisReply *reply, const struct error *e);

void queue_add_key(struct queue *q, const struct key *key);

/* Adds keys of a shard in the order of their makers (key_ready, …). */
typedef void key_maker(const struct shard *shard, struct key *out);
void queue_add_shard_keys(
    struct queue *q, const struct shard *shard, key_maker *const *makers); /* ends with NULL */
#define ADD_KEYS(q, shard, ...) queue_add_shard_keys(q, shard, (key_maker *const[]){__VA_ARGS__, NULL})

void queue_add_taken(struct queue *q, const struct shard *shard, const char *worker);
void queue_add_revoked(struct queue *q, const struct shard *shard, const char *worker);

/* Hands an array of records to p's `records_got`; a redis_done. */
void queue_on_records(void *arg, const redisReply *reply, const struct error *e);

/* Hands a number to p's `counted`; a redis_done. */
void queue_on_counted(void *arg, const redisReply *reply, const struct error *e);

/* Hands an array of ids to p's `listed`; a redis_done. */
void queue_on_listed(void *arg, const redisReply *reply, const struct error *e);
void queue_add_job_keys(struct queue *q, const struct job_id *ids, size_t count);
/* Returns one that free() releases. */
struct guard *queue_guard(struct queue *q, const struct shard *shard, const struct key *key, bool is_sorted);

/* Reads an id. What is none of a job of g's shard is removed from where it stands; with g NULL any id will do
 * and nothing is removed. */
bool queue_read_id(const struct guard *g, const redisReply *text, struct job_id *id);

/* The same for the elements of an array from `from` on. Returns a list that the caller frees. */
struct job_id *queue_read_ids(const struct guard *g, const redisReply *reply, size_t from, size_t *count);

void queue_reverse_ids(struct job_id *ids, size_t count);

void queue_add_ids(struct queue *q, const struct job_id *ids, size_t count);

#endif
