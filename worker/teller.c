#include "worker/teller.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mem.h"

enum { PAUSE_MS = 400 };

struct teller {
    const struct consumer *consumer;
    const struct job *job;
    struct timer next;
    int64_t told_ms; /* steady clock; 0 = never */
    double fraction;
    char message[PROGRESS_MESSAGE_SIZE];
};

/* What is lost is made good by the next line, or by the end. */
static void tell(void *arg)
{
    struct teller *t = arg;
    struct progress_told told = {.fraction = t->fraction, .message = t->message};
    bool is_sent;
    struct error e;

    t->told_ms = clock_steady_ms();
    is_sent = queue_progress(consumer_worker(t->consumer)->queue, &t->job->id, consumer_name(t->consumer),
        t->job->attempt, &told, &e);
    (void)is_sent;
    fault_point(FAULT_PROGRESS_SENT);
}

struct teller *teller_new(const struct consumer *c, const struct job *job)
{
    struct teller *t = mem_zalloc(sizeof(*t));

    t->consumer = c;
    t->job = job;
    t->fraction = -1;
    timer_init(&t->next, consumer_worker(c)->loop, tell, t);
    return t;
}

void teller_tell(struct teller *t, double fraction, const char *message)
{
    int64_t wait_ms = t->told_ms ? t->told_ms + PAUSE_MS - clock_steady_ms() : 0;

    if (fraction < 0 && !*message)
        return;
    if (fraction >= 0)
        t->fraction = fraction;
    if (*message)
        snprintf(t->message, sizeof(t->message), "%s", message);
    if (!timer_is_running(&t->next))
        timer_start(&t->next, wait_ms > 0 ? wait_ms : 0);
}

void teller_forget(struct teller *t)
{
    struct error e;
    bool is_sent;

    if (!t)
        return;
    timer_stop(&t->next);
    if (!t->told_ms)
        return;
    is_sent = queue_forget_progress(consumer_worker(t->consumer)->queue, &t->job->id, &e);
    (void)is_sent; /* it expires, and nobody shows that of a job that does not run */
}

struct teller *teller_free(struct teller *t)
{
    if (t)
        timer_stop(&t->next);
    free(t);
    return NULL;
}
