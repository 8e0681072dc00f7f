#include "worker/upkeep.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum {
    BATCH = 256,
    PROMOTE_MS = 50, /* one worker alone looks so often for due jobs; several share the looking */
    PROMOTE_MAX_MS = 1000,
    NAMES_MAX = 16,
    LOOK_MAX_MS = 5000, /* others may have shorter leases than this worker */
};

struct upkeep {
    struct worker *worker;
    const struct shard *shard;
    const struct lease *lease;
    struct timer reap;
    struct timer promote;
    int64_t reachable_since_ms; /* steady clock */
    bool is_active;
    char names[NAMES_MAX][WORKER_ID_SIZE]; /* whose lists are still to be looked at in this round */
    size_t name_count;
    bool has_complained; /* that Redis refuses; until it no longer does */
};

static const struct log_context log_context = {.component = "upkeep"};

static void complain(struct upkeep *u, const char *what, const struct error *e)
{
    if (u->has_complained || (e->code != ERROR_INTERNAL && e->code != ERROR_REDIS_BUSY))
        return;
    u->has_complained = true;
    log_error(&log_context, "redis refused to %s of queue %s; it is tried again: %s", what, u->shard->queue,
        e->text);
}

/* ---- reaping ---- */

static void next_list(struct upkeep *u);

static void end_round(struct upkeep *u)
{
    int64_t wait_ms = u->worker->config->lease_ms / 4;

    if (wait_ms > LOOK_MAX_MS)
        wait_ms = LOOK_MAX_MS;
    u->name_count = 0;
    if (u->is_active)
        timer_start(&u->reap, wait_ms - rand() % (wait_ms / 4 + 1)); /* NOLINT: spreads the load, no secret */
}

static void on_reaped(void *arg, int64_t count, const struct error *e)
{
    struct upkeep *u = arg;
    const char *name = u->names[u->name_count];

    fault_point(FAULT_REAP_ANSWERED);
    if (e) {
        complain(u, "reap a worker", e);
        end_round(u);
        return;
    }
    u->has_complained = false;
    if (count > 0) {
        metrics_add(u->worker->metrics, METRIC_JOBS_REAPED, (double)count);
        log_warn(&log_context, "the lease of worker %s is over: %lld of its jobs of queue %s go back", name,
            (long long)count, u->shard->queue);
    }
    next_list(u);
}

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct upkeep *u = arg;
    const struct config *config = u->worker->config;
    size_t surplus = count > BATCH ? count - BATCH : 0;
    struct error failure;

    fault_point(FAULT_LIST_ANSWERED);
    /* The newest first: what the next round puts at the head of the queue goes before them. */
    if (e || !queue_reap(u->worker->queue, u->shard, u->names[u->name_count], false, (int)config->max_lost,
                 ids + surplus, count - surplus, on_reaped, u, &failure))
        end_round(u);
    else
        fault_point(FAULT_REAP_SENT);
}

static void next_list(struct upkeep *u)
{
    struct error e;

    if (u->name_count == 0 || !u->is_active) {
        end_round(u);
        return;
    }
    u->name_count--;
    if (!queue_list_taken(u->worker->queue, u->shard, u->names[u->name_count], on_listed, u, &e))
        end_round(u);
    else
        fault_point(FAULT_LIST_SENT);
}

static void on_named(void *arg, const char *const *names, size_t count, const struct error *e)
{
    struct upkeep *u = arg;

    if (count)
        fault_point(FAULT_SILENT_ANSWERED);
    if (e) {
        end_round(u);
        return;
    }
    for (size_t i = 0; i < count && u->name_count < NAMES_MAX; i++)
        snprintf(u->names[u->name_count++], WORKER_ID_SIZE, "%s", names[i]);
    next_list(u);
}

static void reap(void *arg)
{
    struct upkeep *u = arg;
    int64_t lease_ms = u->worker->config->lease_ms;
    struct error e;

    if (clock_steady_ms() - u->reachable_since_ms < lease_ms) {
        timer_start(&u->reap, u->reachable_since_ms + lease_ms - clock_steady_ms());
        return;
    }
    if (!queue_silent(u->worker->queue, u->shard, on_named, u, &e))
        end_round(u);
    else
        fault_point(FAULT_SILENT_SENT);
}

/* ---- promoting ---- */

static void promote_in(struct upkeep *u, int64_t delay_ms)
{
    int64_t share_ms = PROMOTE_MS * (int64_t)lease_worker_count(u->lease);

    if (share_ms > PROMOTE_MAX_MS)
        share_ms = PROMOTE_MAX_MS;
    if (delay_ms < 0 || delay_ms > share_ms)
        delay_ms = share_ms;
    if (u->is_active)
        timer_start(&u->promote, delay_ms);
}

static void on_promoted(void *arg, size_t count, const struct error *e)
{
    struct upkeep *u = arg;

    fault_point(FAULT_PROMOTE_ANSWERED);
    if (!e)
        metrics_add(u->worker->metrics, METRIC_JOBS_PROMOTED, (double)count);
    else
        complain(u, "promote due jobs", e);
    promote_in(u, e ? PROMOTE_MAX_MS : 0);
}

static void on_due(void *arg, const struct job_id *ids, size_t count, int64_t next_ms, const struct error *e)
{
    struct upkeep *u = arg;
    struct error failure;

    if (count)
        fault_point(FAULT_DUE_ANSWERED);
    if (e || count == 0)
        promote_in(u, e ? PROMOTE_MAX_MS : next_ms);
    else if (!queue_promote(u->worker->queue, u->shard, ids, count, on_promoted, u, &failure))
        promote_in(u, PROMOTE_MAX_MS);
    else
        fault_point(FAULT_PROMOTE_SENT);
}

static void promote(void *arg)
{
    struct upkeep *u = arg;
    struct error e;

    if (!queue_due(u->worker->queue, u->shard, BATCH, on_due, u, &e))
        promote_in(u, PROMOTE_MAX_MS);
    else
        fault_point(FAULT_DUE_SENT);
}

/* ---- life ---- */

struct upkeep *upkeep_new(struct worker *w, const struct shard *shard, const struct lease *lease)
{
    struct upkeep *u = mem_zalloc(sizeof(*u));

    u->worker = w;
    u->shard = shard;
    u->lease = lease;
    timer_init(&u->reap, w->loop, reap, u);
    timer_init(&u->promote, w->loop, promote, u);
    return u;
}

struct upkeep *upkeep_free(struct upkeep *u)
{
    if (u)
        upkeep_end(u);
    free(u);
    return NULL;
}

void upkeep_begin(struct upkeep *u)
{
    u->is_active = true;
    u->reachable_since_ms = clock_steady_ms();
    u->name_count = 0;
    timer_start(&u->reap, u->worker->config->lease_ms);
    timer_start(&u->promote, 0);
}

void upkeep_end(struct upkeep *u)
{
    u->is_active = false;
    timer_stop(&u->reap);
    timer_stop(&u->promote);
}
