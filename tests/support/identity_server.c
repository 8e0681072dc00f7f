#include "tests/support/identity_server.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/loop.h"

#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>

enum { SCRIPT_MAX = 64, REQUESTS_MAX = 4096, REQUEST_MAX = 1 << 20, TEXT_SIZE = 512 };

struct answer_of_script {
    int status;
    char header[TEXT_SIZE];
    char body[TEXT_SIZE];
};

struct identity_server {
    struct certificate certificate;
    struct loop *loop;
    pthread_t thread;
    SSL_CTX *tls;
    struct evhttp *entra;
    struct evhttp *imds;
    char authority[TEXT_SIZE];
    char imds_setting[TEXT_SIZE];
    char token_file[CERTIFICATE_PATH_SIZE + 64];
    pthread_mutex_t lock; /* guards what follows, which the test changes and reads */
    struct answer_of_script script[SCRIPT_MAX];
    size_t script_length;
    size_t script_used;
    char *requests[REQUESTS_MAX];
    size_t request_count;
    size_t grant_count;
    int life_s;
    int refresh_s;
    int delay_ms;
    int unmatched_per_mille;
    char assertion[TEXT_SIZE];
};

/* An answer that waits for its time. */
struct late {
    struct timer timer;
    struct evhttp_request *request;
    struct answer_of_script answer;
    struct buf body;
};

/* ---- tokens ---- */

static void append_base64url(struct buf *out, const char *text)
{
    char encoded[4096];
    int length = EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)strlen(text));

    for (int i = 0; i < length && encoded[i] != '='; i++)
        buf_append_char(out, encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i]);
}

/* iat and nbf lie back a little, as Entra's do. */
static void append_token(struct buf *out, const char *audience, int life_s, size_t number)
{
    int64_t now_s = clock_unix_ms() / 1000;
    char claims[1024];

    snprintf(claims, sizeof(claims),
        "{\"aud\":\"%s\",\"iss\":\"https://sts.windows.net/" IDENTITY_TENANT "/\",\"iat\":%" PRId64
        ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 ",\"oid\":\"" IDENTITY_CLIENT "\",\"tid\":\"" IDENTITY_TENANT
        "\",\"jti\":\"%zu\"}",
        audience, now_s - 300, now_s - 300, now_s + life_s, number);
    append_base64url(out, "{\"typ\":\"JWT\",\"alg\":\"none\"}");
    buf_append_char(out, '.');
    append_base64url(out, claims);
    buf_append_text(out, ".c2lnbmF0dXJl");
}

/* ---- answers ---- */

static void send_now(void *arg)
{
    struct late *late = arg;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(late->request);
    const char *colon = strchr(late->answer.header, ':');
    struct evbuffer *body = evbuffer_new();

    if (colon) {
        char name[TEXT_SIZE];

        snprintf(name, sizeof(name), "%.*s", (int)(colon - late->answer.header), late->answer.header);
        evhttp_add_header(headers, name, colon + 1 + strspn(colon + 1, " "));
    }
    evhttp_add_header(headers, "Content-Type", "application/json; charset=utf-8");
    evbuffer_add(body, late->body.data, late->body.length);
    evhttp_send_reply(late->request, late->answer.status, NULL, body);
    evbuffer_free(body);
    buf_release(&late->body);
    free(late);
}

static void refuse(struct late *late, int status, int number)
{
    late->answer.status = status;
    buf_reset(&late->body);
    buf_printf(&late->body,
        "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS%d: No. Trace ID: t-1\",\"error_codes\":"
        "[%d],\"trace_id\":\"t-1\",\"correlation_id\":\"c-1\"}",
        number, number);
}

static bool is_param(const struct evkeyvalq *params, const char *name, const char *wanted)
{
    const char *value = evhttp_find_header(params, name);

    return value && strcmp(value, wanted) == 0;
}

static void grant(struct identity_server *s, struct late *late, const char *audience, bool is_text)
{
    const char *quote = is_text ? "\"" : "";

    late->answer.status = 200;
    buf_printf(&late->body, "{\"token_type\":\"Bearer\",\"expires_in\":%s%d%s", quote, s->life_s, quote);
    if (s->refresh_s)
        buf_printf(&late->body, ",\"refresh_in\":%d", s->refresh_s);
    buf_append_text(&late->body, ",\"access_token\":\"");
    append_token(&late->body, audience, s->life_s, ++s->grant_count);
    buf_append_text(&late->body, "\"}");
}

