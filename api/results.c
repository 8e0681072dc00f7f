#include "api/download.h"
#include "api/jobs.h"
#include "api/recall.h"
#include "api/results.h"
#include "api/routes.h"
#include "common/base/json.h"

enum { MEMBERS_MAX = 4096 };

static void refuse(struct exchange *x, const struct job *job)
{
    AUTO_BUF struct buf members = BUF(MEMBERS_MAX);
    struct error e;

    json_write_member(&members, "state", job_state_text(job->state));
    if (job->error_message)
        error_set(&e, ERROR_CONFLICT, "the job is %s and has no result: %s", job_state_text(job->state),
            job->error_message);
    else
        error_set(
            &e, ERROR_CONFLICT, "the job is %s: its result is not there yet", job_state_text(job->state));
    if (!job_state_is_final(job->state))
        exchange_add_header(x, "Retry-After", "1");
    exchange_problem(x, &e, members.data);
}

void results_reply(struct exchange *x, const struct job *job)
{
    char name[BLOB_NAME_SIZE];
    char md5[BLOB_MD5_SIZE];
    struct error e;
    struct download_ask ask = {.what = "result",
        .job_id = job->id.text,
        .size = job->result.size,
        .content_type = job->result.content_type,
        .md5 = job->result.md5,
        .etag = ""};

    if (job->state != JOB_SUCCEEDED) {
        refuse(x, job);
        return;
    }
    if (job->result.is_inline) {
        ask.content = job->payload;
        ask.size = (int64_t)job->payload_length;
        if (blob_md5(job->payload, job->payload_length, md5, &e))
            ask.md5 = md5;
    } else {
        blob_name("results", &job->id, name);
        ask.blob = name;
    }
    download_send(x, &ask);
}

static void on_got(struct exchange *x, const struct job *job, const struct error *e)
{
    if (e)
        exchange_problem(x, e, NULL);
    else
        results_reply(x, job);
}

void results_show(struct exchange *x)
{
    jobs_recall(x, on_got);
}
