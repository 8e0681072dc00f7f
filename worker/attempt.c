#include "worker/attempt.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/backoff.h"
#include "worker/settler.h"

#define ATTEMPT_STATES(STATE)                                                                                \
    STATE(STARTING)                                                                                          \
    STATE(LOOKING)                                                                                           \
    STATE(RUNNING)                                                                                           \
    STATE(STORING)                                                                                           \
    STATE(WAITING_FOR_STORE)                                                                                 \
    STATE(SETTLING)                                                                                          \
    STATE(REMOVING)                                                                                          \
    STATE(ABANDONED)

enum state {
#define STATE(name) name,
    ATTEMPT_STATES(STATE)
#undef STATE
};

enum { STATUS_MAX = 8192, TYPES_TEXT_MAX = 160, REFUSALS_MAX = 3 };

struct attempt {
    struct consumer *consumer;
    struct worker *worker;
    enum state state;
    struct job job;
    char *record; /* what job borrows from */
    const struct handler *handler;
    struct run *run;
    struct timer kill; /* when a handler that was asked to end has not */
    bool is_cancelled;
    struct buf output; /* the result */
    struct buf log;    /* what the handler wrote to stderr */
    bool is_log_stored;
    struct job_result result;
    struct error failure;
    bool has_failed;
    struct blob_op *storing;
    bool is_looking;   /* in WAITING_FOR_STORE: for an earlier result, not to store this one */
    int refusal_count; /* of the store, each with a good check of the store since the one before */
    struct blob_meta meta[5];
    char attempt_text[12];
    struct buf status;      /* what settle appends to the record's status */
    int64_t delay_ms;       /* of one that failed: until the next */
    int64_t retry_after_ms; /* what the handler asked for */
    int64_t started_us;
    struct attempt *settler_next;
    struct attempt *next;
    struct attempt *previous;
};

static const char *const state_names[] = {
#define STATE(name) #name,
    ATTEMPT_STATES(STATE)
#undef STATE
};

static struct log_context log_of(const struct attempt *a)
{
    return (struct log_context){.component = "attempt", .job_id = a->job.id.text, .attempt = a->job.attempt};
}

static void enter(struct attempt *a, enum state state)
{
    struct log_context context = log_of(a);

    assert(a->state != ABANDONED && (state > a->state || a->state == WAITING_FOR_STORE));
    log_debug(&context, "%s -> %s", state_names[a->state], state_names[state]);
    a->state = state;
}

/* ---- life ---- */

static void on_kill(void *arg);

static struct attempt *new_attempt(struct consumer *c, struct worker *w, const char *record, size_t length)
{
    struct attempt *a = mem_zalloc(sizeof(*a));

    a->consumer = c;
    a->worker = w;
    a->record = mem_dup(record, length);
    a->started_us = clock_steady_us();
    timer_init(&a->kill, w->loop, on_kill, a);
    buf_init(&a->output, 0);
    buf_init(&a->log, 0);
    buf_init(&a->status, STATUS_MAX);
    a->next = w->attempts;
    if (a->next)
        a->next->previous = a;
    w->attempts = a;
    w->attempt_count++;
    metrics_set(w->metrics, METRIC_JOBS_RUNNING, (double)w->attempt_count);
    return a;
}

static void free_attempt(struct attempt *a)
{
    struct worker *w = a->worker;

    timer_stop(&a->kill);
    if (a->storing)
        blob_cancel(a->storing);
    if (a->previous)
        a->previous->next = a->next;
    else
        w->attempts = a->next;
    if (a->next)
        a->next->previous = a->previous;
    w->attempt_count--;
    metrics_set(w->metrics, METRIC_JOBS_RUNNING, (double)w->attempt_count);
    handler_drop(a->handler);
    job_release(&a->job);
    buf_release(&a->output);
    buf_release(&a->log);
    buf_release(&a->status);
    free(a->record);
    free(a);
    worker_attempt_ended(w);
}

