#include "worker/callbacks.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/event.h"

enum {
    LOOK_MS = 1000, /* and up to as much again */
    BATCH = 32,
    REMEMBERED_S = 86400, /* how long an end is known to be on its way */
    PAYLOAD_MAX = 1 << 20,
    DEPTH_MAX = 1000000000,
};

struct callbacks {
    struct worker *worker;
    const struct shard *shard;
    struct timer look;
    bool is_active;
    struct id_generator ids;
    struct job_id noted[BATCH];
    size_t count;        /* of `noted` */
    size_t busy;         /* ids that are being dealt with */
    bool has_complained; /* until Redis takes one again */
};

/* One end on its way into the queue. */
struct telling {
    struct callbacks *callbacks;
    struct job_id subject; /* the job that ended */
    struct job_id id;      /* of the job that tells it */
};

static void look_again(struct callbacks *c)
{
    int64_t wait_ms = LOOK_MS + rand() % LOOK_MS; /* NOLINT: spreads the load, no secret */

    if (c->is_active)
        timer_start(&c->look, c->count == BATCH ? 0 : wait_ms);
    c->count = 0;
}

static void end_one(struct callbacks *c)
{
    if (--c->busy == 0)
        look_again(c);
}

static void complain(struct callbacks *c, const struct job_id *subject, const struct error *e)
{
    struct log_context context = {.component = "callbacks", .job_id = subject->text};

    if (!c->has_complained && e->code != ERROR_STOPPED && e->code != ERROR_REDIS_AWAY)
        log_error(&context, "its callback could not be put on the queue; it is tried again: %s", e->text);
    c->has_complained = c->has_complained || e->code != ERROR_STOPPED;
    c->count = 0; /* not at once */
    end_one(c);
}

/* ---- out of the notes ---- */

static void on_forgotten(void *arg, size_t UNUSED(count), const struct error *UNUSED(e))
{
    end_one(arg); /* what is still noted is found on its way the next time */
}

static void forget(struct callbacks *c, const struct job_id *subject)
{
    struct error e;

    if (!queue_forget_callback(c->worker->queue, subject, on_forgotten, c, &e))
        end_one(c);
}

/* ---- into the queue ---- */

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct telling t = *(struct telling *)arg;
    struct callbacks *c = t.callbacks;
    struct error failure;

    free(arg);
    if (!e && result->verdict != SUBMIT_ACCEPTED && result->verdict != SUBMIT_REPEATED) {
        error_set(&failure, ERROR_REDIS_BUSY, "the queue did not take it (%d)", (int)result->verdict);
        e = &failure;
    }
    if (e) {
        complain(c, &t.subject, e);
        return;
    }
    c->has_complained = false;
    worker_serve_callbacks(c->worker);
    forget(c, &t.subject);
}

static bool submit(struct callbacks *c, const struct job *job, const struct buf *payload, struct error *e)
{
    static const struct job_schedule at_once = {0};
    static const struct shard shard = {.queue = CALLBACK_QUEUE};
    struct telling *t = mem_zalloc(sizeof(*t));
    struct job_spec spec = {.type = CALLBACK_TYPE, .content_type = CONTENT_TYPE_JSON};
    char event[EVENT_ID_SIZE];
    char key[HASH_TEXT_SIZE];
    struct submit submit = {
        .id = &t->id,
        .spec = &spec,
        .schedule = &at_once,
        .payload = payload->data,
        .payload_length = payload->length,
        .depth_max = DEPTH_MAX,
        .idempotency = key,
        .fingerprint = key,
        .idempotency_s = REMEMBERED_S,
        .holder = "",
    };

    t->callbacks = c;
    t->subject = job->id;
    memcpy(spec.owner, job->spec.owner, sizeof(spec.owner));
    memcpy(spec.traceparent, job->spec.traceparent, sizeof(spec.traceparent));
    event_id(job, event);
    hash_text((const struct hash_part[]){{"callback", 8}, {event, strlen(event)}, {NULL, 0}}, key);
    id_generate(&c->ids, &shard, &t->id);
    if (queue_submit(c->worker->queue, &submit, on_submitted, t, e))
        return true;
    free(t);
    return false;
}

/* What callback.c reads. */
static void write_payload(const struct callbacks *c, const struct job *job, struct buf *out)
{
    buf_append_text(out, "{\"url\":");
    json_write_string(out, job->spec.callback_url, strlen(job->spec.callback_url));
    buf_append_text(out, ",\"event\":");
    event_write(job, c->worker->config->public_url, c->worker->store, out);
    buf_append_char(out, '}');
}

static void tell(struct callbacks *c, const struct job_id *id, const struct record_text *record)
{
    AUTO_BUF struct buf payload = BUF(PAYLOAD_MAX);
    struct job job;
    struct error e;

    c->busy++;
    if (!record->text || !record_decode(id, record->text, record->length, &job, &e)) {
        forget(c, id); /* expired, purged or damaged: there is nobody to tell, or nothing */
        return;
    }
    if (!job.spec.callback_url || !job_state_is_final(job.state)) {
        forget(c, id); /* replayed meanwhile: its next end is noted again */
    } else {
        write_payload(c, &job, &payload);
        if (!submit(c, &job, &payload, &e))
            complain(c, id, &e);
    }
    job_release(&job);
}

/* ---- looking ---- */

static void on_records(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct callbacks *c = arg;

    size_t noted = c->count;

    c->busy = 1; /* this look */
    for (size_t i = 0; !e && i < count && i < noted; i++)
        tell(c, &c->noted[i], &records[i]);
    end_one(c);
}

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct callbacks *c = arg;
    struct error failure;

    c->count = e ? 0 : count < BATCH ? count : BATCH;
    if (c->count == 0) {
        look_again(c);
        return;
    }
    memcpy(c->noted, ids, c->count * sizeof(*ids));
    if (!queue_peek(c->worker->queue, c->noted, c->count, on_records, c, &failure)) {
        c->count = 0;
        look_again(c);
    }
}

static void look(void *arg)
{
    struct callbacks *c = arg;
    struct error e;

    if (!queue_list(c->worker->queue, c->shard, PLACE_CALLBACKS, 0, BATCH, on_listed, c, &e))
        look_again(c);
}

/* ---- life ---- */

struct callbacks *callbacks_new(struct worker *w, const struct shard *shard)
{
    struct callbacks *c = mem_zalloc(sizeof(*c));

    c->worker = w;
    c->shard = shard;
    timer_init(&c->look, w->loop, look, c);
    return c;
}

struct callbacks *callbacks_free(struct callbacks *c)
{
    if (!c)
        return NULL;
    callbacks_end(c);
    free(c);
    return NULL;
}

void callbacks_begin(struct callbacks *c)
{
    c->is_active = true;
    timer_start(&c->look, 0);
}

void callbacks_end(struct callbacks *c)
{
    c->is_active = false;
    timer_stop(&c->look);
}

void callbacks_hint(struct callbacks *c)
{
    if (c->is_active && timer_is_running(&c->look))
        timer_start(&c->look, 0);
}
