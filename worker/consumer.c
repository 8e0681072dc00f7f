#include "worker/consumer.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/scripts.h"
#include "worker/attempt.h"
#include "worker/audit.h"
#include "worker/callbacks.h"
#include "worker/lease.h"
#include "worker/settler.h"
#include "worker/upkeep.h"

enum {
    BLOCK_MAX_MS = 5000,
    REST_MS = 1000, /* after Redis refused something: it would refuse it again at once */
    DOUBT_AGAIN_MS =
        10000, /* a server may serve the wait of a connection for a while before it sees that it is gone */
};

struct consumer {
    struct worker *worker;
    struct shard shard;
    struct redis *blocking; /* for the wait alone */
    struct queue *blocking_queue;
    struct settler *settler;
    struct lease *lease;
    struct upkeep *upkeep;
    struct audit *audit;
    struct callbacks *callbacks;
    char name[WORKER_ID_SIZE]; /* the worker's id, and behind it how often it was reaped */
    unsigned reaped_count;
    bool is_reaped;        /* a new name is taken as soon as nothing is under way under the old one */
    bool is_waiting;       /* a blocking move is under way */
    bool is_taking;        /* a take is under way */
    bool has_more;         /* the last take was answered in full */
    size_t starting_count; /* starts under way */
    bool is_doubtful;      /* the list in Redis may hold what we do not know of */
    bool is_comparing;     /* the list is being read, or the difference given back */
    bool is_leaving;
    bool has_left;
    struct timer doubt_again;
    struct timer rest;
    bool has_complained; /* that Redis refuses; until it no longer does */
};

/* Ids that a take asked for, or that are being started; the slots are reserved meanwhile. */
struct claim {
    struct consumer *consumer;
    size_t reserved;
    size_t count;
    struct job_id ids[];
};

static const struct log_context log_context = {.component = "consumer"};

const char *consumer_name(const struct consumer *c)
{
    return c->name;
}

bool consumer_is_stuck(const struct consumer *c, int64_t now_ms)
{
    return redis_is_stuck(c->blocking, now_ms);
}

bool consumer_is_entitled(const struct consumer *c)
{
    return lease_is_held(c->lease) && !c->is_reaped;
}

const struct shard *consumer_shard(const struct consumer *c)
{
    return &c->shard;
}

struct settler *consumer_settler(const struct consumer *c)
{
    return c->settler;
}

struct worker *consumer_worker(const struct consumer *c)
{
    return c->worker;
}

static void reserve(struct consumer *c, size_t count)
{
    c->worker->reserved_count += count;
}

static void unreserve(struct consumer *c, size_t count)
{
    assert(c->worker->reserved_count >= count);
    c->worker->reserved_count -= count;
}

void consumer_doubt(struct consumer *c)
{
    c->is_doubtful = true;
    timer_start(&c->doubt_again, DOUBT_AGAIN_MS);
}

static void on_rested(void *arg)
{
    struct consumer *c = arg;

    worker_pump(c->worker);
}

/* A command was answered with an error, or not at all. */
static void take_failure(struct consumer *c, const char *what, const struct error *e)
{
    consumer_doubt(c);
    if (e->code == ERROR_STOPPED)
        return;
    timer_start(&c->rest, REST_MS);
    if ((e->code == ERROR_INTERNAL || e->code == ERROR_REDIS_BUSY) && !c->has_complained) {
        c->has_complained = true;
        log_error(&log_context, "redis refused to %s of queue %s; it is tried again every second: %s", what,
            c->shard.queue, e->text);
    }
}

static void on_doubt_again(void *arg)
{
    struct consumer *c = arg;

    c->is_doubtful = true;
    worker_pump(c->worker);
}

/* ---- start ---- */

/* What became of an id that is not to be run. */
static void log_dropped(const struct job_id *id, const char *state)
{
    struct log_context context = {.component = "consumer", .job_id = id->text};

    if (!state)
        log_warn(&context, "the job was not started: its record is gone, or this worker was reaped");
    else if (*state == job_state_letter(JOB_DEAD))
        log_warn(
            &context, "the job was not started: it is dead now, expired or damaged: its error says which");
    else
        log_debug(&context, "the job was not started: its state is %s", state);
}