struct attempt *attempt_find(const struct worker *w, const struct job_id *id)
{
    struct attempt *a = w->attempts;

    while (a && (a->state == ABANDONED || strcmp(a->job.id.text, id->text) != 0))
        a = a->next;
    return a;
}

/* ---- settling ---- */

/* Tries that failed before, this one among them; those whose worker vanished do not count, nor those that are
 * excused. */
static void plan_retry(struct attempt *a)
{
    int failures = a->job.attempt - a->job.excused - a->job.lost;

    if (a->handler)
        a->delay_ms =
            backoff_ms(handler_retry_policy(a->handler), failures, (uint32_t)rand()); /* NOLINT: no secret */
    if (a->delay_ms < a->retry_after_ms)
        a->delay_ms = a->retry_after_ms;
}

static void settle(struct attempt *a)
{
    if (a->has_failed) {
        status_write_error(&a->status, &a->failure);
        plan_retry(a);
    } else {
        status_write_result(&a->status, &a->result);
    }
    enter(a, SETTLING);
    settler_add(consumer_settler(a->consumer), a);
}

static void fail(struct attempt *a, const struct error *e)
{
    a->has_failed = true;
    a->failure = *e;
}

static enum ending ending_of(const struct attempt *a)
{
    if (!a->has_failed)
        return ENDING_SUCCEEDED;
    if (a->failure.code == ERROR_BAD_RECORD)
        return ENDING_DAMAGED;
    if (!a->handler || !error_is_retryable(a->failure.code))
        return ENDING_HOPELESS;
    return run_has_crashed(&a->failure) ? ENDING_CRASHED : ENDING_FAILED;
}

static int limit_of(const struct attempt *a)
{
    const struct retry_policy *policy = a->handler ? handler_retry_policy(a->handler) : NULL;

    if (!policy)
        return 1;
    if (ending_of(a) == ENDING_CRASHED)
        return policy->max_crashes;
    return a->job.spec.max_attempts ? a->job.spec.max_attempts : policy->max_attempts;
}

void attempt_settlement(const struct attempt *a, struct settlement *out)
{
    *out = (struct settlement){
        .id = &a->job.id,
        .attempt = a->job.attempt,
        .ending = ending_of(a),
        .limit = limit_of(a),
        .delay_ms = a->delay_ms,
        .status = a->status.data,
        .status_length = a->status.length,
        .inline_result = a->result.is_inline ? a->output.data : NULL,
        .inline_length = a->result.is_inline ? a->output.length : 0,
    };
}

struct attempt **attempt_settler_link(struct attempt *a)
{
    return &a->settler_next;
}

static void count_end(const struct attempt *a, enum settle_verdict verdict, double seconds)
{
    const char *type = a->handler ? a->job.spec.type : "unknown"; /* a caller's invention makes no series */
    const char *state = verdict == SETTLE_CANCELLED ? "cancelled" : a->has_failed ? "dead" : "succeeded";
    char labels[128];

    snprintf(labels, sizeof(labels), "type=\"%s\",state=\"%s\"", type, state);
    series_add(metrics_series(a->worker->metrics, METRIC_JOBS_FINISHED, labels), 1);
    snprintf(labels, sizeof(labels), "type=\"%s\"", type);
    series_observe(metrics_series(a->worker->metrics, METRIC_JOB_SECONDS, labels), seconds);
}

static void log_end(const struct attempt *a, enum settle_verdict verdict, double seconds)
{
    struct log_context context = log_of(a);

    if (verdict == SETTLE_STALE)
        log_warn(&context, "the job was no longer this worker's: what it made is discarded");
    else if (verdict == SETTLE_CANCELLED)
        log_info(&context, "cancelled after %.3f s (type %s)", seconds, a->job.spec.type);
    else if (verdict == SETTLE_RETRY)
        log_warn(&context, "failed after %.3f s, tried again in %.3f s: %s (type %s)", seconds,
            (double)a->delay_ms / 1e3, a->failure.text, a->job.spec.type);
    else if (a->has_failed)
        log_warn(&context, "dead after %.3f s: %s (type %s)", seconds, a->failure.text, a->job.spec.type);
    else
        log_info(&context, "succeeded after %.3f s: %lld bytes (type %s)", seconds, (long long)a->result.size,
            a->job.spec.type);
}

