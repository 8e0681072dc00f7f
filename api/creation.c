#include "api/admission.h"
#include "api/api.h"
#include "api/backpressure.h"
#include "api/intake.h"
#include "api/jobs.h"
#include "api/payloads.h"
#include "api/recall.h"
#include "api/live/outcome.h"
#include "api/routes.h"
#include "api/submission.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

enum { LOOKS_MAX = 5 };

/* POST /v1/jobs, or POST /v1/run/{type}, on its way. The payload stays in the request's body until the
 * answer. */
struct creation {
    struct exchange *exchange;
    enum outcome_form form;
    struct submission submission;
    struct job job; /* as it will be when it is accepted */
    struct idempotency idempotency;
    int64_t memo_s; /* of a run whose result is remembered for its payload, which is then the key; else 0 */
    char unique[HASH_TEXT_SIZE];
    char holder[JOB_ID_SIZE];   /* who was seen to have the unique_key */
    char existing[JOB_ID_SIZE]; /* the job that the caller gets instead of a new one */
    bool is_recalled;           /* the blob store was asked for it */
    int looks;
};

static void free_creation(struct creation *c)
{
    job_release(&c->job);
    submission_release(&c->submission);
    free(c);
}

static void refuse(struct creation *c, const struct error *e)
{
    jobs_log_failure(c->exchange, "a submission", e);
    exchange_problem(c->exchange, e, NULL);
    free_creation(c);
}

/* ---- answers ---- */

static void reply_accepted(struct creation *c)
{
    struct exchange *x = c->exchange;

    c->job.state = c->job.due_ms ? JOB_SCHEDULED : JOB_QUEUED;
    c->job.spec = c->submission.spec;
    c->submission.spec.metadata = NULL;
    c->submission.spec.callback_url = NULL;
    metrics_add(x->api->metrics, METRIC_JOBS_SUBMITTED, 1);
    if (c->memo_s)
        exchange_add_header(x, "Cache-Status", "jobgate; fwd=miss; stored");
    outcome_reply(x, &c->job, c->form);
    free_creation(c);
}

static bool send_submission(struct creation *c, struct error *e);

static void on_forgotten(void *arg, size_t UNUSED(count), const struct error *e)
{
    struct creation *c = arg;
    struct error failure;

    *c->existing = '\0';
    if (e)
        refuse(c, e);
    else if (!send_submission(c, &failure))
        refuse(c, &failure);
}

/* The memo names a job that has no result: the payload is run again. Returns false when it cannot be asked.
 */
static bool run_anew(struct creation *c, struct error *e)
{
    struct job_id id;

    return id_parse(c->existing, &id, e) &&
           queue_forget(c->exchange->api->queue, c->idempotency.key, &id, on_forgotten, c, e);
}

/* Sources: RFC 9211 (Cache-Status), RFC 9111 section 5.1 (Age). */
static void say_remembered(struct exchange *x, const struct job *job)
{
    int64_t age_s = (clock_unix_ms() - job->finished_ms) / 1000;
    char text[24];

    if (job->state != JOB_SUCCEEDED) {
        exchange_add_header(x, "Cache-Status", "jobgate; fwd=miss; collapsed");
        return;
    }
    snprintf(text, sizeof(text), "%lld", (long long)(age_s > 0 ? age_s : 0));
    exchange_add_header(x, "Cache-Status", "jobgate; hit");
    exchange_add_header(x, "Age", text);
}

static void on_existing(void *arg, const struct job *job, const struct error *e)
{
    struct creation *c = arg;
    bool is_worthless =
        e ? e->code == ERROR_NOT_FOUND : job->state == JOB_DEAD || job->state == JOB_CANCELLED;
    struct job_id id;
    struct error gone;

    if (c->memo_s && is_worthless && c->looks++ < LOOKS_MAX) {
        if (!run_anew(c, &gone))
            refuse(c, &gone);
        return;
    }
    if (e && e->code == ERROR_NOT_FOUND && !c->is_recalled && id_parse(c->existing, &id, &gone)) {
        c->is_recalled = true;
        recall_start(c->exchange->api, &id, on_existing, c);
        return;
    }
    if (e && e->code == ERROR_NOT_FOUND) {
        error_set(&gone, ERROR_GONE,
            "this request made job %.100s before, which has ended and is no longer known (RETENTION_S): to "
            "run it again "
            "use a new Idempotency-Key",
            c->existing);
        e = &gone;
    }
    if (e) {
        refuse(c, e);
        return;
    }
    if (c->memo_s)
        say_remembered(c->exchange, job);
    outcome_reply(c->exchange, job, c->form);
    free_creation(c);
}

/* The same answer as the first time, with the job as it stands now. */
static void reply_existing(struct creation *c, const char *id_text)
{
    struct job_id id;
    struct error e;

    if (!id_parse(id_text, &id, &e) || !queue_get(c->exchange->api->queue, &id, on_existing, c, &e))
        refuse(c, &e);
}

