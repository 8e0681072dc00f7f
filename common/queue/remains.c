#include "common/queue/remains.h"
#include "common/base/json.h"

enum { RECORD_HEAD = 12 };

static void write_status(const struct job *job, struct buf *out)
{
    buf_printf(out, "{\"started_at\":%lld,\"finished_at\":%lld", (long long)job->started_ms,
        (long long)job->finished_ms);
    if (*job->worker)
        json_write_member(out, "worker", job->worker);
    if (job->error_message) {
        buf_append_text(out, ",\"error\":{\"code\":");
        json_write_string(out, job->error_code, strlen(job->error_code));
        json_write_member(out, "message", job->error_message);
        buf_append_char(out, '}');
    }
    buf_append_char(out, '}');
}

void remains_write(const struct job *job, struct buf *out)
{
    buf_printf(out, "{\"id\":\"%s\",\"state\":\"%s\",\"attempt\":%d,\"spec\":", job->id.text,
        job_state_text(job->state), job->attempt);
    record_write_spec(&job->spec, out);
    buf_append_text(out, ",\"status\":");
    write_status(job, out);
    buf_append_text(out, "}\n");
}

/* The record that says the same: so that there is one reader for both. */
static bool compose(const json_t *object, char letter, struct buf *out)
{
    AUTO_BUF struct buf spec = BUF(65535);
    AUTO_BUF struct buf status = BUF(65535);
    json_int_t attempt = json_integer_value(json_object_get(object, "attempt"));

    json_write_value(&spec, json_object_get(object, "spec"));
    json_write_value(&status, json_object_get(object, "status"));
    if (attempt < 0 || attempt > 65535 || buf_is_overflown(&spec) || buf_is_overflown(&status))
        return false;
    return buf_append(out,
               (const char[RECORD_HEAD]){'1', letter, (char)(attempt >> 8), (char)attempt, 0, 0, 0, 0,
                   (char)(spec.length >> 8), (char)spec.length, (char)(status.length >> 8),
                   (char)status.length},
               RECORD_HEAD) &&
           buf_append(out, spec.data, spec.length) && buf_append(out, status.data, status.length);
}

bool remains_read(const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e)
{
    AUTO(json) json_t *object = json_parse(text, length, e);
    const char *state = json_string_value(json_object_get(object, "state"));
    const char *whose = json_string_value(json_object_get(object, "id"));
    AUTO_BUF struct buf record = BUF(RECORD_HEAD + 2 * 65535);
    bool is_dead = state && strcmp(state, job_state_text(JOB_DEAD)) == 0;
    bool is_cancelled = state && strcmp(state, job_state_text(JOB_CANCELLED)) == 0;

    if (!whose || !(is_dead || is_cancelled) ||
        !compose(object, job_state_letter(is_dead ? JOB_DEAD : JOB_CANCELLED), &record))
        return error_set(e, ERROR_BAD_RECORD, "what is left of the job in the blob store cannot be read");
    if (strcmp(whose, id->text) != 0)
        return error_set(e, ERROR_NOT_FOUND, "the blob is of job %.100s", whose);
    if (!record_decode(id, record.data, record.length, job, e))
        return false;
    job->payload = "";
    job->payload_length = 0;
    return true;
}
