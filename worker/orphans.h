/*
 * orphans: finds payloads in the blob store that no job needs, and has them removed: those of jobs that
 * succeeded or were cancelled while nobody could remove them, of jobs that were purged, and of submissions
 * and uploads that no job came of. One worker at a time does it, every SWEEP_S seconds.
 */
#ifndef JOBGATE_ORPHANS_H
#define JOBGATE_ORPHANS_H

#include "worker/worker.h"

struct orphans;

struct orphans *orphans_new(struct worker *w); /* borrows */
struct orphans *orphans_free(
    struct orphans *o); /* takes NULL; returns NULL; Redis's answers must have come */

/* Redis is there: from now on it sweeps. */
void orphans_begin(struct orphans *o);

#endif
