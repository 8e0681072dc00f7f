#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 30000, HEAD_MAX = 1 << 16, BODY_MAX = 1 << 28 };

int wire_connect(const char *url, int receive_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *port = strrchr(url, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_ptr_nonnull(port);
    ck_assert_int_ge(fd, 0);
    if (receive_bytes)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)), 0);
    address.sin_port = htons((uint16_t)strtol(port + 1, NULL, 10));
    ck_assert_msg(
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", url, strerror(errno));
    return fd;
}

bool wire_send(int fd, const void *data, size_t length)
{
    const char *at = data;

    while (length) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

bool wire_say(int fd, const char *text)
{
    return wire_send(fd, text, strlen(text));
}

static void wait_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    ck_assert_msg(poll(&ready, 1, WAIT_MS) == 1, "nothing came within %d ms", WAIT_MS);
}

/* Reads up to `length` bytes into b. Returns false at the end of the connection. */
static bool read_some(int fd, struct buf *b, size_t length, struct http_reply *reply)
{
    char chunk[65536];
    ssize_t n;

    wait_readable(fd);
    n = recv(fd, chunk, length < sizeof(chunk) ? length : sizeof(chunk), 0);
    if (n > 0)
        return buf_append(b, chunk, (size_t)n);
    snprintf(reply->failure, sizeof(reply->failure), "%s", n < 0 ? strerror(errno) : "closed");
    return false;
}

/* Byte by byte, so that nothing of the body is taken. */
static bool read_head(int fd, struct http_reply *reply)
{
    AUTO_BUF struct buf head = BUF(HEAD_MAX);

    while (head.length < 4 || strcmp(head.data + head.length - 4, "\r\n\r\n") != 0)
        if (!read_some(fd, &head, 1, reply))
            return false;
    ck_assert_msg(sscanf(head.data, "HTTP/1.%*1[01] %d", &reply->status) == 1, "no HTTP: %s", head.data);
    return buf_append_text(&reply->headers, strstr(head.data, "\r\n") + 2);
}

bool wire_hear(int fd, struct http_reply *reply)
{
    AUTO(free) char *digits = NULL;
    size_t length;

    *reply = (struct http_reply){.headers = BUF(HEAD_MAX), .body = BUF(BODY_MAX)};
    if (!read_head(fd, reply))
        return false;
    digits = http_reply_header(reply, "Content-Length");
    ck_assert_msg(digits || reply->status == 100 || reply->status == 204 || reply->status == 304,
        "no Content-Length: %s", reply->headers.data);
    length = digits ? strtoul(digits, NULL, 10) : 0;
    while (reply->body.length < length)
        if (!read_some(fd, &reply->body, length - reply->body.length, reply))
            return false;
    return true;
}

bool wire_is_closed(int fd)
{
    char byte;

    wait_readable(fd);
    return recv(fd, &byte, 1, 0) <= 0;
}