static void answer_entra(struct identity_server *s, struct late *late, const char *target, const char *body)
{
    struct evkeyvalq params = {0};
    const char *assertion;

    evhttp_parse_query_str(body, &params);
    assertion = evhttp_find_header(&params, "client_assertion");
    if (strcmp(target, "/" IDENTITY_TENANT "/oauth2/v2.0/token") != 0)
        refuse(late, 400, 90002);
    else if (!is_param(&params, "grant_type", "client_credentials") ||
             !is_param(&params, "client_assertion_type",
                 "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") ||
             !assertion)
        refuse(late, 400, 900144);
    else if (!is_param(&params, "client_id", IDENTITY_CLIENT))
        refuse(late, 400, 700016);
    else if (!is_param(&params, "scope", "https://storage.azure.com/.default") &&
             !is_param(&params, "scope", "https://redis.azure.com/.default"))
        refuse(late, 400, 70011);
    else if (strcmp(assertion, s->assertion) != 0)
        refuse(late, 401, 700024);
    else if (s->unmatched_per_mille && s->request_count % (size_t)(1000 / s->unmatched_per_mille) == 0)
        refuse(late, 401, 700213);
    else
        grant(s, late, "https://storage.azure.com", false);
    evhttp_clear_headers(&params);
}

static void answer_imds(struct identity_server *s, struct late *late, const char *target)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(late->request);
    struct evkeyvalq params = {0};

    evhttp_parse_query(target, &params);
    late->answer.status = 400;
    if (strncmp(target, "/metadata/identity/oauth2/token?", 32) != 0)
        late->answer.status = 404;
    else if (!is_param(headers, "Metadata", "true") || !is_param(&params, "api-version", "2018-02-01") ||
             !is_param(&params, "resource", "https://storage.azure.com"))
        buf_append_text(&late->body, "{\"error\":\"bad_request\",\"error_description\":\"Bad request\"}");
    else if (evhttp_find_header(&params, "client_id") && !is_param(&params, "client_id", IDENTITY_CLIENT))
        buf_append_text(
            &late->body, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}");
    else
        grant(s, late, "https://storage.azure.com", true);
    evhttp_clear_headers(&params);
}

static void note(struct identity_server *s, const char *method, const char *target, const char *body)
{
    AUTO_BUF struct buf text = BUF(REQUEST_MAX);

    buf_printf(&text, "%s %s\n%s", method, target, body);
    if (s->request_count < REQUESTS_MAX)
        s->requests[s->request_count] = buf_take(&text, NULL);
    s->request_count++;
}

static void on_request(struct identity_server *s, struct evhttp_request *request, bool is_entra)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t length = evbuffer_get_length(input);
    char *body = mem_zalloc(length + 1);
    const char *target = evhttp_request_get_uri(request);
    struct late *late = mem_zalloc(sizeof(*late));

    evbuffer_copyout(input, body, length);
    late->request = request;
    late->body = BUF(REQUEST_MAX);
    timer_init(&late->timer, s->loop, send_now, late);
    pthread_mutex_lock(&s->lock);
    note(s, is_entra ? "POST" : "GET", target, body);
    if (s->script_used < s->script_length) {
        late->answer = s->script[s->script_used++];
        buf_append_text(&late->body, late->answer.body);
    } else if (is_entra) {
        answer_entra(s, late, target, body);
    } else {
        answer_imds(s, late, target);
    }
    timer_start(&late->timer, s->delay_ms);
    pthread_mutex_unlock(&s->lock);
    free(body);
}

static void on_entra(struct evhttp_request *request, void *arg)
{
    on_request(arg, request, true);
}

static void on_imds(struct evhttp_request *request, void *arg)
{
    on_request(arg, request, false);
}

/* ---- life ---- */

static struct bufferevent *accept_tls(struct event_base *base, void *arg)
{
    struct identity_server *s = arg;

