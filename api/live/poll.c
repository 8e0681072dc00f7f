/* GET /v1/jobs/{id}: the job as it stands, or as soon as it stands otherwise (Prefer: wait). */
#include "api/api.h"
#include "api/jobs.h"
#include "api/recall.h"
#include "api/live/etag.h"
#include "api/live/hold.h"
#include "api/live/prefer.h"
#include "api/routes.h"
#include "common/base/mem.h"

struct poll {
    struct exchange *exchange;
    int64_t wait_s;
    char known[ETAG_SIZE]; /* the job's tag when the waiting began */
};

static void reply(struct exchange *x, const struct job *job, const struct error *e)
{
    if (e) {
        jobs_log_failure(x, "reading a job", e);
        exchange_problem(x, e, NULL);
    } else {
        jobs_reply_as_it_stands(x, job);
    }
}

static bool is_changed(void *arg, const struct job *job)
{
    const struct poll *p = arg;
    char now[ETAG_SIZE];

    jobs_etag(p->exchange, job, now);
    return strcmp(now, p->known) != 0;
}

static void on_waited(void *arg, const struct job *job, const struct error *e)
{
    struct poll *p = arg;
    struct exchange *x = p->exchange;

    if (job)
        prefer_applied_wait(x, p->wait_s);
    free(p);
    reply(x, job, e);
}

static void on_first(struct exchange *x, const struct job *job, const struct error *e)
{
    const char *if_none_match = exchange_header(x, "If-None-Match");
    struct hold_plan plan = {is_changed, on_waited, NULL};
    struct error too_many;
    struct prefer prefer;
    struct poll *p;

    prefer_read(x, &prefer);
    if (e || job_state_is_final(job->state) || prefer.wait_s == 0) {
        reply(x, job, e);
        return;
    }
    p = mem_alloc(sizeof(*p));
    *p = (struct poll){.exchange = x, .wait_s = prefer.wait_s};
    jobs_etag(x, job, p->known);
    plan.arg = p;
    if ((if_none_match && !etag_matches(if_none_match, p->known)) ||
        !hold_start(x, &job->id, prefer.wait_s * 1000, &plan, &too_many)) {
        free(p); /* it is another one already; or too many wait, and it is only a preference */
        reply(x, job, NULL);
    }
}

void jobs_show(struct exchange *x)
{
    jobs_recall(x, on_first);
}
