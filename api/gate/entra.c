#include "api/gate/entra.h"
#include "api/gate/keyring.h"
#include "api/gate/jwt.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/http_client.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    REMEMBERED = 1024, /* tokens */
    DIGEST_LENGTH = 32,
    URL_SIZE = 1024,
    FETCH_TIMEOUT_MS = 10000,
    REFETCH_MS = 10000,
    RETRY_MS = 5000,
    REFRESH_MS = 3600000,
};

/* A request that waits for keys. */
struct waiting {
    const char *token;
    entra_identified *done;
    void *arg;
    struct waiting *next;
};

/* A token that was found right. */
struct remembered {
    unsigned char digest[DIGEST_LENGTH];
    struct caller *caller;
};

struct entra {
    const struct config *config;
    char issuer[URL_SIZE];
    char url[URL_SIZE];
    struct rate rate;
    struct http_client *client;
    struct http_request request;
    struct timer refresh;
    json_t *keys;       /* NULL: none yet */
    int64_t fetched_ms; /* when they were asked for last, by the steady clock */
    bool is_fetching;
    struct waiting *waiting;
    struct remembered tokens[REMEMBERED];
};

static const struct log_context log_context = {.component = "entra"};

static void identify(struct entra *n, const char *token, bool may_fetch, entra_identified *done, void *arg);

/* ---- settings ---- */

static bool is_safe_url(const char *url)
{
    return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://127.0.0.1:", 17) == 0 ||
           strncmp(url, "http://localhost:", 17) == 0;
}

static void derive(const struct config *config, const char *given, const char *path, char out[URL_SIZE])
{
    const char *authority = config->authority_host;
    size_t length = strlen(authority);

    while (length && authority[length - 1] == '/')
        length--;
    if (*given)
        snprintf(out, URL_SIZE, "%s", given);
    else
        snprintf(out, URL_SIZE, "%.*s/%s%s", (int)length, authority, config->tenant_id, path);
}

void entra_check(const struct config *config, struct buf *mistakes)
{
    struct rate rate;
    char url[URL_SIZE];
    struct error e;

    if (!*config->entra_audience)
        config_mistake(mistakes, "ENTRA_AUDIENCE", "is not set, and AUTH=entra needs it");
    if (!*config->tenant_id && (!*config->entra_issuer || !*config->entra_jwks_url))
        config_mistake(mistakes, "AZURE_TENANT_ID",
            "is not set, and AUTH=entra needs it, or both ENTRA_ISSUER and ENTRA_JWKS_URL");
    derive(config, config->entra_jwks_url, "/discovery/v2.0/keys", url);
    if (!is_safe_url(url))
        config_mistake(mistakes, "ENTRA_JWKS_URL", "is not an https URL");
    if (*config->entra_rate && !rate_parse(config->entra_rate, &rate, &e))
        config_mistake(mistakes, "ENTRA_RATE", e.text);
}

/* ---- tokens that are known ---- */

static struct remembered *slot_of(struct entra *n, const char *token, unsigned char digest[DIGEST_LENGTH])
{
    unsigned index;

    if (!EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL))
        abort(); /* mem.h's policy */
    memcpy(&index, digest, sizeof(index));
    return &n->tokens[index % REMEMBERED];
}

static struct caller *recall(struct entra *n, const char *token)
{
    unsigned char digest[DIGEST_LENGTH];
    const struct remembered *r = slot_of(n, token, digest);

    if (!r->caller || CRYPTO_memcmp(r->digest, digest, DIGEST_LENGTH) != 0 ||
        r->caller->expires_ms <= clock_unix_ms())
        return NULL;
    return r->caller;
}

static void remember(struct entra *n, const char *token, struct caller *c)
{
    unsigned char digest[DIGEST_LENGTH];
    struct remembered *r = slot_of(n, token, digest);

    caller_release(r->caller);
    r->caller = c;
    memcpy(r->digest, digest, DIGEST_LENGTH);
}

/* A key that is published no more vouches for nobody. */
static void forget_all(struct entra *n)
{
    for (size_t i = 0; i < REMEMBERED; i++)
        n->tokens[i].caller = caller_release(n->tokens[i].caller);
}

/* ---- keys ---- */

static void serve_waiting(struct entra *n)
{
    struct waiting *w = n->waiting;

    n->waiting = NULL;
    while (w) {
        struct waiting this_one = *w;

        free(w);
        w = this_one.next;
        identify(n, this_one.token, false, this_one.done, this_one.arg);
    }
}

