#include "api/gate/gate.h"
#include "api/gate/entra.h"
#include "api/gate/keyring.h"
#include "api/gate/limiter.h"
#include "api/gate/modes.h"
#include "api/server.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/watch.h"

enum { SCHEME_LENGTH = 7 };

struct gate {
    struct gate_parts parts;
    unsigned modes;
    struct caller *anybody; /* with AUTH=none; and on public routes */
    struct keyring *keys;
    struct watch *keys_watch;
    struct entra *entra;
    struct limiter *limiter;
};

static const struct log_context log_context = {.component = "gate"};

/* ---- refusals ---- */

static void refuse(struct exchange *x, const char *reason, const struct error *e)
{
    char labels[64];

    snprintf(labels, sizeof(labels), "reason=\"%s\"", reason);
    series_add(metrics_series(exchange_metrics(x), METRIC_REQUESTS_REFUSED, labels), 1);
    exchange_problem(x, e, NULL);
}

/* Source of the challenge: RFC 6750 section 3. */
static void refuse_unknown(struct exchange *x, const struct error *e, bool has_credentials)
{
    exchange_add_header(x, "WWW-Authenticate",
        has_credentials ? "Bearer realm=\"jobgate\", error=\"invalid_token\"" : "Bearer realm=\"jobgate\"");
    refuse(x, "unauthenticated", e);
}

static void refuse_scope(struct exchange *x, const struct error *e)
{
    AUTO_BUF struct buf challenge = BUF(128);

    buf_append_text(&challenge, "Bearer realm=\"jobgate\", error=\"insufficient_scope\", scope=\"");
    scopes_write(x->route->scope, &challenge);
    buf_append_char(&challenge, '"');
    exchange_add_header(x, "WWW-Authenticate", challenge.data);
    refuse(x, "forbidden", e);
}

static void refuse_rate(struct exchange *x, int64_t retry_ms)
{
    const struct rate *rate = &x->caller->rate;
    char seconds[24];
    struct error e;

    snprintf(seconds, sizeof(seconds), "%lld", (long long)((retry_ms + 999) / 1000));
    exchange_add_header(x, "Retry-After", seconds);
    error_set(&e, ERROR_RATE_LIMITED, "%s may ask %lld times in %lld s: ask again in %s s", x->caller->name,
        (long long)rate->burst, (long long)(rate->period_ms / 1000), seconds);
    refuse(x, "rate_limited", &e);
}

/* ---- the way through ---- */

static void on_token(void *arg, int64_t retry_ms)
{
    struct exchange *x = arg;

    if (retry_ms)
        refuse_rate(x, retry_ms);
    else
        x->admitted(x);
}

static void let_in(struct gate *g, struct exchange *x, struct caller *c)
{
    struct error e;

    x->caller = caller_keep(c);
    if (!caller_has_scope(c, x->route->scope, &e))
        refuse_scope(x, &e);
    else
        limiter_take(g->limiter, c, on_token, x);
}

/* The credentials: `Authorization: Bearer …` or `X-API-Key: …`. NULL, with e, when there are none. */
static const char *read_credentials(const struct exchange *x, struct error *e)
{
    const char *authorization = exchange_header(x, "Authorization");
    const char *key = exchange_header(x, "X-API-Key");

    if (authorization && key)
        error_set(e, ERROR_UNAUTHENTICATED, "there are both Authorization and X-API-Key: send one");
    else if (key)
        return key;
    else if (!authorization)
        error_set(e, ERROR_UNAUTHENTICATED, "say who asks: Authorization: Bearer <key>");
    else if (evutil_ascii_strncasecmp(authorization, "Bearer ", SCHEME_LENGTH) != 0)
        error_set(e, ERROR_UNAUTHENTICATED, "Authorization is not of the form Bearer <key>");
    else
        return authorization + SCHEME_LENGTH + strspn(authorization + SCHEME_LENGTH, " ");
    return NULL;
}

static void enter_with_key(struct gate *g, struct exchange *x, const char *key)
{
    struct caller *c = g->modes & AUTH_KEYS ? keyring_find(g->keys, key) : NULL;
    struct error e;

    if (c && c->expires_ms && c->expires_ms <= clock_unix_ms())
        error_set(&e, ERROR_UNAUTHENTICATED, "this key of %s has expired", c->name);
    else if (!c)
        error_set(&e, ERROR_UNAUTHENTICATED, "this is no key that is known here");
    else
        e.code = ERROR_OK;
    if (e.code == ERROR_OK)
        let_in(g, x, c);
    else
        refuse_unknown(x, &e, true);
}

