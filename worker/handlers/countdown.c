#include "worker/handlers/countdown.h"
#include "common/base/clock.h"

static void on_timer(void *arg)
{
    struct countdown *c = arg;

    c->left_ms = -1;
    c->callback(c->arg);
}

void countdown_init(struct countdown *c, struct loop *l, loop_callback *callback, void *arg)
{
    timer_init(&c->timer, l, on_timer, c);
    c->callback = callback;
    c->arg = arg;
    c->left_ms = -1;
    c->suspended = 0;
}

static void run(struct countdown *c)
{
    c->deadline_ms = clock_steady_ms() + c->left_ms;
    timer_start(&c->timer, c->left_ms);
}

void countdown_start(struct countdown *c, int64_t delay_ms)
{
    c->left_ms = delay_ms;
    if (!c->suspended)
        run(c);
}

void countdown_stop(struct countdown *c)
{
    timer_stop(&c->timer);
    c->left_ms = -1;
}

void countdown_suspend(struct countdown *c)
{
    if (c->suspended++ || !timer_is_running(&c->timer))
        return;
    timer_stop(&c->timer);
    c->left_ms = c->deadline_ms - clock_steady_ms();
    if (c->left_ms < 0)
        c->left_ms = 0;
}

void countdown_resume(struct countdown *c)
{
    assert(c->suspended);
    if (--c->suspended == 0 && c->left_ms >= 0)
        run(c);
}
