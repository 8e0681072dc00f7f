#include "worker/worker.h"
#include "common/azure/way.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/queue/scripts.h"
#include "worker/attempt.h"
#include "worker/callbacks.h"
#include "worker/consumer.h"
#include "worker/disposal.h"
#include "worker/orphans.h"
#include "worker/handlers/callback.h"
#include "worker/queues.h"
#include "worker/reload.h"
#include "worker/retention.h"
#include "worker/scheduler.h"
#include "worker/types.h"

#include <signal.h>
#include <unistd.h>

enum { CALLBACK_WATCH_MS = 30000, LAST_WORD_MS = 3000, HOST_MAX = 32, STRAY_SHOWN_MAX = 80 };

static const struct log_context log_context = {.component = "worker"};

/* ---- room and turns ---- */

size_t worker_room(const struct worker *w)
{
    size_t used = w->attempt_count + w->reserved_count;

    if (w->is_draining || !blob_health_is_up(w->store_health) ||
        used >= (size_t)w->config->worker_concurrency)
        return 0;
    return (size_t)w->config->worker_concurrency - used;
}

void worker_pump(struct worker *w)
{
    if (!timer_is_running(&w->pump))
        timer_start(&w->pump, 0);
}

static void stop_when_done(struct worker *w)
{
    if (!w->is_draining || w->leaving_count || w->attempt_count)
        return;
    log_info(&log_context, "stopped: every job is settled or given back");
    loop_stop(w->loop);
}

/* Gives free slots to the queues that may have jobs. */
static void share_room(struct worker *w)
{
    bool is_strict = w->config->queue_order == QUEUE_ORDER_STRICT;
    size_t room = worker_room(w);
    bool is_open = true; /* in strict order: whether the queues before this one are known to be empty */

    if (room == 0)
        return;
    for (size_t i = 0; i < w->consumer_count; i++) {
        w->shares[i].wants = is_open && consumer_can_take(w->consumers[i]);
        is_open = is_open && !(is_strict && consumer_is_taking(w->consumers[i]));
    }
    if (is_strict)
        share_strictly(w->shares, w->consumer_count, room);
    else
        share_by_weight(w->shares, w->consumer_count, room);
    for (size_t i = 0; i < w->consumer_count; i++)
        if (w->shares[i].granted)
            consumer_take(w->consumers[i], w->shares[i].granted);
}

static void pump_all(void *arg)
{
    struct worker *w = arg;

    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_pump(w->consumers[i]);
    share_room(w);
    stop_when_done(w);
}

void worker_on_stray(void *worker, const struct shard *shard, const char *text, size_t length)
{
    const struct worker *w = worker;

    metrics_add(w->metrics, METRIC_STRAYS, 1);
    log_error(&log_context,
        "queue %s held \"%.*s\", which is the id of none of its jobs; it was removed: who wrote it?",
        shard->queue, (int)(length < STRAY_SHOWN_MAX ? length : STRAY_SHOWN_MAX), text);
}

void worker_attempt_ended(struct worker *w)
{
    worker_pump(w);
}

void worker_consumer_left(struct worker *w)
{
    w->leaving_count--;
    worker_pump(w);
}

/* ---- handlers ---- */

const struct handler *worker_find_handler(const struct worker *w, const char *type)
{
    const struct handler *own = handlers_find(w->own_handlers, type);

    return own ? own : handlers_find(w->handlers, type);
}

static bool make_own_handlers(struct worker *w, struct error *e)
{
    w->callback_sender = callback_sender_new(w->loop, w->config, e);
    if (!w->callback_sender)
        return false;
    w->own_handlers = callback_handlers(w->loop, CALLBACK_TYPE, w->callback_sender);
    return true;
}

/* ---- the queue of callbacks ---- */

static void add_consumer(struct worker *w, const char *queue, int weight)
{
    w->shares = mem_realloc(w->shares, (w->consumer_count + 1) * sizeof(*w->shares));
    w->shares[w->consumer_count] = (struct share){.weight = weight};
    w->consumers = mem_realloc(w->consumers, (w->consumer_count + 1) * sizeof(struct consumer *));
    w->consumers[w->consumer_count++] = consumer_new(w, queue);
}

void worker_serve_callbacks(struct worker *w)
{
    if (w->serves_callbacks || w->is_draining)
        return;
    w->serves_callbacks = true;
    log_info(&log_context, "queue " CALLBACK_QUEUE " is served too: jobs name a callback_url");
    add_consumer(w, CALLBACK_QUEUE, 1);
    if (redis_is_ready(w->redis))
        consumer_redis_ready(w->consumers[w->consumer_count - 1]);
    worker_pump(w);
}

static void on_callbacks_seen(void *arg, const struct queue_overview *overview, const struct error *e)
{
    if (!e && overview->submitted_total > 0)
        worker_serve_callbacks(arg);
}

