/*
 * countdown: a timer that can stand still. It may be suspended before it is started, and more than once: it
 * runs while as many resumes as suspends came.
 */
#ifndef JOBGATE_COUNTDOWN_H
#define JOBGATE_COUNTDOWN_H

#include "common/net/loop.h"

struct countdown {
    struct timer timer;
    loop_callback *callback;
    void *arg;
    int64_t left_ms;     /* while it stands still; negative: it was not started */
    int64_t deadline_ms; /* by clock_steady_ms, while it runs */
    int suspended;
};

void countdown_init(struct countdown *c, struct loop *l, loop_callback *callback, void *arg);
void countdown_start(struct countdown *c, int64_t delay_ms); /* starting again moves it */
void countdown_stop(struct countdown *c);
void countdown_suspend(struct countdown *c);
void countdown_resume(struct countdown *c);

#endif