    return bufferevent_openssl_socket_new(
        base, -1, SSL_new(s->tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
}

static struct evhttp *listen_on(
    struct identity_server *s, void (*on_request_of)(struct evhttp_request *, void *), int *port)
{
    struct evhttp *http = evhttp_new(loop_base(s->loop));
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);

    ck_assert_ptr_nonnull(bound);
    ck_assert_int_eq(getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    evhttp_set_gencb(http, on_request_of, s);
    return http;
}

static void *run(void *arg)
{
    struct identity_server *s = arg;

    loop_adopt(s->loop);
    loop_run(s->loop);
    return NULL;
}

static void stop(void *arg)
{
    loop_stop(arg);
}

struct identity_server *identity_server_start(void)
{
    struct identity_server *s = mem_zalloc(sizeof(*s));
    int port;

    certificate_make(&s->certificate, NULL);
    s->loop = loop_new();
    s->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(s->tls, s->certificate.certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(s->tls, s->certificate.key, SSL_FILETYPE_PEM), 1);
    s->entra = listen_on(s, on_entra, &port);
    evhttp_set_bevcb(s->entra, accept_tls, s);
    snprintf(s->authority, sizeof(s->authority), "AZURE_AUTHORITY_HOST=https://localhost:%d/", port);
    s->imds = listen_on(s, on_imds, &port);
    snprintf(s->imds_setting, sizeof(s->imds_setting),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST=http://127.0.0.1:%d", port);
    snprintf(s->token_file, sizeof(s->token_file), "AZURE_FEDERATED_TOKEN_FILE=%s/token",
        s->certificate.directory);
    pthread_mutex_init(&s->lock, NULL);
    s->life_s = 3600;
    snprintf(s->assertion, sizeof(s->assertion), "%s", IDENTITY_ASSERTION);
    identity_server_write_token(s, IDENTITY_ASSERTION);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

struct identity_server *identity_server_free(struct identity_server *s)
{
    if (!s)
        return NULL;
    loop_call_from_thread(s->loop, stop, s->loop);
    pthread_join(s->thread, NULL);
    evhttp_free(s->entra);
    evhttp_free(s->imds);
    loop_free(s->loop);
    SSL_CTX_free(s->tls);
    for (size_t i = 0; i < s->request_count && i < REQUESTS_MAX; i++)
        free(s->requests[i]);
    pthread_mutex_destroy(&s->lock);
    certificate_remove(&s->certificate);
    free(s);
    return NULL;
}

const struct certificate *identity_server_certificate(const struct identity_server *s)
{
    return &s->certificate;
}

const char *identity_server_authority(const struct identity_server *s)
{
    return s->authority;
}

const char *identity_server_imds(const struct identity_server *s)
{
    return s->imds_setting;
}

const char *identity_server_token_file(const struct identity_server *s)
{
    return s->token_file;
}

/* ---- what the test says ---- */

void identity_server_say(struct identity_server *s, int status, const char *header, const char *body)
{
    struct answer_of_script *answer;

    pthread_mutex_lock(&s->lock);
    ck_assert_uint_lt(s->script_length, SCRIPT_MAX);
    answer = &s->script[s->script_length++];
    answer->status = status;
    snprintf(answer->header, sizeof(answer->header), "%s", header ? header : "");
    snprintf(answer->body, sizeof(answer->body), "%s", body);
    pthread_mutex_unlock(&s->lock);
}

void identity_server_refuse(struct identity_server *s, int number)
{
    char body[TEXT_SIZE];

    snprintf(body, sizeof(body),
        "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS%d: No.\",\"error_codes\":[%d],"
        "\"trace_id\":\"t-1\"}",
        number, number);
    identity_server_say(s, 401, NULL, body);
}

void identity_server_set_life(struct identity_server *s, int life_s, int refresh_s)
{
    pthread_mutex_lock(&s->lock);
    s->life_s = life_s;
    s->refresh_s = refresh_s;
    pthread_mutex_unlock(&s->lock);
}

void identity_server_set_delay(struct identity_server *s, int delay_ms)
{
    pthread_mutex_lock(&s->lock);
    s->delay_ms = delay_ms;
    pthread_mutex_unlock(&s->lock);
}

void identity_server_set_assertion(struct identity_server *s, const char *assertion)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->assertion, sizeof(s->assertion), "%s", assertion);
    pthread_mutex_unlock(&s->lock);
}

void identity_server_set_unmatched(struct identity_server *s, int per_mille)
{
    pthread_mutex_lock(&s->lock);
    s->unmatched_per_mille = per_mille;
    pthread_mutex_unlock(&s->lock);
}

void identity_server_write_token(const struct identity_server *s, const char *assertion)
{
    FILE *file = fopen(strchr(s->token_file, '=') + 1, "we");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\n", assertion);
    ck_assert_int_eq(fclose(file), 0);
}

size_t identity_server_requests(struct identity_server *s)
{
    size_t count;

    pthread_mutex_lock(&s->lock);
    count = s->request_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

size_t identity_server_grants(struct identity_server *s)
{
    size_t count;

    pthread_mutex_lock(&s->lock);
    count = s->grant_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

char *identity_server_request(struct identity_server *s, size_t n)
{
    char *request;

    pthread_mutex_lock(&s->lock);
    ck_assert_uint_lt(n, s->request_count);
    request = mem_strdup(s->requests[n]);
    pthread_mutex_unlock(&s->lock);
    return request;
}
