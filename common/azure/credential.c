#include "common/azure/credential.h"
#include "common/base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

TAILQ_HEAD(credential_waits, credential_wait);

struct credential {
    struct loop *loop;
    const struct config *config;
    enum credential_kind kind;
    struct azure_account account; /* of KEY and SAS */
    unsigned generation;
    struct credential_waits waits;
    unsigned round;    /* tells those who wait from those who come while they are told */
    struct timer tell; /* those who wait for what is at hand */
};

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

struct credential *credential_open_storage(
    struct loop *loop, const struct config *config, const struct azure_account *account)
{
    struct credential *c = mem_zalloc(sizeof(*c));

    c->loop = loop;
    c->config = config;
    c->account = *account;
    c->kind = account->way == AZURE_WAY_SAS ? CREDENTIAL_SAS : CREDENTIAL_KEY;
    TAILQ_INIT(&c->waits);
    timer_init(&c->tell, loop, on_tell, c);
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
    azure_account_release(&c->account);
    free(c);
    return NULL;
}

enum credential_kind credential_kind_of(const struct credential *c)
{
    return c->kind;
}

bool credential_is_ready(const struct credential *c)
{
    return c->kind != CREDENTIAL_TOKEN;
}

void credential_wait(struct credential *c, struct credential_wait *w, credential_done *done, void *arg)
{
    assert(!w->credential);
    w->credential = c;
    w->round = c->round;
    w->done = done;
    w->arg = arg;
    TAILQ_INSERT_TAIL(&c->waits, w, link);
    timer_start(&c->tell, 0);
}

void credential_wait_stop(struct credential_wait *w)
{
    if (w->credential)
        TAILQ_REMOVE(&w->credential->waits, w, link);
    w->credential = NULL;
}

bool credential_sign(
    struct credential *c, const struct sign_request *request, struct buf *out, struct error *e)
{
    return c->kind == CREDENTIAL_SAS || sign_append_authorization(request, &c->account, out, e);
}

const char *credential_sas(const struct credential *c)
{
    return c->kind == CREDENTIAL_SAS ? c->account.sas : "";
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

bool credential_refused(struct credential *c, unsigned generation)
{
    return generation != c->generation;
}
