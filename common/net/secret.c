#include "common/net/secret.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/watch.h"

#include <openssl/evp.h>

enum { AGAIN_FIRST_MS = 500, AGAIN_CEILING_MS = 10000, DIGEST_SIZE = 32 };

struct secret {
    const struct config *config;
    const char *name;
    struct secret_user user;
    struct watch *watch;
    unsigned char digest[DIGEST_SIZE]; /* of the value in use: no copy of it is kept */
    int64_t again_ms;
    char warned[256]; /* "" while all is well */
};

static void digest_of(const char *value, unsigned char out[DIGEST_SIZE])
{
    if (!EVP_Digest(value, strlen(value), out, NULL, EVP_sha256(), NULL))
        abort(); /* every OpenSSL has SHA-256: it is out of memory, mem.h's policy */
}

static void pass_over(struct secret *s, const struct error *e)
{
    struct log_context context = {.component = s->user.component};

    if (!s->user.is_quiet && strcmp(s->warned, e->text) != 0)
        log_warn(&context, "%s; the value before stays in use, and the file is read again", e->text);
    snprintf(s->warned, sizeof(s->warned), "%s", e->text);
    watch_again(s->watch, s->again_ms);
    s->again_ms = s->again_ms * 2 < AGAIN_CEILING_MS ? s->again_ms * 2 : AGAIN_CEILING_MS;
}

static bool take_over(struct secret *s, const char *value, struct error *e)
{
    struct log_context context = {.component = s->user.component};
    unsigned char digest[DIGEST_SIZE];
    struct error why = {.text = ""};

    digest_of(value, digest);
    if (memcmp(digest, s->digest, sizeof(digest)) == 0)
        return true;
    if (!s->user.on_change(s->user.arg, value, &why))
        return error_set(e, ERROR_INVALID, "%s_FILE: %.80s: %s", s->name,
            config_secret_file(s->config, s->name), why.text);
    memcpy(s->digest, digest, sizeof(digest));
    if (!s->user.is_quiet)
        log_info(&context, "%s: a new value was taken over from %s", s->name,
            config_secret_file(s->config, s->name));
    return true;
}

static void on_file_changed(void *arg)
{
    struct secret *s = arg;
    char *value = NULL;
    struct error e;
    bool is_taken = config_secret_read(s->config, s->name, &value, &e) && take_over(s, value, &e);

    config_secret_free(value);
    if (!is_taken) {
        pass_over(s, &e);
        return;
    }
    s->again_ms = AGAIN_FIRST_MS;
    s->warned[0] = '\0';
}

struct secret *secret_follow(
    struct loop *l, const struct config *config, const char *name, const struct secret_user *user)
{
    const char *path = config_secret_file(config, name);
    struct secret *s;

    if (!path)
        return NULL;
    s = mem_zalloc(sizeof(*s));
    s->config = config;
    s->name = name;
    s->user = *user;
    s->again_ms = AGAIN_FIRST_MS;
    digest_of(config_secret_value(config, name), s->digest);
    s->watch = watch_new(l, path, on_file_changed, s);
    watch_again(s->watch, 0); /* who begins to follow late may have the value of the start */
    return s;
}

struct secret *secret_free(struct secret *s)
{
    if (!s)
        return NULL;
    watch_free(s->watch);
    explicit_bzero(s->digest, sizeof(s->digest));
    free(s);
    return NULL;
}