static void take_keys(struct entra *n, const struct http_response *response, struct error *e)
{
    json_t *keys;

    if (response->status != 200) {
        error_set(e, ERROR_INVALID, "it answered with %d", response->status);
        return;
    }
    keys = jwks_parse(response->body.data, response->body.length, e);
    if (!keys)
        return;
    if (!json_equal(keys, n->keys)) {
        forget_all(n);
        log_info(&log_context, "the issuer publishes %zu keys", json_array_size(keys));
    }
    json_decref(n->keys);
    n->keys = keys;
    e->code = ERROR_OK;
}

static void on_fetched(void *arg, const struct http_response *response, const struct error *e)
{
    struct entra *n = arg;
    struct error failure = {.code = ERROR_OK};

    n->is_fetching = false;
    if (e)
        failure = *e;
    else
        take_keys(n, response, &failure);
    if (failure.code != ERROR_OK)
        log_warn(
            &log_context, "the keys of the issuer could not be fetched from %s: %s", n->url, failure.text);
    timer_start(&n->refresh, failure.code == ERROR_OK ? REFRESH_MS : RETRY_MS);
    serve_waiting(n);
}

static void fetch(void *arg)
{
    static const struct http_events events = {.on_done = on_fetched};
    struct entra *n = arg;

    if (n->is_fetching)
        return;
    n->is_fetching = true;
    n->fetched_ms = clock_steady_ms();
    n->request = (struct http_request){.method = "GET",
        .url = n->url,
        .connect_timeout_ms = FETCH_TIMEOUT_MS / 2,
        .timeout_ms = FETCH_TIMEOUT_MS,
        .max_response_bytes = JWKS_MAX};
    http_send(n->client, &n->request, &events, n);
}

static void wait_for_keys(struct entra *n, const char *token, entra_identified *done, void *arg)
{
    struct waiting *w = mem_alloc(sizeof(*w));

    *w = (struct waiting){token, done, arg, n->waiting};
    n->waiting = w;
    fetch(n);
}

/* ---- identifying ---- */

static void read_token(struct entra *n, const char *token, entra_identified *done, void *arg)
{
    struct token_rules rules = {n->issuer, n->config->entra_audience, clock_unix_ms() / 1000};
    struct error e;
    struct caller *c = token_read(n->keys, token, &rules, &e);

    if (!c) {
        done(arg, NULL, &e);
        return;
    }
    c->rate = n->rate;
    remember(n, token, c);
    caller_keep(c); /* what done leads to may bring another token into its place */
    done(arg, c, NULL);
    caller_release(c);
}

static void identify(struct entra *n, const char *token, bool may_fetch, entra_identified *done, void *arg)
{
    char key_id[KEY_ID_SIZE];
    struct error e;
    bool is_due = n->is_fetching || clock_steady_ms() - n->fetched_ms >= REFETCH_MS || !n->keys;

    if (!token_key_id(token, key_id, &e)) {
        done(arg, NULL, &e);
    } else if (may_fetch && is_due && !jwks_has(n->keys, key_id)) {
        wait_for_keys(n, token, done, arg);
    } else if (!n->keys) {
        error_set(&e, ERROR_IDENTITY_AWAY,
            "the keys of the issuer of tokens could not be fetched: ask again later");
        done(arg, NULL, &e);
    } else {
        read_token(n, token, done, arg);
    }
}

void entra_identify(struct entra *n, const char *token, entra_identified *done, void *arg)
{
    struct caller *c = recall(n, token);

    if (c) {
        caller_keep(c);
        done(arg, c, NULL);
        caller_release(c);
    } else {
        identify(n, token, true, done, arg);
    }
}

/* ---- beginning and end ---- */

struct entra *entra_new(struct loop *l, const struct config *config, struct error *e)
{
    struct entra *n = mem_zalloc(sizeof(*n));

    n->config = config;
    derive(config, config->entra_issuer, "/v2.0", n->issuer);
    derive(config, config->entra_jwks_url, "/discovery/v2.0/keys", n->url);
    timer_init(&n->refresh, l, fetch, n);
    if (*config->entra_rate && !rate_parse(config->entra_rate, &n->rate, e)) {
        free(n);
        return NULL;
    }
    n->client = http_client_new(l, 1, 60);
    timer_start(&n->refresh, 0);
    return n;
}

struct entra *entra_free(struct entra *n)
{
    struct waiting *next;

    if (!n)
        return NULL;
    timer_stop(&n->refresh);
    http_client_free(n->client);
    for (struct waiting *w = n->waiting; w; w = next) {
        next = w->next;
        free(w);
    }
    forget_all(n);
    json_decref(n->keys);
    free(n);
    return NULL;
}
