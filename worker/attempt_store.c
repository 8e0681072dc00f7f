#include "common/base/fault.h"
#include "worker/attempt_priv.h"

enum { REFUSALS_MAX = 3 };

void attempt_use_stored(struct attempt *a, const struct blob_properties *properties)
{
    a->result.size = properties->size;
    snprintf(a->result.content_type, sizeof(a->result.content_type), "%s", properties->content_type);
    snprintf(a->result.md5, sizeof(a->result.md5), "%s", properties->md5);
}

/* A store that is away, or lets nobody in, is waited for as long as it takes. One that is well otherwise and
 * refuses this very result will not change its mind. */
void attempt_wait_for_store(struct attempt *a, const struct error *e)
{
    bool is_refused = e->code == ERROR_STORE_REFUSED && ++a->refusal_count >= REFUSALS_MAX;

    if (is_refused || (a->upload && blob_upload_failure(a->upload))) {
        attempt_fail(a, e);
        attempt_settle(a);
        return;
    }
    attempt_enter(a, WAITING_FOR_STORE);
    blob_health_report(a->worker->store_health, e);
}

static void on_stored(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = attempt_context(a);

    fault_point(FAULT_STORE_ANSWERED);
    a->storing = NULL;
    if (e && e->code != ERROR_EXISTS) {
        attempt_wait_for_store(a, e);
        return;
    }
    if (e)
        log_info(
            &context, "an earlier attempt (%d) had stored a result: that one counts", properties->attempt);
    blob_health_report(a->worker->store_health, NULL);
    attempt_use_stored(a, properties);
    attempt_settle(a);
}

/* Of a result, so that a job that Redis forgot is still told from its blob. */
void attempt_fill_meta(struct attempt *a)
{
    int64_t retention_ms = (a->handler ? handler_retention_s(a->handler) : 0) * 1000;
    const int64_t times[] = {a->job.id.created_ms, a->job.started_ms, clock_unix_ms()};

    for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
        clock_format_rfc3339(times[i], a->time_texts[i]);
    snprintf(a->attempt_text, sizeof(a->attempt_text), "%d", a->job.attempt);
    a->meta[0] = (struct blob_meta){"jobid", a->job.id.text};
    a->meta[1] = (struct blob_meta){"attempt", a->attempt_text};
    a->meta[2] = (struct blob_meta){"type", a->job.spec.type};
    a->meta[3] = (struct blob_meta){"queue", a->job.id.shard.queue};
    a->meta[4] = (struct blob_meta){"worker", a->worker->id};
    a->meta[5] = (struct blob_meta){"state", a->has_failed ? "failed" : "succeeded"};
    a->meta[6] = (struct blob_meta){"created", a->time_texts[0]};
    a->meta[7] = (struct blob_meta){"started", a->time_texts[1]};
    a->meta[8] = (struct blob_meta){"finished", a->time_texts[2]};
    a->meta_count = 9;
    if (*a->job.spec.owner)
        a->meta[a->meta_count++] = (struct blob_meta){"owner", a->job.spec.owner};
    if (retention_ms) {
        clock_format_rfc3339(times[2] + retention_ms, a->time_texts[3]);
        a->meta[a->meta_count++] = (struct blob_meta){"expires", a->time_texts[3]};
    }
}

static void put_result(struct attempt *a)
{
    struct blob_content content = {
        .data = a->output.data,
        .length = a->output.length,
        .content_type = a->result.content_type,
        .meta = a->meta,
        .meta_count = a->meta_count,
    };
    char name[BLOB_NAME_SIZE];

    blob_name("results", &a->job.id, name);
    a->storing = blob_put(a->worker->store, name, &content, on_stored, a);
}

static void commit_result(struct attempt *a)
{
    a->content_head = (struct blob_content_head){
        .content_type = a->result.content_type, .meta = a->meta, .meta_count = a->meta_count};
    blob_upload_commit(a->upload, &a->content_head, on_stored, a);
}

void attempt_store_result(struct attempt *a)
{
    if (!consumer_is_entitled(a->consumer)) {
        attempt_enter(a, WAITING_FOR_STORE); /* the loss of the lease is about to be told, and ends it */
        return;
    }
    attempt_enter(a, STORING);
    if (a->upload)
        commit_result(a);
    else
        put_result(a);
    fault_point(FAULT_STORE_SENT);
}

void attempt_finish(struct attempt *a)
{
    const struct config *config = a->worker->config;

    if (a->has_failed) {
        attempt_settle(a);
    } else if (a->upload) {
        attempt_finish_stream(a);
    } else if (handler_keeps_inline(a->handler) ||
               (config->result_store == RESULT_STORE_LARGE &&
                   a->output.length <= (size_t)config->inline_result_max)) {
        a->result.size = (int64_t)a->output.length;
        a->result.is_inline = true;
        attempt_settle(a);
    } else {
        attempt_store_result(a);
    }
}

static void on_log_stored(void *arg, const struct blob_properties *UNUSED(properties), const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = attempt_context(a);

    fault_point(FAULT_LOG_ANSWERED);
    a->storing = NULL;
    if (e && e->code != ERROR_EXISTS)
        log_warn(&context, "what the handler wrote to stderr could not be stored: %s", e->text);
    attempt_finish(a);
}

void attempt_store_log(struct attempt *a)
{
    struct blob_content content = {
        .data = a->log.data,
        .length = a->log.length,
        .content_type = "text/plain; charset=utf-8",
        .meta = a->meta,
        .meta_count = a->meta_count,
    };
    char folder_name[BLOB_NAME_SIZE];
    char name[BLOB_NAME_SIZE + 16];

    blob_name("logs", &a->job.id, folder_name);
    snprintf(name, sizeof(name), "%s/%d", folder_name, a->job.attempt);
    a->storing = blob_put(a->worker->store, name, &content, on_log_stored, a);
    fault_point(FAULT_LOG_SENT);
}
