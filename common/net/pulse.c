#include "common/net/pulse.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

enum { BEAT_MS = 1000 };

struct pulse {
    struct timer timer;
    pulse_check *is_well;
    void *arg;
    int64_t beat_ms; /* atomic */
};

static void beat(void *arg)
{
    struct pulse *p = arg;

    if (!p->is_well || p->is_well(p->arg))
        __atomic_store_n(&p->beat_ms, clock_steady_ms(), __ATOMIC_RELAXED);
    timer_start(&p->timer, BEAT_MS);
}

struct pulse *pulse_new(struct loop *l, pulse_check *is_well, void *arg)
{
    struct pulse *p = mem_zalloc(sizeof(*p));

    p->is_well = is_well;
    p->arg = arg;
    p->beat_ms = clock_steady_ms();
    timer_init(&p->timer, l, beat, p);
    timer_start(&p->timer, BEAT_MS);
    return p;
}

struct pulse *pulse_free(struct pulse *p)
{
    if (p)
        timer_stop(&p->timer);
    free(p);
    return NULL;
}

int64_t pulse_age_ms(const struct pulse *p, int64_t now_ms)
{
    return now_ms - __atomic_load_n(&p->beat_ms, __ATOMIC_RELAXED);
}
