#include "common/azure/sas.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/blob/azure_priv.h"

#include <strings.h>

/*
 * With an account's key links are signed at once. With an identity the service lends a key for it (Get User
 * Delegation Key), which is fetched once for all who wait and kept. Times begin in the past, because the
 * service's clock may be behind ours.
 */
enum {
    PAST_MS = 15 * 60 * 1000,
    KEY_LIFE_MS = 24 * 60 * 60 * 1000,
    KEY_MARGIN_MS = 5 * 60 * 1000, /* a key is not used for a link that outlives it */
};

struct link_keys {
    struct sas_key key;
    int64_t expires_ms; /* Unix time; 0 = there is none */
    struct azure_request *fetching;
    struct buf body; /* of the request */
    TAILQ_HEAD(, azure_link) waiting;
};

struct azure_link {
    struct blob_op base;
    struct azure_store *store;
    char name[BLOB_NAME_SIZE];
    int64_t seconds;
    blob_link_done *done;
    void *arg;
    struct timer due; /* it can be made now */
    bool is_waiting;
    TAILQ_ENTRY(azure_link) link;
};

bool azure_can_link(const struct blob_store *s)
{
    return credential_kind_of(((const struct azure_store *)s)->client.credential) != CREDENTIAL_SAS;
}

static void stop_waiting(struct azure_link *l)
{
    if (l->is_waiting)
        TAILQ_REMOVE(&l->store->keys->waiting, l, link);
    l->is_waiting = false;
}

static void finish(struct azure_link *l, const char *url, const struct error *e)
{
    stop_waiting(l);
    l->done(l->arg, url, e);
    timer_stop(&l->due);
    blob_op_free(&l->base);
}

/* ---- signing ---- */

static bool sign(struct azure_link *l, const struct sas_grant *grant, const struct sas_key *key,
    struct buf *query, struct error *e)
{
    AUTO_BUF struct buf text = BUF(BLOB_LINK_SIZE);
    char signature[SAS_SIGNATURE_SIZE];

    sas_append_string(grant, key, &text);
    if (key ? !sas_sign(key, text.data, signature, e)
            : !credential_sign_text(l->store->client.credential, text.data, signature, e))
        return false;
    sas_append_query(grant, key, signature, query);
    return true;
}

static void finish_signed(struct azure_link *l, const struct sas_key *key)
{
    const struct azure_account *a = &l->store->client.account;
    AUTO_BUF struct buf query = BUF(BLOB_LINK_SIZE);
    AUTO_BUF struct buf url = BUF(BLOB_LINK_SIZE);
    int64_t now_ms = clock_unix_ms();
    char start[SAS_TIME_SIZE];
    char expiry[SAS_TIME_SIZE];
    struct sas_grant grant = {.account = a->name,
        .container = a->container,
        .blob = l->name,
        .start = start,
        .expiry = expiry,
        .is_https_only = strncasecmp(a->endpoint, "https:", 6) == 0};
    struct error e;

    sas_time(now_ms - PAST_MS, start);
    sas_time(now_ms + l->seconds * 1000, expiry);
    if (!blob_name_is_valid(l->name)) {
        error_set(&e, ERROR_INVALID, "\"%.100s\" is not the name of a blob", l->name);
        finish(l, NULL, &e);
        return;
    }
    if (!sign(l, &grant, key, &query, &e)) {
        finish(l, NULL, &e);
        return;
    }
    buf_printf(&url, "%s/%s/%s?%s", a->endpoint, a->container, l->name, query.data);
    finish(l, url.data, NULL);
}

/* ---- the delegation key ---- */

static bool has_key_for(const struct link_keys *k, int64_t seconds)
{
    return k->expires_ms > clock_unix_ms() + seconds * 1000 + KEY_MARGIN_MS;
}

