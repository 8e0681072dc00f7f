#include "api/wire/connections.h"
#include "api/wire/reader.h"
#include "common/base/mem.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { ADDRESS_BUCKETS = 1024, REFUSED_MAX = 64, FLUSH_MS = 5000, PASSED_MAX = 1 << 20 };

/* Those that have one address. */
struct address {
    uint64_t key;
    size_t count;
    struct address *next;
};

struct connection {
    struct connections *all;
    struct bufferevent *b;
    struct evhttp_connection *http; /* NULL until we met it */
    int fd;
    struct address *address;
    struct reader reader;
    struct evbuffer_cb_entry *input_entry;
    struct error_watch *watch;
    struct timer deadline;
    bool is_timed; /* the deadline is that of a request that is not whole yet */
    size_t timed;  /* the count of heads when the deadline was set */
    bool is_feeding;
    bool is_closing; /* the last answer is being written */
    connection_closed *on_close;
    void *on_close_arg;
    struct connection *next; /* of those that we did not meet yet */
    struct connection *previous;
};

struct connections {
    struct loop *loop;
    struct connection_limits limits;
    struct error_pages *pages;
    struct metrics *metrics;
    struct evconnlistener *listener;
    bool is_listener_off;
    size_t count;
    struct connection **by_fd;
    size_t by_fd_size;
    struct address *addresses[ADDRESS_BUCKETS];
    struct connection *fresh; /* evhttp has them, and we do not know under what name */
    struct timer meet;
};

/* ---- counting ---- */

static void count(struct connections *c, int difference)
{
    size_t hard_max = (size_t)c->limits.count_max + REFUSED_MAX;
    bool is_full;

    c->count += (size_t)difference;
    metrics_set(c->metrics, METRIC_HTTP_CONNECTIONS, (double)c->count);
    is_full = c->count >= hard_max;
    if (!c->listener || is_full == c->is_listener_off)
        return;
    c->is_listener_off = is_full;
    if (is_full)
        evconnlistener_disable(c->listener);
    else
        evconnlistener_enable(c->listener);
}

/* What counts as one address. */
static uint64_t address_key(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof(peer);
    uint64_t key = 0;

    if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
        return 0;
    if (peer.ss_family == AF_INET)
        memcpy(&key, &((struct sockaddr_in *)&peer)->sin_addr, 4);
    if (peer.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((struct sockaddr_in6 *)&peer)->sin6_addr;

        memcpy(&key, v6->s6_addr + (IN6_IS_ADDR_V4MAPPED(v6) ? 12 : 0), IN6_IS_ADDR_V4MAPPED(v6) ? 4 : 8);
    }
    return key;
}

