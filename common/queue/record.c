#include "common/queue/record.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum { HEAD_LENGTH = 12, SECTION_MAX = 65535 };

static const struct {
    char letter;
    const char *text;
} states[] = {
#define STATE(name, letter, text) {letter, text},
    JOB_STATES(STATE)
#undef STATE
};

const char *job_state_text(enum job_state state)
{
    return states[state].text;
}

char job_state_letter(enum job_state state)
{
    return states[state].letter;
}

bool job_state_is_final(enum job_state state)
{
    return state == JOB_SUCCEEDED || state == JOB_DEAD || state == JOB_CANCELLED;
}

static bool find_state(char letter, enum job_state *out)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(states); i++)
        if (states[i].letter == letter) {
            *out = i;
            return true;
        }
    return false;
}

/* ---- encoding ---- */

static void write_int_member(struct buf *b, const char *name, int64_t value)
{
    buf_append_text(b, ",\"");
    buf_append_text(b, name);
    buf_append_text(b, "\":");
    buf_append_int(b, value);
}

void record_write_spec(const struct job_spec *spec, struct buf *b)
{
    buf_append_text(b, "{\"type\":\"");
    buf_append_text(b, spec->type);
    buf_append_char(b, '"');
    if (strcmp(spec->content_type, CONTENT_TYPE_JSON) != 0)
        json_write_member(b, "content_type", spec->content_type);
    if (*spec->owner)
        json_write_member(b, "owner", spec->owner);
    if (*spec->traceparent)
        json_write_member(b, "traceparent", spec->traceparent);
    if (spec->timeout_s)
        write_int_member(b, "timeout_s", spec->timeout_s);
    if (spec->expires_ms)
        write_int_member(b, "expires_at", spec->expires_ms);
    if (spec->max_attempts)
        write_int_member(b, "max_attempts", spec->max_attempts);
    if (spec->payload_size)
        write_int_member(b, "payload_size", spec->payload_size);
    if (spec->payload_parts)
        write_int_member(b, "payload_parts", spec->payload_parts);
    if (spec->callback_url)
        json_write_member(b, "callback_url", spec->callback_url);
    if (spec->metadata) {
        buf_append_text(b, ",\"metadata\":");
        json_write_value(b, spec->metadata);
    }
    buf_append_char(b, '}');
}

bool record_encode_new(
    const struct job_spec *spec, const void *payload, size_t payload_length, struct buf *out, struct error *e)
{
    size_t start = out->length;
    size_t length;

    buf_append(out, "1q\0\0\0\0\0\0\0\0\0\0", HEAD_LENGTH);
    record_write_spec(spec, out);
    length = out->length - start - HEAD_LENGTH;
    if (buf_is_overflown(out) || length > SECTION_MAX)
        return error_set(e, ERROR_TOO_BIG, "type, options and metadata take more than %d bytes", SECTION_MAX);
    out->data[start + 8] = (char)(length >> 8);
    out->data[start + 9] = (char)length;
    if (!buf_append(out, payload, payload_length))
        return error_set(e, ERROR_TOO_BIG, "the payload has %zu bytes", payload_length);
    return true;
}

void status_write_result(struct buf *out, const struct job_result *result)
{
    buf_append_text(out, ",\"result\":{\"size\":");
    buf_append_int(out, result->size);
    json_write_member(out, "content_type", result->content_type);
    if (*result->md5)
        json_write_member(out, "md5", result->md5);
    if (result->is_inline)
        buf_append_text(out, ",\"inline\":true");
    buf_append_char(out, '}');
}

void status_write_error(struct buf *out, const struct error *e)
{
    buf_append_text(out, ",\"error\":{\"code\":\"");
    buf_append_text(out, error_name(e->code));
    buf_append_char(out, '"');
    json_write_member(out, "message", e->text);
    buf_append_char(out, '}');
}

/* ---- decoding ---- */

static bool bad(struct error *e, const char *what)
{
    return error_set(e, ERROR_BAD_RECORD, "the job's record in redis is damaged: %s", what);
}

