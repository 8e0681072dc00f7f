#include "common/base/fault.h"
#include "worker/attempt_priv.h"
#include "worker/intake.h"
#include "worker/teller.h"

/* What a handler writes is gathered up to this: most results are no longer, and take one request. */
enum { GATHERED_MAX = 65536 };

/* ---- what the handler writes ---- */

/* The store takes no more for now: the handler's pipe fills, and its time limit's clock stands still. */
static void stall(struct attempt *a)
{
    if (a->is_stalled)
        return;
    a->is_stalled = true;
    if (a->run)
        run_suspend(a->run);
}

static void go_on(struct attempt *a)
{
    if (!a->is_stalled)
        return;
    a->is_stalled = false;
    if (a->run)
        run_unsuspend(a->run);
}

/* Hands what was gathered to the upload; false when it did not take all of it. */
static bool pass_gathered(struct attempt *a)
{
    a->passed += blob_upload_write(a->upload, a->output.data + a->passed, a->output.length - a->passed);
    if (a->passed < a->output.length)
        return false;
    buf_release(&a->output);
    buf_init(&a->output, 0);
    a->passed = 0;
    return true;
}

static void on_room(void *arg)
{
    struct attempt *a = arg;
    const struct error *failure = blob_upload_failure(a->upload);

    go_on(a);
    if (a->run && failure)
        run_kill(a->run, failure->code); /* nobody could store the rest of it */
    else if (a->run)
        run_resume(a->run);
    else if (pass_gathered(a))
        attempt_store_result(a);
}

void attempt_finish_stream(struct attempt *a)
{
    if (pass_gathered(a))
        attempt_store_result(a);
}

static void open_upload(struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    blob_name("results", &a->job.id, name);
    a->upload = blob_upload_open(a->worker->store, name, on_room, a);
    fault_point(FAULT_STREAM_OPENED);
}

static size_t on_output(void *arg, const void *data, size_t length)
{
    struct attempt *a = arg;
    size_t taken;

    if (!a->upload && a->output.length + length <= GATHERED_MAX) {
        buf_append(&a->output, data, length);
        return length;
    }
    if (!a->upload)
        open_upload(a);
    taken = pass_gathered(a) ? blob_upload_write(a->upload, data, length) : 0;
    if (taken < length)
        stall(a);
    return taken;
}

/* ---- its end ---- */

/* Whatever the handler made of being killed: that is why it was. */
static const struct error *end_of(const struct attempt *a, const struct run_outcome *outcome)
{
    const struct error *upload = a->upload ? blob_upload_failure(a->upload) : NULL;
    const struct error *payload = a->intake ? intake_failure(a->intake) : NULL;

    return payload ? payload : upload ? upload : outcome->error;
}

static void on_run_done(void *arg, struct run_outcome *outcome)
{
    struct attempt *a = arg;
    const struct error *e = end_of(a, outcome);
    bool is_input_lost =
        a->intake && intake_failure(a->intake) && intake_failure(a->intake)->code != ERROR_GONE;

    fault_point(FAULT_RUN_ENDED);
    a->run = NULL;
    timer_stop(&a->kill);
    if (a->is_cancelled && a->state != ABANDONED)
        attempt_conclude(a, SETTLE_CANCELLED);
    if (a->is_cancelled || a->state == ABANDONED) {
        attempt_free(a);
        return;
    }
    go_on(a);
    a->retry_after_ms = outcome->retry_after_ms;
    snprintf(a->result.content_type, sizeof(a->result.content_type), "%s", outcome->content_type);
    if (e) {
        attempt_fail(a, e);
        a->is_excused = is_input_lost; /* the store's fault, which is not held against the job */
        a->upload = blob_upload_cancel(a->upload);
    }
    a->intake = intake_free(a->intake);
    attempt_fill_meta(a);
    a->log = outcome->log;
    buf_init(&outcome->log, 0);
    if (a->log.length)
        attempt_store_log(a);
    else
        attempt_finish(a);
}

/* ---- its start ---- */

static void on_hungry(void *arg)
{
    const struct attempt *a = arg;

    intake_feed(a->intake);
}

static void on_progress(void *arg, const struct run_progress *progress)
{
    struct attempt *a = arg;

    if (!a->teller)
        a->teller = teller_new(a->consumer, &a->job);
    teller_tell(a->teller, progress->fraction, progress->message);
}

static const struct run_events run_events = {
    .on_output = on_output, .on_progress = on_progress, .on_hungry = on_hungry, .on_done = on_run_done};

static struct run_input describe_input(const struct attempt *a)
{
    const struct job_spec *spec = &a->job.spec;
    bool is_streamed = spec->payload_size > 0;

    return (struct run_input){
        .job_id = a->job.id.text,
        .type = spec->type,
        .queue = a->job.id.shard.queue,
        .owner = spec->owner,
        .traceparent = spec->traceparent,
        .metadata = spec->metadata,
        .attempt = a->job.attempt,
        .is_streamed = is_streamed,
        .payload = is_streamed ? NULL : a->job.payload,
        .payload_length = is_streamed ? (size_t)spec->payload_size : a->job.payload_length,
        .timeout_ms = spec->timeout_s * 1000,
        .max_result_bytes = (size_t)a->worker->config->max_result,
    };
}

void attempt_run(struct attempt *a)
{
    struct run_input input = describe_input(a);
    struct log_context context = attempt_context(a);

    if (!consumer_is_entitled(a->consumer)) {
        a->is_looking = true;
        attempt_enter(a, WAITING_FOR_STORE); /* as in store_result: another worker may run it by now */
        return;
    }
    log_debug(&context, "started (type %s, %zu bytes)", a->job.spec.type, input.payload_length);
    attempt_enter(a, RUNNING);
    buf_init(&a->output, GATHERED_MAX);
    a->run = run_start(a->handler, &input, &run_events, a);
    if (input.is_streamed)
        a->intake = intake_start(a->worker->store, &a->job, a->run);
    fault_point(FAULT_RUN_STARTED);
}
