#include "api/api.h"
#include "api/live/lookout.h"
#include "api/routes.h"
#include "common/base/mem.h"
#include "common/queue/scripts.h"

static void on_redis_ready(void *arg)
{
    struct api *a = arg;

    __atomic_store_n(&a->redis_is_ready, 1, __ATOMIC_RELAXED);
    metrics_set(a->metrics, METRIC_REDIS_UP, 1);
    metrics_add(a->metrics, METRIC_REDIS_CONNECTS, 1);
    types_look(a->types);
}

static void on_redis_lost(void *arg)
{
    struct api *a = arg;

    __atomic_store_n(&a->redis_is_ready, 0, __ATOMIC_RELAXED);
    queue_register_forget(a->known);
    metrics_set(a->metrics, METRIC_REDIS_UP, 0);
}

static bool connect_redis(struct api *a, struct error *e)
{
    struct redis_url url;
    struct redis_options options = {
        .url = &url,
        .config = a->config,
        .component = "api",
        .timeout_ms = a->config->redis_timeout_ms,
        .scripts = queue_scripts,
        .script_count = SCRIPT_COUNT,
        .on_ready = on_redis_ready,
        .on_lost = on_redis_lost,
        .arg = a,
    };

    if (!redis_url_parse(a->config->redis_url, &url, e))
        return false;
    a->redis = redis_new(a->loop, &options);
    a->queue = queue_new(a->redis);
    a->types = types_new(a->loop, a->queue);
    a->backpressure = backpressure_new(a->loop, a->redis, a->config->redis_high_water);
    redis_url_wipe(&url);
    a->durability = durability_new(a->loop, a->config, a->queue, e);
    return a->durability != NULL;
}

struct api *api_new(struct loop *l, const struct config *config, const struct listen_address *address,
    char bound[LISTEN_TEXT_SIZE], struct error *e)
{
    struct api *a = mem_zalloc(sizeof(*a));

    a->config = config;
    a->loop = l;
    a->known = queue_register_new();
    a->metrics = metrics_new();
    metrics_set(a->metrics, METRIC_REDIS_UP, 0);
    metrics_set(a->metrics, METRIC_JOBS_SUBMITTED, 0);
    a->store = blob_store_open(l, config, e);
    if (!a->store || !guard_parse(config->callback_allow, &a->callback_guard, e) || !connect_redis(a, e))
        return api_free(a);
    a->lookout = lookout_new(l, config, a->queue, a->metrics);
    a->gate = gate_new(&(struct gate_parts){l, config, a->queue, a->metrics}, e);
    if (!a->gate)
        return api_free(a);
    a->server = server_new(a, routes(), address, bound, e);
    return a->server ? a : api_free(a);
}

struct api *api_free(struct api *a)
{
    if (!a)
        return NULL;
    if (a->server)
        server_close(a->server);
    a->durability = durability_free(a->durability); /* these two answer what waits for them */
    a->redis = redis_free(a->redis);
    a->server = server_free(a->server);
    a->lookout = lookout_free(a->lookout);
    a->gate = gate_free(a->gate);
    a->backpressure = backpressure_free(a->backpressure);
    a->types = types_free(a->types);
    a->queue = queue_free(a->queue);
    a->store = blob_store_free(a->store);
    a->metrics = metrics_free(a->metrics);
    a->known = queue_register_free(a->known);
    free(a);
    return NULL;
}
