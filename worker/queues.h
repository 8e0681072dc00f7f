/*
 * queues: the list of queues that a worker serves, from WORKER_QUEUES.
 */
#ifndef JOBGATE_QUEUES_H
#define JOBGATE_QUEUES_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/id.h"

/* Writes the i-th name of "a,b,c" (spaces around names are passed over). Returns false behind the last (e is
 * then OK), or with INVALID when the i-th is no queue's name or stands there twice. */
bool queues_next(const char *list, size_t i, char name[NAME_SIZE], struct error *e) MUST_CHECK;

#endif
