#include "api/api.h"
#include "api/resource.h"
#include "api/routes.h"
#include "api/submission.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { RESOURCE_MAX = 65536, CANCEL_TRIES_MAX = 5, LOCATION_SIZE = JOB_ID_SIZE + 16 };

/* A submission that Redis has not answered yet. */
struct creation {
    struct exchange *exchange;
    struct job job; /* as it will be when it is accepted */
};

static void log_failure(const struct exchange *x, const char *what, const struct error *e)
{
    struct log_context context = {.component = "jobs", .job_id = *x->parameter ? x->parameter : NULL};

    if (e->code == ERROR_INTERNAL || e->code == ERROR_BAD_RECORD)
        log_error(&context, "%s failed: %s", what, e->text);
    else
        log_debug(&context, "%s refused: %s", what, e->text);
}

static void reply_with_job(struct exchange *x, int status, const struct job *job)
{
    AUTO_BUF struct buf body = BUF(RESOURCE_MAX);

    resource_write_job(&body, job, x->api->store);
    exchange_reply(x, status, "application/json", body.data, body.length);
}

/* ---- POST /v1/jobs ---- */

static void on_submitted(void *arg, int64_t due_ms, const struct error *e)
{
    struct creation *c = arg;
    struct exchange *x = c->exchange;
    char location[LOCATION_SIZE];

    if (e) {
        log_failure(x, "a submission", e);
        exchange_problem(x, e, NULL);
    } else {
        c->job.state = due_ms ? JOB_SCHEDULED : JOB_QUEUED;
        c->job.due_ms = due_ms;
        snprintf(location, sizeof(location), "/v1/jobs/%s", c->job.id.text);
        exchange_add_header(x, "Location", location);
        exchange_add_header(x, "Operation-Location", location);
        exchange_add_header(x, "Retry-After", "1");
        metrics_add(x->api->metrics, METRIC_JOBS_SUBMITTED, 1);
        reply_with_job(x, 202, &c->job);
    }
    job_release(&c->job);
    free(c);
}

/* Whether a Content-Type is the JSON of a job: application/json with or without parameters. */
static bool is_json(const char *content_type)
{
    size_t length = strlen(CONTENT_TYPE_JSON);

    if (!content_type || evutil_ascii_strncasecmp(content_type, CONTENT_TYPE_JSON, length) != 0)
        return false;
    return content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ';
}

static bool check_encoding(struct exchange *x, struct error *e)
{
    const char *encoding = exchange_header(x, "Content-Encoding");

    if (!encoding || evutil_ascii_strcasecmp(encoding, "identity") == 0)
        return true;
    exchange_add_header(x, "Accept-Encoding", "identity");
    return error_set(e, ERROR_BAD_ENCODING,
        "Content-Encoding %.64s is not served: send the body as it is (identity)", encoding);
}

static bool read_submission(struct exchange *x, struct submission *s, struct complaints *c, struct error *e)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(x->request);
    const char *query = evhttp_uri_get_query(uri);
    const char *content_type = exchange_header(x, "Content-Type");
    struct evkeyvalq pairs = {0};
    size_t length;
    const char *body = exchange_body(x, &length);
    bool is_read;

    if (!check_encoding(x, e))
        return false;
    if (!query && is_json(content_type))
        return submission_from_json(body, length, s, c, e);
    /* evhttp would end a value at its NUL, and nobody could tell. */
    if ((query && strstr(query, "%00")) || evhttp_parse_query_str(query ? query : "", &pairs) < 0)
        return error_set(
            e, ERROR_BAD_REQUEST, "the query is malformed: ?type=wordcount&queue=default is right");
    if (is_json(content_type) && !evhttp_find_header(&pairs, "type"))
        is_read = submission_from_json(body, length, s, c, e);
    else
        is_read = submission_from_raw(&pairs, content_type, body, length, s, c, e);
    evhttp_clear_headers(&pairs);
    return is_read;
}

static bool submit(struct exchange *x, const struct submission *s, struct error *e)
{
    struct creation *c = mem_zalloc(sizeof(*c));
    struct shard shard = {.number = 0};

    memcpy(shard.queue, s->queue, sizeof(shard.queue));
    c->exchange = x;
    id_generate(&x->api->ids, &shard, &c->job.id);
    if (!queue_submit(x->api->queue, &c->job.id, &s->spec, &s->schedule, s->payload, s->payload_length,
            on_submitted, c, e)) {
        free(c);
        return false;
    }
    c->job.spec = s->spec;
    json_incref(c->job.spec.metadata);
    return true;
}

