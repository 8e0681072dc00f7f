#include "api/api.h"
#include "api/jobs.h"
#include "api/results.h"
#include "api/routes.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { MEMBERS_MAX = 4096 };

/* A result on its way from the store to a caller. */
struct download {
    struct exchange *exchange;
    struct job_id id;
    struct blob_op *reading;
    bool is_streaming;     /* the answer's head is out */
    int64_t recorded_size; /* what the job's record says of it */
    bool is_damaged;       /* the store holds another size */
    int64_t left;          /* bytes that were announced and not sent yet */
    size_t ahead;          /* bytes that were sent with the piece that paused the store: they come again */
};

static void free_download(struct download *d)
{
    if (d->reading)
        blob_cancel(d->reading);
    free(d);
}

/* The store's own words may name hosts and paths: they are for the log. */
static void fail(struct download *d, const struct error *e)
{
    struct exchange *x = d->exchange;
    struct log_context context = {.component = "results", .job_id = d->id.text};
    struct error shown;

    log_warn(&context, "the result cannot be read: %s", e->text);
    if (e->code == ERROR_NOT_FOUND)
        error_set(&shown, e->code, "the result is no longer in the store");
    else
        error_set(&shown, e->code, "the result cannot be read: the log of the api says why");
    if (d->is_streaming)
        exchange_end_stream(x, false);
    else
        exchange_problem(x, &shown, NULL);
    free_download(d);
}

static void on_gone(struct exchange *x)
{
    struct download *d = x->user;

    exchange_end_stream(x, false);
    free_download(d);
}

static void add_etag(struct exchange *x, const char *md5)
{
    char etag[MD5_SIZE + 2];

    if (!*md5)
        return;
    snprintf(etag, sizeof(etag), "\"%s\"", md5);
    exchange_add_header(x, "ETag", etag);
    exchange_add_header(x, "Content-MD5", md5);
}

static void on_head(void *arg, const struct blob_properties *properties)
{
    struct download *d = arg;
    struct exchange *x = d->exchange;

    if (properties->size >= 0 && properties->size != d->recorded_size) {
        d->is_damaged = true;
        return;
    }
    add_etag(x, properties->md5);
    x->on_gone = on_gone;
    d->is_streaming = true;
    d->left = d->recorded_size;
    exchange_begin_stream(x, 200, properties->content_type, d->recorded_size);
}

static void on_drained(struct exchange *x)
{
    struct download *d = x->user;

    if (d->reading)
        blob_resume(d->reading);
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct download *d = arg;
    size_t known = length < d->ahead ? length : d->ahead;

    d->ahead -= known;
    if (d->is_damaged || known == length)
        return true;
    d->left -= (int64_t)(length - known);
    if (exchange_stream(d->exchange, (const char *)data + known, length - known, on_drained))
        return true;
    d->ahead = length;
    return false;
}

static void on_done(void *arg, const struct error *e)
{
    struct download *d = arg;
    struct error damaged;

    d->reading = NULL;
    if (!e && d->is_damaged) {
        error_set(&damaged, ERROR_INTERNAL, "the blob has not the %lld bytes that were stored",
            (long long)d->recorded_size);
        e = &damaged;
    }
    if (e) {
        fail(d, e);
        return;
    }
    exchange_end_stream(d->exchange, d->left == 0);
    free_download(d);
}

/* HEAD: what GET would say of it. */
static void on_looked(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct download *d = arg;

    d->reading = NULL;
    if (e) {
        fail(d, e);
        return;
    }
    on_head(d, properties);
    d->left = 0;
    on_done(d, NULL);
}

static void stream_blob(struct exchange *x, const struct job *job)
{
    static const struct blob_reader reader = {on_head, on_data, on_done};
    struct download *d = mem_zalloc(sizeof(*d));
    char name[BLOB_NAME_SIZE];

    d->exchange = x;
    d->id = job->id;
    x->user = d;
    blob_name("results", &job->id, name);
    d->recorded_size = job->result.size;
    if (exchange_is_head(x))
        d->reading = blob_head(x->api->store, name, on_looked, d);
    else
        d->reading = blob_get(x->api->store, name, NULL, &reader, d);
}

static void reply_inline(struct exchange *x, const struct job *job)
{
    add_etag(x, job->result.md5);
    exchange_reply(x, 200, job->result.content_type, job->payload, job->payload_length);
}

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
    if (job->state != JOB_SUCCEEDED)
        refuse(x, job);
    else if (job->result.is_inline)
        reply_inline(x, job);
    else
        stream_blob(x, job);
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
    jobs_get(x, on_got);
}
