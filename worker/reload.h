/*
 * reload: reads the handlers file anew when it has changed (also by a swapped link, as Kubernetes does) or
 * SIGHUP comes. What runs goes on with what it started with. A file that is wrong is refused, each mistake is
 * a line in the log, and what was there stays.
 */
#ifndef JOBGATE_RELOAD_H
#define JOBGATE_RELOAD_H

#include "worker/worker.h"

struct reload;

struct reload *reload_new(struct worker *w);  /* borrows */
struct reload *reload_free(struct reload *r); /* takes NULL; returns NULL */

#endif
