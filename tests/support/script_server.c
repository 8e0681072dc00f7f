#include "tests/support/script_server.h"
#include "common/base/buf.h"
#include "common/base/mem.h"

#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>

enum { STEPS_MAX = 256, CONNECTIONS_MAX = 256, REQUEST_MAX = 8 << 20 };

struct step {
    char *bytes; /* NULL: nothing is sent */
    bool closes;
    struct buf request; /* what it answered */
};

struct script_server {
    struct evconnlistener *listener;
    struct step steps[STEPS_MAX];
    size_t step_count;
    size_t request_count;
    struct bufferevent *connections[CONNECTIONS_MAX]; /* NULL once it is closed */
    size_t connection_count;
};

static void close_connection(struct script_server *s, struct bufferevent *connection)
{
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i] == connection)
            s->connections[i] = NULL;
    bufferevent_free(connection);
}

static void on_written(struct bufferevent *connection, void *arg)
{
    close_connection(arg, connection);
}

static void answer(struct script_server *s, struct bufferevent *connection, const struct step *step)
{
    if (step->bytes)
        bufferevent_write(connection, step->bytes, strlen(step->bytes));
    if (step->closes && step->bytes)
        bufferevent_setcb(connection, NULL, on_written, NULL, s);
    else if (step->closes)
        close_connection(s, connection);
}

/* The length of the whole request that input begins with, 0 while it is not whole. */
static size_t request_length(struct evbuffer *input)
{
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    size_t length = 0;
    const char *at;
    char *head;

    if (end.pos < 0)
        return 0;
    head = mem_zalloc((size_t)end.pos + 1);
    evbuffer_copyout(input, head, (size_t)end.pos);
    at = strcasestr(head, "\r\nContent-Length:");
    if (at)
        length = strtoul(at + strlen("\r\nContent-Length:"), NULL, 10);
    free(head);
    length += (size_t)end.pos + 4;
    return evbuffer_get_length(input) >= length ? length : 0;
}

static void on_readable(struct bufferevent *connection, void *arg)
{
    struct script_server *s = arg;
    struct evbuffer *input = bufferevent_get_input(connection);
    size_t length = request_length(input);
    struct step *step = &s->steps[s->request_count];

    if (!length)
        return;
    ck_assert_msg(
        s->request_count < s->step_count, "request %zu is more than the script has", s->request_count + 1);
    s->request_count++;
    char *at = buf_reserve(&step->request, length);

    ck_assert_ptr_nonnull(at);
    evbuffer_remove(input, at, length);
    buf_added(&step->request, length);
    answer(s, connection, step);
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        close_connection(arg, connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *UNUSED(address),
    int UNUSED(length), void *arg)
{
    struct script_server *s = arg;
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

    ck_assert_uint_lt(s->connection_count, CONNECTIONS_MAX);
    s->connections[s->connection_count++] = connection;
    bufferevent_setcb(connection, on_readable, NULL, on_event, s);
    bufferevent_enable(connection, EV_READ | EV_WRITE);
}

struct script_server *script_server_new(struct loop *l)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct script_server *s = mem_zalloc(sizeof(*s));

    s->listener = evconnlistener_new_bind(
        loop_base(l), on_accept, s, LEV_OPT_CLOSE_ON_FREE, -1, (struct sockaddr *)&address, sizeof(address));
    ck_assert_ptr_nonnull(s->listener);
    return s;
}

struct script_server *script_server_free(struct script_server *s)
{
    if (!s)
        return NULL;
    evconnlistener_free(s->listener);
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i])
            bufferevent_free(s->connections[i]);
    for (size_t i = 0; i < s->step_count; i++) {
        free(s->steps[i].bytes);
        buf_release(&s->steps[i].request);
    }
    free(s);
    return NULL;
}

int script_server_port(const struct script_server *s)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);

    ck_assert_int_eq(
        getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

void script_server_say(struct script_server *s, const char *bytes, bool closes)
{
    ck_assert_uint_lt(s->step_count, STEPS_MAX);
    s->steps[s->step_count++] = (struct step){
        .bytes = bytes ? mem_strdup(bytes) : NULL, .closes = closes, .request = BUF(REQUEST_MAX)};
}

size_t script_server_requests(const struct script_server *s)
{
    return s->request_count;
}

size_t script_server_connections(const struct script_server *s)
{
    return s->connection_count;
}

const char *script_server_request(const struct script_server *s, size_t n)
{
    ck_assert_uint_lt(n, s->request_count);
    return s->steps[n].request.data;
}
