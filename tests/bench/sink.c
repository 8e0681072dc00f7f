/*
 * sink: answers as Blob Storage does and keeps nothing: what is left of a put's cost is the client's. Plain
 * HTTP/1.1 on loopback, connections kept alive.
 *
 *     sink [PORT]
 *
 * Prints the port that it listens on. PUT: 201 with the headers that a client looks at, when the request is
 * signed, else 403. `GET /count`: the blobs and bytes that were put so far. Any other GET or HEAD: 200, a
 * container's properties.
 */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { HEAD_MAX = 16384, EVENTS_MAX = 64, ANSWER_MAX = 1024, FD_MAX = 1024 };

/* A connection: the head of the request being read, then how much of its body is still to come. */
struct peer {
    int fd;
    size_t length;
    long long body_left;
    char bytes[HEAD_MAX + 1];
};

static struct peer *peers[FD_MAX]; /* by their socket */
static long long blob_count;
static long long byte_count;

static const char created[] = "HTTP/1.1 201 Created\r\n"
                              "Content-Length: 0\r\n"
                              "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n"
                              "Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n"
                              "ETag: \"0x8DE28A0B0C0D0E0\"\r\n"
                              "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\r\n"
                              "x-ms-request-id: 5c6f3c8e-001e-0048-2a35-5b8f4d000000\r\n"
                              "x-ms-version: 2025-11-05\r\n"
                              "x-ms-content-crc64: AAAAAAAAAAA=\r\n"
                              "x-ms-request-server-encrypted: true\r\n"
                              "Date: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\n";
static const char container[] = "HTTP/1.1 200 OK\r\n"
                                "Content-Length: 0\r\n"
                                "Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n"
                                "ETag: \"0x8DE28A0B0C0D0E0\"\r\n"
                                "x-ms-request-id: 5c6f3c8e-001e-0048-2a35-5b8f4d000001\r\n"
                                "x-ms-version: 2025-11-05\r\n\r\n";
static const char refused[] = "HTTP/1.1 403 Forbidden\r\n"
                              "Content-Length: 0\r\n"
                              "x-ms-error-code: AuthenticationFailed\r\n\r\n";

static void answer_count(char out[ANSWER_MAX])
{
    char body[64];
    int length = snprintf(body, sizeof(body), "%lld %lld\n", blob_count, byte_count);

    snprintf(out, ANSWER_MAX, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
}

/* Returns the length of the body. head ends with a NUL. */
static long long answer(int fd, const char *head)
{
    const char *length_line = strcasestr(head, "\r\nContent-Length:");
    long long length = length_line ? strtoll(length_line + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    char counts[ANSWER_MAX];
    const char *text = container;
    size_t size;

    if (strncmp(head, "PUT ", 4) == 0) {
        text = strstr(head, "\r\nAuthorization: SharedKey ") ? created : refused;
        blob_count += text == created;
        byte_count += text == created ? length : 0;
    } else if (strncmp(head, "GET /count ", 11) == 0) {
        answer_count(counts);
        text = counts;
    }
    size = strlen(text);
    if (write(fd, text, size) != (ssize_t)size)
        die("an answer did not fit into a socket");
    return length;
}

/* Takes from the front of what was read: body first, then heads that are whole. */
static void consume(struct peer *p)
{
    size_t at = 0;
    char *end;

    do {
        size_t body = p->length - at < (size_t)p->body_left ? p->length - at : (size_t)p->body_left;

        at += body;
        p->body_left -= (long long)body;
        p->bytes[p->length] = '\0';
        end = p->body_left ? NULL : strstr(p->bytes + at, "\r\n\r\n");
        if (end) {
            end[2] = '\0';
            p->body_left = answer(p->fd, p->bytes + at);
            at = (size_t)(end - p->bytes) + 4;
        }
    } while (end);
    memmove(p->bytes, p->bytes + at, p->length - at);
    p->length -= at;
}

static void serve(struct peer *p)
{
    ssize_t n = read(p->fd, p->bytes + p->length, HEAD_MAX - p->length);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(p->fd);
        peers[p->fd] = NULL;
        free(p);
        return;
    }
    p->length += (size_t)n;
    consume(p);
    if (p->length == HEAD_MAX)
        die("a request's head is longer than %d bytes", HEAD_MAX);
}

static void accept_peer(int listener, int epoll)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int on = 1;

    if (fd < 0 || fd >= FD_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("a connection could not be taken");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    peers[fd] = calloc(1, sizeof(*peers[fd]));
    if (!peers[fd])
        die("out of memory");
    peers[fd]->fd = fd;
}

static int open_listener(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("port %u cannot be listened on", port);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    int listener = open_listener(argc > 1 ? (unsigned)argument_number(argv[1], 0, 65535) : 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS_MAX] = {{.events = EPOLLIN, .data.fd = listener}};

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                accept_peer(listener, epoll);
            else
                serve(peers[events[i].data.fd]);
    }
}
