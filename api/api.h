/*
 * api: one loop's worth of the api: its Redis connection, its blob store client, its HTTP server. Several may
 * run in one process, a thread each; they share the configuration, which nobody changes, and the port.
 */
#ifndef JOBGATE_API_H
#define JOBGATE_API_H

#include "api/backpressure.h"
#include "api/durability.h"
#include "api/gate/gate.h"
#include "api/queue_register.h"
#include "api/server.h"
#include "api/types.h"
#include "common/base/config.h"
#include "common/base/id.h"
#include "common/blob/blob.h"
#include "common/net/guard.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/queue/queue.h"
#include "common/redis/redis.h"

struct lookout;

struct api {
    const struct config *config; /* borrowed */
    struct loop *loop;           /* borrowed */
    struct metrics *metrics;
    struct redis *redis;
    struct queue *queue;
    struct guard callback_guard;
    struct backpressure *backpressure;
    struct durability *durability;
    struct blob_store *store;
    struct types *types;
    struct gate *gate;
    struct lookout *lookout;
    struct server *server;
    struct id_generator ids;
    struct queue_register *known; /* queues that are registered, as far as this loop knows */
    int redis_is_ready;           /* atomic: other threads read it */
};

/* Starts on l, listening on *address; *bound is where. Returns an api that api_free releases. Fails: INVALID.
 */
struct api *api_new(struct loop *l, const struct config *config, const struct listen_address *address,
    char bound[LISTEN_TEXT_SIZE], struct error *e) MUST_CHECK;

/* What is not answered yet gets 503. Takes NULL; returns NULL. */
struct api *api_free(struct api *a);

#endif