/* Copies the text of a member into out; a member that is absent leaves out as it is. */
static bool copy_text(const json_t *object, const char *name, char *out, size_t size)
{
    const json_t *value = json_object_get(object, name);

    if (!value)
        return true;
    if (!json_is_string(value) || json_string_length(value) >= size ||
        strlen(json_string_value(value)) != json_string_length(value))
        return false;
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool copy_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, name);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

static bool is_object_of_texts(json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return false;
    json_object_foreach(value, name, member) if (!json_is_string(member)) return false;
    return true;
}

static bool decode_spec(const char *text, size_t length, struct job_spec *spec, struct error *e)
{
    AUTO(json) json_t *object = json_parse(text, length, e);
    int64_t max_attempts = 0;
    int64_t payload_parts = 0;
    const json_t *callback;

    memcpy(spec->content_type, CONTENT_TYPE_JSON, sizeof(CONTENT_TYPE_JSON));
    if (!json_is_object(object))
        return bad(e, "its spec is not a JSON object");
    if (!copy_text(object, "type", spec->type, sizeof(spec->type)) ||
        !name_is_valid(spec->type, strlen(spec->type)))
        return bad(e, "its type is missing or no name");
    if (!copy_text(object, "content_type", spec->content_type, sizeof(spec->content_type)))
        return bad(e, "its content_type is no short text");
    if (!copy_text(object, "owner", spec->owner, sizeof(spec->owner)) ||
        !copy_text(object, "traceparent", spec->traceparent, sizeof(spec->traceparent)))
        return bad(e, "its owner or traceparent is no short text");
    if (!copy_int(object, "timeout_s", 1, 86400, &spec->timeout_s) ||
        !copy_int(object, "max_attempts", 1, 1000, &max_attempts) ||
        !copy_int(object, "expires_at", 0, INT64_MAX, &spec->expires_ms))
        return bad(e, "its timeout_s, max_attempts or expires_at is out of range");
    if (!copy_int(object, "payload_size", 1, INT64_MAX, &spec->payload_size) ||
        !copy_int(object, "payload_parts", 1, 10000, &payload_parts) ||
        (payload_parts && !spec->payload_size))
        return bad(e, "its payload_size or payload_parts is out of range");
    spec->payload_parts = (int)payload_parts;
    spec->max_attempts = (int)max_attempts;
    callback = json_object_get(object, "callback_url");
    if (callback && (!json_is_string(callback) || json_string_length(callback) > CALLBACK_URL_MAX))
        return bad(e, "its callback_url is no text of up to 2048 bytes");
    spec->callback_url = callback ? mem_strdup(json_string_value(callback)) : NULL;
    spec->metadata = json_object_get(object, "metadata");
    if (spec->metadata && !is_object_of_texts(spec->metadata)) {
        spec->metadata = NULL;
        return bad(e, "its metadata is no JSON object of texts");
    }
    json_incref(spec->metadata);
    return true;
}

static bool decode_result(const json_t *result, struct job *job, struct error *e)
{
    if (!result)
        return true;
    job->has_result = true;
    job->result.is_inline = json_is_true(json_object_get(result, "inline"));
    if (!json_is_object(result) || !copy_int(result, "size", 0, INT64_MAX, &job->result.size) ||
        !copy_text(result, "content_type", job->result.content_type, sizeof(job->result.content_type)) ||
        !copy_text(result, "md5", job->result.md5, sizeof(job->result.md5)))
        return bad(e, "its result is malformed");
    return true;
}

static bool decode_failure(const json_t *failure, struct job *job, struct error *e)
{
    const char *message = json_string_value(json_object_get(failure, "message"));

    if (!failure)
        return true;
    if (!message || !copy_text(failure, "code", job->error_code, sizeof(job->error_code)))
        return bad(e, "its error is malformed");
    job->error_message = mem_strdup(message);
    return true;
}

