/*
 * worker: the worker's process: its connections, its consumers (one per queue), the attempts that run, and
 * the way down.
 *
 *     consumer ──ids──▶ attempt ──▶ handler ──▶ blob store ──▶ settler ──▶ Redis
 */
#ifndef JOBGATE_WORKER_H
#define JOBGATE_WORKER_H

#include "common/base/config.h"
#include "common/blob/blob.h"
#include "common/blob/health.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/net/ops.h"
#include "common/queue/queue.h"
#include "common/redis/redis.h"
#include "worker/handlers/handler.h"
#include "worker/share.h"

struct attempt;
struct consumer;
struct disposal;
struct orphans;
struct retention;
struct scheduler;
struct settler;
struct publisher;
struct reload;

struct worker {
    char id[WORKER_ID_SIZE];     /* of this incarnation: never used again */
    struct loop *loop;           /* borrowed */
    const struct config *config; /* borrowed */
    struct metrics *metrics;
    struct ops *ops;
    struct pulse *pulse;
    struct redis *redis;
    struct queue *queue;
    struct blob_store *store;
    struct blob_health *store_health;
    struct disposal *disposal;
    struct orphans *orphans;
    struct handlers *handlers;
    struct handlers *own_handlers; /* of jobgate's own types */
    struct callback_sender *callback_sender;
    struct scheduler *scheduler;
    struct retention *retention; /* NULL without */
    struct publisher *publisher;
    struct reload *reload;
    struct consumer **consumers;
    size_t consumer_count;
    struct share *shares;     /* one for each consumer */
    struct attempt *attempts; /* all that are not ended, a list */
    size_t attempt_count;
    size_t reserved_count; /* slots kept for ids that are on their way */
    struct timer pump;
    struct timer callback_watch; /* looks whether the queue of callbacks has to be served */
    bool serves_callbacks;
    bool is_draining;
    struct timer drain_deadline;
    bool is_past_deadline;
    size_t leaving_count; /* consumers that have not given everything back yet, while draining */
};

/* Starts everything on loop. warden_start must have been called. Fails: INVALID. */
struct worker *worker_new(struct loop *loop, const struct config *config, struct error *e) MUST_CHECK;
struct worker *worker_free(struct worker *w); /* takes NULL; returns NULL */

/* Appends what is wrong with addresses, URLs, queues and the handlers file. */
void worker_check(const struct config *config, struct buf *mistakes);

/* How many more jobs could be started now; 0 while nothing may be claimed. */
size_t worker_room(const struct worker *w);

/* Something changed that may let consumers go on: they are asked at the end of this turn. */
void worker_pump(struct worker *w);

/* For queue_on_stray; arg is the worker. */
void worker_on_stray(void *worker, const struct shard *shard, const char *text, size_t length);

/* The handler of a type, of the file or jobgate's own; NULL when there is none. Borrowed. */
const struct handler *worker_find_handler(const struct worker *w, const char *type);

/* Serves the queue of callbacks from now on, beside those of WORKER_QUEUES; harmless when it does. */
void worker_serve_callbacks(struct worker *w);

/* An attempt ended and is gone. */
void worker_attempt_ended(struct worker *w);

/* A consumer has nothing left in its list, while draining. */
void worker_consumer_left(struct worker *w);

#endif
