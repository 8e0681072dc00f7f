#include "common/redis/redis_priv.h"
#include "common/base/log.h"

enum { RENEW_AGAIN_MS = 5000 };

static struct log_context log_of(const struct redis *r)
{
    return (struct log_context){.component = r->options.component};
}

static bool is_same_place(const struct redis_url *a, const struct redis_url *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->database == b->database;
}

static void on_renewed(void *arg, const redisReply *UNUSED(reply), const struct error *e)
{
    struct redis *r = arg;
    struct log_context context = log_of(r);

    if (!e || r->state != READY) {
        if (!e && !r->options.is_secondary)
            log_info(&context, "redis %s:%d took the new password", r->url.host, r->url.port);
        return;
    }
    if (!r->options.is_secondary)
        log_warn(&context,
            "redis %s:%d refuses the new password (%s); the connection goes on with the one before, and it "
            "is "
            "tried again",
            r->url.host, r->url.port, e->text);
    timer_start(&r->renewal, RENEW_AGAIN_MS);
}

/* Commands go out and are answered in their order, so that nothing has to stop: what was sent before is done
 * with the old password, what comes next with the new one. A subscriber may not say AUTH. */
static void renew(void *arg)
{
    struct redis *r = arg;

    if (r->options.subscriber)
        redis_drop_soon(r, "it connects anew, with the new password");
    else if (r->state == READY)
        redis_send_auth(r, on_renewed);
}

void redis_move_when_idle(struct redis *r)
{
    if (r->is_moving && r->pending_count == 0 && r->context && !timer_is_running(&r->unusable))
        redis_drop_soon(r, "REDIS_URL names another server");
}

/* A connection that is in use is drained first: nothing more is sent on it. */
static void move(struct redis *r, const struct redis_url *url)
{
    r->next_url = *url;
    r->is_moving = true;
    if (r->state == READY && !r->options.subscriber)
        redis_move_when_idle(r);
    else if (r->context)
        redis_drop_soon(r, "REDIS_URL names another server");
}

static bool on_new_url(void *arg, const char *value, struct error *e)
{
    struct redis *r = arg;
    struct redis_url url;

    if (!redis_url_parse(value, &url, e))
        return false;
    timer_stop(&r->renewal);
    if (r->is_moving || !is_same_place(&url, &r->url)) {
        move(r, &url);
    } else {
        r->url = url;
        if (r->state == READY)
            renew(r);
    }
    redis_url_wipe(&url);
    return true;
}

void redis_follow_url(struct redis *r)
{
    struct secret_user user = {.on_change = on_new_url,
        .arg = r,
        .component = r->options.component,
        .is_quiet = r->options.is_secondary};

    timer_init(&r->renewal, r->loop, renew, r);
    if (r->options.config)
        r->secret = secret_follow(r->loop, r->options.config, "REDIS_URL", &user);
}

void redis_follow_no_more(struct redis *r)
{
    r->secret = secret_free(r->secret);
    timer_stop(&r->renewal);
    redis_url_wipe(&r->next_url);
}
