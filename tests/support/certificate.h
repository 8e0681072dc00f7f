/*
 * certificate: a certificate for 127.0.0.1 and localhost and the authority that signed it, made by openssl
 * for one test.
 */
#ifndef JOBGATE_TESTS_CERTIFICATE_H
#define JOBGATE_TESTS_CERTIFICATE_H

#include "tests/support/process.h"

enum { CERTIFICATE_PATH_SIZE = PROCESS_PATH_SIZE + 32 };

/* Paths of PEM files. */
struct certificate {
    char directory[PROCESS_PATH_SIZE];
    char authority[CERTIFICATE_PATH_SIZE];   /* for SSL_CERT_FILE */
    char certificate[CERTIFICATE_PATH_SIZE]; /* of the server */
    char key[CERTIFICATE_PATH_SIZE];
    char setting[CERTIFICATE_PATH_SIZE + 16]; /* "SSL_CERT_FILE=…" */
};

/* Makes the files in a directory of its own. names: "DNS:localhost,IP:127.0.0.1", or NULL for these. What
 * goes wrong fails the test. */
void certificate_make(struct certificate *c, const char *names);
void certificate_remove(struct certificate *c);

#endif
