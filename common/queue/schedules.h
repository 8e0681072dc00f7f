/*
 * schedules: what is submitted again and again, as Redis keeps it. A schedule is known by its key,
 * `<owner>/<name>`; its text is JSON and its record that of the job to submit (record.h). The clock is
 * Redis's.
 *
 *     jobgate:{schedules}:names    sorted set of the keys, all with the score 0, so that they stand in order
 *     jobgate:{schedules}:text     hash: key -> text
 *     jobgate:{schedules}:record   hash: key -> record
 *     jobgate:{schedules}:due      sorted set: key -> Unix ms of the next time; 0 = to be planned; not there
 *                                  while it is paused
 *     jobgate:{schedules}:last     hash: key -> JSON of what came of it the last time
 *
 * Any worker fires what is due. It submits under an Idempotency-Key that names the schedule and the time, and
 * then moves the time on if it is still the one that was read: so each time comes once, whoever dies.
 */
#ifndef JOBGATE_SCHEDULES_H
#define JOBGATE_SCHEDULES_H

#include "common/queue/queue.h"

enum { SCHEDULE_KEY_SIZE = OWNER_SIZE + NAME_SIZE, SCHEDULE_TEXT_MAX = 65536 };

/* One as it stands. Texts are borrowed and have a NUL behind them. */
struct schedule {
    const char *key;
    const char *text;
    size_t text_length;
    const char *record; /* of schedules_due only */
    size_t record_length;
    int64_t due_ms;   /* Unix time; 0 = to be planned, -1 = it is paused */
    const char *last; /* JSON; "" = it never came */
};

enum schedule_verdict { SCHEDULE_CREATED, SCHEDULE_REPLACED, SCHEDULE_FULL };

/* verdict is meaningless with an e. */
typedef void schedule_put_done(void *arg, enum schedule_verdict verdict, const struct error *e);

/* Writes a schedule (key, text, record), to be planned anew unless is_paused. count_max: how many there may
 * be. What came of it the last time stays known. */
bool schedules_put(struct queue *q, const struct schedule *s, bool is_paused, int64_t count_max,
    schedule_put_done *done, void *arg, struct error *e) MUST_CHECK;

/* Schedules in the order of their keys; valid inside the callback only. */
typedef void schedules_listed(
    void *arg, const struct schedule *schedules, size_t count, const struct error *e);

/* The one of this key: 0 or 1. */
bool schedules_get(
    struct queue *q, const char *key, schedules_listed *done, void *arg, struct error *e) MUST_CHECK;

/* Up to count whose keys begin with `prefix` and stand behind `after` ("" = from the first). */
bool schedules_list(struct queue *q, const char *prefix, const char *after, size_t count,
    schedules_listed *done, void *arg, struct error *e) MUST_CHECK;

/* count: 1, or 0 when there was none. */
bool schedules_delete(
    struct queue *q, const char *key, queue_counted *done, void *arg, struct error *e) MUST_CHECK;

/* Those whose time has come, and how long until the next one's (-1 = there is none). Valid inside the
 * callback only. */
typedef void schedules_due_found(void *arg, const struct schedule *schedules, size_t count, int64_t now_ms,
    int64_t next_ms, const struct error *e);
bool schedules_due(
    struct queue *q, size_t count, schedules_due_found *done, void *arg, struct error *e) MUST_CHECK;

/* Moves a schedule from due_ms on to next_ms (0 = never again), unless it was changed meanwhile. last: JSON
 * of what came of it, or NULL when nothing did. count: 1 = it was moved. */
bool schedules_advance(struct queue *q, const char *key, int64_t due_ms, int64_t next_ms, const char *last,
    queue_counted *done, void *arg, struct error *e) MUST_CHECK;

#endif