static void end_waiting(struct link_keys *k, const struct error *e)
{
    for (struct azure_link *l = TAILQ_FIRST(&k->waiting), *next; l; l = next) {
        next = TAILQ_NEXT(l, link);
        if (e)
            finish(l, NULL, e);
        else
            finish_signed(l, &k->key);
    }
}

static void on_key(void *arg, const struct azure_outcome *o)
{
    struct azure_store *s = arg;
    struct link_keys *k = s->keys;
    struct error e;

    k->fetching = NULL;
    if (o->error) {
        end_waiting(k, o->error);
        return;
    }
    sas_key_release(&k->key);
    k->expires_ms = 0;
    if (!sas_key_parse(&k->key, o->response->body.data, o->response->body.length, &e) ||
        !clock_parse_rfc3339(k->key.expiry, &k->expires_ms)) {
        error_set(&e, ERROR_STORE_REFUSED, "the store's user delegation key cannot be read");
        end_waiting(k, &e);
        return;
    }
    end_waiting(k, NULL);
}

static void add_key_lines(void *UNUSED(arg), struct azure_lines *lines)
{
    azure_line(lines, "Content-Type: application/xml; charset=UTF-8");
}

static void fetch_key(struct azure_store *s)
{
    struct link_keys *k = s->keys;
    int64_t now_ms = clock_unix_ms();
    char start[SAS_TIME_SIZE];
    char expiry[SAS_TIME_SIZE];
    struct azure_ask ask = {.method = "POST",
        .query = "restype=service&comp=userdelegationkey",
        .is_unnamed = true,
        .status = 200,
        .add_lines = add_key_lines,
        .retries = ANSWER_RETRIES_MAX,
        .ends_at_ms = azure_deadline(&s->client)};

    if (k->fetching)
        return;
    sas_time(now_ms - PAST_MS, start);
    sas_time(now_ms + KEY_LIFE_MS, expiry);
    buf_reset(&k->body);
    sas_key_append_request(start, expiry, &k->body);
    ask.body = k->body.data;
    ask.length = k->body.length;
    k->fetching = azure_send(&s->client, &ask, on_key, s);
}

void azure_keys_open(struct azure_store *s)
{
    s->keys = mem_zalloc(sizeof(*s->keys));
    buf_init(&s->keys->body, 1024);
    TAILQ_INIT(&s->keys->waiting);
}

void azure_keys_close(struct azure_store *s)
{
    sas_key_release(&s->keys->key);
    buf_release(&s->keys->body);
    free(s->keys);
}

/* ---- the operation ---- */

static void on_due(void *arg)
{
    struct azure_link *l = arg;
    struct link_keys *k = l->store->keys;
    struct error e;

    if (!azure_can_link(&l->store->base)) {
        error_set(&e, ERROR_INVALID, "a SAS signs no links");
        finish(l, NULL, &e);
    } else if (credential_kind_of(l->store->client.credential) == CREDENTIAL_KEY) {
        finish_signed(l, NULL);
    } else if (has_key_for(k, l->seconds)) {
        finish_signed(l, &k->key);
    } else {
        l->is_waiting = true;
        TAILQ_INSERT_TAIL(&k->waiting, l, link);
        fetch_key(l->store);
    }
}

static void cancel(struct blob_op *base)
{
    struct azure_link *l = (struct azure_link *)base;

    stop_waiting(l);
    timer_stop(&l->due);
    blob_op_free(base);
}

static const struct blob_op_kind link_kind = {.cancel = cancel};

struct blob_op *azure_link(
    struct blob_store *s, const char *name, int64_t seconds, blob_link_done *done, void *arg)
{
    struct azure_link *l = blob_op_new(s, &link_kind, sizeof(*l));

    l->store = azure_of(s);
    l->seconds = seconds;
    l->done = done;
    l->arg = arg;
    snprintf(l->name, sizeof(l->name), "%s", name);
    timer_init(&l->due, l->store->client.loop, on_due, l);
    timer_start(&l->due, 0);
    return &l->base;
}
