#include "common/job/resource.h"
#include "common/base/clock.h"
#include "common/base/json.h"

enum { URL_SIZE = 4096 };

static void write_time(struct buf *out, const char *name, int64_t unix_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    if (!unix_ms)
        return;
    clock_format_rfc3339(unix_ms, text);
    json_write_member(out, name, text);
}

static void write_result(struct buf *out, const struct job *job, const struct blob_store *store)
{
    char name[BLOB_NAME_SIZE];
    char url[URL_SIZE];

    buf_append_text(out, ",\"result\":{\"href\":\"/v1/jobs/");
    buf_append_text(out, job->id.text);
    buf_append_text(out, "/result\"");
    if (!job->result.is_inline) {
        blob_name("results", &job->id, name);
        blob_url(store, name, url, sizeof(url));
        json_write_member(out, "blob", url);
    }
    buf_append_text(out, ",\"size\":");
    buf_append_int(out, job->result.size);
    json_write_member(out, "content_type", job->result.content_type);
    if (*job->result.md5)
        json_write_member(out, "md5", job->result.md5);
    buf_append_char(out, '}');
}

static void write_error(struct buf *out, const struct job *job)
{
    buf_append_text(out, ",\"error\":{\"code\":");
    json_write_string(out, job->error_code, strlen(job->error_code));
    json_write_member(out, "message", job->error_message);
    buf_append_char(out, '}');
}

static void write_progress(struct buf *out, const struct job *job)
{
    buf_append_text(out, ",\"progress\":{");
    if (job->fraction >= 0)
        buf_printf(out, "\"fraction\":%.4g", job->fraction);
    if (job->progress_message) {
        buf_printf(out, "%s\"message\":", job->fraction >= 0 ? "," : "");
        json_write_string(out, job->progress_message, strlen(job->progress_message));
    }
    buf_append_char(out, '}');
}

static void write_links(struct buf *out, const struct job *job)
{
    buf_append_text(out, ",\"links\":{\"self\":\"/v1/jobs/");
    buf_append_text(out, job->id.text);
    if (job->state == JOB_SUCCEEDED) {
        buf_append_text(out, "\",\"result\":\"/v1/jobs/");
        buf_append_text(out, job->id.text);
        buf_append_text(out, "/result");
    }
    buf_append_text(out, "\"}");
}

/* As the caller chose it, else as the type has it. */
static void write_limit(struct buf *out, const char *name, int64_t own, const struct known_type *type)
{
    int64_t value = own || !type ? own : known_type_int(type, name, 0);

    if (value)
        buf_printf(out, ",\"%s\":%lld", name, (long long)value);
}

void resource_write_job(
    struct buf *out, const struct job *job, const struct blob_store *store, const struct known_type *type)
{
    buf_append_text(out, "{\"id\":\"");
    buf_append_text(out, job->id.text);
    buf_append_char(out, '"');
    json_write_member(out, "type", job->spec.type);
    json_write_member(out, "queue", job->id.shard.queue);
    json_write_member(out, "state", job_state_text(job->state));
    if (*job->spec.owner)
        json_write_member(out, "owner", job->spec.owner);
    buf_append_text(out, ",\"attempt\":");
    buf_append_int(out, job->attempt);
    write_limit(out, "max_attempts", job->spec.max_attempts, type);
    write_limit(out, "timeout_s", job->spec.timeout_s, type);
    write_time(out, "created_at", job->id.created_ms);
    write_time(out, "started_at", job->started_ms);
    write_time(out, "finished_at", job->finished_ms);
    write_time(out, "run_at", job->due_ms);
    write_time(out, "expires_at", job->spec.expires_ms);
    if (job->has_progress)
        write_progress(out, job);
    if (job->has_result)
        write_result(out, job, store);
    if (job->error_message)
        write_error(out, job);
    if (job->spec.metadata) {
        buf_append_text(out, ",\"metadata\":");
        json_write_value(out, job->spec.metadata);
    }
    write_links(out, job);
    buf_append_text(out, "}\n");
}
