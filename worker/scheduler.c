#include "worker/scheduler.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/plan.h"

enum {
    LOOK_MS = 1000,           /* and up to as much again, so that workers do not look all at once */
    BATCH = 16,               /* schedules in one look */
    REMEMBERED_S = 8 * 86400, /* how long a time is known to have come: longer than any is made up for */
    BROKEN_MS = 60000,        /* until one that cannot be read is looked at again */
    LAST_MAX = 1024,
    LOOKS_MAX = 5,
    DEPTH_MAX = 1000000000,
};

struct scheduler {
    struct worker *worker;
    struct timer look;
    bool is_active;
    size_t busy; /* schedules that are being dealt with */
    bool is_more;
    int64_t next_ms; /* until the next one is due; -1 = none is */
    struct id_generator ids;
    bool has_complained; /* until Redis takes one again */
};

/* One schedule on its way. */
struct firing {
    struct scheduler *scheduler;
    char key[SCHEDULE_KEY_SIZE];
    int64_t due_ms;
    struct plan plan;
    struct plan_step step;
    char *record; /* what job borrows from */
    struct job job;
    char idempotency[HASH_TEXT_SIZE];
    char unique[HASH_TEXT_SIZE];
    char holder[JOB_ID_SIZE];
    int looks;
};

static const struct log_context log_context = {.component = "scheduler"};

/* ---- the end of one, and of a look ---- */

static void look_again(struct scheduler *s)
{
    int64_t wait_ms = LOOK_MS + rand() % LOOK_MS; /* NOLINT: spreads the load, no secret */

    if (s->is_more)
        wait_ms = 0;
    else if (s->next_ms >= 0 && s->next_ms < wait_ms)
        wait_ms = s->next_ms;
    if (s->is_active)
        timer_start(&s->look, wait_ms);
}

static void end_firing(struct firing *f)
{
    struct scheduler *s = f->scheduler;

    job_release(&f->job);
    free(f->record);
    free(f);
    if (--s->busy == 0)
        look_again(s);
}

static void complain(struct firing *f, const struct error *e)
{
    struct scheduler *s = f->scheduler;

    if (!s->has_complained && e->code != ERROR_STOPPED && e->code != ERROR_REDIS_AWAY)
        log_error(&log_context, "schedule %s cannot be submitted; it is tried again: %s", f->key, e->text);
    s->has_complained = s->has_complained || e->code != ERROR_STOPPED;
    s->is_more = false;
    end_firing(f);
}

static void on_advanced(void *arg, size_t UNUSED(count), const struct error *UNUSED(e))
{
    end_firing(arg); /* whoever reads it with the old time gets the same job again */
}

static void advance(struct firing *f, const char *last)
{
    struct error e;

    if (!schedules_advance(
            f->scheduler->worker->queue, f->key, f->due_ms, f->step.next_ms, last, on_advanced, f, &e))
        end_firing(f);
}

/* What GET shows as "last". */
static void write_last(const struct firing *f, const char *member, const char *value, struct buf *out)
{
    char time[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(f->step.tick_ms, time);
    buf_printf(out, "{\"at\":\"%s\"", time);
    json_write_member(out, member, value);
    buf_append_char(out, '}');
}

/* ---- submitting ---- */

static bool submit(struct firing *f, struct error *e);

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct firing *f = arg;
    struct scheduler *s = f->scheduler;
    AUTO_BUF struct buf last = BUF(LAST_MAX);
    struct error failure;

    if (!e && result->verdict == SUBMIT_LOOK && f->looks++ < LOOKS_MAX) {
        snprintf(f->holder, sizeof(f->holder), "%s", result->id);
        if (!submit(f, &failure))
            complain(f, &failure);
        return;
    }
    if (!e && (result->verdict == SUBMIT_ACCEPTED || result->verdict == SUBMIT_REPEATED)) {
        write_last(f, "job_id", result->verdict == SUBMIT_ACCEPTED ? f->job.id.text : result->id, &last);
        if (result->verdict == SUBMIT_ACCEPTED) {
            metrics_add(s->worker->metrics, METRIC_SCHEDULES_FIRED, 1);
            log_info(&log_context, "schedule %s was submitted as job %s", f->key, f->job.id.text);
        }
    } else if (!e && result->verdict == SUBMIT_UNIQUE) {
        write_last(f, "skipped_for", result->id, &last);
        log_info(&log_context, "schedule %s is passed over: job %s of its last time has not ended", f->key,
            result->id);
    } else {
        if (!e)
            error_set(&failure, ERROR_REDIS_BUSY, "the queue did not take it (%d)", (int)result->verdict);
        complain(f, e ? e : &failure);
        return;
    }
    s->has_complained = false;
    advance(f, last.data);
}