/* Accounts for what became of the try. */
static void conclude(const struct attempt *a, enum settle_verdict verdict)
{
    double seconds = (double)(clock_steady_us() - a->started_us) / 1e6;

    log_end(a, verdict, seconds);
    if (verdict == SETTLE_STALE)
        metrics_add(a->worker->metrics, METRIC_JOBS_STALE, 1);
    else if (verdict == SETTLE_RETRY)
        metrics_add(a->worker->metrics, METRIC_JOBS_RETRIED, 1);
    else
        count_end(a, verdict, seconds);
}

static void on_removed(void *arg, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = log_of(a);

    fault_point(FAULT_REMOVE_ANSWERED);
    a->storing = NULL;
    if (e)
        log_warn(&context, "the result of the cancelled job could not be removed: %s", e->text);
    free_attempt(a);
}

/* Nobody gets the result of a job that was cancelled: the blob would only lie there. */
static void remove_result(struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    enter(a, REMOVING);
    blob_name("results", &a->job.id, name);
    a->storing = blob_delete(a->worker->store, name, on_removed, a);
    fault_point(FAULT_REMOVE_SENT);
}

void attempt_on_settled(struct attempt *a, enum settle_verdict verdict)
{
    conclude(a, verdict);
    if (verdict == SETTLE_STALE)
        consumer_doubt(a->consumer);
    if (verdict == SETTLE_CANCELLED && !a->has_failed && !a->result.is_inline)
        remove_result(a);
    else
        free_attempt(a);
}

/* ---- storing ---- */

static void use_stored(struct attempt *a, const struct blob_properties *properties)
{
    a->result.size = properties->size;
    snprintf(a->result.content_type, sizeof(a->result.content_type), "%s", properties->content_type);
    snprintf(a->result.md5, sizeof(a->result.md5), "%s", properties->md5);
}

/* A store that is away, or lets nobody in, is waited for as long as it takes. One that is well otherwise and
 * refuses this very result will not change its mind. */
static void wait_for_store(struct attempt *a, const struct error *e)
{
    if (e->code == ERROR_STORE_REFUSED && ++a->refusal_count >= REFUSALS_MAX) {
        fail(a, e);
        settle(a);
        return;
    }
    enter(a, WAITING_FOR_STORE);
    blob_health_report(a->worker->store_health, e);
}

static void on_stored(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = log_of(a);

    fault_point(FAULT_STORE_ANSWERED);
    a->storing = NULL;
    if (e && e->code != ERROR_EXISTS) {
        wait_for_store(a, e);
        return;
    }
    if (e)
        log_info(
            &context, "an earlier attempt (%d) had stored a result: that one counts", properties->attempt);
    blob_health_report(a->worker->store_health, NULL);
    use_stored(a, properties);
    settle(a);
}

static void fill_meta(struct attempt *a)
{
    snprintf(a->attempt_text, sizeof(a->attempt_text), "%d", a->job.attempt);
    a->meta[0] = (struct blob_meta){"jobid", a->job.id.text};
    a->meta[1] = (struct blob_meta){"attempt", a->attempt_text};
    a->meta[2] = (struct blob_meta){"type", a->job.spec.type};
    a->meta[3] = (struct blob_meta){"queue", a->job.id.shard.queue};
    a->meta[4] = (struct blob_meta){"worker", a->worker->id};
}

