#include "api/process.h"
#include "api/api.h"
#include "api/census.h"
#include "api/gate/gate.h"
#include "api/live/lookout.h"
#include "common/azure/way.h"
#include "api/manners.h"
#include "api/wire/tls.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/blob/health.h"
#include "common/net/ops.h"

#include <pthread.h>
#include <signal.h>

enum { DRAIN_LOOK_MS = 50 };

/* One loop and the api on it. The first runs in the main thread. */
struct lane {
    struct process *process;
    struct loop *loop;
    struct api *api;
    struct pulse *pulse;
    pthread_t thread;
    size_t in_flight; /* atomic; told by the lane itself while it drains */
};

struct process {
    struct loop *loop;
    const struct config *config;
    struct lane *lanes;
    size_t lane_count; /* those that were started */
    struct ops *ops;
    struct blob_health *store_health;
    struct census *census;
    struct timer drain_look;
    struct timer drain_delay;
    int64_t drain_until_ms;
    bool is_draining;
};

static const struct log_context log_context = {.component = "api"};

/* ---- checks ---- */

static void check_listen(const struct config *config, struct buf *mistakes)
{
    struct listen_address address;
    struct error e;

    if (!*config->api_listen)
        return;
    if (!listen_parse(config->api_listen, &address, &e))
        config_mistake(mistakes, "API_LISTEN", e.text);
    else if (!listen_is_loopback(&address) && gate_is_open(config) && !config->is_insecure)
        config_mistake(mistakes, "API_LISTEN",
            "AUTH=none lets everybody in: it is for loopback addresses only, such as 127.0.0.1:8080; set "
            "AUTH=keys, or, where nobody else reaches the address, give the option --insecure");
}

void process_check(const struct config *config, struct buf *mistakes)
{
    struct listen_address address;
    struct redis_url url;
    struct guard guard;
    struct loop *loop;
    struct blob_store *store;
    struct error e;

    check_listen(config, mistakes);
    gate_check(config, mistakes);
    manners_check(config, mistakes);
    tls_check(config, mistakes);
    if (*config->ops_listen && !listen_parse(config->ops_listen, &address, &e))
        config_mistake(mistakes, "OPS_LISTEN", e.text);
    if (*config->redis_url && !redis_url_parse(config->redis_url, &url, &e))
        config_mistake(mistakes, "REDIS_URL", e.text);
    if (!guard_parse(config->callback_allow, &guard, &e))
        config_mistake(mistakes, "CALLBACK_ALLOW", e.text);
    loop = loop_new();
    store = loop ? blob_store_open(loop, config, &e) : NULL;
    if (loop && !store)
        buf_printf(mistakes, "%s\n", e.text);
    blob_store_free(store);
    loop_free(loop);
}

/* ---- readiness ---- */

static bool is_redis_well(void *arg, char *text, size_t size)
{
    const struct process *p = arg;
    size_t ready = 0;

    for (size_t i = 0; i < p->lane_count; i++)
        ready += __atomic_load_n(&p->lanes[i].api->redis_is_ready, __ATOMIC_RELAXED) != 0;
    if (ready == p->lane_count)
        snprintf(text, size, "connected");
    else
        snprintf(text, size, "%s", redis_describe(p->lanes[0].api->redis));
    return ready == p->lane_count;
}

/* Asked in the lane's own thread. */
static bool is_lane_well(void *arg)
{
    const struct lane *lane = arg;

    return !redis_is_stuck(lane->api->redis, clock_steady_ms());
}

static bool is_store_well(void *arg, char *text, size_t size)
{
    const struct process *p = arg;

    snprintf(text, size, "%s", blob_health_describe(p->store_health));
    return blob_health_is_up(p->store_health);
}

/* ---- the way down ---- */

static void tell_in_flight(void *arg)
{
    struct lane *lane = arg;

    __atomic_store_n(&lane->in_flight, server_in_flight(lane->api->server), __ATOMIC_RELAXED);
}

static void drain_lane(void *arg)
{
    struct lane *lane = arg;

    server_drain(lane->api->server);
}

static void close_lane(void *arg)
{
    struct lane *lane = arg;

    server_close(lane->api->server);
    lookout_drain(lane->api->lookout);
    tell_in_flight(lane);
}

static void look_at_drain(void *arg)
{
    struct process *p = arg;
    size_t in_flight = 0;

    for (size_t i = 0; i < p->lane_count; i++) {
        in_flight += __atomic_load_n(&p->lanes[i].in_flight, __ATOMIC_RELAXED);
        loop_call_from_thread(p->lanes[i].loop, tell_in_flight, &p->lanes[i]);
    }
    if (in_flight == 0 || clock_steady_ms() >= p->drain_until_ms) {
        if (in_flight)
            log_warn(&log_context, "stopped; DRAIN_S is over, and %zu requests in flight get 503", in_flight);
        else
            log_info(&log_context, "stopped; every request was answered");
        loop_stop(p->loop);
        return;
    }
    timer_start(&p->drain_look, DRAIN_LOOK_MS);
}

static void close_lanes(void *arg)
{
    struct process *p = arg;

    p->drain_until_ms = clock_steady_ms() + p->config->drain_s * 1000;
    log_info(&log_context, "stopping: no new connections; requests in flight have %lld s",
        (long long)p->config->drain_s);
    for (size_t i = 0; i < p->lane_count; i++) {
        __atomic_store_n(&p->lanes[i].in_flight, 1, __ATOMIC_RELAXED); /* until it tells */
        loop_call_from_thread(p->lanes[i].loop, close_lane, &p->lanes[i]);
    }
    timer_start(&p->drain_look, 1);
}

