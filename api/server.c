#include "api/server.h"
#include "api/access_log.h"
#include "api/api.h"
#include "api/error_pages.h"
#include "api/gate/gate.h"
#include "api/gzip.h"
#include "api/manners.h"
#include "api/problem.h"
#include "api/router.h"
#include "api/wire/connections.h"
#include "api/wire/head.h"
#include "api/wire/tls.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <errno.h>
#include <event2/http_struct.h>
#include <sys/socket.h>

enum {
    PROBLEM_MAX = 65536,
    STREAM_HIGH_WATER = 262144, /* bytes that may wait for a slow reader */
    RETRY_AFTER_S = 1,
    TALLIES = 64,
    PACK_MIN = 1024, /* bytes of an answer that is worth compressing */
};

struct tally {
    const struct route *route;
    int status;
    struct series *requests;
    struct series *seconds;
};

struct server {
    struct api *api;
    const struct route *routes;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct error_pages *pages;
    struct connections *connections;
    struct tls *tls;            /* NULL: plain HTTP */
    struct exchange *exchanges; /* those not answered yet */
    size_t in_flight;
    struct tally tallies[TALLIES];
    bool is_closing;
};

/* ---- exchanges ---- */

static void remember_for_the_log(struct exchange *x)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
    char *address = NULL;
    ev_uint16_t port;

    if (connection)
        evhttp_connection_get_peer(connection, &address, &port);
    snprintf(x->address, sizeof(x->address), "%s", address ? address : "");
    x->method = evhttp_request_get_command(x->request);
    snprintf(x->path, sizeof(x->path), "%s", exchange_path(x));
}

static struct exchange *begin_exchange(struct server *s, struct evhttp_request *request)
{
    struct exchange *x = mem_zalloc(sizeof(*x));

    x->api = s->api;
    x->server = s;
    x->request = request;
    x->started_us = x->arrived_us = clock_steady_us();
    remember_for_the_log(x);
    manners_begin(x);
    x->next = s->exchanges;
    if (x->next)
        x->next->previous = x;
    s->exchanges = x;
    s->in_flight++;
    metrics_set(s->api->metrics, METRIC_HTTP_IN_FLIGHT, (double)s->in_flight);
    return x;
}

/* The series of a route and status: looked up by name once, then found by these. */
static struct tally *find_tally(struct server *s, const struct route *route, int status)
{
    const char *pattern = route ? route->pattern : "none";
    struct tally *t = &s->tallies[((uintptr_t)route / sizeof(*route) * 31 + (unsigned)status) % TALLIES];
    char labels[128];

    if (t->requests && t->route == route && t->status == status)
        return t;
    *t = (struct tally){.route = route, .status = status};
    snprintf(labels, sizeof(labels), "route=\"%s\",status=\"%d\"", pattern, status);
    t->requests = metrics_series(s->api->metrics, METRIC_HTTP_REQUESTS, labels);
    snprintf(labels, sizeof(labels), "route=\"%s\"", pattern);
    t->seconds = metrics_series(s->api->metrics, METRIC_HTTP_SECONDS, labels);
    return t;
}

static void count_answer(const struct exchange *x, int status)
{
    const struct tally *t = find_tally(x->server, x->route, status);

    series_add(t->requests, 1);
    series_observe(t->seconds, (double)(clock_steady_us() - x->started_us) / 1e6);
}

static void end_exchange(struct exchange *x, int status)
{
    struct server *s = x->server;

    count_answer(x, status);
    access_log_write(x, status);
    timer_stop(&x->gone);
    caller_release(x->caller);
    if (x->previous)
        x->previous->next = x->next;
    else
        s->exchanges = x->next;
    if (x->next)
        x->next->previous = x->previous;
    s->in_flight--;
    metrics_set(s->api->metrics, METRIC_HTTP_IN_FLIGHT, (double)s->in_flight);
    free(x);
}

/* ---- what handlers use ---- */

struct gate *exchange_gate(const struct exchange *x)
{
    return x->api->gate;
}

struct metrics *exchange_metrics(const struct exchange *x)
{
    return x->api->metrics;
}

const char *exchange_path(const struct exchange *x)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(x->request));

    return path ? path : "";
}

void exchange_note_job(struct exchange *x, const char *id)
{
    snprintf(x->job_id, sizeof(x->job_id), "%s", id);
}