static bool decode_status(const char *text, size_t length, struct job *job, struct error *e)
{
    AUTO(json) json_t *object = NULL;

    if (length == 0)
        return true;
    object = json_parse(text, length, e);
    if (!json_is_object(object))
        return bad(e, "its status is not a JSON object");
    if (!copy_text(object, "worker", job->worker, sizeof(job->worker)) ||
        !copy_int(object, "started_at", 0, INT64_MAX, &job->started_ms) ||
        !copy_int(object, "finished_at", 0, INT64_MAX, &job->finished_ms) ||
        !copy_int(object, "due_at", 0, INT64_MAX, &job->due_ms))
        return bad(e, "its worker or times are malformed");
    return decode_result(json_object_get(object, "result"), job, e) &&
           decode_failure(json_object_get(object, "error"), job, e);
}

static bool decode(const struct job_id *id, const char *text, size_t length, bool has_status, struct job *job,
    struct error *e)
{
    const unsigned char *head = (const unsigned char *)text;
    size_t spec_length;
    size_t status_length;

    *job = (struct job){.id = *id};
    if (length < HEAD_LENGTH || head[0] != '1')
        return bad(e, "it is too short or of another version");
    if (!find_state(text[1], &job->state))
        return bad(e, "its state is none that is known");
    job->attempt = head[2] << 8 | head[3];
    job->excused = head[4] << 8 | head[5];
    job->crashes = head[6];
    job->lost = head[7];
    spec_length = (size_t)(head[8] << 8 | head[9]);
    status_length = (size_t)(head[10] << 8 | head[11]);
    if (HEAD_LENGTH + spec_length + status_length > length)
        return bad(e, "it is cut short");
    job->payload = text + HEAD_LENGTH + spec_length + status_length;
    job->payload_length = length - HEAD_LENGTH - spec_length - status_length;
    if (decode_spec(text + HEAD_LENGTH, spec_length, &job->spec, e) &&
        decode_status(text + HEAD_LENGTH + spec_length, has_status ? status_length : 0, job, e))
        return true;
    job_release(job);
    return false;
}

bool record_decode(const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e)
{
    return decode(id, text, length, true, job, e);
}

bool record_decode_peeked(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e)
{
    if (!decode(id, text, length, true, job, e))
        return false;
    if (job->payload_length)
        job_take_progress(job, job->payload, job->payload_length);
    job->payload_length = 0;
    return true;
}

bool record_decode_started(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e)
{
    return decode(id, text, length, false, job, e);
}

void job_take_progress(struct job *job, const char *text, size_t length)
{
    struct error e;
    AUTO(json) json_t *object = job->state == JOB_RUNNING ? json_parse(text, length, &e) : NULL;
    const json_t *fraction = json_object_get(object, "fraction");
    const char *message = json_string_value(json_object_get(object, "message"));

    if (json_integer_value(json_object_get(object, "attempt")) != job->attempt || !(fraction || message))
        return;
    job->has_progress = true;
    job->fraction = json_is_number(fraction) ? json_number_value(fraction) : -1;
    free(job->progress_message);
    job->progress_message = message ? mem_strdup(message) : NULL;
}

int64_t record_started_ms(const char *text, size_t length)
{
    static const char member[] = "\"started_at\":";
    const unsigned char *head = (const unsigned char *)text;
    size_t spec_end;
    size_t status_end;
    const char *at;

    if (length < HEAD_LENGTH)
        return 0;
    spec_end = HEAD_LENGTH + (size_t)(head[8] << 8 | head[9]);
    status_end = spec_end + (size_t)(head[10] << 8 | head[11]);
    if (status_end > length)
        return 0;
    at = memmem(text + spec_end, status_end - spec_end, member, sizeof(member) - 1);
    return at ? strtoll(at + sizeof(member) - 1, NULL, 10) : 0; /* it ends with the brace of the status */
}

int record_attempt(const char *text, size_t length)
{
    return length < HEAD_LENGTH ? 0 : (unsigned char)text[2] << 8 | (unsigned char)text[3];
}

void job_spec_release(struct job_spec *spec)
{
    json_decref(spec->metadata);
    free(spec->callback_url);
    spec->metadata = NULL;
    spec->callback_url = NULL;
}

void job_release(struct job *job)
{
    job_spec_release(&job->spec);
    free(job->error_message);
    job->error_message = NULL;
    free(job->progress_message);
    job->progress_message = NULL;
}
