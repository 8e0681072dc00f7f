/*
 * redis_priv: what redis.c and rotation.c share.
 */
#ifndef JOBGATE_REDIS_PRIV_H
#define JOBGATE_REDIS_PRIV_H

#include <hiredis/async.h>

#include "common/net/secret.h"
#include "common/redis/redis.h"

enum { REDIS_REASON_SIZE = 256 };

/* The way of a connection: IDLE -> RESOLVING -> CONNECTING -> GREETING -> READY, and from each back to IDLE.
 * In LEAVING the context is going away and what is pending is being told. */
enum state { IDLE, RESOLVING, CONNECTING, GREETING, READY, LEAVING };

struct op {
    struct redis *redis;
    redis_done *done;
    void *arg;
    struct op *next_free;
};

struct redis {
    struct loop *loop;
    struct redis_options options;
    struct redis_url url;
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *resolving;
    redisAsyncContext *context; /* NULL in IDLE and RESOLVING */
    enum state state;
    bool was_ready; /* since it last left IDLE */
    struct timer retry;
    struct timer watchdog;
    struct timer unusable; /* drops the connection when the answer that asked for it has been handled */
    int64_t retry_ms;
    int64_t lost_at_ms;
    int64_t last_progress_ms; /* when an answer last came, or the first of those pending was sent */
    int64_t moved_ms;         /* when an answer last came, or its state changed */
    int64_t last_block_ms;    /* what the command that was sent last may take more */
    size_t pending_count;
    size_t subscribing_count; /* of a subscriber: confirmations still to come */
    size_t greeting_count;    /* answers still to come before it is ready */
    long long client_id;
    bool is_closing;
    char reason[REDIS_REASON_SIZE];
    char logged_reason[REDIS_REASON_SIZE]; /* "" while it is not away */
    int64_t logged_at_ms;
    struct op *free_ops;
    struct redis_request request; /* for its own commands */
    struct secret *secret;        /* follows REDIS_URL; NULL when it is in no file */
    struct timer renewal;         /* the next try to tell the server a password that it refused */
    bool is_moving;               /* to next_url, as soon as nothing is pending */
    struct redis_url next_url;
};

/* Sends AUTH with the user and password of r->url, whose answer comes to done with r. Returns false when the
 * URL has neither; done is then never called. */
bool redis_send_auth(struct redis *r, redis_done *done);

/* Drops the connection when what is going on now has ended, and connects anew at once. */
void redis_drop_soon(struct redis *r, const char *reason);

/* Follows the file that REDIS_URL comes from, if it does. */
void redis_follow_url(struct redis *r);
void redis_follow_no_more(struct redis *r);

/* If r is on its way to another server, it leaves this one now, unless something is pending. */
void redis_move_when_idle(struct redis *r);

#endif
