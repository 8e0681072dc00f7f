#include "tests/support/certificate.h"
#include "common/base/buf.h"

#include <check.h>

enum { OPENSSL_MS = 60000 };

static void run_openssl(const char *const *argv)
{
    AUTO(free) char *said = NULL;
    int status = process_run(argv, NULL, OPENSSL_MS, &said);

    ck_assert_msg(status == 0, "openssl %s ended with %d:\n%s", argv[1], status, said);
}

static void make_authority(const struct certificate *c, const char *key)
{
    run_openssl((const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", c->authority, "-days", "30", "-subj",
        "/CN=an authority for tests", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
        "keyUsage=critical,keyCertSign", NULL});
}

static void make_server(const struct certificate *c, const char *authority_key, const char *names)
{
    AUTO_BUF struct buf request = BUF(4096);
    AUTO_BUF struct buf extension = BUF(4096);

    buf_printf(&request, "%s/server.csr", c->directory);
    buf_printf(&extension, "subjectAltName=%s", names ? names : "DNS:localhost,IP:127.0.0.1");
    run_openssl((const char *const[]){"openssl", "req", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", c->key, "-out", request.data, "-subj",
        "/CN=a server for tests", "-addext", extension.data, NULL});
    run_openssl((const char *const[]){"openssl", "x509", "-req", "-in", request.data, "-CA", c->authority,
        "-CAkey", authority_key, "-CAcreateserial", "-out", c->certificate, "-days", "30", "-copy_extensions",
        "copy", NULL});
}

void certificate_make(struct certificate *c, const char *names)
{
    char authority_key[CERTIFICATE_PATH_SIZE];

    directory_make(c->directory);
    snprintf(c->authority, sizeof(c->authority), "%s/authority.crt", c->directory);
    snprintf(c->certificate, sizeof(c->certificate), "%s/server.crt", c->directory);
    snprintf(c->key, sizeof(c->key), "%s/server.key", c->directory);
    snprintf(c->setting, sizeof(c->setting), "SSL_CERT_FILE=%s", c->authority);
    snprintf(authority_key, sizeof(authority_key), "%s/authority.key", c->directory);
    make_authority(c, authority_key);
    make_server(c, authority_key, names);
}

void certificate_remove(struct certificate *c)
{
    directory_remove(c->directory);
}