static void store_result(struct attempt *a)
{
    struct blob_content content = {
        .data = a->output.data,
        .length = a->output.length,
        .content_type = a->result.content_type,
        .meta = a->meta,
        .meta_count = ARRAY_LENGTH(a->meta),
    };
    char name[BLOB_NAME_SIZE];

    if (!consumer_is_entitled(a->consumer)) {
        enter(a, WAITING_FOR_STORE); /* the loss of the lease is about to be told, and ends it */
        return;
    }
    enter(a, STORING);
    blob_name("results", &a->job.id, name);
    a->storing = blob_put(a->worker->store, name, &content, on_stored, a);
    fault_point(FAULT_STORE_SENT);
}

static void finish(struct attempt *a)
{
    const struct config *config = a->worker->config;

    if (a->has_failed) {
        settle(a);
        return;
    }
    a->result.size = (int64_t)a->output.length;
    if (config->result_store == RESULT_STORE_LARGE && a->output.length <= (size_t)config->inline_result_max) {
        a->result.is_inline = true;
        settle(a);
    } else {
        store_result(a);
    }
}

static void on_log_stored(void *arg, const struct blob_properties *UNUSED(properties), const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = log_of(a);

    fault_point(FAULT_LOG_ANSWERED);
    a->storing = NULL;
    if (e && e->code != ERROR_EXISTS)
        log_warn(&context, "what the handler wrote to stderr could not be stored: %s", e->text);
    finish(a);
}

static void store_log(struct attempt *a)
{
    struct blob_content content = {
        .data = a->log.data,
        .length = a->log.length,
        .content_type = "text/plain; charset=utf-8",
        .meta = a->meta,
        .meta_count = ARRAY_LENGTH(a->meta),
    };
    char folder_name[BLOB_NAME_SIZE];
    char name[BLOB_NAME_SIZE + 16];

    blob_name("logs", &a->job.id, folder_name);
    snprintf(name, sizeof(name), "%s/%d", folder_name, a->job.attempt);
    a->storing = blob_put(a->worker->store, name, &content, on_log_stored, a);
    fault_point(FAULT_LOG_SENT);
}

/* ---- running ---- */

static void on_run_done(void *arg, struct run_outcome *outcome)
{
    struct attempt *a = arg;
    size_t length;

    fault_point(FAULT_RUN_ENDED);
    a->run = NULL;
    timer_stop(&a->kill);
    if (a->is_cancelled && a->state != ABANDONED)
        conclude(a, SETTLE_CANCELLED);
    if (a->is_cancelled || a->state == ABANDONED) {
        free_attempt(a);
        return;
    }
    a->retry_after_ms = outcome->retry_after_ms;
    snprintf(a->result.content_type, sizeof(a->result.content_type), "%s", outcome->content_type);
    if (outcome->error) {
        fail(a, outcome->error);
    } else {
        a->output = outcome->result;
        buf_init(&outcome->result, 0);
    }
    length = outcome->log.length;
    a->log = outcome->log;
    buf_init(&outcome->log, 0);
    if (length)
        store_log(a);
    else
        finish(a);
}

static const struct run_events run_events = {.on_done = on_run_done};

static void run(struct attempt *a)
{
    struct worker *w = a->worker;
    struct run_input input = {
        .job_id = a->job.id.text,
        .type = a->job.spec.type,
        .queue = a->job.id.shard.queue,
        .attempt = a->job.attempt,
        .payload = a->job.payload,
        .payload_length = a->job.payload_length,
        .timeout_ms = a->job.spec.timeout_s * 1000,
        .max_result_bytes = (size_t)w->config->max_result,
    };
    struct log_context context = log_of(a);

    if (!consumer_is_entitled(a->consumer)) {
        a->is_looking = true;
        enter(a, WAITING_FOR_STORE); /* as in store_result: another worker may run it by now */
        return;
    }
    log_debug(&context, "started (type %s, %zu bytes)", a->job.spec.type, a->job.payload_length);
    enter(a, RUNNING);
    a->run = run_start(a->handler, &input, &run_events, a);
    fault_point(FAULT_RUN_STARTED);
}