const char *exchange_body(struct exchange *x, size_t *length)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(x->request);

    *length = evbuffer_get_length(body);
    return *length ? (const char *)evbuffer_pullup(body, -1) : "";
}

const char *exchange_header(const struct exchange *x, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(x->request), name);
}

void exchange_add_header(struct exchange *x, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(x->request), name, value);
}

bool exchange_is_head(const struct exchange *x)
{
    return evhttp_request_get_command(x->request) == EVHTTP_REQ_HEAD;
}

static void add_common_headers(struct exchange *x, const char *content_type)
{
    if (content_type)
        exchange_add_header(x, "Content-Type", content_type);
    gate_add_headers(x);
    manners_add_headers(x);
    if (x->server->is_closing)
        exchange_add_header(x, "Connection", "close");
}

/* Whether it is worth while to compress an answer; one with an ETag has the tag of these very bytes. */
static bool is_packable(const struct exchange *x, const char *content_type, size_t length)
{
    return length >= PACK_MIN && content_type &&
           (strncmp(content_type, "application/json", 16) == 0 ||
               strcmp(content_type, PROBLEM_CONTENT_TYPE) == 0) &&
           !evhttp_find_header(evhttp_request_get_output_headers(x->request), "ETag");
}

void exchange_reply(
    struct exchange *x, int status, const char *content_type, const void *content, size_t length)
{
    AUTO_BUF struct buf packed = BUF(length + PACK_MIN);
    struct server *s = x->server;
    char digits[24];

    add_common_headers(x, content_type);
    if (is_packable(x, content_type, length)) {
        exchange_add_header(x, "Vary", "Accept-Encoding");
        if (gzip_is_accepted(exchange_header(x, "Accept-Encoding"))) {
            gzip_pack(content, length, &packed);
            exchange_add_header(x, "Content-Encoding", "gzip");
            content = packed.data;
            length = packed.length;
        }
    }
    x->bytes_sent = exchange_is_head(x) ? 0 : (int64_t)length;
    if (exchange_is_head(x) || x->request->minor == 0) { /* evhttp does it in the other cases */
        snprintf(digits, sizeof(digits), "%zu", length);
        exchange_add_header(x, "Content-Length", digits);
    }
    if (!exchange_is_head(x)) {
        evbuffer_add(evhttp_request_get_output_buffer(x->request), content, length);
    }
    error_pages_pause(s->pages);
    evhttp_send_reply(x->request, status, NULL, NULL);
    error_pages_resume(s->pages);
    end_exchange(x, status);
}

void exchange_problem(struct exchange *x, const struct error *e, const char *members)
{
    AUTO_BUF struct buf body = BUF(PROBLEM_MAX);
    int status = error_http_status(e->code);
    char seconds[8];

    if (status == 503) {
        snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
        exchange_add_header(x, "Retry-After", seconds);
    }
    problem_write(&body, e, members);
    exchange_reply(x, status, PROBLEM_CONTENT_TYPE, body.data, body.length);
}

/* ---- streams ---- */

bool exchange_is_gone(const struct exchange *x)
{
    return evhttp_request_get_connection(x->request) == NULL;
}

static void forget_peer(struct exchange *x)
{
    if (x->peer)
        event_free(x->peer);
    x->peer = NULL;
}

/* The connection is closing; evhttp forgets the request when this returns, and on_gone comes after that. */
static void tell_gone(void *arg)
{
    struct exchange *x = arg;

    if (x->on_closed)
        x->on_closed(x, false);
    else if (x->on_gone)
        x->on_gone(x);
}

static void on_connection_closed(struct evhttp_connection *UNUSED(connection), void *arg)
{
    struct exchange *x = arg;

    forget_peer(x); /* before its descriptor is another's */
    timer_start(&x->gone, 0);
}

/* evhttp does not read while a request is with its handler, so that nobody else would notice. */
static void on_peer(evutil_socket_t fd, short UNUSED(what), void *arg)
{
    struct exchange *x = arg;
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        event_add(x->peer, NULL);
    else if (got <= 0)
        timer_start(&x->gone, 0);
    /* else it sent its next request already: until that is read, nothing behind it can be seen */
}

void exchange_wait(struct exchange *x, void (*on_closed)(struct exchange *x, bool is_stopping))
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);

    timer_init(&x->gone, x->api->loop, tell_gone, x);
    x->on_closed = on_closed;
    if (!connection) {
        timer_start(&x->gone, 0);
        return;
    }
    connections_on_close(x->server->connections, connection, on_connection_closed, x);
    x->peer = event_new(loop_base(x->api->loop),
        bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), EV_READ | EV_CLOSED, on_peer, x);
    if (!x->peer || event_add(x->peer, NULL) < 0)
        abort(); /* mem.h's policy */
}

