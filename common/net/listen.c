#include "common/net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

enum { BACKLOG = 1024 };

bool listen_parse(const char *text, struct listen_address *out, struct error *e)
{
    const char *colon = strrchr(text, ':');
    size_t host_length = colon ? (size_t)(colon - text) : 0;
    char *end;
    unsigned long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 65536;

    if (!colon || port > 65535 || *end || host_length >= sizeof(out->host))
        return error_set(
            e, ERROR_INVALID, "\"%.100s\" is not host:port, such as 127.0.0.1:8080 or [::1]:8080", text);
    if (host_length >= 2 && text[0] == '[' && text[host_length - 1] == ']' &&
        memchr(text, ':', host_length)) {
        text++;
        host_length -= 2;
    } else if (text[0] == '[' || memchr(text, ':', host_length)) {
        return error_set(
            e, ERROR_INVALID, "\"%.100s\": an IPv6 address stands in brackets: [::1]:8080", text);
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->host, text, host_length);
    out->port = (unsigned)port;
    return true;
}

bool listen_is_loopback(const struct listen_address *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(address->host, "localhost") == 0;
}

static void describe_bound(struct evconnlistener *listener, char bound[LISTEN_TEXT_SIZE])
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "";
    char port[8] = "";
    bool is_v6;

    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &length);
    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
        NI_NUMERICHOST | NI_NUMERICSERV);
    is_v6 = address.ss_family == AF_INET6;
    snprintf(bound, LISTEN_TEXT_SIZE, "%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

static struct evconnlistener *bind_to(struct loop *l, const struct addrinfo *at, unsigned flags)
{
    return evconnlistener_new_bind(
        loop_base(l), NULL, NULL, flags, BACKLOG, at->ai_addr, (int)at->ai_addrlen);
}

/* All addresses are those of IPv6, which takes IPv4 too; on a machine without it those of IPv4. */
static struct evconnlistener *bind_to_all(struct loop *l, const struct addrinfo *found, unsigned flags)
{
    const struct addrinfo *v6 = found;
    struct evconnlistener *listener;

    while (v6->ai_family != AF_INET6 && v6->ai_next)
        v6 = v6->ai_next;
    listener = bind_to(l, v6, flags);
    if (!listener && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        listener = bind_to(l, found, flags);
    return listener;
}

struct evconnlistener *listen_open(struct loop *l, const struct listen_address *address, bool share_port,
    char bound[LISTEN_TEXT_SIZE], struct error *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    struct evconnlistener *listener;
    char port[8];
    int status;

    snprintf(port, sizeof(port), "%u", address->port);
    status = getaddrinfo(*address->host ? address->host : NULL, port, &hints, &found);
    if (status) {
        error_set(e, ERROR_INVALID, "cannot listen on %s:%s: %s", address->host, port, gai_strerror(status));
        return NULL;
    }
    flags |= share_port ? LEV_OPT_REUSEABLE_PORT : 0;
    listener = *address->host ? bind_to(l, found, flags) : bind_to_all(l, found, flags);
    freeaddrinfo(found);
    if (!listener)
        error_set(e, ERROR_INVALID, "cannot listen on %s:%s: %s", address->host, port, strerror(errno));
    else
        describe_bound(listener, bound);
    return listener;
}
