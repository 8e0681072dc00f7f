#include "api/recall.h"
#include "api/api.h"
#include "api/jobs.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/remains.h"

/* A look into the blob store. */
struct recall {
    struct api *api;
    struct job_id id;
    struct buf text; /* of the status blob */
    recalled *done;
    void *arg;
};

static const struct log_context log_context = {.component = "recall"};

static void end(struct recall *r, struct job *job, const struct error *e)
{
    r->done(r->arg, job, e);
    if (job)
        job_release(job);
    buf_release(&r->text);
    free(r);
}

static void fail(struct recall *r, const struct error *e)
{
    struct error shown;

    if (e->code == ERROR_NOT_FOUND) {
        error_set(&shown, ERROR_NOT_FOUND, QUEUE_NO_SUCH_JOB);
    } else {
        log_warn(&log_context, "what is left of job %s cannot be read: %s", r->id.text, e->text);
        error_set(&shown, e->code == ERROR_BAD_RECORD ? ERROR_BAD_RECORD : ERROR_STORE_AWAY,
            "redis does not know this job, and whether the blob store does cannot be seen now: the log of "
            "the api "
            "says why");
    }
    end(r, NULL, &shown);
}

/* ---- from its result ---- */

static int64_t read_time(const char *text)
{
    int64_t unix_ms;

    return clock_parse_rfc3339(text, &unix_ms) ? unix_ms : 0;
}

static void on_looked(void *arg, const struct blob_properties *p, const struct error *e)
{
    struct recall *r = arg;
    struct job job = {.id = r->id, .state = JOB_SUCCEEDED, .has_result = true, .payload = ""};

    if (e) {
        fail(r, e);
        return;
    }
    job.attempt = p->attempt;
    job.started_ms = read_time(p->started);
    job.finished_ms = read_time(p->finished);
    snprintf(job.spec.type, sizeof(job.spec.type), "%s", p->type);
    snprintf(job.spec.owner, sizeof(job.spec.owner), "%s", p->owner);
    snprintf(job.worker, sizeof(job.worker), "%.*s", WORKER_ID_SIZE - 1, p->worker);
    job.result.size = p->size;
    snprintf(job.result.content_type, sizeof(job.result.content_type), "%.*s", CONTENT_TYPE_SIZE - 1,
        p->content_type);
    snprintf(job.result.md5, sizeof(job.result.md5), "%s", p->md5);
    end(r, &job, NULL);
}

/* ---- from its status ---- */

static void on_head(void *UNUSED(arg), const struct blob_properties *UNUSED(p))
{
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct recall *r = arg;

    buf_append(&r->text, data, length); /* what is too long cannot be read */
    return true;
}

static void on_read(void *arg, const struct error *e)
{
    struct recall *r = arg;
    char name[BLOB_NAME_SIZE];
    struct error failure;
    struct job job;

    if (e && e->code == ERROR_NOT_FOUND) {
        blob_name("results", &r->id, name);
        blob_head(r->api->store, name, on_looked, r);
    } else if (e) {
        fail(r, e);
    } else if (!remains_read(&r->id, r->text.data, r->text.length, &job, &failure)) {
        fail(r, &failure);
    } else {
        end(r, &job, NULL);
    }
}

void recall_start(struct api *a, const struct job_id *id, recalled *done, void *arg)
{
    static const struct blob_reader reader = {on_head, on_data, on_read};
    struct recall *r = mem_zalloc(sizeof(*r));
    char name[BLOB_NAME_SIZE];

    *r = (struct recall){.api = a, .id = *id, .done = done, .arg = arg};
    buf_init(&r->text, REMAINS_MAX);
    blob_name("status", id, name);
    blob_get(a->store, name, NULL, &reader, r);
}

/* ---- for a request ---- */

static void on_recalled(void *arg, const struct job *job, const struct error *e)
{
    struct exchange *x = arg;

    jobs_tell(x, job, e);
}

static void on_got(void *arg, const struct job *job, const struct error *e)
{
    struct exchange *x = arg;
    struct job_id id;
    struct error malformed;

    if (e && e->code == ERROR_NOT_FOUND && id_parse(x->parameter, &id, &malformed))
        recall_start(x->api, &id, on_recalled, x);
    else
        jobs_tell(x, job, e);
}

void jobs_recall(struct exchange *x, exchange_got *done)
{
    struct job_id id;
    struct error e;

    x->on_job = done;
    if (!id_parse(x->parameter, &id, &e) || !queue_get(x->api->queue, &id, on_got, x, &e))
        done(x, NULL, &e);
}

/* ---- keeping ---- */

static void on_kept(void *arg, const struct blob_properties *UNUSED(p), const struct error *e)
{
    struct buf *text = arg;

    if (e && e->code != ERROR_EXISTS)
        log_warn(&log_context, "the end of a job could not be kept in the blob store: %s", e->text);
    buf_release(text);
    free(text);
}

void recall_keep(struct api *a, const struct job *job)
{
    static const struct blob_meta meta[] = {{"state", "cancelled"}};
    struct blob_content content = {
        .content_type = CONTENT_TYPE_JSON, .meta = meta, .meta_count = ARRAY_LENGTH(meta)};
    struct buf *text = mem_alloc(sizeof(*text));
    char name[BLOB_NAME_SIZE];

    buf_init(text, REMAINS_MAX);
    remains_write(job, text);
    content.data = text->data;
    content.length = text->length;
    blob_name("status", &job->id, name);
    blob_put(a->store, name, &content, on_kept, text);
}
