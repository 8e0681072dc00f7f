#include "api/submission.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <strings.h>

enum {
    TIMEOUT_MAX_S = 86400,
    ATTEMPTS_MAX = 100,
    DELAY_MAX_S = 31536000,
    METADATA_PAIRS_MAX = 32,
    METADATA_NAME_MAX = 64,
    METADATA_VALUE_MAX = 1024,
};

#define DEFAULT_QUEUE "default"
#define DEFAULT_RAW_TYPE "application/octet-stream"

/* ---- options: one row each, the same for body and query ---- */

/* What an option's check works on. */
struct option_context {
    struct submission *out;
    struct complaints *complaints;
    bool is_parameter; /* of the query; else a member of the body */
    const char *name;
};

static void complain_here(const struct option_context *o, const char *detail)
{
    if (o->is_parameter)
        complain_parameter(o->complaints, o->name, detail);
    else
        complain_pointer(o->complaints, "", o->name, detail);
}

static void set_name(const struct option_context *o, const json_t *value, char out[NAME_SIZE])
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (!text || !name_is_valid(text, length))
        complain_here(o, "is not a name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit");
    else
        memcpy(out, text, length + 1);
}

static void set_type(const struct option_context *o, json_t *value)
{
    set_name(o, value, o->out->spec.type);
}

static void set_queue(const struct option_context *o, json_t *value)
{
    set_name(o, value, o->out->queue);
    o->out->has_queue = true;
}

/* An upload's id is that of its job, and tells the queue. */
static void set_payload_ref(const struct option_context *o, json_t *value)
{
    const char *text = json_string_value(value);
    struct job_id id;
    struct error e;

    if (!text || strlen(text) != json_string_length(value) || !id_parse(text, &id, &e))
        complain_here(o, "is not the id of an upload, as POST /v1/uploads gives it");
    else
        memcpy(o->out->payload_ref, id.text, strlen(id.text) + 1);
}

static void set_timeout(const struct option_context *o, json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > TIMEOUT_MAX_S)
        complain_here(o, "is not a whole number of seconds from 1 to 86400");
    else
        o->out->spec.timeout_s = json_integer_value(value);
}

static void set_max_attempts(const struct option_context *o, json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > ATTEMPTS_MAX)
        complain_here(o, "is not a whole number from 1 to 100");
    else
        o->out->spec.max_attempts = (int)json_integer_value(value);
}

static void set_delay(const struct option_context *o, json_t *value)
{
    double seconds = json_number_value(value);

    if (!json_is_number(value) || seconds < 0 || seconds > DELAY_MAX_S)
        complain_here(o, "is not a number of seconds from 0 to 31536000");
    else
        o->out->schedule.delay_ms = (int64_t)(seconds * 1000 + 0.5);
}

/* A time that is not more than a year away. */
static bool read_time(const struct option_context *o, const json_t *value, int64_t *unix_ms)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != json_string_length(value) || !clock_parse_rfc3339(text, unix_ms)) {
        complain_here(o, "is not a time such as 2027-01-31T08:00:00Z or 2027-01-31T08:00:00.250+01:00");
        return false;
    }
    if (*unix_ms > clock_unix_ms() + (int64_t)DELAY_MAX_S * 1000) {
        complain_here(o, "is more than a year from now");
        return false;
    }
    return true;
}

static void set_run_at(const struct option_context *o, json_t *value)
{
    int64_t unix_ms;

    if (read_time(o, value, &unix_ms))
        o->out->schedule.not_before_ms = unix_ms;
}

static void set_expires_at(const struct option_context *o, json_t *value)
{
    int64_t unix_ms;

    if (read_time(o, value, &unix_ms))
        o->out->spec.expires_ms = unix_ms ? unix_ms : 1; /* 0 is never */
}

static void set_unique_key(const struct option_context *o, json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (!text || length == 0 || length >= sizeof(o->out->unique_key) || strlen(text) != length)
        complain_here(o, "is not a text of 1 to 255 bytes without NUL");
    else
        memcpy(o->out->unique_key, text, length + 1);
}