void exchange_stop_waiting(struct exchange *x)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);

    x->on_closed = NULL;
    forget_peer(x);
    timer_stop(&x->gone);
    if (connection)
        connections_on_close(x->server->connections, connection, NULL, NULL);
}

/* An endless stream may be silent, and so may its reader. */
static void set_patience(struct exchange *x, bool is_endless)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
    struct timeval patience = {.tv_sec = (time_t)x->api->config->request_timeout_s};

    x->is_endless = is_endless;
    if (connection)
        bufferevent_set_timeouts(
            evhttp_connection_get_bufferevent(connection), is_endless ? NULL : &patience, &patience);
}

void exchange_begin_stream(struct exchange *x, int status, const char *content_type, int64_t content_length)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
    char digits[24];

    add_common_headers(x, content_type);
    if (content_length >= 0) {
        snprintf(digits, sizeof(digits), "%lld", (long long)content_length);
        exchange_add_header(x, "Content-Length", digits);
    } else {
        set_patience(x, true);
    }
    timer_init(&x->gone, x->api->loop, tell_gone, x);
    x->stream_status = status;
    if (connection)
        connections_on_close(x->server->connections, connection, on_connection_closed, x);
    error_pages_pause(x->server->pages);
    evhttp_send_reply_start(x->request, status, NULL);
    error_pages_resume(x->server->pages);
}

static void on_chunk_sent(struct evhttp_connection *UNUSED(connection), void *arg)
{
    struct exchange *x = arg;

    x->on_drained(x);
}

bool exchange_stream(
    struct exchange *x, const void *data, size_t length, void (*on_drained)(struct exchange *x))
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
    struct evbuffer *chunk;
    struct evbuffer *waiting;
    bool is_full;

    if (!connection)
        return false;
    waiting = bufferevent_get_output(evhttp_connection_get_bufferevent(connection));
    is_full = evbuffer_get_length(waiting) + length > STREAM_HIGH_WATER;
    chunk = evbuffer_new();
    if (!chunk || evbuffer_add(chunk, data, length) < 0)
        abort(); /* mem.h's policy */
    x->bytes_sent += (int64_t)length;
    error_pages_pause(x->server->pages);
    x->on_drained = on_drained;
    if (is_full)
        evhttp_send_reply_chunk_with_cb(x->request, chunk, on_chunk_sent, x);
    else
        evhttp_send_reply_chunk(x->request, chunk);
    error_pages_resume(x->server->pages);
    evbuffer_free(chunk);
    return !is_full;
}

size_t exchange_backlog(const struct exchange *x)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);

    if (!connection)
        return 0;
    return evbuffer_get_length(bufferevent_get_output(evhttp_connection_get_bufferevent(connection)));
}

void exchange_end_stream(struct exchange *x, bool is_whole)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
    int status = x->stream_status;

    if (x->is_endless)
        set_patience(x, false);
    if (connection) {
        connections_on_close(x->server->connections, connection, NULL, NULL);
        if (!is_whole)
            shutdown(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), SHUT_RDWR);
    }
    evhttp_send_reply_end(x->request);
    end_exchange(x, status);
}

/* ---- the server ---- */

/* A body that came compressed is unpacked in its place, so that no handler sees it otherwise. */
static bool unpack_body(struct exchange *x, struct error *e)
{
    AUTO_BUF struct buf body = BUF((size_t)x->api->config->max_body);
    const char *encoding = exchange_header(x, "Content-Encoding");
    struct evbuffer *input = evhttp_request_get_input_buffer(x->request);
    size_t length;
    const char *data;

    if (!encoding || evutil_ascii_strcasecmp(encoding, "identity") == 0)
        return true;
    if (evutil_ascii_strcasecmp(encoding, "gzip") != 0) {
        exchange_add_header(x, "Accept-Encoding", "gzip, identity");
        return error_set(e, ERROR_BAD_ENCODING,
            "Content-Encoding %.64s is not served: send the body as it is, or with gzip", encoding);
    }
    data = exchange_body(x, &length);
    if (length && !gzip_unpack(data, length, &body, e))
        return false;
    evbuffer_drain(input, length);
    evbuffer_add(input, body.data, body.length);
    evhttp_remove_header(evhttp_request_get_input_headers(x->request), "Content-Encoding");
    return true;
}

