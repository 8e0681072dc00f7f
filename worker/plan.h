/*
 * plan: when a schedule is to be submitted, and what of the times that were missed. Pure, but for the time
 * zones of the system.
 */
#ifndef JOBGATE_PLAN_H
#define JOBGATE_PLAN_H

#include "common/base/cron.h"
#include "common/base/zone.h"
#include "common/queue/schedules.h"

/* A schedule's text, as far as the worker needs it. */
struct plan {
    struct cron cron;
    char timezone[ZONE_NAME_SIZE];
    char queue[NAME_SIZE];
    bool may_overlap;
    enum { CATCH_UP_ONE, CATCH_UP_NONE, CATCH_UP_ALL } catch_up;
};

/* What is to be done with a schedule now. */
struct plan_step {
    bool fires;
    int64_t tick_ms; /* the time that it is submitted for; with fires */
    int64_t next_ms; /* the next time; 0 = never */
};

/* Reads a text that schedule_form_write wrote. Fails: INVALID, with what is wrong. */
bool plan_read(const char *text, size_t length, struct plan *out, struct error *e) MUST_CHECK;

/* Decides for one that was due at due_ms (0 = it was never planned). All in Unix milliseconds. */
void plan_decide(const struct plan *p, int64_t due_ms, int64_t now_ms, struct plan_step *out);

#endif