void jobs_create(struct exchange *x)
{
    struct complaints complaints;
    struct submission s = {0};
    struct error e;
    bool is_read;
    bool is_sent = false;

    complaints_init(&complaints);
    is_read = read_submission(x, &s, &complaints, &e);
    if (is_read) {
        is_sent = submit(x, &s, &e);
        submission_release(&s);
    }
    if (!is_sent) {
        log_failure(x, "a submission", &e);
        exchange_problem(x, &e, complaints.text.data);
    }
    complaints_release(&complaints);
}

/* ---- what is done to one job ---- */

static void on_shown(void *arg, const struct job *job, const struct error *e)
{
    struct exchange *x = arg;

    if (!e) {
        exchange_add_header(x, "Cache-Control", "no-store");
        if (!job_state_is_final(job->state))
            exchange_add_header(x, "Retry-After", "1");
        reply_with_job(x, 200, job);
        return;
    }
    log_failure(x, "reading a job", e);
    exchange_problem(x, e, NULL);
}

/* Gets the job that the path names. */
static void get_job(struct exchange *x, queue_got *done)
{
    struct job_id id;
    struct error e;

    if (!id_parse(x->parameter, &id, &e) || !queue_get(x->api->queue, &id, done, x, &e))
        exchange_problem(x, &e, NULL);
}

void jobs_show(struct exchange *x)
{
    get_job(x, on_shown);
}

/* A job whose state does not allow what was asked. */
static void refuse_state(struct exchange *x, const char *state, const char *why)
{
    AUTO_BUF struct buf members = BUF(256);
    struct error e;

    if (state)
        json_write_member(&members, "state", state);
    error_set(&e, ERROR_CONFLICT, "%s", why);
    exchange_problem(x, &e, members.data);
}

static void on_got_to_cancel(void *arg, const struct job *job, const struct error *e);

static void on_cancelled(void *arg, enum cancel_verdict verdict, const struct error *e)
{
    struct exchange *x = arg;
    bool looks_again = !e && verdict == CANCEL_LOOK_AGAIN && x->tries++ < CANCEL_TRIES_MAX;
    bool is_settled = !e && (verdict == CANCEL_DONE || verdict == CANCEL_MISSING); /* the read says which */

    if (e) {
        log_failure(x, "a cancellation", e);
        exchange_problem(x, e, NULL);
    } else if (looks_again) {
        get_job(x, on_got_to_cancel);
    } else if (is_settled) {
        get_job(x, on_shown);
    } else {
        refuse_state(x, NULL,
            "the job ended, or moved between workers, while it was being cancelled: look at its state");
    }
}

static void on_got_to_cancel(void *arg, const struct job *job, const struct error *e)
{
    struct exchange *x = arg;
    struct error failure;

    if (e)
        exchange_problem(x, e, NULL);
    else if (job->state == JOB_CANCELLED)
        reply_with_job(x, 200, job);
    else if (job_state_is_final(job->state))
        refuse_state(x, job_state_text(job->state), "the job has ended: there is nothing to cancel");
    else if (!queue_cancel(x->api->queue, job, x->api->config->retention_s, on_cancelled, x, &failure))
        exchange_problem(x, &failure, NULL);
}

void jobs_cancel(struct exchange *x)
{
    get_job(x, on_got_to_cancel);
}

static void on_replayed(void *arg, size_t count, const struct error *e)
{
    struct exchange *x = arg;

    if (e) {
        log_failure(x, "a replay", e);
        exchange_problem(x, e, NULL);
    } else if (count == 0) {
        refuse_state(x, NULL, "only a dead job can be tried again");
    } else {
        get_job(x, on_shown);
    }
}

void jobs_retry(struct exchange *x)
{
    struct job_id id;
    struct error e;

    if (!id_parse(x->parameter, &id, &e) ||
        !queue_replay(x->api->queue, &id.shard, &id, 1, on_replayed, x, &e))
        exchange_problem(x, &e, NULL);
}