static void on_identified(void *arg, struct caller *c, const struct error *e)
{
    struct exchange *x = arg;
    struct gate *g = exchange_gate(x);

    if (!c && e->code == ERROR_UNAUTHENTICATED) {
        refuse_unknown(x, e, true);
    } else if (!c) {
        refuse(x, "unavailable", e);
    } else {
        if (!c->bucket)
            limiter_attach(g->limiter, c);
        let_in(g, x, c);
    }
}

void gate_enter(struct gate *g, struct exchange *x, gate_admitted *admitted)
{
    const char *credentials;
    struct error e;

    x->admitted = admitted;
    if (g->modes == AUTH_NONE || x->route->scope == SCOPE_PUBLIC) {
        let_in(g, x, g->anybody);
        return;
    }
    credentials = read_credentials(x, &e);
    if (!credentials)
        refuse_unknown(x, &e, false);
    else if (g->entra && strncmp(credentials, API_KEY_PREFIX, strlen(API_KEY_PREFIX)) != 0)
        entra_identify(g->entra, credentials, on_identified, x);
    else
        enter_with_key(g, x, credentials);
}

void gate_add_headers(struct exchange *x)
{
    char text[RATE_TEXT_SIZE];

    if (!x->caller || !x->caller->bucket)
        return;
    exchange_add_header(x, "RateLimit-Policy", limiter_policy(x->caller));
    limiter_describe(x->caller, text);
    exchange_add_header(x, "RateLimit", text);
}

/* ---- keys ---- */

static void use_keys(struct gate *g, struct keyring *keys)
{
    keyring_free(g->keys);
    g->keys = keys;
    for (size_t i = 0; i < keyring_count(keys); i++)
        limiter_attach(g->limiter, keyring_at(keys, i));
}

static void on_keys_changed(void *arg)
{
    struct gate *g = arg;
    struct error e;
    struct keyring *keys = keyring_load(g->parts.config->api_keys_file, &e);

    if (!keys) {
        log_error(
            &log_context, "API_KEYS_FILE changed and is wrong: the keys of before stay in use: %s", e.text);
        return;
    }
    use_keys(g, keys);
    log_info(&log_context, "%zu API keys were read anew", keyring_count(keys));
}

static bool open_keys(struct gate *g, struct error *e)
{
    const char *path = g->parts.config->api_keys_file;
    struct keyring *keys;

    g->keys_watch = watch_new(g->parts.loop, path, on_keys_changed, g);
    keys = keyring_load(path, e);
    if (!keys)
        return false;
    use_keys(g, keys);
    return true;
}

/* ---- beginning and end ---- */

struct gate *gate_new(const struct gate_parts *parts, struct error *e)
{
    struct gate *g = mem_zalloc(sizeof(*g));

    g->parts = *parts;
    g->limiter = limiter_new(parts->queue);
    g->anybody = caller_new("anybody", "");
    if (!auth_modes_parse(parts->config->auth, &g->modes, e))
        return gate_free(g);
    if (g->modes == AUTH_NONE)
        g->anybody->scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_ADMIN;
    if (g->modes & AUTH_KEYS && !open_keys(g, e))
        return gate_free(g);
    if (g->modes & AUTH_ENTRA && !(g->entra = entra_new(parts->loop, parts->config, e)))
        return gate_free(g);
    return g;
}

struct gate *gate_free(struct gate *g)
{
    if (!g)
        return NULL;
    watch_free(g->keys_watch);
    keyring_free(g->keys);
    entra_free(g->entra);
    limiter_free(g->limiter);
    caller_release(g->anybody);
    free(g);
    return NULL;
}

bool gate_is_open(const struct config *config)
{
    return strcmp(config->auth, "none") == 0;
}

void gate_check(const struct config *config, struct buf *mistakes)
{
    struct keyring *keys;
    unsigned modes;
    struct error e;

    if (!*config->auth)
        return;
    if (!auth_modes_parse(config->auth, &modes, &e)) {
        config_mistake(mistakes, "AUTH", e.text);
        return;
    }
    if (modes & AUTH_ENTRA)
        entra_check(config, mistakes);
    if (!(modes & AUTH_KEYS))
        return;
    if (!*config->api_keys_file) {
        config_mistake(mistakes, "API_KEYS_FILE", "is not set, and AUTH=keys needs it");
        return;
    }
    keys = keyring_load(config->api_keys_file, &e);
    if (!keys)
        config_mistake(mistakes, "API_KEYS_FILE", e.text);
    keyring_free(keys);
}
