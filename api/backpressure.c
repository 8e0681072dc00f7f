#include "api/backpressure.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { LOOK_MS = 1000 };

struct backpressure {
    struct redis *redis;
    int64_t high_water_percent;
    struct redis_request request;
    struct timer look;
    bool is_asking;
    long long used_bytes;
    long long max_bytes; /* 0 = without a limit, or not known */
    bool is_full;
    bool has_warned_of_eviction;
};

static const struct log_context log_context = {.component = "redis"};

static long long read_number(const char *info, const char *name)
{
    const char *at = strstr(info, name);

    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* An eviction policy takes jobs that were accepted. A managed Redis may hide it; then nothing is said. */
static void warn_of_eviction(struct backpressure *b, const char *info)
{
    const char *name = "maxmemory_policy:";
    const char *policy = strstr(info, name);

    if (!policy || b->has_warned_of_eviction || strncmp(policy + strlen(name), "noeviction", 10) == 0)
        return;
    b->has_warned_of_eviction = true;
    policy += strlen(name);
    log_warn(&log_context,
        "redis has the eviction policy %.*s: when it is full it drops accepted jobs; set maxmemory-policy "
        "noeviction",
        (int)strcspn(policy, "\r\n"), policy);
}

static void on_info(void *arg, const redisReply *reply, const struct error *e)
{
    struct backpressure *b = arg;
    bool was_full = b->is_full;

    b->is_asking = false;
    if (e || reply->type != REDIS_REPLY_STRING)
        return;
    b->used_bytes = read_number(reply->str, "\nused_memory:");
    b->max_bytes = read_number(reply->str, "\nmaxmemory:");
    b->is_full = b->max_bytes > 0 && b->used_bytes / 100 >= b->max_bytes / 10000 * b->high_water_percent;
    warn_of_eviction(b, reply->str);
    if (b->is_full && !was_full)
        log_warn(&log_context,
            "redis uses %lld of %lld bytes: submissions get 503 until workers have made room; give it more "
            "memory",
            b->used_bytes, b->max_bytes);
    else if (!b->is_full && was_full)
        log_info(&log_context, "redis has room again: submissions are accepted");
}

static void look(void *arg)
{
    struct backpressure *b = arg;
    struct error e;

    if (!b->is_asking) {
        redis_request_begin(&b->request, 2);
        redis_request_add_text(&b->request, "INFO");
        redis_request_add_text(&b->request, "memory");
        b->is_asking = redis_send(b->redis, &b->request, 0, on_info, b, &e);
    }
    timer_start(&b->look, LOOK_MS);
}

struct backpressure *backpressure_new(struct loop *l, struct redis *r, int64_t high_water_percent)
{
    struct backpressure *b = mem_zalloc(sizeof(*b));

    b->redis = r;
    b->high_water_percent = high_water_percent;
    redis_request_init(&b->request);
    timer_init(&b->look, l, look, b);
    timer_start(&b->look, LOOK_MS / 10);
    return b;
}

struct backpressure *backpressure_free(struct backpressure *b)
{
    if (!b)
        return NULL;
    timer_stop(&b->look);
    redis_request_release(&b->request);
    free(b);
    return NULL;
}

bool backpressure_admits(const struct backpressure *b, struct error *e)
{
    if (!b->is_full)
        return true;
    return error_set(e, ERROR_REDIS_FULL,
        "redis uses %lld of %lld bytes: jobs are accepted again when some are done", b->used_bytes,
        b->max_bytes);
}
