#include "common/azure/credential.h"
#include "common/azure/token.h"
#include "common/base/mem.h"
#include "common/net/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

TAILQ_HEAD(credential_waits, credential_wait);

struct credential {
    struct loop *loop;
    const struct config *config;
    enum credential_kind kind;
    struct azure_account account; /* of KEY and SAS */
    struct secret *secret;        /* follows what account came from; NULL when it is no file */
    struct token *token;          /* of TOKEN */
    unsigned generation;
    struct credential_waits waits;
    unsigned round;    /* tells those who wait from those who come while they are told */
    struct timer tell; /* those who wait for what is at hand */
};

/* ---- those who wait ---- */

/* Those who come while the others are told wait for the next turn. */
static void tell_all(struct credential *c, const struct error *e)
{
    unsigned round = c->round++;
    struct credential_wait *w;

    while ((w = TAILQ_FIRST(&c->waits)) && w->round == round) {
        credential_wait_stop(w);
        w->done(w->arg, e);
    }
}

static void on_tell(void *arg)
{
    tell_all(arg, NULL);
}

static void on_token(void *arg, const struct error *e)
{
    struct credential *c = arg;

    if (!e)
        c->generation++;
    tell_all(c, token_value(c->token) ? NULL : e);
}

void credential_wait(struct credential *c, struct credential_wait *w, credential_done *done, void *arg)
{
    assert(!w->credential);
    w->credential = c;
    w->round = c->round;
    w->done = done;
    w->arg = arg;
    TAILQ_INSERT_TAIL(&c->waits, w, link);
    if (credential_is_ready(c))
        timer_start(&c->tell, 0);
    else
        token_fetch(c->token);
}

void credential_wait_stop(struct credential_wait *w)
{
    if (w->credential)
        TAILQ_REMOVE(&w->credential->waits, w, link);
    w->credential = NULL;
}

/* ---- life ---- */

static struct credential *new_credential(struct loop *loop, const struct config *config)
{
    struct credential *c = mem_zalloc(sizeof(*c));

    c->loop = loop;
    c->config = config;
    TAILQ_INIT(&c->waits);
    timer_init(&c->tell, loop, on_tell, c);
    return c;
}

static bool is_same_place(const struct azure_account *a, const struct azure_account *b)
{
    return a->way == b->way && strcmp(a->name, b->name) == 0 && strcmp(a->endpoint, b->endpoint) == 0;
}

/* Reads one setting as azure_account_from_config did. */
static bool read_again(struct credential *c, const char *value, struct azure_account *out, struct error *e)
{
    const char *setting = azure_account_setting(c->config);

    if (strcmp(setting, "AZURE_STORAGE_CONNECTION_STRING") == 0)
        return azure_account_from_connection_string(out, value, c->account.container, e);
    *out = c->account;
    return out->way == AZURE_WAY_KEY ? azure_account_set_key(out, value, e)
                                     : azure_account_set_sas(out, value, e);
}

static bool on_secret(void *arg, const char *value, struct error *e)
{
    struct credential *c = arg;
    struct azure_account account = {0};
    bool is_right = read_again(c, value, &account, e);

    if (is_right && !is_same_place(&account, &c->account))
        is_right = error_set(
            e, ERROR_INVALID, "names another account, endpoint or kind of credential: that takes a restart");
    if (is_right) {
        azure_account_release(&c->account);
        c->account = account;
        c->generation++;
    }
    azure_account_release(&account);
    return is_right;
}

static void follow(struct credential *c)
{
    struct secret_user user = {.on_change = on_secret, .arg = c, .component = "identity"};

    c->secret = secret_follow(c->loop, c->config, azure_account_setting(c->config), &user);
}

struct credential *credential_open_storage(
    struct loop *loop, const struct config *config, const struct azure_account *account)
{
    struct credential *c = new_credential(loop, config);

    c->account = *account;
    if (account->way == AZURE_WAY_WORKLOAD || account->way == AZURE_WAY_MANAGED) {
        c->kind = CREDENTIAL_TOKEN;
        c->token = token_new(loop, config, account->way, CREDENTIAL_STORAGE_SCOPE, on_token, c);
    } else {
        c->kind = account->way == AZURE_WAY_SAS ? CREDENTIAL_SAS : CREDENTIAL_KEY;
        follow(c);
    }
    return c;
}

struct credential *credential_open_scope(
    struct loop *loop, const struct config *config, const char *scope, struct error *e)
{
    enum azure_way way;
    struct credential *c;

    if (!azure_way_for_scope(config, &way, e))
        return NULL;
    c = new_credential(loop, config);
    c->kind = CREDENTIAL_TOKEN;
    c->token = token_new(loop, config, way, scope, on_token, c);
    return c;
}

struct credential *credential_free(struct credential *c)
{
    struct credential_wait *w;

    if (!c)
        return NULL;
    while ((w = TAILQ_FIRST(&c->waits)))
        credential_wait_stop(w);
    timer_stop(&c->tell);
    secret_free(c->secret);
    token_free(c->token);
    azure_account_release(&c->account);
    free(c);
    return NULL;
}

/* ---- use ---- */

enum credential_kind credential_kind_of(const struct credential *c)
{
    return c->kind;
}

bool credential_is_ready(const struct credential *c)
{
    return !c->token || token_value(c->token);
}

bool credential_sign(
    struct credential *c, const struct sign_request *request, struct buf *out, struct error *e)
{
    const char *token = credential_token(c);

    if (c->kind == CREDENTIAL_KEY)
        return sign_append_authorization(request, &c->account, out, e);
    if (c->kind == CREDENTIAL_SAS)
        return true;
    if (!token)
        return error_set(e, ERROR_STORE_AWAY, "the token expired in this very moment");
    return buf_printf(out, "Authorization: Bearer %s", token) ||
           error_set(e, ERROR_TOO_BIG, "the token is longer than %zu bytes", out->ceiling);
}

const char *credential_sas(const struct credential *c)
{
    return c->kind == CREDENTIAL_SAS ? c->account.sas : "";
}

const char *credential_token(const struct credential *c)
{
    return c->token ? token_value(c->token) : NULL;
}

bool credential_sign_text(
    const struct credential *c, const char *text, char out[CREDENTIAL_SIGNATURE_SIZE], struct error *e)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (c->kind != CREDENTIAL_KEY)
        return error_set(e, ERROR_INVALID, "only an account's key signs a SAS");
    if (!HMAC(EVP_sha256(), c->account.key, (int)c->account.key_length, (const unsigned char *)text,
            strlen(text), mac, &length))
        return error_set(e, ERROR_INTERNAL, "OpenSSL has no HMAC-SHA256");
    EVP_EncodeBlock((unsigned char *)out, mac, (int)length);
    return true;
}

unsigned credential_generation(const struct credential *c)
{
    return c->generation;
}

/* A new generation begins when the token of the last is dropped, so that it is dropped once, whoever else was
 * refused with it. */
bool credential_refused(struct credential *c, unsigned generation)
{
    if (generation != c->generation)
        return true;
    if (!c->token || !token_drop(c->token))
        return false;
    c->generation++;
    return true;
}
