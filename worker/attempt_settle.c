#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/queue/remains.h"
#include "worker/attempt_priv.h"
#include "worker/backoff.h"
#include "worker/disposal.h"
#include "worker/settler.h"
#include "worker/teller.h"

enum { EXCUSED_MS = 5000, EXCUSED_MAX_MS = 60000 };

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

/* The more often it was excused, the longer it waits. */
static int64_t excused_ms(const struct attempt *a)
{
    static const struct retry_policy policy = {.delay_ms = EXCUSED_MS, .delay_max_ms = EXCUSED_MAX_MS};

    return backoff_ms(&policy, a->job.excused + 1, (uint32_t)rand()); /* NOLINT: no secret */
}

void attempt_settle(struct attempt *a)
{
    if (a->has_failed) {
        status_write_error(&a->status, &a->failure);
        if (a->is_excused)
            a->delay_ms = excused_ms(a);
        else
            plan_retry(a);
    } else {
        status_write_result(&a->status, &a->result);
    }
    attempt_enter(a, SETTLING);
    settler_add(consumer_settler(a->consumer), a);
}

void attempt_fail(struct attempt *a, const struct error *e)
{
    a->has_failed = true;
    a->failure = *e;
}

static enum ending ending_of(const struct attempt *a)
{
    if (!a->has_failed)
        return ENDING_SUCCEEDED;
    if (a->is_excused)
        return ENDING_PARKED;
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

static int64_t retention_of(const struct attempt *a)
{
    int64_t own_s = a->handler ? handler_retention_s(a->handler) : 0;

    return own_s ? own_s : a->worker->config->retention_s;
}

void attempt_settlement(const struct attempt *a, struct settlement *out)
{
    *out = (struct settlement){
        .id = &a->job.id,
        .attempt = a->job.attempt,
        .ending = ending_of(a),
        .limit = limit_of(a),
        .delay_ms = a->delay_ms,
        .retention_s = retention_of(a),
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
    struct log_context context = attempt_context(a);

    if (verdict == SETTLE_STALE)
        log_warn(&context, "the job was no longer this worker's: what it made is discarded");
    else if (verdict == SETTLE_CANCELLED)
        log_info(&context, "cancelled after %.3f s (type %s)", seconds, a->job.spec.type);
    else if (verdict == SETTLE_RETRY && a->is_excused)
        log_info(&context, "looked at again in %.3f s: %s", (double)a->delay_ms / 1e3, a->failure.text);
    else if (verdict == SETTLE_RETRY)
        log_warn(&context, "failed after %.3f s, tried again in %.3f s: %s (type %s)", seconds,
            (double)a->delay_ms / 1e3, a->failure.text, a->job.spec.type);
    else if (a->has_failed)
        log_warn(&context, "dead after %.3f s: %s (type %s)", seconds, a->failure.text, a->job.spec.type);
    else
        log_info(&context, "succeeded after %.3f s: %lld bytes (type %s)", seconds, (long long)a->result.size,
            a->job.spec.type);
}

/* Redis will forget the job one day, and nothing else tells of its end. */
static void keep_end(const struct attempt *a)
{
    AUTO_BUF struct buf text = BUF(REMAINS_MAX);
    char message[sizeof(a->failure.text)];
    char name[BLOB_NAME_SIZE];
    struct job job = a->job;

    job.state = JOB_DEAD;
    job.finished_ms = clock_unix_ms();
    snprintf(job.worker, sizeof(job.worker), "%s", consumer_name(a->consumer));
    snprintf(job.error_code, sizeof(job.error_code), "%s", error_name(a->failure.code));
    snprintf(message, sizeof(message), "%s", a->failure.text);
    job.error_message = message;
    remains_write(&job, &text);
    blob_name("status", &a->job.id, name);
    disposal_put(a->worker->disposal, name, text.data, text.length);
}

/* A replayed job had ended before in another way. */
static void forget_end(const struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    if (!a->job.excused)
        return;
    blob_name("status", &a->job.id, name);
    disposal_add(a->worker->disposal, name);
}

/* Accounts for what became of the try. */
void attempt_conclude(const struct attempt *a, enum settle_verdict verdict)
{
    double seconds = (double)(clock_steady_us() - a->started_us) / 1e6;

    log_end(a, verdict, seconds);
    if (verdict == SETTLE_DEAD && *a->job.spec.type)
        keep_end(a);
    if (verdict == SETTLE_SUCCEEDED)
        forget_end(a);
    if (verdict == SETTLE_SUCCEEDED || verdict == SETTLE_CANCELLED)
        disposal_add_payload(a->worker->disposal, &a->job.id, &a->job.spec);
    if (verdict == SETTLE_STALE)
        metrics_add(a->worker->metrics, METRIC_JOBS_STALE, 1);
    else if (verdict == SETTLE_RETRY)
        metrics_add(a->worker->metrics, METRIC_JOBS_RETRIED, 1);
    else
        count_end(a, verdict, seconds);
}

/* ---- settled ---- */

static void on_removed(void *arg, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = attempt_context(a);

    fault_point(FAULT_REMOVE_ANSWERED);
    a->storing = NULL;
    if (e)
        log_warn(&context, "the result of the cancelled job could not be removed: %s", e->text);
    attempt_free(a);
}

/* Nobody gets the result of a job that was cancelled: the blob would only lie there. */
static void remove_result(struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    attempt_enter(a, REMOVING);
    blob_name("results", &a->job.id, name);
    a->storing = blob_delete(a->worker->store, name, on_removed, a);
    fault_point(FAULT_REMOVE_SENT);
}

void attempt_on_settled(struct attempt *a, enum settle_verdict verdict)
{
    attempt_conclude(a, verdict);
    if (verdict == SETTLE_STALE)
        consumer_doubt(a->consumer);
    else
        teller_forget(a->teller);
    if (verdict == SETTLE_CANCELLED && !a->has_failed && !a->result.is_inline)
        remove_result(a);
    else
        attempt_free(a);
}
