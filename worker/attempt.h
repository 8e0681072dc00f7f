/*
 * attempt: one try of one job, from its record to its settlement.
 *
 *     STARTING ─▶ LOOKING ─────────▶ RUNNING ─▶ STORING ─▶ SETTLING
 *        │          │  (a result is     ▲         │   ▲        ▲
 *        │          │   there already)  │         ▼   │        │
 *        │          └───────────────────┼──▶ WAITING_FOR_STORE │
 *        └──────────────────────────────┴──────────────────────┘
 *        ABANDONED from each: the lease is lost, or the worker stops
 *
 * A job that was started before is looked up in the store first: a result that is there counts, and the job
 * is not run again. The result is stored first, then the job is settled. A store that is away uses up
 * nothing: the result is kept here and written when the store is back.
 */
#ifndef JOBGATE_ATTEMPT_H
#define JOBGATE_ATTEMPT_H

#include "worker/consumer.h"

/* Starts an attempt of the job whose record start handed out (copied). It frees itself at its end. */
void attempt_start(struct consumer *c, const struct job_id *id, const char *record, size_t length);

/* The attempt of a job, NULL when it has none here. */
struct attempt *attempt_find(const struct worker *w, const struct job_id *id);

/* The store is back: attempts that wait for it go on. */
void attempts_resume_storing(struct worker *w);

/* The job was cancelled while a ran it: its handler is asked to end, and killed when it does not. */
void attempt_cancel(struct attempt *a);

/* Ends every attempt of c where it is, without settling: their jobs go back, or have gone. Killed handlers'
 * ends are not waited for. The settler must have been told to forget them. */
void attempts_abandon(struct consumer *c);

/* ---- for the settler ---- */

void attempt_settlement(const struct attempt *a, struct settlement *out);
struct attempt **attempt_settler_link(struct attempt *a);
void attempt_on_settled(struct attempt *a, enum settle_verdict verdict);

#endif
