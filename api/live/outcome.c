#include "api/live/outcome.h"
#include "api/api.h"
#include "api/jobs.h"
#include "api/live/hold.h"
#include "api/live/prefer.h"
#include "api/results.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum { RESOURCE_MAX = 65536, MEMBERS_MAX = 1024, PRESET_WAIT_S = 30 };

struct outcome {
    struct exchange *exchange;
    enum outcome_form form;
    int64_t wait_s;
    bool is_asked; /* the caller named the time */
    struct job_id id;
    struct buf accepted; /* the resource when the waiting began */
};

static void add_place(struct exchange *x, const char *header, const char *id, const char *below)
{
    char place[JOB_ID_SIZE + 24];

    snprintf(place, sizeof(place), "/v1/jobs/%s%s", id, below);
    exchange_add_header(x, header, place);
}

/* 202, and where to ask. */
static void reply_accepted(
    struct exchange *x, const struct job_id *id, bool has_ended, const struct buf *resource)
{
    add_place(x, "Location", id->text, "");
    add_place(x, "Operation-Location", id->text, "");
    if (!has_ended)
        exchange_add_header(x, "Retry-After", "1");
    exchange_reply(x, 202, "application/json", resource->data, resource->length);
}

/* ---- a job that has ended ---- */

static void reply_job(struct exchange *x, const struct job *job)
{
    add_place(x, "Location", job->id.text, "");
    add_place(x, "Operation-Location", job->id.text, "");
    add_place(x, "Content-Location", job->id.text, "");
    exchange_add_header(x, "Cache-Control", "no-store");
    jobs_reply(x, 200, job);
}

/* What the job died of, as if it had happened here. */
static void reply_failure(struct exchange *x, const struct job *job)
{
    AUTO_BUF struct buf members = BUF(MEMBERS_MAX);
    enum error_code code = job->state == JOB_CANCELLED ? ERROR_CANCELLED : error_from_name(job->error_code);
    struct error e;

    if (code == ERROR_OK || code == ERROR_COUNT)
        code = ERROR_CONFLICT;
    error_set(&e, code, "%s", job->error_message ? job->error_message : "the job was cancelled");
    json_write_member(&members, "state", job_state_text(job->state));
    json_write_member(&members, "job", x->parameter);
    if (*job->error_code)
        json_write_member(&members, "error", job->error_code);
    exchange_problem(x, &e, members.data);
}

static void on_got_result(struct exchange *x, const struct job *job, const struct error *e)
{
    if (e)
        exchange_problem(x, e, NULL);
    else
        results_reply(x, job);
}

static void reply_result(struct exchange *x, const struct job *job)
{
    add_place(x, "Operation-Location", job->id.text, "");
    snprintf(x->parameter, sizeof(x->parameter), "%s", job->id.text);
    if (job->state != JOB_SUCCEEDED) {
        add_place(x, "Content-Location", job->id.text, "");
        reply_failure(x, job);
        return;
    }
    add_place(x, "Content-Location", job->id.text, "/result");
    if (job->result.is_inline && job->payload_length != (size_t)job->result.size)
        jobs_get(x, on_got_result); /* it was read without its payload, which is the result */
    else
        results_reply(x, job);
}

static void reply_ended(struct exchange *x, const struct job *job, enum outcome_form form)
{
    if (form == OUTCOME_RESULT)
        reply_result(x, job);
    else
        reply_job(x, job);
}

/* ---- waiting ---- */

static bool has_ended(void *UNUSED(arg), const struct job *job)
{
    return job_state_is_final(job->state);
}

static void on_waited(void *arg, const struct job *job, const struct error *UNUSED(e))
{
    struct outcome *o = arg;
    struct exchange *x = o->exchange;
    AUTO_BUF struct buf resource = BUF(RESOURCE_MAX);

    if (o->is_asked && job)
        prefer_applied_wait(x, o->wait_s);
    if (job && job_state_is_final(job->state)) {
        reply_ended(x, job, o->form);
    } else if (job) {
        jobs_write(x, job, &resource);
        reply_accepted(x, &job->id, false, &resource);
    } else { /* it was accepted; how it stands nobody can tell now */
        reply_accepted(x, &o->id, false, &o->accepted);
    }
    buf_release(&o->accepted);
    free(o);
}

static void reply_now(struct exchange *x, const struct job *job)
{
    AUTO_BUF struct buf resource = BUF(RESOURCE_MAX);

    jobs_write(x, job, &resource);
    reply_accepted(x, &job->id, job_state_is_final(job->state), &resource);
}

static void wait_for_end(
    struct exchange *x, const struct job *job, enum outcome_form form, const struct prefer *p)
{
    struct outcome *o = mem_zalloc(sizeof(*o));
    struct hold_plan plan = {has_ended, on_waited, o};
    struct error e;

    o->exchange = x;
    o->form = form;
    o->wait_s = p->wait_s;
    o->is_asked = p->has_wait;
    o->id = job->id;
    buf_init(&o->accepted, RESOURCE_MAX);
    jobs_write(x, job, &o->accepted);
    if (hold_start(x, &job->id, p->wait_s * 1000, &plan, &e))
        return;
    buf_release(&o->accepted);
    free(o);
    reply_now(x, job);
}

/* Without a wait, one who wants the result waits all the same, unless it would rather not. */
static void read_preference(const struct exchange *x, enum outcome_form form, struct prefer *out)
{
    int64_t max_s = x->api->config->wait_max_s;

    prefer_read(x, out);
    if (form == OUTCOME_RESULT && !out->has_wait && !out->respond_async)
        out->wait_s = PRESET_WAIT_S < max_s ? PRESET_WAIT_S : max_s;
}

void outcome_reply(struct exchange *x, const struct job *job, enum outcome_form form)
{
    struct prefer prefer;

    exchange_note_job(x, job->id.text);
    read_preference(x, form, &prefer);
    if (prefer.respond_async && !prefer.has_wait)
        exchange_add_header(x, "Preference-Applied", "respond-async");
    if (prefer.wait_s == 0)
        reply_now(x, job);
    else if (job_state_is_final(job->state))
        reply_ended(x, job, form);
    else
        wait_for_end(x, job, form, &prefer);
}