/* A URL as an HTTP client takes it. Where it may lead is not known here. */
static bool is_callback_url(const char *text)
{
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    bool is_url = scheme && (strcasecmp(scheme, "https") == 0 || strcasecmp(scheme, "http") == 0) && host &&
                  *host && !evhttp_uri_get_userinfo(uri) && !evhttp_uri_get_fragment(uri);

    if (uri)
        evhttp_uri_free(uri);
    return is_url;
}

static void set_callback_url(const struct option_context *o, json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (!text || length == 0 || length > CALLBACK_URL_MAX || strlen(text) != length || !is_callback_url(text))
        complain_here(o, "is not a URL of up to 2048 bytes such as https://example.com/hook, without user, "
                         "password and fragment");
    else if (!o->out->spec.callback_url)
        o->out->spec.callback_url = mem_strdup(text);
}

static bool is_metadata_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > METADATA_NAME_MAX || (name[0] >= '0' && name[0] <= '9'))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

static void check_metadata_pair(const struct option_context *o, const char *name, const json_t *value)
{
    if (!is_metadata_name(name))
        complain_pointer(o->complaints, "/metadata", name,
            "is not a name of metadata: 1 to 64 of A-Z a-z 0-9 _, the first no digit");
    if (!json_is_string(value) || json_string_length(value) > METADATA_VALUE_MAX ||
        strlen(json_string_value(value)) != json_string_length(value))
        complain_pointer(o->complaints, "/metadata", name, "is not a text of up to 1024 bytes without NUL");
}

static void set_metadata(const struct option_context *o, json_t *value)
{
    AUTO_BUF struct buf text = BUF(METADATA_MAX);
    const char *name;
    json_t *member;

    if (!json_is_object(value) || json_object_size(value) > METADATA_PAIRS_MAX) {
        complain_here(o, "is not an object of up to 32 texts");
        return;
    }
    json_object_foreach(value, name, member) check_metadata_pair(o, name, member);
    json_write_value(&text, value);
    if (buf_is_overflown(&text))
        complain_here(o, "takes more than 8192 bytes");
    if (json_object_size(value) > 0)
        o->out->spec.metadata = json_incref(value);
}

static const struct option {
    const char *name;
    bool is_number; /* of a query parameter: its text is read as a number */
    bool is_body_only;
    void (*set)(const struct option_context *o, json_t *value);
} options[] = {
    {"type", false, false, set_type},
    {"queue", false, false, set_queue},
    {"timeout_s", true, false, set_timeout},
    {"max_attempts", true, false, set_max_attempts},
    {"delay_s", true, false, set_delay},
    {"run_at", false, false, set_run_at},
    {"expires_at", false, false, set_expires_at},
    {"unique_key", false, false, set_unique_key},
    {"payload_ref", false, false, set_payload_ref},
    {"callback_url", false, false, set_callback_url},
    {"metadata", false, true, set_metadata},
};

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static void begin(struct submission *out, const char *content_type)
{
    *out = (struct submission){.queue = DEFAULT_QUEUE};
    snprintf(out->spec.content_type, sizeof(out->spec.content_type), "%s", content_type);
}

/* What goes with an upload: no other payload, and its own queue. */
static void check_payload_ref(struct submission *s, bool has_payload, struct complaints *c)
{
    struct job_id id;
    struct error e;
    const char *detail = NULL;

    if (!*s->payload_ref || !id_parse(s->payload_ref, &id, &e))
        return;
    if (has_payload)
        detail = "stands beside another payload: an upload is the payload";
    else if (s->has_queue && strcmp(s->queue, id.shard.queue) != 0)
        detail = "was begun for another queue: name the queue in POST /v1/uploads?queue=…";
    memcpy(s->queue, id.shard.queue, sizeof(s->queue));
    if (detail && s->is_raw)
        complain_parameter(c, "payload_ref", detail);
    else if (detail)
        complain_pointer(c, "", "payload_ref", detail);
}

