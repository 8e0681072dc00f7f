/*
 * web_server: an HTTP server on Node.js, plain and over TLS, for handlers of the kind http. What goes wrong
 * fails the test.
 *
 *     /echo                    streams the body back, as text/csv
 *     /headers                 the request's headers as JSON, with its method, its url and its body's length
 *     /status?s=503&after=2&b=words    an answer of this status, with Retry-After (after) and a body
 *     /hang  /reset  /half     no answer; a closed connection; an answer that breaks off
 *     /zeros?n=1000            so many zero bytes
 *     /once                    401, and 200 from the second request on
 */
#ifndef JOBGATE_TESTS_WEB_SERVER_H
#define JOBGATE_TESTS_WEB_SERVER_H

#include "tests/support/certificate.h"

struct web_server {
    struct process *process;
    struct certificate certificate;
    int port;
    int tls_port; /* as https://localhost */
};

/* Starts one. While it lives, SSL_CERT_FILE of the test names its authority. */
void web_server_start(struct web_server *w);
void web_server_stop(struct web_server *w);

#endif