/* ---- looking for an earlier result ---- */

static void on_looked(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = log_of(a);

    fault_point(FAULT_LOOK_ANSWERED);
    a->storing = NULL;
    if (!e) {
        log_info(&context, "attempt %d had stored a result: it counts, and the job is not run again",
            properties->attempt);
        use_stored(a, properties);
        settle(a);
    } else if (e->code == ERROR_NOT_FOUND) {
        run(a);
    } else {
        a->is_looking = true;
        wait_for_store(a, e);
    }
}

static void look_for_result(struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    a->is_looking = false;
    if (a->state == STARTING)
        enter(a, LOOKING);
    blob_name("results", &a->job.id, name);
    a->storing = blob_head(a->worker->store, name, on_looked, a);
    fault_point(FAULT_LOOK_SENT);
}

void attempts_resume_storing(struct worker *w)
{
    for (struct attempt *a = w->attempts; a; a = a->next)
        if (a->state == WAITING_FOR_STORE && a->is_looking)
            look_for_result(a);
        else if (a->state == WAITING_FOR_STORE)
            store_result(a);
}

static void refuse_type(struct attempt *a)
{
    AUTO_BUF struct buf known = BUF(TYPES_TEXT_MAX);
    const char *type;
    struct error e;

    for (size_t i = 0; (type = handlers_type_at(a->worker->handlers, i)); i++)
        if (!buf_printf(&known, "%s%s", i ? ", " : "", type))
            break;
    error_set(&e, ERROR_NO_HANDLER, "no handler serves type %s here; %s do: see HANDLERS_FILE",
        a->job.spec.type, known.data);
    fail(a, &e);
    settle(a);
}

void attempt_start(struct consumer *c, const struct job_id *id, const char *record, size_t length)
{
    struct worker *w = consumer_worker(c);
    struct attempt *a = new_attempt(c, w, record, length);
    struct error e;

    metrics_add(w->metrics, METRIC_JOBS_CLAIMED, 1);
    if (!record_decode_started(id, a->record, length, &a->job, &e)) {
        a->job = (struct job){.id = *id, .attempt = record_attempt(record, length)};
        fail(a, &e);
        settle(a);
        return;
    }
    fill_meta(a);
    a->handler = handlers_find(w->handlers, a->job.spec.type);
    if (!a->handler) {
        refuse_type(a);
        return;
    }
    handler_keep(a->handler);
    if (a->job.attempt > 1)
        look_for_result(a);
    else
        run(a);
}

static void on_kill(void *arg)
{
    struct attempt *a = arg;

    if (a->run)
        run_kill(a->run, ERROR_CANCELLED);
}

/* One that stores or settles is told by the verdict, and then removes what it stored; also when the store
 * went away meanwhile, since what was on its way may have arrived. */
void attempt_cancel(struct attempt *a)
{
    bool is_to_store = a->state == STORING || (a->state == WAITING_FOR_STORE && !a->is_looking);

    if (a->is_cancelled || is_to_store || a->state == SETTLING || a->state == REMOVING)
        return;
    a->is_cancelled = true;
    if (a->run) {
        timer_start(&a->kill, a->worker->config->kill_grace_ms);
        run_ask(a->run, ERROR_CANCELLED);
    } else {
        conclude(a, SETTLE_CANCELLED);
        free_attempt(a);
    }
}

void attempts_abandon(struct consumer *c)
{
    struct attempt *next;

    for (struct attempt *a = consumer_worker(c)->attempts; a; a = next) {
        next = a->next;
        if (a->consumer != c || a->state == ABANDONED)
            continue;
        a->state = ABANDONED;
        if (a->run)
            run_kill(a->run, ERROR_STOPPED);
        else
            free_attempt(a);
    }
}