static bool submit(struct firing *f, struct error *e)
{
    static const struct job_schedule at_once = {0};
    struct submit submit = {
        .id = &f->job.id,
        .spec = &f->job.spec,
        .schedule = &at_once,
        .payload = f->job.payload,
        .payload_length = f->job.payload_length,
        .depth_max = DEPTH_MAX,
        .idempotency = f->idempotency,
        .fingerprint = f->idempotency,
        .idempotency_s = REMEMBERED_S,
        .unique = f->plan.may_overlap ? NULL : f->unique,
        .holder = f->holder,
    };

    return queue_submit(f->scheduler->worker->queue, &submit, on_submitted, f, e);
}

/* The names by which Redis knows that this time has come, and that the last job lives. No caller's key has
 * their form: those have an owner and a text only. */
static void name_keys(struct firing *f)
{
    struct hash_part parts[] = {
        {"schedule", 8}, {f->key, strlen(f->key)}, {&f->step.tick_ms, sizeof(f->step.tick_ms)}, {NULL, 0}};

    hash_text(parts, f->idempotency);
    parts[2] = (struct hash_part){NULL, 0};
    hash_text(parts, f->unique);
}

/* ---- looking ---- */

static bool prepare(struct firing *f, const struct schedule *found, int64_t now_ms, struct error *e)
{
    struct shard shard = {.number = 0};
    struct job_id id;

    if (!plan_read(found->text, found->text_length, &f->plan, e))
        return false;
    plan_decide(&f->plan, f->due_ms, now_ms, &f->step);
    memcpy(shard.queue, f->plan.queue, sizeof(shard.queue));
    id_generate(&f->scheduler->ids, &shard, &id);
    f->record = mem_dup(found->record, found->record_length);
    if (!record_decode(&id, f->record, found->record_length, &f->job, e)) {
        f->job = (struct job){0};
        return false;
    }
    name_keys(f);
    return true;
}

static void deal_with(struct scheduler *s, const struct schedule *found, int64_t now_ms)
{
    struct firing *f = mem_zalloc(sizeof(*f));
    AUTO_BUF struct buf last = BUF(LAST_MAX);
    struct error e;

    s->busy++;
    f->scheduler = s;
    snprintf(f->key, sizeof(f->key), "%s", found->key);
    f->due_ms = found->due_ms;
    if (!prepare(f, found, now_ms, &e)) {
        log_error(&log_context, "schedule %s cannot be used here: %s", f->key, e.text);
        f->step = (struct plan_step){.tick_ms = now_ms, .next_ms = now_ms + BROKEN_MS};
        write_last(f, "error", e.text, &last);
        advance(f, last.data);
    } else if (!f->step.fires) {
        advance(f, NULL);
    } else if (!submit(f, &e)) {
        complain(f, &e);
    }
}

static void on_due(void *arg, const struct schedule *schedules, size_t count, int64_t now_ms, int64_t next_ms,
    const struct error *e)
{
    struct scheduler *s = arg;

    s->next_ms = e ? -1 : next_ms;
    s->is_more = !e && count == BATCH;
    s->busy = 1; /* this look */
    for (size_t i = 0; !e && i < count; i++)
        deal_with(s, &schedules[i], now_ms);
    if (--s->busy == 0)
        look_again(s);
}

static void look(void *arg)
{
    struct scheduler *s = arg;
    struct error e;

    if (!schedules_due(s->worker->queue, BATCH, on_due, s, &e)) {
        s->is_more = false;
        s->next_ms = -1;
        look_again(s);
    }
}

/* ---- life ---- */

struct scheduler *scheduler_new(struct worker *w)
{
    struct scheduler *s = mem_zalloc(sizeof(*s));

    s->worker = w;
    s->next_ms = -1;
    timer_init(&s->look, w->loop, look, s);
    return s;
}

struct scheduler *scheduler_free(struct scheduler *s)
{
    if (!s)
        return NULL;
    scheduler_end(s);
    free(s);
    return NULL;
}

void scheduler_begin(struct scheduler *s)
{
    s->is_active = true;
    if (s->busy == 0 && !timer_is_running(&s->look))
        timer_start(&s->look, 0);
}

void scheduler_end(struct scheduler *s)
{
    s->is_active = false;
    timer_stop(&s->look);
}