static void on_started(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct claim *claim = arg;
    struct consumer *c = claim->consumer;

    fault_point(FAULT_START_ANSWERED);
    c->starting_count--;
    unreserve(c, claim->reserved);
    if (e)
        take_failure(c, "start jobs", e);
    for (size_t i = 0; i < claim->count && i < count; i++) {
        if (records[i].length > 1)
            attempt_start(c, &claim->ids[i], records[i].text, records[i].length);
        else
            log_dropped(&claim->ids[i], records[i].text);
    }
    free(claim);
    worker_pump(c->worker);
}

static void start(struct consumer *c, const struct job_id *ids, size_t count)
{
    struct claim *claim = mem_alloc(sizeof(*claim) + count * sizeof(*ids));
    struct error e;

    claim->consumer = c;
    claim->reserved = count;
    claim->count = count;
    memcpy(claim->ids, ids, count * sizeof(*ids));
    if (!queue_start(c->worker->queue, &c->shard, c->name, ids, count, on_started, claim, &e)) {
        free(claim);
        consumer_doubt(c); /* they stay in the list until Redis is back */
        return;
    }
    fault_point(FAULT_START_SENT);
    reserve(c, count);
    c->starting_count++;
}

static void on_gave_back(void *arg, size_t count, const struct error *e)
{
    struct consumer *c = arg;

    fault_point(FAULT_GIVE_BACK_ANSWERED);
    c->is_comparing = false;
    if (e) {
        take_failure(c, "take back jobs", e);
    } else if (count) {
        metrics_add(c->worker->metrics, METRIC_JOBS_RETURNED, (double)count);
        log_info(&log_context, "%zu jobs of queue %s were given back unfinished", count, c->shard.queue);
    }
    worker_pump(c->worker);
}

static void give_back(struct consumer *c, const struct job_id *ids, size_t count)
{
    struct error e;

    c->is_comparing = true;
    if (!queue_give_back(c->worker->queue, &c->shard, c->name, ids, count, on_gave_back, c, &e)) {
        c->is_comparing = false;
        consumer_doubt(c);
        return;
    }
    fault_point(FAULT_GIVE_BACK_SENT);
}

/* ---- take ---- */

static void on_took(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct claim *claim = arg;
    struct consumer *c = claim->consumer;

    if (count)
        fault_point(FAULT_TAKE_ANSWERED);
    c->is_taking = false;
    unreserve(c, claim->reserved);
    if (e)
        take_failure(c, "hand out jobs", e);
    else
        c->has_complained = false;
    c->has_more = !e && count == claim->reserved;
    free(claim);
    if (count && c->worker->is_draining)
        give_back(c, ids, count);
    else if (count)
        start(c, ids, count);
    worker_pump(c->worker);
}

void consumer_take(struct consumer *c, size_t count)
{
    struct claim *claim = mem_zalloc(sizeof(*claim));
    struct error e;

    if (count > (size_t)c->worker->config->worker_batch)
        count = (size_t)c->worker->config->worker_batch;
    claim->consumer = c;
    claim->reserved = count;
    if (!queue_take(c->worker->queue, &c->shard, c->name, count, on_took, claim, &e)) {
        free(claim);
        return;
    }
    fault_point(FAULT_TAKE_SENT);
    reserve(c, count);
    c->is_taking = true;
}

/* ---- wait ---- */

static void on_waited(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct consumer *c = arg;

    if (count)
        fault_point(FAULT_WAIT_ANSWERED);
    c->is_waiting = false;
    if (e) {
        c->has_more =
            e->code == ERROR_REDIS_FULL; /* it refuses the blocking move, and not the script of take */
        take_failure(c, "wait for jobs", e);
    } else if (count && worker_room(c->worker) == 0) {
        give_back(c, ids, count);
    } else if (count) {
        c->has_more = true; /* perhaps: where one came more may stand */
        start(c, ids, count);
    }
    worker_pump(c->worker);
}

static void wait_for_job(struct consumer *c)
{
    int64_t block_ms = c->worker->config->lease_ms / 4;
    struct error e;

    if (block_ms > BLOCK_MAX_MS)
        block_ms = BLOCK_MAX_MS;
    c->is_waiting = queue_wait(c->blocking_queue, &c->shard, c->name, block_ms, on_waited, c, &e);
    fault_point(FAULT_WAIT_SENT);
}

