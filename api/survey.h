/*
 * survey: a look at every queue, one after the other in one go.
 */
#ifndef JOBGATE_SURVEY_H
#define JOBGATE_SURVEY_H

#include "common/queue/queue.h"

struct survey_events {
    void (*on_queue)(void *arg, const struct queue_overview *overview); /* for each queue, in no order */
    void (*on_done)(void *arg, const struct error *e);                  /* once, at the end */
};

/* Looks at all queues that are known. Fails: REDIS_AWAY; nothing is called then. */
bool survey_start(struct queue *q, const struct survey_events *events, void *arg, struct error *e) MUST_CHECK;

#endif
