#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mem.h"
#include "worker/attempt_priv.h"
#include "worker/intake.h"
#include "worker/teller.h"

enum { STATUS_MAX = 8192 };

static const char *const state_names[] = {
#define STATE(name) #name,
    ATTEMPT_STATES(STATE)
#undef STATE
};

struct log_context attempt_context(const struct attempt *a)
{
    return (struct log_context){.component = "attempt", .job_id = a->job.id.text, .attempt = a->job.attempt};
}

void attempt_enter(struct attempt *a, enum state state)
{
    struct log_context context = attempt_context(a);

    assert(a->state != ABANDONED && (state > a->state || a->state == WAITING_FOR_STORE));
    log_debug(&context, "%s -> %s", state_names[a->state], state_names[state]);
    a->state = state;
}

/* ---- life ---- */

static void on_kill(void *arg);

static struct attempt *new_attempt(struct consumer *c, struct worker *w, const char *record, size_t length)
{
    struct attempt *a = mem_zalloc(sizeof(*a));

    a->consumer = c;
    a->worker = w;
    a->record = mem_dup(record, length);
    a->started_us = clock_steady_us();
    timer_init(&a->kill, w->loop, on_kill, a);
    buf_init(&a->output, 0);
    buf_init(&a->log, 0);
    buf_init(&a->status, STATUS_MAX);
    a->next = w->attempts;
    if (a->next)
        a->next->previous = a;
    w->attempts = a;
    w->attempt_count++;
    metrics_set(w->metrics, METRIC_JOBS_RUNNING, (double)w->attempt_count);
    return a;
}

void attempt_free(struct attempt *a)
{
    struct worker *w = a->worker;

    timer_stop(&a->kill);
    inquiry_forget(a->inquiry);
    if (a->storing)
        blob_cancel(a->storing);
    blob_upload_cancel(a->upload);
    intake_free(a->intake);
    teller_free(a->teller);
    if (a->previous)
        a->previous->next = a->next;
    else
        w->attempts = a->next;
    if (a->next)
        a->next->previous = a->previous;
    w->attempt_count--;
    metrics_set(w->metrics, METRIC_JOBS_RUNNING, (double)w->attempt_count);
    handler_drop(a->handler);
    job_release(&a->job);
    buf_release(&a->output);
    buf_release(&a->log);
    buf_release(&a->status);
    free(a->record);
    free(a);
    worker_attempt_ended(w);
}

struct attempt *attempt_find(const struct worker *w, const struct job_id *id)
{
    struct attempt *a = w->attempts;

    while (a && (a->state == ABANDONED || strcmp(a->job.id.text, id->text) != 0))
        a = a->next;
    return a;
}

/* ---- looking for an earlier result ---- */

static void on_looked(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct attempt *a = arg;
    struct log_context context = attempt_context(a);

    fault_point(FAULT_LOOK_ANSWERED);
    a->storing = NULL;
    if (!e) {
        log_info(&context, "attempt %d had stored a result: it counts, and the job is not run again",
            properties->attempt);
        attempt_use_stored(a, properties);
        attempt_settle(a);
    } else if (e->code == ERROR_NOT_FOUND) {
        attempt_run(a);
    } else {
        a->is_looking = true;
        attempt_wait_for_store(a, e);
    }
}

void attempt_look(struct attempt *a)
{
    char name[BLOB_NAME_SIZE];

    a->is_looking = false;
    if (a->state == STARTING)
        attempt_enter(a, LOOKING);
    blob_name("results", &a->job.id, name);
    a->storing = blob_head(a->worker->store, name, on_looked, a);
    fault_point(FAULT_LOOK_SENT);
}

void attempts_resume_storing(struct worker *w)
{
    for (struct attempt *a = w->attempts; a; a = a->next)
        if (a->state == WAITING_FOR_STORE && a->is_looking)
            attempt_look(a);
        else if (a->state == WAITING_FOR_STORE)
            attempt_store_result(a);
}

void attempt_start(struct consumer *c, const struct job_id *id, const char *record, size_t length)
{
    struct worker *w = consumer_worker(c);
    struct attempt *a = new_attempt(c, w, record, length);
    struct error e;

    metrics_add(w->metrics, METRIC_JOBS_CLAIMED, 1);
    if (!record_decode_started(id, a->record, length, &a->job, &e)) {
        a->job = (struct job){.id = *id, .attempt = record_attempt(record, length)};
        attempt_fail(a, &e);
        attempt_settle(a);
        return;
    }
    a->job.started_ms = record_started_ms(a->record, length);
    a->handler = worker_find_handler(w, a->job.spec.type);
    if (!a->handler) {
        attempt_park(a);
        return;
    }
    handler_keep(a->handler);
    if (a->job.attempt > 1 && !handler_keeps_inline(a->handler))
        attempt_look(a);
    else
        attempt_run(a);
}

static void on_kill(void *arg)
{
    struct attempt *a = arg;

    if (a->run)
        run_kill(a->run, ERROR_CANCELLED);
}

/* One that stores or settles is told by the verdict, and then removes what it stored; also when the store
 * went away meanwhile, since what was on its way may have arrived. */
void attempt_cancel(struct attempt *a)
{
    bool is_to_store = a->state == STORING || (a->state == WAITING_FOR_STORE && !a->is_looking);

    if (a->is_cancelled || is_to_store || a->state == SETTLING || a->state == REMOVING)
        return;
    a->is_cancelled = true;
    if (a->run) {
        timer_start(&a->kill, a->worker->config->kill_grace_ms);
        run_ask(a->run, ERROR_CANCELLED);
    } else {
        attempt_conclude(a, SETTLE_CANCELLED);
        attempt_free(a);
    }
}

void attempts_abandon(struct consumer *c)
{
    struct attempt *next;

    for (struct attempt *a = consumer_worker(c)->attempts; a; a = next) {
        next = a->next;
        if (a->consumer != c || a->state == ABANDONED)
            continue;
        a->state = ABANDONED;
        if (a->run)
            run_kill(a->run, ERROR_STOPPED);
        else
            attempt_free(a);
    }
}