/* ---- comparing ---- */

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct consumer *c = arg;
    struct job_id *unknown;
    size_t unknown_count = 0;

    fault_point(FAULT_COMPARE_ANSWERED);
    c->is_comparing = false;
    if (e) {
        take_failure(c, "list the jobs that are held", e);
        return;
    }
    c->is_doubtful = false;
    unknown = mem_array(count + 1, sizeof(*unknown));
    for (size_t i = 0; i < count; i++)
        if (!attempt_find(c->worker, &ids[i]))
            unknown[unknown_count++] = ids[i];
    if (unknown_count)
        give_back(c, unknown, unknown_count);
    free(unknown);
    worker_pump(c->worker);
}

/* Only while nothing is under way: what is on its way would be taken for unknown. */
static void compare(struct consumer *c)
{
    struct error e;

    if (c->is_waiting) {
        queue_unblock(c->worker->queue, redis_client_id(c->blocking));
        return;
    }
    if (c->is_taking || c->starting_count || c->is_comparing || !lease_is_held(c->lease))
        return;
    c->is_comparing = queue_list_taken(c->worker->queue, &c->shard, c->name, on_listed, c, &e);
    fault_point(FAULT_COMPARE_SENT);
}

/* ---- going on ---- */

/* ---- the lease ---- */

void consumer_cut_off(struct consumer *c)
{
    settler_abandon(c->settler);
    attempts_abandon(c);
    consumer_doubt(c);
}

static void on_lease_held(void *arg)
{
    struct consumer *c = arg;

    worker_pump(c->worker);
}

static void on_lease_lost(void *arg)
{
    struct consumer *c = arg;

    metrics_add(c->worker->metrics, METRIC_LEASES_LOST, 1);
    log_error(&log_context,
        "the lease on queue %s could not be renewed in time: %s; what runs is killed, another worker "
        "may start it",
        c->shard.queue, lease_trouble(c->lease));
    consumer_cut_off(c);
}

static void on_lease_reaped(void *arg)
{
    struct consumer *c = arg;

    metrics_add(c->worker->metrics, METRIC_LEASES_LOST, 1);
    log_warn(&log_context, "%s was silent for so long that its jobs of queue %s were given to others",
        c->name, c->shard.queue);
    c->is_reaped = true;
    consumer_cut_off(c);
    worker_pump(c->worker);
}

static void on_revoked(void *arg, const struct job_id *ids, size_t count)
{
    const struct consumer *c = arg;

    for (size_t i = 0; i < count; i++) {
        struct attempt *a = attempt_find(c->worker, &ids[i]);

        if (a)
            attempt_cancel(a);
    }
}

/* The old name's list belongs to the upkeep of whoever looks first. */
static void take_new_name(struct consumer *c)
{
    c->is_reaped = false;
    c->is_doubtful = false;
    c->reaped_count++;
    snprintf(c->name, sizeof(c->name), "%.*s~%u", WORKER_ID_SIZE - 12, c->worker->id, c->reaped_count);
    lease_begin(c->lease, c->name);
}

void consumer_redis_ready(struct consumer *c)
{
    settler_resume(c->settler);
    lease_resume(c->lease);
    upkeep_begin(c->upkeep);
    audit_begin(c->audit);
    callbacks_begin(c->callbacks);
}

void consumer_redis_lost(struct consumer *c)
{
    upkeep_end(c->upkeep);
    audit_end(c->audit);
    callbacks_end(c->callbacks);
    consumer_doubt(c);
}

static void on_unregistered(void *arg, int64_t UNUSED(count), const struct error *UNUSED(e))
{
    struct consumer *c = arg;

    fault_point(FAULT_LEAVE_ANSWERED);
    worker_consumer_left(
        c->worker); /* a registration that stayed is cleared by others when its lease is over */
}

/* Its empty list and its registration go. */
static void unregister(struct consumer *c)
{
    struct error e;

    if (!queue_reap(c->worker->queue, &c->shard, c->name, true, (int)c->worker->config->max_lost, NULL, 0,
            on_unregistered, c, &e))
        worker_consumer_left(c->worker);
    fault_point(FAULT_LEAVE_SENT);
}

static void go_on_leaving(struct consumer *c)
{
    if (c->has_left || (c->worker->attempt_count && !c->worker->is_past_deadline))
        return;
    if (!c->is_doubtful && !c->is_reaped && !c->is_comparing && !c->is_waiting && !c->is_taking &&
        !c->starting_count) {
        c->has_left = true;
        unregister(c);
    }
}