/* ---- the two forms ---- */

static void read_members(json_t *document, struct submission *out, struct complaints *c)
{
    const char *name;
    json_t *value;

    json_object_foreach(document, name, value)
    {
        const struct option *option = find_option(name);
        struct option_context context = {out, c, false, name};

        if (option)
            option->set(&context, value);
        else if (strcmp(name, "payload") != 0)
            complain_here(&context,
                "is not known: type, payload, queue, timeout_s, max_attempts, delay_s, "
                "run_at, expires_at, unique_key, payload_ref, callback_url and metadata are");
    }
    if (!json_object_get(document, "type"))
        complain_pointer(c, "", "type", "is missing: the name of the job type to run");
}

bool submission_from_json(
    const char *body, size_t length, struct submission *out, struct complaints *c, struct error *e)
{
    struct json_span payload = {0};
    AUTO(json) json_t *document = json_parse_keeping(body, length, "payload", &payload, e);
    struct submission s;

    if (!document)
        return false;
    begin(&s, CONTENT_TYPE_JSON);
    if (json_is_object(document))
        read_members(document, &s, c);
    else
        complain_pointer(c, "", NULL, "is not a JSON object such as {\"type\":\"echo\",\"payload\":1}");
    check_payload_ref(&s, payload.text != NULL, c);
    if (!complaints_check(c, e)) {
        submission_release(&s);
        return false;
    }
    s.payload = payload.text ? payload.text : "";
    s.payload_length = payload.length;
    *out = s;
    return true;
}

static void read_parameter(const struct evkeyval *pair, struct submission *out, struct complaints *c)
{
    const struct option *option = find_option(pair->key);
    struct option_context context = {out, c, true, pair->key};
    AUTO(json) json_t *value = NULL;
    struct error e;

    if (!option || option->is_body_only) {
        complain_here(&context,
            "is not known: type, queue, timeout_s, max_attempts, delay_s, run_at, "
            "expires_at, unique_key, payload_ref and callback_url are; the body is the payload");
        return;
    }
    value = option->is_number ? json_parse(pair->value, strlen(pair->value), &e) : json_string(pair->value);
    option->set(&context, value); /* what is no UTF-8 or no number is NULL, and no option takes that */
}

/* Whether a parameter stands before `end` (NULL: anywhere). evhttp_find_header would take it in any case. */
static bool stands_before(const struct evkeyvalq *query, const struct evkeyval *end, const char *name)
{
    for (const struct evkeyval *pair = query->tqh_first; pair != end; pair = pair->next.tqe_next)
        if (strcmp(pair->key, name) == 0)
            return true;
    return false;
}

bool submission_from_raw(const struct evkeyvalq *query, const char *content_type, const char *body,
    size_t length, struct submission *out, struct complaints *c, struct error *e)
{
    struct submission s;

    begin(&s, DEFAULT_RAW_TYPE);
    s.is_raw = true;
    for (const struct evkeyval *pair = query->tqh_first; pair; pair = pair->next.tqe_next)
        if (stands_before(query, pair, pair->key))
            complain_parameter(c, pair->key, "stands more than once");
        else
            read_parameter(pair, &s, c);
    if (!stands_before(query, NULL, "type"))
        complain_parameter(
            c, "type", "is missing: name the job type (?type=…), or send a job as application/json");
    if (content_type && strlen(content_type) >= sizeof(s.spec.content_type))
        complain_parameter(c, "Content-Type", "is longer than 127 bytes");
    else if (content_type)
        snprintf(s.spec.content_type, sizeof(s.spec.content_type), "%s", content_type);
    check_payload_ref(&s, length > 0, c);
    if (!complaints_check(c, e)) {
        submission_release(&s);
        return false;
    }
    s.payload = body;
    s.payload_length = length;
    *out = s;
    return true;
}

void submission_release(struct submission *s)
{
    job_spec_release(&s->spec);
}