static struct address **find_address(struct connections *c, uint64_t key)
{
    struct address **at = &c->addresses[key * 0x9e3779b97f4a7c15u >> 54];

    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static struct address *join_address(struct connections *c, uint64_t key)
{
    struct address **at = find_address(c, key);

    if (!*at) {
        *at = mem_zalloc(sizeof(**at));
        (*at)->key = key;
    }
    (*at)->count++;
    return *at;
}

static void leave_address(struct connections *c, struct address *a)
{
    struct address **at;

    if (!a || --a->count)
        return;
    at = find_address(c, a->key);
    *at = a->next;
    free(a);
}

/* ---- meeting and parting ---- */

static void forget(struct connection *n)
{
    struct connections *c = n->all;

    timer_stop(&n->deadline);
    evbuffer_remove_cb_entry(bufferevent_get_input(n->b), n->input_entry);
    error_pages_unwatch(n->watch);
    leave_address(c, n->address);
    if (n->fd >= 0 && (size_t)n->fd < c->by_fd_size && c->by_fd[n->fd] == n)
        c->by_fd[n->fd] = NULL;
    reader_release(&n->reader);
    free(n);
    count(c, -1);
}

static void on_closed(struct evhttp_connection *connection, void *arg)
{
    struct connection *n = arg;

    if (n->on_close)
        n->on_close(connection, n->on_close_arg);
    forget(n);
}

static void file_by_fd(struct connections *c, struct connection *n)
{
    size_t size = c->by_fd_size ? c->by_fd_size : 64;

    while (size <= (size_t)n->fd)
        size *= 2;
    if (size > c->by_fd_size) {
        c->by_fd = mem_realloc(c->by_fd, size * sizeof(struct connection *));
        memset(c->by_fd + c->by_fd_size, 0, (size - c->by_fd_size) * sizeof(struct connection *));
        c->by_fd_size = size;
    }
    c->by_fd[n->fd] = n;
}

static bool is_one_too_many(const struct connection *n, struct error *e)
{
    const struct connection_limits *l = &n->all->limits;

    if (n->all->count > (size_t)l->count_max)
        return !error_set(e, ERROR_TOO_MANY_CONNECTIONS,
            "there are %lld connections, as many as may be (CONNECTIONS_MAX)", (long long)l->count_max);
    if (l->per_address_max && n->address->count > (size_t)l->per_address_max)
        return !error_set(e, ERROR_TOO_MANY_CONNECTIONS,
            "there are %lld connections from this address, as many as may be (CONNECTIONS_PER_ADDRESS)",
            (long long)l->per_address_max);
    return false;
}

/* evhttp makes itself the one who is called back by the bufferevent: so we learn under what name it has it.
 * It may have let it go already. */
static bool meet(struct connection *n)
{
    struct connections *c = n->all;
    struct bufferevent *b = n->b;
    void *http = NULL;

    if (n->previous)
        n->previous->next = n->next;
    else if (c->fresh == n)
        c->fresh = n->next;
    if (n->next)
        n->next->previous = n->previous;
    bufferevent_getcb(b, NULL, NULL, NULL, &http);
    if (!http) {
        forget(n);
        bufferevent_decref(b);
        return false;
    }
    n->http = http;
    n->fd = bufferevent_getfd(b);
    n->address = join_address(c, address_key(n->fd));
    file_by_fd(c, n);
    evhttp_connection_set_closecb(n->http, on_closed, n);
    bufferevent_decref(b);
    timer_start(&n->deadline, c->limits.idle_timeout_ms);
    return true;
}

static void refuse(struct connection *n, const struct error *e);

static void meet_all(void *arg)
{
    struct connections *c = arg;
    struct error e;

    while (c->fresh) {
        struct connection *n = c->fresh;

        c->fresh = n->next;
        if (c->fresh)
            c->fresh->previous = NULL;
        n->next = NULL;
        if (meet(n) && is_one_too_many(n, &e))
            refuse(n, &e);
    }
}

void connections_on_close(
    struct connections *c, struct evhttp_connection *connection, connection_closed *on_close, void *arg)
{
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    struct connection *n = fd >= 0 && (size_t)fd < c->by_fd_size ? c->by_fd[fd] : NULL;

