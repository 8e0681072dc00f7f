#include "common/queue/queue_priv.h"

static void on_leased(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct rate_lease lease = {0};
    struct error malformed;

    free(arg);
    if (!e && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)) {
        error_set(&malformed, ERROR_INTERNAL, "redis answered a wish for tokens with something else");
        e = &malformed;
    }
    if (!e) {
        lease.granted = reply->element[0]->integer;
        lease.left = reply->element[1]->integer;
        lease.wait_ms = reply->element[2]->integer;
    }
    p.done.leased(p.arg, &lease, e);
}

bool queue_lease_tokens(struct queue *q, const char *name, int64_t most, int64_t period_ms, int64_t wanted,
    queue_leased *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.leased = done;
    key_rate(name, &key);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_RATE], 1, 3);
    queue_add_key(q, &key);
    redis_request_add_int(&q->request, most);
    redis_request_add_int(&q->request, period_ms);
    redis_request_add_int(&q->request, wanted);
    return queue_send(q, 0, on_leased, p, e);
}
