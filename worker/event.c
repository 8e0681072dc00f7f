#include "worker/event.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/job/resource.h"

void event_id(const struct job *job, char out[EVENT_ID_SIZE])
{
    snprintf(out, EVENT_ID_SIZE, "%s.%d.%s", job->id.text, job->attempt, job_state_text(job->state));
}

void event_write(
    const struct job *job, const char *public_url, const struct blob_store *store, struct buf *out)
{
    const char *state = job_state_text(job->state);
    char time[CLOCK_RFC3339_SIZE];
    char text[2048];

    clock_format_rfc3339(job->finished_ms ? job->finished_ms : job->id.created_ms, time);
    buf_append_text(out, "{\"specversion\":\"1.0\"");
    event_id(job, text);
    json_write_member(out, "id", text);
    snprintf(text, sizeof(text), "%s/v1/jobs", public_url);
    json_write_member(out, "source", text);
    snprintf(text, sizeof(text), "jobgate.job.%s", state);
    json_write_member(out, "type", text);
    json_write_member(out, "subject", job->id.text);
    json_write_member(out, "time", time);
    json_write_member(out, "datacontenttype", "application/json");
    if (job->state == JOB_SUCCEEDED) {
        snprintf(text, sizeof(text), "%s/v1/jobs/%s/result", public_url, job->id.text);
        json_write_member(out, "dataref", text);
    }
    buf_append_text(out, ",\"data\":");
    resource_write_job(out, job, store, NULL);
    buf_append_char(out, '}');
}
