/*
 * queue_register: which queues are known to Redis's list of queues, so that each is announced once and there
 * are never more than may be. A caller names queues as it likes: without a bound it could make any number of
 * keys.
 */
#ifndef JOBGATE_QUEUE_REGISTER_H
#define JOBGATE_QUEUE_REGISTER_H

#include "common/base/base.h"

struct queue_register;

struct queue_register *queue_register_new(void);
struct queue_register *queue_register_free(struct queue_register *r); /* takes NULL; returns NULL */

bool queue_register_knows(const struct queue_register *r, const char *name);
void queue_register_add(struct queue_register *r, const char *name);

/* Redis may have lost the list. */
void queue_register_forget(struct queue_register *r);

#endif