/* It is accepted, or was before; and now kept as surely as was asked for. */
static void on_durable(void *arg, const struct error *e)
{
    struct creation *c = arg;

    if (e)
        refuse(c, e);
    else if (*c->existing)
        reply_existing(c, c->existing);
    else
        reply_accepted(c);
}

static void refuse_verdict(struct creation *c, enum submit_verdict verdict)
{
    struct exchange *x = c->exchange;
    struct error e;

    if (verdict == SUBMIT_TAKEN) {
        error_set(&e, ERROR_CONFLICT, "this upload was submitted before: it is job %.100s", c->job.id.text);
    } else if (verdict == SUBMIT_MISMATCH) {
        error_set(&e, ERROR_KEY_REUSED,
            "this Idempotency-Key came with another request before: use a new key for a new request");
    } else if (verdict == SUBMIT_FULL) {
        exchange_add_header(x, "Retry-After", "5");
        error_set(&e, ERROR_QUEUE_FULL, "%lld jobs wait in queue %s, as many as may (QUEUE_DEPTH_MAX)",
            (long long)x->api->config->queue_depth_max, c->submission.queue);
    } else {
        error_set(&e, ERROR_REDIS_AWAY, "the unique_key changed hands too often meanwhile: ask again");
    }
    refuse(c, &e);
}

/* ---- submitting ---- */

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct creation *c = arg;
    struct error failure;

    if (e) {
        refuse(c, e);
    } else if (result->verdict == SUBMIT_ACCEPTED) {
        c->job.due_ms = result->due_ms;
        durability_wait(c->exchange->api->durability, on_durable, c);
    } else if (result->verdict == SUBMIT_REPEATED || result->verdict == SUBMIT_UNIQUE) {
        snprintf(c->existing, sizeof(c->existing), "%s", result->id);
        payload_take_back(c->exchange->api, &c->job.id, &c->submission);
        durability_wait(c->exchange->api->durability, on_durable, c);
    } else if (result->verdict == SUBMIT_LOOK && c->looks++ < LOOKS_MAX) {
        snprintf(c->holder, sizeof(c->holder), "%s", result->id);
        if (!send_submission(c, &failure))
            refuse(c, &failure);
    } else {
        payload_take_back(c->exchange->api, &c->job.id, &c->submission);
        refuse_verdict(c, result->verdict);
    }
}

static bool send_submission(struct creation *c, struct error *e)
{
    const struct api *a = c->exchange->api;
    struct submit submit = {
        .id = &c->job.id,
        .spec = &c->submission.spec,
        .schedule = &c->submission.schedule,
        .payload = c->submission.payload,
        .payload_length = c->submission.payload_length,
        .depth_max = a->config->queue_depth_max,
        .idempotency = c->idempotency.is_given ? c->idempotency.key : NULL,
        .fingerprint = c->idempotency.fingerprint,
        .idempotency_s = c->memo_s ? c->memo_s : a->config->idempotency_s,
        .unique = *c->submission.unique_key ? c->unique : NULL,
        .holder = c->holder,
    };

    return backpressure_admits(a->backpressure, e) &&
           queue_submit(durability_queue(a->durability), &submit, on_submitted, c, e);
}

static void on_registered(void *arg, bool is_known, const struct error *e)
{
    struct creation *c = arg;
    struct api *a = c->exchange->api;
    struct error failure;

    if (!e && !is_known) {
        error_set(&failure, ERROR_INVALID,
            "queue %s would be one more than the %lld that there may be (QUEUES_MAX)", c->submission.queue,
            (long long)a->config->queues_max);
        e = &failure;
    }
    if (e) {
        refuse(c, e);
        return;
    }
    queue_register_add(a->known, c->submission.queue);
    if (!send_submission(c, &failure))
        refuse(c, &failure);
}

/* The first job of a queue makes it known; that takes a round trip of its own. */
static bool announce_and_send(struct creation *c, struct error *e)
{
    const struct api *a = c->exchange->api;

    if (queue_register_knows(a->known, c->submission.queue))
        return send_submission(c, e);
    return queue_register(a->queue, c->submission.queue, a->config->queues_max, on_registered, c, e);
}

static void on_placed(void *arg, const struct error *e)
{
    struct creation *c = arg;
    struct error failure;

    if (e)
        refuse(c, e);
    else if (!announce_and_send(c, &failure))
        refuse(c, &failure);
}

/* What is too long for Redis is stored before the job is there: a worker may take it at once. */
static bool place_and_send(struct creation *c, struct error *e)
{
    struct api *a = c->exchange->api;

    if (!payload_is_stored(a, &c->submission))
        return announce_and_send(c, e);
    if (!backpressure_admits(a->backpressure, e))
        return false;
    payload_place(a, &c->job.id, &c->submission, on_placed, c);
    return true;
}

/* ---- reading the request ---- */

