/*
 * redis: one asynchronous connection that comes back by itself (hiredis on the loop).
 *
 * Commands that are sent within one turn of the loop leave together; answers come in order. While it is not
 * ready nothing is queued: redis_send refuses at once, so that nobody waits for a Redis that is away. A
 * connection whose answer is overdue is closed and made anew; so is one to a server that says READONLY,
 * LOADING, MASTERDOWN or UNBLOCKED. Scripts are loaded at each connect, before it is ready.
 *
 * A connection with a subscriber hears what is published on the channels that it subscribed to, and does
 * nothing else: redis_send is not for it. With the connection its subscriptions are gone.
 *
 * When the file of REDIS_URL changes, a new password is said on the connection as it is, between two
 * commands; for another server the connection is drained (what is pending is waited for, nothing more is
 * sent) and made anew.
 */
#ifndef JOBGATE_REDIS_H
#define JOBGATE_REDIS_H

#include <hiredis/hiredis.h>

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/redis/redis_url.h"

struct redis;

/* A Lua script. Plain data. */
struct script {
    const char *name;
    const char *source;
    const char *sha1; /* of the source, 40 hex digits: the name that EVALSHA takes */
};

/* What a subscriber is told; texts are valid inside the callback only. */
struct redis_subscriber {
    void (*on_message)(void *arg, const char *channel, const char *text, size_t length);
    void (*on_subscribed)(void *arg, const char *channel);   /* from now on messages come */
    void (*on_unsubscribed)(void *arg, const char *channel); /* none comes any more */
};

struct redis_options {
    const struct redis_url *url;  /* copied */
    const struct config *config;  /* optional; kept as a reference: the file of its REDIS_URL is followed */
    const char *component;        /* for log lines and CLIENT SETNAME; borrowed for ever */
    bool is_secondary;            /* says nothing of its losses: another connection to the same server does */
    int64_t timeout_ms;           /* an answer that is overdue for longer ends the connection */
    const struct script *scripts; /* borrowed for ever */
    size_t script_count;
    loop_callback *on_ready; /* optional: each time that it became ready */
    loop_callback
        *on_lost; /* optional: each time that it was ready and is no more, after the pending answers */
    const struct redis_subscriber *subscriber; /* borrowed for ever; NULL: it sends commands */
    void *arg;
};

struct redis *redis_new(struct loop *l, const struct redis_options *options);

/* Ends the connection; what is pending completes with STOPPED from within. Takes NULL; returns NULL. Not from
 * inside an answer. */
struct redis *redis_free(struct redis *r);

bool redis_is_ready(const struct redis *r);

/* The server's id of this connection (CLIENT ID), for CLIENT UNBLOCK; 0 while it is not ready. */
long long redis_client_id(const struct redis *r);

/* Whether it will not come back by itself: at now_ms (clock_steady_ms) nothing has happened on it for so long
 * that its own watchdog must have failed. A Redis that is away or silent does not make it so: then it is
 * dropped and tried again, which is something. */
bool redis_is_stuck(const struct redis *r, int64_t now_ms);

/* Says in a few words how it stands: "connected", or what went wrong last. Borrowed until the next turn. */
const char *redis_describe(const struct redis *r);

/* The answer. reply is valid inside the callback only, and NULL when e is set; e covers error answers too:
 * REDIS_FULL for OOM, REDIS_BUSY for what passes, REDIS_AWAY for what another server may cure, INTERNAL for
 * the rest. */
typedef void redis_done(void *arg, const redisReply *reply, const struct error *e);

/* A command being written, in the form of the protocol (RESP). Reused: redis_request_begin empties it. */
struct redis_request {
    struct buf bytes;
};

enum { REDIS_REQUEST_MAX = 512 << 20 };

void redis_request_init(struct redis_request *q);
void redis_request_release(struct redis_request *q);
void redis_request_begin(struct redis_request *q, size_t argument_count);
void redis_request_add(struct redis_request *q, const void *data, size_t length);
void redis_request_add_text(struct redis_request *q, const char *text);
void redis_request_add_int(struct redis_request *q, int64_t value);

/* Begins `EVALSHA sha key_count …` for key_count keys and argument_count arguments, which are to be added
 * next. */
void redis_request_begin_script(
    struct redis_request *q, const struct script *script, size_t key_count, size_t argument_count);

/* Sends what q holds (copied). done is called once, later. block_ms: how much longer than timeout_ms the
 * server may take (0, or the time that a blocking command blocks). Fails: REDIS_AWAY when it is not ready;
 * done is then never called. */
bool redis_send(struct redis *r, const struct redis_request *q, int64_t block_ms, redis_done *done, void *arg,
    struct error *e) MUST_CHECK;

/* Asks for the messages of a channel, or for no more of them. A channel whose end was asked for is not to be
 * subscribed to again before on_unsubscribed. Fails: REDIS_AWAY when it is not ready. */
bool redis_subscribe(struct redis *r, const char *channel, struct error *e) MUST_CHECK;
bool redis_unsubscribe(struct redis *r, const char *channel, struct error *e) MUST_CHECK;

#endif
