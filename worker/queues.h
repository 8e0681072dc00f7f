/*
 * queues: the list of queues that a worker serves, from WORKER_QUEUES.
 */
#ifndef JOBGATE_QUEUES_H
#define JOBGATE_QUEUES_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/id.h"

/* A queue as the list names it. */
struct queue_entry {
    char name[NAME_SIZE];
    int weight; /* 1 to 1000 */
};

/* Reads the i-th entry of "critical:6,default:3,bulk" (spaces around entries are passed over; without a
 * weight it is 1). Returns false behind the last (e is then OK), or with INVALID when the i-th is wrong or
 * names a queue twice. */
bool queues_next(const char *list, size_t i, struct queue_entry *out, struct error *e) MUST_CHECK;

#endif