/* Whether a Content-Type is the JSON of a job: application/json with or without parameters. */
static bool is_json(const char *content_type)
{
    size_t length = strlen(CONTENT_TYPE_JSON);

    if (!content_type || evutil_ascii_strncasecmp(content_type, CONTENT_TYPE_JSON, length) != 0)
        return false;
    return content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ';
}

static bool read_with_query(
    struct exchange *x, const char *query, struct submission *s, struct complaints *c, struct error *e)
{
    const char *content_type = exchange_header(x, "Content-Type");
    struct evkeyvalq pairs = {0};
    size_t length;
    const char *body = exchange_body(x, &length);
    bool is_read;

    /* evhttp would end a value at its NUL, and nobody could tell. */
    if (strstr(query, "%00") || evhttp_parse_query_str(query, &pairs) < 0)
        return error_set(
            e, ERROR_BAD_REQUEST, "the query is malformed: ?type=wordcount&queue=default is right");
    if (*query && is_json(content_type) && !evhttp_find_header(&pairs, "type"))
        is_read = error_set(e, ERROR_INVALID,
            "a job in JSON has its options in the body, not in the query (?%.100s); with type in the query "
            "the body "
            "is the payload",
            query);
    else
        is_read = submission_from_raw(&pairs, content_type, body, length, s, c, e);
    evhttp_clear_headers(&pairs);
    return is_read;
}

/* The type stands in the path, the body is the payload. */
static bool read_run(struct exchange *x, struct submission *s, struct complaints *c, struct error *e)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
    struct evkeyvalq pairs = {0};
    size_t length;
    const char *body = exchange_body(x, &length);
    bool is_read;

    query = query ? query : "";
    if (strstr(query, "%00") || evhttp_parse_query_str(query, &pairs) < 0)
        return error_set(
            e, ERROR_BAD_REQUEST, "the query is malformed: ?queue=default&timeout_s=60 is right");
    evhttp_add_header(&pairs, "type", x->parameter);
    is_read = submission_from_raw(&pairs, exchange_header(x, "Content-Type"), body, length, s, c, e);
    evhttp_clear_headers(&pairs);
    return is_read;
}

static bool read_submission(struct exchange *x, struct submission *s, struct complaints *c, struct error *e)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
    size_t length;
    const char *body = exchange_body(x, &length);

    if ((!query || !*query) && is_json(exchange_header(x, "Content-Type")))
        return submission_from_json(body, length, s, c, e);
    return read_with_query(x, query ? query : "", s, c, e);
}

/* For how long the result of a run answers for its payload. A caller that names the run, delays it or wants
 * no remembered one gets one of its own. */
static int64_t memo_s(const struct creation *c)
{
    const struct exchange *x = c->exchange;
    const struct submission *s = &c->submission;
    const char *cache_control = exchange_header(x, "Cache-Control");
    struct known_type type;
    int64_t cache_s;

    if (c->form != OUTCOME_RESULT || c->idempotency.is_given || *s->unique_key || s->schedule.delay_ms ||
        s->schedule.not_before_ms || (cache_control && strcasestr(cache_control, "no-cache")) ||
        !types_find(x->api->types, s->spec.type, &type))
        return 0;
    cache_s = known_type_int(&type, "cache_s", 0);
    return cache_s < x->api->config->retention_s ? cache_s : x->api->config->retention_s;
}

static bool prepare(struct creation *c, struct error *e)
{
    struct shard shard = {.number = 0};

    if (!intake_admit(c->exchange, &c->submission, e) || !intake_read_key(c->exchange, &c->idempotency, e))
        return false;
    c->memo_s = memo_s(c);
    if (c->memo_s)
        intake_name_memo(&c->submission, &c->idempotency);
    if (*c->submission.unique_key)
        intake_name_unique(&c->submission, c->unique);
    memcpy(shard.queue, c->submission.queue, sizeof(shard.queue));
    if (*c->submission.payload_ref)
        return id_parse(c->submission.payload_ref, &c->job.id, e);
    id_generate(&c->exchange->api->ids, &shard, &c->job.id);
    return true;
}

static void create(struct exchange *x, enum outcome_form form)
{
    struct creation *c = mem_zalloc(sizeof(*c));
    bool (*read)(struct exchange *, struct submission *, struct complaints *, struct error *) =
        form == OUTCOME_RESULT ? read_run : read_submission;
    struct complaints complaints;
    struct error e;

    c->exchange = x;
    c->form = form;
    complaints_init(&complaints);
    if (!read(x, &c->submission, &complaints, &e) || !admission_check(x, &c->submission, &complaints, &e)) {
        jobs_log_failure(x, "a submission", &e);
        exchange_problem(x, &e, complaints.text.data);
        free_creation(c);
    } else if (!prepare(c, &e) || !place_and_send(c, &e)) {
        refuse(c, &e);
    }
    complaints_release(&complaints);
}

void jobs_create(struct exchange *x)
{
    create(x, OUTCOME_JOB);
}

void runs_create(struct exchange *x)
{
    create(x, OUTCOME_RESULT);
}