static bool is_free_to_claim(const struct consumer *c)
{
    return redis_is_ready(c->worker->redis) && consumer_is_entitled(c) && !c->is_leaving && !c->is_doubtful &&
           !c->is_comparing && !c->is_waiting && !c->is_taking && !timer_is_running(&c->rest);
}

/* Redis is away, and nothing that is known here has to be given back: others clear the registration. */
static void leave_silently(struct consumer *c)
{
    if (c->has_left || c->worker->attempt_count || c->worker->reserved_count)
        return;
    c->has_left = true;
    worker_consumer_left(c->worker);
}

void consumer_pump(struct consumer *c)
{
    if (c->is_leaving && !redis_is_ready(c->worker->redis))
        leave_silently(c);
    if (!redis_is_ready(c->worker->redis) || timer_is_running(&c->rest))
        return;
    if (c->is_leaving && c->is_waiting)
        queue_unblock(c->worker->queue, redis_client_id(c->blocking));
    if (c->is_reaped && !c->is_waiting && !c->is_taking && !c->starting_count && !c->is_comparing)
        take_new_name(c);
    if (c->is_doubtful && !c->is_reaped)
        compare(c);
    if (c->is_leaving)
        go_on_leaving(c);
    if (is_free_to_claim(c) && !c->has_more && redis_is_ready(c->blocking) && worker_room(c->worker) > 0)
        wait_for_job(c);
}

bool consumer_is_taking(const struct consumer *c)
{
    return c->is_taking;
}

bool consumer_can_take(const struct consumer *c)
{
    return is_free_to_claim(c) && c->has_more;
}

void consumer_leave(struct consumer *c)
{
    c->is_leaving = true;
    c->is_doubtful = true; /* one look at the list when all is done */
}

static const struct lease_events lease_events = {on_lease_held, on_lease_lost, on_lease_reaped, on_revoked};

static void on_blocking_ready(void *arg)
{
    struct consumer *c = arg;

    worker_pump(c->worker);
}

struct consumer *consumer_new(struct worker *w, const char *queue)
{
    struct consumer *c = mem_zalloc(sizeof(*c));
    struct redis_url url;
    struct error e;
    struct redis_options options = {
        .url = &url,
        .config = w->config,
        .component = "wait",
        .is_secondary = true,
        .timeout_ms = w->config->redis_timeout_ms,
        .on_ready = on_blocking_ready,
        .arg = c,
    };

    c->worker = w;
    c->has_more = true; /* jobs may be there already */
    snprintf(c->shard.queue, sizeof(c->shard.queue), "%s", queue);
    timer_init(&c->doubt_again, w->loop, on_doubt_again, c);
    timer_init(&c->rest, w->loop, on_rested, c);
    c->settler = settler_new(c);
    c->lease = lease_new(
        w->loop, w->queue, &c->shard, w->config->lease_ms, w->config->worker_concurrency, &lease_events, c);
    c->upkeep = upkeep_new(w, &c->shard, c->lease);
    c->audit = audit_new(w, &c->shard);
    c->callbacks = callbacks_new(w, &c->shard);
    snprintf(c->name, sizeof(c->name), "%s", w->id);
    lease_begin(c->lease, c->name);
    if (!redis_url_parse(w->config->redis_url, &url, &e))
        abort(); /* worker_new parsed it before */
    c->blocking = redis_new(w->loop, &options);
    c->blocking_queue = queue_new(c->blocking);
    queue_on_stray(c->blocking_queue, worker_on_stray, w);
    redis_url_wipe(&url);
    return c;
}

struct consumer *consumer_free(struct consumer *c)
{
    if (!c)
        return NULL;
    c->is_leaving = true;
    c->blocking = redis_free(c->blocking);
    c->blocking_queue = queue_free(c->blocking_queue);
    c->settler = settler_free(c->settler);
    c->lease = lease_free(c->lease);
    c->upkeep = upkeep_free(c->upkeep);
    c->audit = audit_free(c->audit);
    c->callbacks = callbacks_free(c->callbacks);
    timer_stop(&c->doubt_again);
    timer_stop(&c->rest);
    free(c);
    return NULL;
}
