/*
 * queue_priv: what the files of the queue share.
 */
#ifndef JOBGATE_QUEUE_PRIV_H
#define JOBGATE_QUEUE_PRIV_H

#include "common/queue/queue.h"
#include "common/queue/schedules.h"
#include "common/queue/scripts.h"

struct queue {
    struct redis *redis;
    struct redis_request request; /* what is being written; reused */
    struct buf record;            /* likewise */
};

/* A verb under way: what to call with the answer. Released by the one who reads the answer. */
struct pending {
    union {
        queue_submitted *submitted;
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
        queue_records_got *records_got;
        queue_overlooked *overlooked;
        queue_registered *registered;
        schedule_put_done *schedule_put;
        schedules_listed *schedules_listed;
        schedules_due_found *schedules_due;
    } done;
    void *arg;
    struct job_id id; /* of queue_get */
    bool is_reversed; /* of a list: the answer has the last first */
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
/* Reads the ids of an array from its element `from` on; what is no id is left out. Returns a list that the
 * caller frees. */
struct job_id *queue_read_ids(const redisReply *reply, size_t from, size_t *count);

void queue_reverse_ids(struct job_id *ids, size_t count);

void queue_add_ids(struct queue *q, const struct job_id *ids, size_t count);

#endif
