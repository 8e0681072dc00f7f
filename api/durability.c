#include "api/durability.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/scripts.h"

struct waiter {
    durability_reached *done;
    void *arg;
    struct waiter *next;
};

struct durability {
    const struct config *config;
    struct redis *redis; /* NULL with memory */
    struct queue *queue;
    struct redis_request request;
    struct timer flush;
    struct waiter *gathered; /* in this turn */
    bool has_complained;
};

/* Those of one command. */
struct batch {
    struct durability *durability;
    struct waiter *waiters;
};

static void tell(struct waiter *waiters, const struct error *e)
{
    while (waiters) {
        struct waiter *next = waiters->next;

        waiters->done(waiters->arg, e);
        free(waiters);
        waiters = next;
    }
}

/* WAIT answers with a number, WAITAOF with two: of local and of replica files. */
static int64_t read_count(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
        reply = reply->element[0];
    return reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

static void complain(struct durability *d, const struct error *e)
{
    static const struct log_context log_context = {.component = "durability"};

    if (d->has_complained || e->code == ERROR_STOPPED || e->code == ERROR_REDIS_AWAY)
        return;
    d->has_complained = true;
    log_error(&log_context, "SUBMIT_DURABILITY cannot be had, so submissions get 503: %s", e->text);
}

static void on_waited(void *arg, const redisReply *reply, const struct error *e)
{
    struct batch batch = *(struct batch *)arg;
    struct durability *d = batch.durability;
    bool is_fsync = d->config->submit_durability == DURABILITY_FSYNC;
    int64_t wanted = is_fsync ? 1 : d->config->submit_replicas;
    struct error failure;

    free(arg);
    if (e && e->code == ERROR_INTERNAL) {
        error_set(&failure, ERROR_REDIS_BUSY, "the job may have been accepted, but %.120s%s", e->text,
            is_fsync ? " (WAITAOF wants Redis 7.2 with appendonly yes)" : "");
        e = &failure;
    } else if (!e && read_count(reply) < wanted) {
        error_set(&failure, ERROR_REDIS_BUSY,
            "the job may have been accepted, but only %lld of %lld %s have it: repeat with the same "
            "Idempotency-Key",
            (long long)read_count(reply), (long long)wanted, is_fsync ? "files" : "replicas");
        e = &failure;
    }
    if (e)
        complain(d, e);
    else
        d->has_complained = false;
    tell(batch.waiters, e);
}

static void write_command(struct durability *d)
{
    int64_t timeout_ms = d->config->redis_timeout_ms; /* beside the connection's own patience */

    if (d->config->submit_durability == DURABILITY_FSYNC) {
        redis_request_begin(&d->request, 4);
        redis_request_add_text(&d->request, "WAITAOF");
        redis_request_add_int(&d->request, 1);
        redis_request_add_int(&d->request, 0);
    } else {
        redis_request_begin(&d->request, 3);
        redis_request_add_text(&d->request, "WAIT");
        redis_request_add_int(&d->request, d->config->submit_replicas);
    }
    redis_request_add_int(&d->request, timeout_ms);
}

static void flush(void *arg)
{
    struct durability *d = arg;
    struct batch *batch = mem_alloc(sizeof(*batch));
    struct error e;

    *batch = (struct batch){d, d->gathered};
    d->gathered = NULL;
    write_command(d);
    if (redis_send(d->redis, &d->request, d->config->redis_timeout_ms, on_waited, batch, &e))
        return;
    tell(batch->waiters, &e);
    free(batch);
}

static bool open_connection(struct durability *d, struct loop *l, struct error *e)
{
    struct redis_url url;
    struct redis_options options = {
        .url = &url,
        .config = d->config,
        .component = "submit",
        .is_secondary = true,
        .timeout_ms = d->config->redis_timeout_ms,
        .scripts = queue_scripts,
        .script_count = SCRIPT_COUNT,
    };

    if (!redis_url_parse(d->config->redis_url, &url, e))
        return false;
    d->redis = redis_new(l, &options);
    d->queue = queue_new(d->redis);
    redis_url_wipe(&url);
    return true;
}

struct durability *durability_new(
    struct loop *l, const struct config *config, struct queue *shared, struct error *e)
{
    struct durability *d = mem_zalloc(sizeof(*d));

    d->config = config;
    d->queue = shared;
    redis_request_init(&d->request);
    timer_init(&d->flush, l, flush, d);
    if (config->submit_durability == DURABILITY_MEMORY || open_connection(d, l, e))
        return d;
    return durability_free(d);
}

struct durability *durability_free(struct durability *d)
{
    struct error e;

    if (!d)
        return NULL;
    timer_stop(&d->flush);
    if (d->redis) {
        d->redis = redis_free(d->redis);
        queue_free(d->queue);
    }
    timer_stop(&d->flush);
    error_set(&e, ERROR_STOPPED, "the server is stopping: repeat with the same Idempotency-Key");
    tell(d->gathered, &e);
    redis_request_release(&d->request);
    free(d);
    return NULL;
}

struct queue *durability_queue(const struct durability *d)
{
    return d->queue;
}

void durability_wait(struct durability *d, durability_reached *done, void *arg)
{
    struct waiter *w;

    if (!d->redis) {
        done(arg, NULL);
        return;
    }
    w = mem_alloc(sizeof(*w));
    *w = (struct waiter){done, arg, d->gathered};
    d->gathered = w;
    if (!timer_is_running(&d->flush))
        timer_start(&d->flush, 0);
}
