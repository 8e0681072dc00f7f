#include "worker/lease.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mem.h"

/* In each lease: how often it is renewed, and tried again after a failure. A heartbeat also brings the news
 * of cancelled jobs, so it comes once a second at least. */
enum { RENEWALS = 4, TRIES_AGAIN = 20, HEARTBEAT_MAX_MS = 1000 };

struct lease {
    struct queue *queue;
    const struct shard *shard;
    int64_t lease_ms;
    int64_t slots;
    struct lease_events events;
    void *arg;
    const char *worker; /* NULL before lease_begin and once it was reaped */
    bool is_registered;
    bool is_held;
    bool is_renewing; /* an answer is awaited */
    int64_t sent_ms;  /* steady clock */
    int64_t ends_ms;  /* steady clock; while is_held */
    size_t worker_count;
    char trouble[256];
    struct timer renew;
    struct timer guard;
};

static int64_t renewal_ms(const struct lease *s)
{
    return s->lease_ms / RENEWALS < HEARTBEAT_MAX_MS ? s->lease_ms / RENEWALS : HEARTBEAT_MAX_MS;
}

static void on_renewed(
    void *arg, size_t worker_count, const struct job_id *revoked, size_t revoked_count, const struct error *e)
{
    struct lease *s = arg;
    bool was_held = s->is_held;

    fault_point(FAULT_RENEW_ANSWERED);
    s->is_renewing = false;
    if (e) {
        snprintf(s->trouble, sizeof(s->trouble), "%s", e->text);
        timer_start(&s->renew, s->lease_ms / TRIES_AGAIN);
        return;
    }
    if (worker_count == 0) {
        timer_stop(&s->guard);
        s->is_held = false;
        s->worker = NULL;
        s->events.on_reaped(s->arg);
        return;
    }
    s->is_registered = s->is_held = true;
    s->trouble[0] = '\0';
    s->worker_count = worker_count;
    s->ends_ms = s->sent_ms + s->lease_ms;
    timer_start(&s->renew, renewal_ms(s));
    timer_start(&s->guard, s->ends_ms - s->lease_ms / 5 - clock_steady_ms());
    if (revoked_count)
        s->events.on_revoked(s->arg, revoked, revoked_count);
    if (!was_held)
        s->events.on_held(s->arg);
}

static void renew(void *arg)
{
    struct lease *s = arg;
    struct error e;

    if (s->is_renewing || !s->worker)
        return;
    s->sent_ms = clock_steady_ms();
    s->is_renewing = queue_renew(s->queue, s->shard,
        &(struct registration){.name = s->worker, .slots = s->slots, .lease_ms = s->lease_ms},
        !s->is_registered, on_renewed, s, &e);
    if (!s->is_renewing)
        snprintf(s->trouble, sizeof(s->trouble), "%s", e.text);
    fault_point(FAULT_RENEW_SENT);
    /* When it was not sent Redis is away, and lease_resume comes with it. */
}

static void on_guard(void *arg)
{
    struct lease *s = arg;

    s->is_held = false;
    s->events.on_lost(s->arg);
}

struct lease *lease_new(struct loop *l, struct queue *q, const struct shard *shard, int64_t lease_ms,
    int64_t slots, const struct lease_events *events, void *arg)
{
    struct lease *s = mem_zalloc(sizeof(*s));

    *s = (struct lease){
        .queue = q, .shard = shard, .lease_ms = lease_ms, .slots = slots, .events = *events, .arg = arg};
    s->worker_count = 1;
    timer_init(&s->renew, l, renew, s);
    timer_init(&s->guard, l, on_guard, s);
    return s;
}

struct lease *lease_free(struct lease *s)
{
    if (s) {
        timer_stop(&s->renew);
        timer_stop(&s->guard);
    }
    free(s);
    return NULL;
}

void lease_begin(struct lease *s, const char *worker)
{
    s->worker = worker;
    s->is_registered = false;
    renew(s);
}

void lease_resume(struct lease *s)
{
    renew(s);
}

bool lease_is_held(const struct lease *s)
{
    return s->is_held && clock_steady_ms() < s->ends_ms;
}

const char *lease_trouble(const struct lease *s)
{
    return *s->trouble ? s->trouble : "this process was held up";
}

size_t lease_worker_count(const struct lease *s)
{
    return s->worker_count;
}
