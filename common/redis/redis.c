#include "common/redis/redis_priv.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <errno.h>
#include <event2/dns.h>
#include <hiredis/adapters/libevent.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
    RETRY_FIRST_MS = 100,
    RETRY_CEILING_MS = 5000,
    IDLE_PING_MS = 60000,       /* a managed Redis closes what was idle for ten minutes */
    SUBSCRIBER_PING_MS = 10000, /* nobody else would notice that no message comes any more */
    SAME_OUTAGE_MS = 10000,
};

#define PING_CHANNEL "jobgate:ping"

static struct log_context log_of(const struct redis *r)
{
    return (struct log_context){.component = r->options.component};
}

/* ---- leaving ---- */

static void log_loss(struct redis *r)
{
    struct log_context context = log_of(r);

    if (r->options.is_secondary || r->is_closing || strcmp(r->reason, r->logged_reason) == 0)
        return;
    if (*r->logged_reason && clock_steady_ms() - r->logged_at_ms < SAME_OUTAGE_MS)
        return; /* "closed" and then "refused" is one outage; a reason that comes later is news */
    r->logged_at_ms = clock_steady_ms();
    memcpy(r->logged_reason, r->reason, sizeof(r->reason));
    log_warn(&context,
        "redis %s:%d is away: %s; what needs it is refused, and it is tried again until it answers",
        r->url.host, r->url.port, r->reason);
}

static void become_idle(struct redis *r)
{
    bool was_ready = r->was_ready;

    r->state = IDLE;
    r->moved_ms = clock_steady_ms();
    r->was_ready = false;
    r->client_id = 0;
    r->subscribing_count = 0;
    timer_stop(&r->watchdog);
    if (was_ready)
        r->lost_at_ms = clock_steady_ms();
    log_loss(r);
    if (!r->is_closing) {
        timer_start(
            &r->retry, r->retry_ms / 2 + rand() % (r->retry_ms / 2 + 1)); /* NOLINT: spreads, no secret */
        r->retry_ms = r->retry_ms * 2 < RETRY_CEILING_MS ? r->retry_ms * 2 : RETRY_CEILING_MS;
    }
    if (was_ready && r->options.on_lost && !r->is_closing)
        r->options.on_lost(r->options.arg);
}