/* Whoever put callbacks on the queue serves it; this is for when that one is gone. */
static void watch_callbacks(void *arg)
{
    static const struct shard shard = {.queue = CALLBACK_QUEUE};
    struct worker *w = arg;
    struct error e;

    if (w->serves_callbacks || w->is_draining)
        return;
    timer_start(&w->callback_watch, CALLBACK_WATCH_MS);
    if (!queue_overview(w->queue, &shard, on_callbacks_seen, w, &e))
        log_debug(&log_context, "whether there are callbacks is asked later: %s", e.text);
}

/* ---- what comes and goes ---- */

static void on_redis_ready(void *arg)
{
    struct worker *w = arg;

    metrics_set(w->metrics, METRIC_REDIS_UP, 1);
    metrics_add(w->metrics, METRIC_REDIS_CONNECTS, 1);
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_redis_ready(w->consumers[i]);
    if (!w->is_draining) {
        scheduler_begin(w->scheduler);
        timer_start(&w->callback_watch, 0);
    }
    publisher_tell(w->publisher);
    orphans_begin(w->orphans);
    worker_pump(w);
}

static void on_redis_lost(void *arg)
{
    struct worker *w = arg;

    metrics_set(w->metrics, METRIC_REDIS_UP, 0);
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_redis_lost(w->consumers[i]);
    scheduler_end(w->scheduler);
}

static void on_store_up(void *arg)
{
    struct worker *w = arg;

    attempts_resume_storing(w);
    worker_pump(w);
}

static bool is_redis_well(void *arg, char *text, size_t size)
{
    const struct worker *w = arg;

    snprintf(text, size, "%s", redis_describe(w->redis));
    return redis_is_ready(w->redis);
}

static bool is_store_well(void *arg, char *text, size_t size)
{
    const struct worker *w = arg;

    snprintf(text, size, "%s", blob_health_describe(w->store_health));
    return blob_health_is_up(w->store_health);
}

static bool is_lease_well(void *arg, char *text, size_t size)
{
    const struct worker *w = arg;
    size_t held = 0;

    for (size_t i = 0; i < w->consumer_count; i++)
        held += consumer_is_entitled(w->consumers[i]);
    snprintf(text, size, "held on %zu of %zu queues", held, w->consumer_count);
    return held == w->consumer_count;
}

static bool is_well(void *arg)
{
    const struct worker *w = arg;
    int64_t now_ms = clock_steady_ms();
    bool is_stuck = redis_is_stuck(w->redis, now_ms);

    for (size_t i = 0; i < w->consumer_count; i++)
        is_stuck = is_stuck || consumer_is_stuck(w->consumers[i], now_ms);
    return !is_stuck;
}

/* ---- the way down ---- */

static void on_last_word(void *arg)
{
    struct worker *w = arg;

    log_error(&log_context,
        "stopped with %zu jobs that could not be given back, because redis does not answer (%s); they stay "
        "in this "
        "worker's list",
        w->attempt_count, redis_describe(w->redis));
    loop_stop(w->loop);
}

static void on_drain_deadline(void *arg)
{
    struct worker *w = arg;

    w->is_past_deadline = true;
    log_warn(&log_context, "DRAIN_S is over: %zu jobs are cut off and given back", w->attempt_count);
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_cut_off(w->consumers[i]);
    worker_pump(w);
    timer_init(&w->drain_deadline, w->loop, on_last_word, w);
    timer_start(&w->drain_deadline, LAST_WORD_MS);
}

static void on_stop_signal(void *arg)
{
    struct worker *w = arg;

    if (w->is_draining)
        return;
    w->is_draining = true;
    log_info(&log_context, "stopping: nothing more is claimed; %zu jobs have %lld s to end", w->attempt_count,
        (long long)w->config->drain_s);
    ops_set_draining(w->ops);
    scheduler_end(w->scheduler);
    w->leaving_count = w->consumer_count;
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_leave(w->consumers[i]);
    timer_init(&w->drain_deadline, w->loop, on_drain_deadline, w);
    timer_start(&w->drain_deadline, w->config->drain_s * 1000);
    worker_pump(w);
}

/* ---- life ---- */

/* Host and a ULID: readable, and of this incarnation alone. */
static void name_worker(char out[WORKER_ID_SIZE])
{
    struct id_generator generator = {0};
    char host[HOST_MAX + 1] = "";
    char ulid[ULID_SIZE];

    gethostname(host, HOST_MAX);
    for (char *c = host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *c))
            *c = '-';
    id_generate_ulid(&generator, ulid);
    snprintf(out, WORKER_ID_SIZE, "%s.%s", *host ? host : "worker", ulid);
}

static bool connect_redis(struct worker *w, struct error *e)
{
    struct redis_url url;
    struct redis_options options = {
        .url = &url,
        .config = w->config,
        .component = "worker",
        .timeout_ms = w->config->redis_timeout_ms,
        .scripts = queue_scripts,
        .script_count = SCRIPT_COUNT,
        .on_ready = on_redis_ready,
        .on_lost = on_redis_lost,
        .arg = w,
    };

    if (!redis_url_parse(w->config->redis_url, &url, e))
        return false;
    w->redis = redis_new(w->loop, &options);
    w->queue = queue_new(w->redis);
    w->publisher = publisher_new(w);
    w->orphans = orphans_new(w);
    queue_on_stray(w->queue, worker_on_stray, w);
    redis_url_wipe(&url);
    return true;
}

