#include "api/jobs.h"
#include "api/api.h"
#include "api/recall.h"
#include "api/routes.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/job/resource.h"

enum { RESOURCE_MAX = 65536, CANCEL_TRIES_MAX = 5 };

void jobs_log_failure(const struct exchange *x, const char *what, const struct error *e)
{
    struct log_context context = {.component = "jobs", .job_id = *x->parameter ? x->parameter : NULL};

    if (e->code == ERROR_INTERNAL || e->code == ERROR_BAD_RECORD)
        log_error(&context, "%s failed: %s", what, e->text);
    else
        log_debug(&context, "%s refused: %s", what, e->text);
}

void jobs_write(const struct exchange *x, const struct job *job, struct buf *out)
{
    struct known_type type;
    bool is_known = types_find(x->api->types, job->spec.type, &type);

    resource_write_job(out, job, x->api->store, is_known ? &type : NULL);
}

void jobs_reply(struct exchange *x, int status, const struct job *job)
{
    AUTO_BUF struct buf body = BUF(RESOURCE_MAX);

    jobs_write(x, job, &body);
    exchange_reply(x, status, "application/json", body.data, body.length);
}

void jobs_etag(const struct exchange *x, const struct job *job, char out[ETAG_SIZE])
{
    AUTO_BUF struct buf body = BUF(RESOURCE_MAX);

    jobs_write(x, job, &body);
    etag_write(body.data, body.length, out);
}

static bool is_reading(const struct exchange *x)
{
    return evhttp_request_get_command(x->request) == EVHTTP_REQ_GET || exchange_is_head(x);
}

void jobs_reply_as_it_stands(struct exchange *x, const struct job *job)
{
    AUTO_BUF struct buf body = BUF(RESOURCE_MAX);
    const char *if_none_match = exchange_header(x, "If-None-Match");
    char etag[ETAG_SIZE];

    assert(job);
    jobs_write(x, job, &body);
    etag_write(body.data, body.length, etag);
    exchange_add_header(x, "ETag", etag);
    exchange_add_header(x, "Cache-Control", "no-store");
    if (!job_state_is_final(job->state))
        exchange_add_header(x, "Retry-After", "1");
    if (if_none_match && is_reading(x) && etag_matches(if_none_match, etag))
        exchange_reply(x, 304, "application/json", "", 0);
    else
        exchange_reply(x, 200, "application/json", body.data, body.length);
}

void jobs_tell(struct exchange *x, const struct job *job, const struct error *e)
{
    struct error hidden;

    if (job && !caller_may_see(x->caller, job->spec.owner, job->id.shard.queue)) {
        error_set(&hidden, ERROR_NOT_FOUND, QUEUE_NO_SUCH_JOB);
        x->on_job(x, NULL, &hidden);
        return;
    }
    x->on_job(x, job, e);
}

static void on_got(void *arg, const struct job *job, const struct error *e)
{
    jobs_tell(arg, job, e);
}

void jobs_get(struct exchange *x, exchange_got *done)
{
    struct job_id id;
    struct error e;

    x->on_job = done;
    exchange_note_job(x, x->parameter);
    if (!id_parse(x->parameter, &id, &e) || !queue_get(x->api->queue, &id, on_got, x, &e))
        done(x, NULL, &e);
}

static void on_shown(struct exchange *x, const struct job *job, const struct error *e)
{
    if (!e) {
        jobs_reply_as_it_stands(x, job);
        return;
    }
    jobs_log_failure(x, "reading a job", e);
    exchange_problem(x, e, NULL);
}

static void on_cancelled_shown(struct exchange *x, const struct job *job, const struct error *e)
{
    if (job && job->state == JOB_CANCELLED)
        recall_keep(x->api, job);
    on_shown(x, job, e);
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

static void on_got_to_cancel(struct exchange *x, const struct job *job, const struct error *e);

static void on_cancelled(void *arg, enum cancel_verdict verdict, const struct error *e)
{
    struct exchange *x = arg;
    bool looks_again = !e && verdict == CANCEL_LOOK_AGAIN && x->tries++ < CANCEL_TRIES_MAX;
    bool is_settled = !e && (verdict == CANCEL_DONE || verdict == CANCEL_MISSING); /* the read says which */

    if (e) {
        jobs_log_failure(x, "a cancellation", e);
        exchange_problem(x, e, NULL);
    } else if (looks_again) {
        jobs_get(x, on_got_to_cancel);
    } else if (is_settled) {
        jobs_get(x, on_cancelled_shown);
    } else {
        refuse_state(x, NULL,
            "the job ended, or moved between workers, while it was being cancelled: look at its state");
    }
}

static void on_got_to_cancel(struct exchange *x, const struct job *job, const struct error *e)
{
    struct error failure;

    if (e)
        exchange_problem(x, e, NULL);
    else if (job->state == JOB_CANCELLED)
        jobs_reply(x, 200, job);
    else if (job_state_is_final(job->state))
        refuse_state(x, job_state_text(job->state), "the job has ended: there is nothing to cancel");
    else if (!queue_cancel(x->api->queue, job, x->api->config->retention_s, on_cancelled, x, &failure))
        exchange_problem(x, &failure, NULL);
}

void jobs_cancel(struct exchange *x)
{
    jobs_get(x, on_got_to_cancel);
}

static void on_replayed(void *arg, size_t count, const struct error *e)
{
    struct exchange *x = arg;

    if (e) {
        jobs_log_failure(x, "a replay", e);
        exchange_problem(x, e, NULL);
    } else if (count == 0) {
        refuse_state(x, NULL, "only a dead job can be tried again");
    } else {
        jobs_get(x, on_shown);
    }
}

static void on_got_to_retry(struct exchange *x, const struct job *job, const struct error *e)
{
    struct error failure;

    if (e)
        exchange_problem(x, e, NULL);
    else if (job->state != JOB_DEAD)
        refuse_state(x, job_state_text(job->state), "only a dead job can be tried again");
    else if (!queue_replay(x->api->queue, &job->id.shard, &job->id, 1, on_replayed, x, &failure))
        exchange_problem(x, &failure, NULL);
}

void jobs_retry(struct exchange *x)
{
    jobs_get(x, on_got_to_retry);
}