/* First it is no longer ready; balancers may take a while to see it. */
static void on_stop_signal(void *arg)
{
    struct process *p = arg;

    if (p->is_draining)
        return;
    p->is_draining = true;
    ops_set_draining(p->ops);
    if (!p->config->drain_delay_s) {
        close_lanes(p);
        return;
    }
    log_info(&log_context, "stopping: not ready from now on; new connections are taken for another %lld s",
        (long long)p->config->drain_delay_s);
    for (size_t i = 0; i < p->lane_count; i++)
        loop_call_from_thread(p->lanes[i].loop, drain_lane, &p->lanes[i]);
    timer_start(&p->drain_delay, p->config->drain_delay_s * 1000);
}

/* ---- lanes ---- */

static bool open_lane(struct process *p, size_t i, struct listen_address *address,
    char bound[LISTEN_TEXT_SIZE], struct error *e)
{
    struct lane *lane = &p->lanes[i];
    struct listen_address taken;

    lane->process = p;
    lane->loop = i ? loop_new() : p->loop;
    if (!lane->loop)
        return error_set(
            e, ERROR_INTERNAL, "the kernel refused another event loop: raise the limit of open files");
    lane->api = api_new(lane->loop, p->config, address, bound, e);
    if (!lane->api) {
        if (i)
            loop_free(lane->loop);
        return false;
    }
    lane->pulse = pulse_new(lane->loop, is_lane_well, lane);
    p->lane_count = i + 1;
    if (listen_parse(bound, &taken, e)) /* the first took a free port, the others share it */
        address->port = taken.port;
    return true;
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;

    loop_adopt(lane->loop);
    loop_run(lane->loop);
    log_set_flush_hook(NULL, NULL); /* what this thread gathered ends with it */
    log_flush();
    return NULL;
}

/* Signals are the main thread's alone. */
static bool start_threads(struct process *p, struct error *e)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 1; i < p->lane_count; i++)
        if (pthread_create(&p->lanes[i].thread, NULL, run_lane, &p->lanes[i]) != 0)
            return error_set(e, ERROR_INTERNAL, "thread %zu of API_LOOPS could not be started", i + 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop_adopt(p->loop);
    return true;
}

static bool start_ops(struct process *p, struct error *e)
{
    char labels[128];

    p->ops = ops_new(p->loop, p->config->ops_listen, e);
    if (!p->ops)
        return false;
    p->store_health =
        blob_health_new(p->loop, p->lanes[0].api->store, p->lanes[0].api->metrics, "api", NULL, NULL);
    snprintf(labels, sizeof(labels), "program=\"jobgate-api\",version=\"%s\"", version_text());
    series_set(metrics_series(p->lanes[0].api->metrics, METRIC_BUILD_INFO, labels), 1);
    for (size_t i = 0; i < p->lane_count; i++) {
        ops_add_metrics(p->ops, p->lanes[i].api->metrics);
        snprintf(labels, sizeof(labels), "loop %zu", i + 1);
        ops_add_pulse(p->ops, labels, p->lanes[i].pulse, PULSE_LIMIT_MS);
    }
    p->census = census_new(p->loop, p->lanes[0].api->queue, p->lanes[0].api->metrics);
    ops_add_page(p->ops, "/v1/stats", census_write, p->census);
    ops_add_check(p->ops, "redis", true, is_redis_well, p);
    ops_add_check(p->ops, "blob_store", false, is_store_well, p);
    return true;
}

struct process *process_new(struct loop *loop, const struct config *config, struct error *e)
{
    struct process *p = mem_zalloc(sizeof(*p));
    struct listen_address address;
    char bound[LISTEN_TEXT_SIZE];

    p->loop = loop;
    p->config = config;
    p->lanes = mem_array((size_t)config->api_loops, sizeof(*p->lanes));
    timer_init(&p->drain_look, loop, look_at_drain, p);
    timer_init(&p->drain_delay, loop, close_lanes, p);
    if (!listen_parse(config->api_listen, &address, e))
        return process_free(p);
    for (size_t i = 0; i < (size_t)config->api_loops; i++)
        if (!open_lane(p, i, &address, bound, e))
            return process_free(p);
    if (!start_ops(p, e) || !start_threads(p, e))
        return process_free(p);
    loop_on_signal(loop, SIGTERM, on_stop_signal, p);
    loop_on_signal(loop, SIGINT, on_stop_signal, p);
    azure_way_log(config, "api");
    log_event(LOG_INFO, &log_context, "listening",
        (const struct log_field[]){{"api", bound}, {"ops", ops_address(p->ops)}, {"version", version_text()}},
        3);
    if (gate_is_open(config))
        log_warn(
            &log_context, "AUTH=none: whoever reaches %s may do everything; use it on a laptop only", bound);
    return p;
}

static void stop_thread(void *arg)
{
    loop_stop(arg);
}

struct process *process_free(struct process *p)
{
    if (!p)
        return NULL;
    for (size_t i = 1; i < p->lane_count; i++)
        if (p->lanes[i].thread) {
            loop_call_from_thread(p->lanes[i].loop, stop_thread, p->lanes[i].loop);
            pthread_join(p->lanes[i].thread, NULL);
        }
    timer_stop(&p->drain_look);
    timer_stop(&p->drain_delay);
    if (p->census)
        census_stop(p->census);
    p->store_health = blob_health_free(p->store_health);
    p->ops = ops_free(p->ops);
    for (size_t i = 0; i < p->lane_count; i++) {
        pulse_free(p->lanes[i].pulse);
        api_free(p->lanes[i].api);
        if (i)
            loop_free(p->lanes[i].loop);
    }
    p->census = census_free(p->census);
    free(p->lanes);
    free(p);
    return NULL;
}