    assert(n && n->http == connection); /* its request came through on_input */
    n->on_close = on_close;
    n->on_close_arg = arg;
}

/* ---- what comes in ---- */

/* Puts other bytes in the place of those behind `keep`. */
static void replace_input(struct connection *n, struct evbuffer *input, size_t keep, const struct buf *bytes)
{
    struct evbuffer *kept = keep ? evbuffer_new() : NULL;

    n->is_feeding = true;
    if (kept)
        evbuffer_remove_buffer(input, kept, keep);
    evbuffer_drain(input, evbuffer_get_length(input));
    if (kept) {
        evbuffer_add_buffer(input, kept);
        evbuffer_free(kept);
    }
    evbuffer_add(input, bytes->data, bytes->length);
    n->is_feeding = false;
}

static void set_deadline(struct connection *n)
{
    const struct connection_limits *l = &n->all->limits;
    bool is_head = n->reader.state == READER_HEAD;

    if (!reader_is_waiting(&n->reader)) {
        n->is_timed = false;
        timer_stop(&n->deadline);
    } else if (!n->is_timed || n->timed != n->reader.requests) {
        n->is_timed = true;
        n->timed = n->reader.requests;
        timer_start(&n->deadline, is_head ? l->head_timeout_ms : l->body_timeout_ms);
    }
}

static void feed(struct connection *n, struct evbuffer *input, size_t before)
{
    AUTO_BUF struct buf out = BUF(PASSED_MAX);
    size_t length = evbuffer_get_length(input);
    const char *data = (const char *)evbuffer_pullup(input, -1);

    if (!reader_feed(&n->reader, data + before, length - before, &out))
        replace_input(n, input, before, &out);
}

/* What came from a connection that we did not meet yet. Returns false when there is nothing more to do. */
static bool greet(struct connection *n, struct evbuffer *input, size_t before)
{
    AUTO_BUF struct buf out = BUF(64);
    struct error e;

    if (!meet(n))
        return false;
    if (!is_one_too_many(n, &e))
        return true;
    reader_refuse(&n->reader, &e, &out);
    replace_input(n, input, before, &out);
    return false;
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *n = arg;

    if (n->is_feeding || info->n_added == 0 || (!n->http && !greet(n, input, info->orig_size)))
        return;
    if (n->reader.state == READER_BODY && n->reader.left > (int64_t)info->n_added)
        n->reader.left -= (int64_t)info->n_added;
    else
        feed(n, input, info->orig_size);
    set_deadline(n);
}

/* ---- refusing ---- */

/* evhttp is to answer: it gets a line that it refuses, in the place of what is missing. */
static void refuse(struct connection *n, const struct error *e)
{
    struct evbuffer *input = bufferevent_get_input(n->b);
    AUTO_BUF struct buf out = BUF(64);

    reader_refuse(&n->reader, e, &out);
    n->is_feeding = true;
    evbuffer_unfreeze(input, 0);
    evbuffer_add(input, out.data, out.length);
    evbuffer_freeze(input, 0);
    n->is_feeding = false;
    bufferevent_trigger(n->b, EV_READ, 0);
}

static void close_now(void *arg)
{
    struct connection *n = arg;

    evhttp_connection_free(n->http);
}

static void on_flushed(struct bufferevent *UNUSED(b), void *arg)
{
    close_now(arg);
}

static void on_flush_failed(struct bufferevent *UNUSED(b), short UNUSED(what), void *arg)
{
    close_now(arg);
}

/* Within a body evhttp cannot be made to answer. It has no request for a handler yet, and will not be called
 * back any more. */
static void answer_ourselves(struct connection *n, const struct error *e)
{
    struct evbuffer *output = bufferevent_get_output(n->b);

    n->is_closing = true;
    n->reader.state = READER_ENDED;
    bufferevent_disable(n->b, EV_READ);
    bufferevent_setcb(n->b, NULL, on_flushed, on_flush_failed, n);
    error_pages_pause(n->all->pages);
    error_pages_write(output, e);
    error_pages_resume(n->all->pages);
    bufferevent_enable(n->b, EV_WRITE);
    timer_start(&n->deadline, FLUSH_MS);
}

static void on_deadline(void *arg)
{
    struct connection *n = arg;
    const struct connection_limits *l = &n->all->limits;
    bool is_head = n->reader.state == READER_HEAD;
    struct error e;

    if (n->is_closing || !reader_is_waiting(&n->reader)) {
        close_now(n);
        return;
    }
    error_set(&e, ERROR_SLOW_REQUEST, "the %s took longer than %lld s (%s)", is_head ? "head" : "body",
        (long long)(is_head ? l->head_timeout_ms : l->body_timeout_ms) / 1000,
        is_head ? "HEAD_TIMEOUT_S" : "BODY_TIMEOUT_S");
    if (n->reader.state == READER_BODY || n->reader.state == READER_CHUNK)
        answer_ourselves(n, &e);
    else
        refuse(n, &e);
}

/* ---- all of them ---- */

struct connections *connections_new(struct loop *l, const struct connection_limits *limits,
    struct error_pages *pages, struct metrics *metrics)
{
    struct connections *c = mem_zalloc(sizeof(*c));

    c->loop = l;
    c->limits = *limits;
    c->pages = pages;
    c->metrics = metrics;
    timer_init(&c->meet, l, meet_all, c);
    metrics_set(metrics, METRIC_HTTP_CONNECTIONS, 0);
    return c;
}

struct connections *connections_free(struct connections *c)
{
    if (!c)
        return NULL;
    c->listener = NULL;
    timer_stop(&c->meet);
    meet_all(c);
    free(c->by_fd);
    free(c);
    return NULL;
}

void connections_set_listener(struct connections *c, struct evconnlistener *listener)
{
    c->listener = listener;
}

struct bufferevent *connections_add(struct connections *c, struct bufferevent *b)
{
    struct connection *n;

    if (!b)
        return NULL;
    n = mem_zalloc(sizeof(*n));
    n->all = c;
    n->b = b;
    n->fd = -1;
    reader_init(&n->reader, c->limits.body_max);
    timer_init(&n->deadline, c->loop, on_deadline, n);
    bufferevent_incref(b);
    n->watch = error_pages_watch(c->pages, b, &n->reader.refusal);
    n->input_entry = evbuffer_add_cb(bufferevent_get_input(b), on_input, n);
    if (!n->input_entry)
        abort(); /* mem.h's policy */
    n->next = c->fresh;
    if (n->next)
        n->next->previous = n;
    c->fresh = n;
    if (!timer_is_running(&c->meet))
        timer_start(&c->meet, 0);
    count(c, 1);
    return b;
}
