#include "common/base/fault.h"
#include "worker/attempt_priv.h"

static void on_run_done(void *arg, struct run_outcome *outcome)
{
    struct attempt *a = arg;
    size_t length;

    fault_point(FAULT_RUN_ENDED);
    a->run = NULL;
    timer_stop(&a->kill);
    if (a->is_cancelled && a->state != ABANDONED)
        attempt_conclude(a, SETTLE_CANCELLED);
    if (a->is_cancelled || a->state == ABANDONED) {
        attempt_free(a);
        return;
    }
    a->retry_after_ms = outcome->retry_after_ms;
    snprintf(a->result.content_type, sizeof(a->result.content_type), "%s", outcome->content_type);
    if (outcome->error) {
        attempt_fail(a, outcome->error);
    } else {
        a->output = outcome->result;
        buf_init(&outcome->result, 0);
    }
    length = outcome->log.length;
    a->log = outcome->log;
    buf_init(&outcome->log, 0);
    if (length)
        attempt_store_log(a);
    else
        attempt_finish(a);
}

static const struct run_events run_events = {.on_done = on_run_done};

void attempt_run(struct attempt *a)
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
    struct log_context context = attempt_context(a);

    if (!consumer_is_entitled(a->consumer)) {
        a->is_looking = true;
        attempt_enter(a, WAITING_FOR_STORE); /* as in store_result: another worker may run it by now */
        return;
    }
    log_debug(&context, "started (type %s, %zu bytes)", a->job.spec.type, a->job.payload_length);
    attempt_enter(a, RUNNING);
    a->run = run_start(a->handler, &input, &run_events, a);
    fault_point(FAULT_RUN_STARTED);
}
