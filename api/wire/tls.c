#include "api/wire/tls.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/watch.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { SETTLE_MS = 200 };

struct tls {
    const struct config *config;
    SSL_CTX *context; /* connections keep a reference of their own */
    struct watch *cert_watch;
    struct watch *key_watch;
    struct timer reload;
};

static const struct log_context log_context = {.component = "tls"};

static bool refuse(struct error *e, const char *name, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    char text[160] = "it cannot be read";

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return error_set(e, ERROR_INVALID, "%s: %.80s: %s", name, path, text);
}

/* Of what a client offers HTTP/1.1 alone is spoken here; who offers nothing of it goes on without ALPN. */
static int choose_protocol(SSL *UNUSED(ssl), const unsigned char **out, unsigned char *length,
    const unsigned char *offered, unsigned offered_length, void *UNUSED(arg))
{
    static const unsigned char http[] = "\x08http/1.1";
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, length, http, sizeof(http) - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *load(const struct config *config, struct error *e)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context)
        abort(); /* it is out of memory, mem.h's policy */
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(context, config->tls_cert_file) != 1)
        refuse(e, "TLS_CERT_FILE", config->tls_cert_file);
    else if (SSL_CTX_use_PrivateKey_file(context, config->tls_key_file, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(context) != 1)
        refuse(e, "TLS_KEY_FILE", config->tls_key_file);
    else
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static void reload(void *arg)
{
    struct tls *t = arg;
    struct error e;
    SSL_CTX *context = load(t->config, &e);

    if (!context) {
        log_error(
            &log_context, "the certificate changed and is wrong: the one of before stays in use: %s", e.text);
        return;
    }
    SSL_CTX_free(t->context);
    t->context = context;
    log_info(&log_context, "the certificate was read anew");
}

/* Certificate and key change one after the other. */
static void on_change(void *arg)
{
    struct tls *t = arg;

    timer_start(&t->reload, SETTLE_MS);
}

struct tls *tls_new(struct loop *l, const struct config *config, struct error *e)
{
    struct tls *t = mem_zalloc(sizeof(*t));

    t->config = config;
    timer_init(&t->reload, l, reload, t);
    t->cert_watch = watch_new(l, config->tls_cert_file, on_change, t);
    t->key_watch = watch_new(l, config->tls_key_file, on_change, t);
    t->context = load(config, e);
    return t->context ? t : tls_free(t);
}

struct tls *tls_free(struct tls *t)
{
    if (!t)
        return NULL;
    timer_stop(&t->reload);
    watch_free(t->cert_watch);
    watch_free(t->key_watch);
    SSL_CTX_free(t->context);
    free(t);
    return NULL;
}

struct bufferevent *tls_accept(struct tls *t, struct event_base *base)
{
    SSL *ssl = SSL_new(t->context);
    struct bufferevent *b;

    if (!ssl)
        return NULL;
    b = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (b)
        bufferevent_openssl_set_allow_dirty_shutdown(b, 1); /* HTTP/1.1 has lengths of its own */
    else
        SSL_free(ssl);
    return b;
}

bool tls_is_wanted(const struct config *config)
{
    return *config->tls_cert_file != '\0';
}

void tls_check(const struct config *config, struct buf *mistakes)
{
    SSL_CTX *context;
    struct error e;

    if (!*config->tls_cert_file != !*config->tls_key_file) {
        config_mistake(mistakes, *config->tls_cert_file ? "TLS_KEY_FILE" : "TLS_CERT_FILE",
            "is not set, and the other one of the two is");
        return;
    }
    if (!tls_is_wanted(config))
        return;
    context = load(config, &e);
    if (!context)
        buf_printf(mistakes, "%s\n", e.text);
    SSL_CTX_free(context);
}