static bool load_handlers(struct worker *w, struct error *e)
{
    AUTO_BUF struct buf mistakes = BUF(65536);

    w->handlers = handlers_load(w->loop, w->config, w->config->handlers_file, &mistakes);
    return w->handlers || error_set(e, ERROR_INVALID, "HANDLERS_FILE: %s", mistakes.data);
}

static void add_consumers(struct worker *w)
{
    struct queue_entry entry;
    struct error e;

    while (queues_next(w->config->worker_queues, w->consumer_count, &entry, &e)) {
        add_consumer(w, entry.name, entry.weight);
        w->serves_callbacks = w->serves_callbacks || strcmp(entry.name, CALLBACK_QUEUE) == 0;
    }
}

static bool start_ops(struct worker *w, struct error *e)
{
    char labels[128];

    w->ops = ops_new(w->loop, w->config->ops_listen, e);
    if (!w->ops)
        return false;
    snprintf(labels, sizeof(labels), "program=\"jobgate-worker\",version=\"%s\"", version_text());
    series_set(metrics_series(w->metrics, METRIC_BUILD_INFO, labels), 1);
    metrics_set(w->metrics, METRIC_WORKER_SLOTS, (double)w->config->worker_concurrency);
    metrics_set(w->metrics, METRIC_REDIS_UP, 0);
    metrics_set(w->metrics, METRIC_JOBS_RUNNING, 0);
    metrics_add(w->metrics, METRIC_HANDLERS_LOADED, 0);
    metrics_add(w->metrics, METRIC_HANDLERS_REFUSED, 0);
    ops_add_metrics(w->ops, w->metrics);
    ops_add_check(w->ops, "redis", true, is_redis_well, w);
    ops_add_check(w->ops, "lease", true, is_lease_well, w);
    ops_add_check(w->ops, "blob_store", true, is_store_well, w);
    return true;
}

struct worker *worker_new(struct loop *loop, const struct config *config, struct error *e)
{
    struct worker *w = mem_zalloc(sizeof(*w));

    w->loop = loop;
    w->config = config;
    w->metrics = metrics_new();
    name_worker(w->id);
    timer_init(&w->pump, loop, pump_all, w);
    timer_init(&w->callback_watch, loop, watch_callbacks, w);
    timer_init(&w->drain_deadline, loop, on_drain_deadline, w);
    w->store = blob_store_open(loop, config, e);
    if (!w->store || !load_handlers(w, e) || !make_own_handlers(w, e) || !start_ops(w, e))
        return worker_free(w);
    w->disposal = disposal_new(w->store);
    w->store_health = blob_health_new(loop, w->store, w->metrics, "worker", on_store_up, w);
    w->scheduler = scheduler_new(w);
    if (!connect_redis(w, e))
        return worker_free(w);
    add_consumers(w);
    w->retention = retention_new(w);
    w->reload = reload_new(w);
    w->pulse = pulse_new(loop, is_well, w);
    ops_add_pulse(w->ops, "loop", w->pulse, PULSE_LIMIT_MS);
    loop_on_signal(loop, SIGTERM, on_stop_signal, w);
    loop_on_signal(loop, SIGINT, on_stop_signal, w);
    azure_way_log(config, "worker");
    log_event(LOG_INFO, &log_context, "listening",
        (const struct log_field[]){
            {"ops", ops_address(w->ops)}, {"worker", w->id}, {"version", version_text()}},
        3);
    return w;
}

struct worker *worker_free(struct worker *w)
{
    if (!w)
        return NULL;
    w->pulse = pulse_free(w->pulse);
    w->reload = reload_free(w->reload);
    w->redis = redis_free(w->redis); /* answers what is pending */
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_cut_off(w->consumers[i]);
    for (size_t i = 0; i < w->consumer_count; i++)
        consumer_free(w->consumers[i]);
    free(w->consumers);
    free(w->shares);
    w->scheduler = scheduler_free(w->scheduler);
    w->retention = retention_free(w->retention);
    w->publisher = publisher_free(w->publisher);
    w->orphans = orphans_free(w->orphans);
    w->queue = queue_free(w->queue);
    w->store_health = blob_health_free(w->store_health);
    w->disposal = disposal_free(w->disposal);
    w->store = blob_store_free(w->store);
    w->handlers = handlers_free(w->handlers);
    w->own_handlers = handlers_free(w->own_handlers);
    w->callback_sender = callback_sender_free(w->callback_sender);
    w->ops = ops_free(w->ops);
    timer_stop(&w->pump);
    timer_stop(&w->callback_watch);
    timer_stop(&w->drain_deadline);
    w->metrics = metrics_free(w->metrics);
    free(w);
    return NULL;
}