static void set_reason(struct redis *r, const char *reason)
{
    snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

/* Closes the connection; pending answers come with an error from within. */
static void drop(struct redis *r, const char *reason)
{
    redisAsyncContext *context = r->context;

    set_reason(r, reason);
    r->context = NULL;
    r->state = LEAVING;
    if (context)
        redisAsyncFree(context);
    become_idle(r);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis *r = context->data;

    if (!r || r->context != context)
        return; /* drop() does what is to be done */
    r->context = NULL;
    set_reason(
        r, status == REDIS_OK || !*context->errstr ? "the server closed the connection" : context->errstr);
    become_idle(r);
}

static void take_next_url(struct redis *r)
{
    if (!r->is_moving)
        return;
    r->is_moving = false;
    r->url = r->next_url;
    redis_url_wipe(&r->next_url);
}

static void on_unusable(void *arg)
{
    struct redis *r = arg;
    char reason[REDIS_REASON_SIZE];

    memcpy(reason, r->reason, sizeof(reason));
    take_next_url(r);
    if (r->context)
        drop(r, reason);
}

void redis_drop_soon(struct redis *r, const char *reason)
{
    set_reason(r, reason);
    r->retry_ms = RETRY_FIRST_MS;
    timer_start(&r->unusable, 0);
}

/* It is ready, so both are sent. A subscriber may only subscribe: to a channel on which nobody says a word.
 */
static void ping(struct redis *r)
{
    struct error e;
    bool is_sent;

    if (r->options.subscriber) {
        is_sent = redis_subscribe(r, PING_CHANNEL, &e);
    } else {
        redis_request_begin(&r->request, 1);
        redis_request_add_text(&r->request, "PING");
        is_sent = redis_send(r, &r->request, 0, NULL, NULL, &e);
    }
    (void)is_sent;
}

static void on_watchdog(void *arg)
{
    struct redis *r = arg;
    int64_t now_ms = clock_steady_ms();
    int64_t limit_ms = r->options.timeout_ms + (r->state == READY ? r->last_block_ms : 0);
    int64_t idle_ms = r->options.subscriber ? SUBSCRIBER_PING_MS : IDLE_PING_MS;
    char reason[REDIS_REASON_SIZE];

    if (r->state == READY && r->pending_count + r->subscribing_count == 0) {
        if (now_ms - r->last_progress_ms > idle_ms)
            ping(r);
    } else if (now_ms - r->last_progress_ms > limit_ms) {
        snprintf(reason, sizeof(reason), "no answer for %lld ms", (long long)(now_ms - r->last_progress_ms));
        drop(r, reason);
        return;
    }
    timer_start(&r->watchdog, r->options.timeout_ms / 4 + 1);
}

/* ---- sending and answers ---- */

static struct op *take_op(struct redis *r)
{
    struct op *op = r->free_ops;

    if (!op)
        return mem_alloc(sizeof(*op));
    r->free_ops = op->next_free;
    return op;
}

static bool begins_with_any(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (strncmp(text, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

/* Answers that mean: this server will not serve us, another one (or the same one later) will. */
static const char *const unusable[] = {
    "READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED force", "NOSCRIPT", "CLUSTERDOWN", "NOAUTH", NULL};

/* Answers that mean: not now. The connection is as good as another. */
static const char *const passing[] = {"NOREPLICAS", "MISCONF", "BUSY", "TRYAGAIN", NULL};

static void read_error(struct redis *r, const char *text, struct error *e)
{
    if (strncmp(text, "OOM", 3) == 0) {
        error_set(e, ERROR_REDIS_FULL, "redis is out of memory: %s", text);
    } else if (begins_with_any(text, passing)) {
        error_set(e, ERROR_REDIS_BUSY, "redis: %s", text);
    } else if (begins_with_any(text, unusable)) {
        error_set(e, ERROR_REDIS_AWAY, "redis: %s", text);
        set_reason(r, text);
        timer_start(&r->unusable, 0);
    } else {
        error_set(e, ERROR_INTERNAL, "redis: %s", text);
    }
}

static void on_reply(redisAsyncContext *UNUSED(context), void *reply, void *arg)
{
    struct op *op = arg;
    struct redis *r = op->redis;
    struct op ended = *op;
    struct error e;
    const redisReply *answer = reply;

    op->next_free = r->free_ops;
    r->free_ops = op;
    r->pending_count--;
    r->last_progress_ms = r->moved_ms = clock_steady_ms();
    redis_move_when_idle(r);
    if (!answer)
        r->state = LEAVING;
    if (!answer)
        error_set(&e, r->is_closing ? ERROR_STOPPED : ERROR_REDIS_AWAY,
            "the connection to redis was lost before the answer came");
    else if (answer->type == REDIS_REPLY_ERROR)
        read_error(r, answer->str, &e);
    if (!ended.done)
        return;
    if (!answer || answer->type == REDIS_REPLY_ERROR)
        ended.done(ended.arg, NULL, &e);
    else
        ended.done(ended.arg, answer, NULL);
}

static void send_request(struct redis *r, const struct redis_request *q, redis_done *done, void *arg)
{
    struct op *op = take_op(r);

    assert(!buf_is_overflown(&q->bytes));
    *op = (struct op){.redis = r, .done = done, .arg = arg};
    if (r->pending_count++ == 0)
        r->last_progress_ms = clock_steady_ms();
    if (redisAsyncFormattedCommand(r->context, on_reply, op, q->bytes.data, q->bytes.length) != REDIS_OK)
        abort(); /* it fails only when the context is being freed, and then r->context is NULL */
}

bool redis_send(struct redis *r, const struct redis_request *q, int64_t block_ms, redis_done *done, void *arg,
    struct error *e)
{
    if (r->state != READY || timer_is_running(&r->unusable) || r->is_moving)
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: %s", r->reason);
    r->last_block_ms = block_ms;
    send_request(r, q, done, arg);
    return true;
}

/* ---- subscribing ---- */

static bool is_kind(const redisReply *reply, const char *kind)
{
    return reply->element[0]->type == REDIS_REPLY_STRING && strcmp(reply->element[0]->str, kind) == 0;
}

/* hiredis keeps one callback for each channel and calls it with each message, with the confirmations, and
 * with NULL when the context goes away. */
static void on_pushed(redisAsyncContext *UNUSED(context), void *arg_reply, void *arg)
{
    struct redis *r = arg;
    const redisReply *reply = arg_reply;
    const struct redis_subscriber *s = r->options.subscriber;
    const char *channel;

    if (!reply || reply->elements < 3 || reply->element[1]->type != REDIS_REPLY_STRING)
        return;
    channel = reply->element[1]->str;
    r->last_progress_ms = r->moved_ms = clock_steady_ms();
    if (is_kind(reply, "message") && reply->element[2]->type == REDIS_REPLY_STRING) {
        s->on_message(r->options.arg, channel, reply->element[2]->str, (size_t)reply->element[2]->len);
        return;
    }
    r->subscribing_count -= r->subscribing_count > 0;
    if (strcmp(channel, PING_CHANNEL) == 0)
        return;
    if (is_kind(reply, "subscribe"))
        s->on_subscribed(r->options.arg, channel);
    else
        s->on_unsubscribed(r->options.arg, channel);
}

static bool send_subscription(struct redis *r, const char *verb, const char *channel, struct error *e)
{
    if (r->state != READY)
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: %s", r->reason);
    redis_request_begin(&r->request, 2);
    redis_request_add_text(&r->request, verb);
    redis_request_add_text(&r->request, channel);
    if (r->subscribing_count++ == 0)
        r->last_progress_ms = clock_steady_ms();
    if (redisAsyncFormattedCommand(
            r->context, on_pushed, r, r->request.bytes.data, r->request.bytes.length) != REDIS_OK)
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: the connection is being closed");
    return true;
}

bool redis_subscribe(struct redis *r, const char *channel, struct error *e)
{
    return send_subscription(r, "SUBSCRIBE", channel, e);
}

bool redis_unsubscribe(struct redis *r, const char *channel, struct error *e)
{
    return send_subscription(r, "UNSUBSCRIBE", channel, e);
}

bool redis_send_auth(struct redis *r, redis_done *done)
{
    if (!*r->url.user && !*r->url.password)
        return false;
    redis_request_begin(&r->request, *r->url.user ? 3 : 2);
    redis_request_add_text(&r->request, "AUTH");
    if (*r->url.user)
        redis_request_add_text(&r->request, r->url.user);
    redis_request_add_text(&r->request, r->url.password);
    send_request(r, &r->request, done, r);
    explicit_bzero(r->request.bytes.data, r->request.bytes.length);
    return true;
}

/* ---- greeting ---- */

static void become_ready(struct redis *r)
{
    struct log_context context = log_of(r);
    int64_t away_ms = clock_steady_ms() - r->lost_at_ms;

    r->state = READY;
    r->was_ready = true;
    r->retry_ms = RETRY_FIRST_MS;
    set_reason(r, "connected");
    if (!r->options.is_secondary && *r->logged_reason)
        log_info(&context, "redis %s:%d answers again after %lld ms", r->url.host, r->url.port,
            (long long)away_ms);
    else if (!r->options.is_secondary)
        log_debug(&context, "redis %s:%d is connected", r->url.host, r->url.port);
    r->logged_reason[0] = 0;
    if (r->options.on_ready)
        r->options.on_ready(r->options.arg);
}

static void on_greeting(void *arg, const redisReply *reply, const struct error *e)
{
    struct redis *r = arg;

    r->greeting_count--;
    if (r->state != GREETING || timer_is_running(&r->unusable))
        return;
    if (e) {
        set_reason(r, e->text);
        timer_start(&r->unusable, 0);
        return;
    }
    if (reply->type == REDIS_REPLY_INTEGER)
        r->client_id = reply->integer;
    if (r->greeting_count == 0)
        become_ready(r);
}

static void greet(struct redis *r, const char *const *words, size_t count)
{
    redis_request_begin(&r->request, count);
    for (size_t i = 0; i < count; i++)
        redis_request_add_text(&r->request, words[i]);
    r->greeting_count++;
    send_request(r, &r->request, on_greeting, r);
}

#define GREET(r, ...)                                                                                        \
    greet(r, (const char *const[]){__VA_ARGS__}, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})))

static void send_greeting(struct redis *r)
{
    char text[64];

    r->state = GREETING;
    r->greeting_count = 0;
    if (redis_send_auth(r, on_greeting))
        r->greeting_count++;
    if (r->url.database) {
        snprintf(text, sizeof(text), "%d", r->url.database);
        GREET(r, "SELECT", text);
    }
    snprintf(text, sizeof(text), "jobgate-%s", r->options.component);
    GREET(r, "CLIENT", "SETNAME", text);
    GREET(r, "CLIENT", "ID");
    for (size_t i = 0; i < r->options.script_count; i++)
        GREET(r, "SCRIPT", "LOAD", r->options.scripts[i].source);
    GREET(r, "PING");
}

/* ---- connecting ---- */

static void set_socket_options(const struct redis *r, int fd)
{
    int on = 1;
    unsigned user_timeout_ms = (unsigned)r->options.timeout_ms * 2;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *r = context->data;

    if (!r || r->context != context)
        return;
    if (status != REDIS_OK) { /* hiredis frees the context when this returns */
        r->context = NULL;
        set_reason(r, *context->errstr ? context->errstr : "could not connect");
        become_idle(r);
        return;
    }
    set_socket_options(r, context->c.fd);
    send_greeting(r);
}

static void connect_to(struct redis *r, const char *address)
{
    redisAsyncContext *context = redisAsyncConnect(address, r->url.port);

    if (!context || context->err) {
        set_reason(r, context ? context->errstr : "out of memory");
        if (context)
            redisAsyncFree(context);
        become_idle(r);
        return;
    }
    context->data = r;
    r->context = context;
    r->state = CONNECTING;
    r->last_progress_ms = r->moved_ms = clock_steady_ms();
    redisLibeventAttach(context, loop_base(r->loop));
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    timer_start(&r->watchdog, r->options.timeout_ms / 4 + 1);
}

static void on_resolved(int status, struct evutil_addrinfo *found, void *arg)
{
    struct redis *r = arg;
    char address[64] = "";

    if (status == EVUTIL_EAI_CANCEL)
        return;
    r->resolving = NULL;
    if (r->is_moving)
        status = EVUTIL_EAI_AGAIN; /* it is another server's name by now */
    if (found && !r->is_moving)
        getnameinfo(
            found->ai_addr, (socklen_t)found->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
    if (found)
        evutil_freeaddrinfo(found);
    if (*address) {
        connect_to(r, address);
        return;
    }
    snprintf(r->reason, sizeof(r->reason), "the name %.100s does not resolve: %s", r->url.host,
        evutil_gai_strerror(status));
    become_idle(r);
}

/* hiredis would look the name up with the whole process waiting. Read anew each time: resolv.conf may have
 * changed. */
static void resolve(struct redis *r)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct evdns_getaddrinfo_request *request;

    if (r->dns)
        evdns_base_free(r->dns, 0);
    r->dns = evdns_base_new(loop_base(r->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!r->dns)
        abort();
    evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    r->state = RESOLVING;
    r->moved_ms = clock_steady_ms();
    request = evdns_getaddrinfo(r->dns, r->url.host, NULL, &hints, on_resolved, r);
    if (r->state == RESOLVING) /* else it was answered at once, and request is NULL */
        r->resolving = request;
}

static void connect_now(void *arg)
{
    struct redis *r = arg;
    struct in6_addr numeric;

    timer_stop(&r->unusable);
    take_next_url(r);
    if (evutil_inet_pton(AF_INET, r->url.host, &numeric) == 1 ||
        evutil_inet_pton(AF_INET6, r->url.host, &numeric) == 1)
        connect_to(r, r->url.host);
    else
        resolve(r);
}

/* ---- life ---- */

struct redis *redis_new(struct loop *l, const struct redis_options *options)
{
    struct redis *r = mem_zalloc(sizeof(*r));

    r->loop = l;
    r->options = *options;
    r->url = *options->url;
    r->options.url = &r->url;
    r->retry_ms = RETRY_FIRST_MS;
    r->lost_at_ms = r->moved_ms = clock_steady_ms();
    set_reason(r, "not connected yet");
    redis_request_init(&r->request);
    timer_init(&r->retry, l, connect_now, r);
    timer_init(&r->watchdog, l, on_watchdog, r);
    timer_init(&r->unusable, l, on_unusable, r);
    redis_follow_url(r);
    timer_start(&r->retry, 0);
    return r;
}

struct redis *redis_free(struct redis *r)
{
    if (!r)
        return NULL;
    r->is_closing = true;
    redis_follow_no_more(r);
    timer_stop(&r->retry);
    timer_stop(&r->unusable);
    if (r->resolving)
        evdns_getaddrinfo_cancel(r->resolving);
    drop(r, "closed");
    timer_stop(&r->watchdog);
    if (r->dns)
        evdns_base_free(r->dns, 0);
    while (r->free_ops) {
        struct op *next = r->free_ops->next_free;

        free(r->free_ops);
        r->free_ops = next;
    }
    redis_request_release(&r->request);
    redis_url_wipe(&r->url);
    free(r);
    return NULL;
}

bool redis_is_ready(const struct redis *r)
{
    return r->state == READY && !timer_is_running(&r->unusable) && !r->is_moving;
}

bool redis_is_stuck(const struct redis *r, int64_t now_ms)
{
    return now_ms - r->moved_ms > 2 * IDLE_PING_MS + r->options.timeout_ms + r->last_block_ms;
}

long long redis_client_id(const struct redis *r)
{
    return r->client_id;
}

const char *redis_describe(const struct redis *r)
{
    return r->reason;
}
