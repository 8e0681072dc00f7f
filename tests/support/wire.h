/*
 * wire: a TCP connection on which a test says and hears HTTP byte by byte, where curl would know better.
 */
#ifndef JOBGATE_TESTS_WIRE_H
#define JOBGATE_TESTS_WIRE_H

#include "tests/support/http.h"

/* Connects to "http://127.0.0.1:<port>…". receive_bytes: how little the socket may take in unread (0: as the
 * system wants). The descriptor is the caller's to close. */
int wire_connect(const char *url, int receive_bytes);

/* Sends all of it. Returns false when the connection broke. */
bool wire_send(int fd, const void *data, size_t length);
bool wire_say(int fd, const char *text);

/* Reads one response: head, and a body as long as Content-Length says. Fails the test after 30 s. Returns
 * false with reply->failure when the connection ended before. */
bool wire_hear(int fd, struct http_reply *reply);

/* Whether the other side closes within 30 s without another byte. */
bool wire_is_closed(int fd);

#endif