static void admit(struct exchange *x)
{
    struct error e;

    if (unpack_body(x, &e))
        x->route->handle(x);
    else
        exchange_problem(x, &e, NULL);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct server *s = arg;
    struct exchange *x = begin_exchange(s, request);
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    char allow[64];
    struct error e;

    x->route = router_find(s->routes, method, exchange_path(x), x->parameter, allow, sizeof(allow), &e);
    if (x->route) {
        gate_enter(s->api->gate, x, admit);
        return;
    }
    if (method == EVHTTP_REQ_OPTIONS && (*allow || strcmp(exchange_path(x), "*") == 0)) {
        manners_answer_options(x, *allow ? allow : "GET, HEAD, POST, PUT, DELETE");
        return;
    }
    if (*allow)
        exchange_add_header(x, "Allow", allow);
    exchange_problem(x, &e, NULL);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct server *s = arg;

    return connections_add(s->connections,
        s->tls ? tls_accept(s->tls, base) : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE));
}

static void configure(struct server *s, const struct config *config)
{
    evhttp_set_timeout(s->http, (int)config->request_timeout_s);
    evhttp_set_max_headers_size(s->http, HEAD_MAX); /* what is larger does not get there */
    evhttp_set_max_body_size(s->http, (ev_ssize_t)config->max_body);
    evhttp_set_bevcb(s->http, on_connection, s);
    evhttp_set_gencb(s->http, on_request, s);
    /* All but TRACE and CONNECT, so that the router can answer 405 with Allow: evhttp itself would say 501.
     */
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
}

static void open_connections(struct server *s, const struct api *a)
{
    const struct config *config = a->config;
    struct connection_limits limits = {
        .count_max = (config->connections_max + config->api_loops - 1) / config->api_loops,
        .per_address_max = config->connections_per_address,
        .body_max = config->max_body,
        .idle_timeout_ms = config->request_timeout_s * 1000,
        .head_timeout_ms = config->head_timeout_s * 1000,
        .body_timeout_ms = config->body_timeout_s * 1000,
    };

    s->connections = connections_new(a->loop, &limits, s->pages, a->metrics);
}

struct server *server_new(struct api *a, const struct route *routes, const struct listen_address *address,
    char bound[LISTEN_TEXT_SIZE], struct error *e)
{
    struct server *s = mem_zalloc(sizeof(*s));
    struct evconnlistener *listener = listen_open(a->loop, address, true, bound, e);

    s->api = a;
    s->routes = routes;
    s->pages = error_pages_new(a->loop, a->config->max_body);
    open_connections(s, a);
    s->http = evhttp_new(loop_base(a->loop));
    if (listener && tls_is_wanted(a->config))
        s->tls = tls_new(a->loop, a->config, e);
    if (!listener || !s->http || !s->tls != !tls_is_wanted(a->config)) {
        if (listener)
            evconnlistener_free(listener);
        return server_free(s);
    }
    s->bound = evhttp_bind_listener(s->http, listener);
    if (!s->bound) {
        evconnlistener_free(listener);
        error_set(e, ERROR_INTERNAL, "the listener of %s could not be bound", bound);
        return server_free(s);
    }
    connections_set_listener(s->connections, listener);
    configure(s, a->config);
    return s;
}

void server_drain(struct server *s)
{
    s->is_closing = true;
}

void server_close(struct server *s)
{
    s->is_closing = true;
    connections_set_listener(s->connections, NULL);
    if (s->bound)
        evhttp_del_accept_socket(s->http, s->bound);
    s->bound = NULL;
}

size_t server_in_flight(const struct server *s)
{
    return s->in_flight;
}

struct server *server_free(struct server *s)
{
    struct exchange *next;
    struct error e;

    if (!s)
        return NULL;
    error_set(&e, ERROR_STOPPED, "the server is stopping: ask again");
    s->is_closing = true;
    for (struct exchange *x = s->exchanges; x; x = next) {
        next = x->next;
        if (x->on_closed)
            x->on_closed(x, true);
        else if (x->on_gone)
            x->on_gone(x);
        else
            exchange_problem(x, &e, NULL);
    }
    if (s->http)
        evhttp_free(s->http);
    connections_free(s->connections);
    tls_free(s->tls);
    error_pages_free(s->pages);
    free(s);
    return NULL;
}
