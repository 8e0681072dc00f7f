/*
 * keys: the names of what is in Redis. Every key of a shard has one hash tag, `jobgate:{<queue>.<shard>}:…`,
 * so that a cluster holds them together.
 */
#ifndef JOBGATE_KEYS_H
#define JOBGATE_KEYS_H

#include "common/base/base.h"
#include "common/base/id.h"

enum { WORKER_ID_SIZE = 64, KEY_SIZE = 320 };

struct key {
    char text[KEY_SIZE];
    size_t length;
};

/* The kinds of a shard's keys; design and README of the layout: docs/architecture.md. */
void key_ready(const struct shard *shard, struct key *out);
void key_stats(const struct shard *shard, struct key *out);
void key_held(const struct shard *shard, struct key *out);
void key_dead(const struct shard *shard, struct key *out);
void key_scheduled(const struct shard *shard, struct key *out);
void key_workers(const struct shard *shard, struct key *out);
void key_slots(const struct shard *shard, struct key *out);
void key_reaped(const struct shard *shard, struct key *out);
void key_taken(const struct shard *shard, const char *worker, struct key *out);
void key_revoked(const struct shard *shard, const char *worker, struct key *out);
void key_idempotency(const struct shard *shard, const char *hash, struct key *out);
void key_unique(const struct shard *shard, const char *hash, struct key *out);
void key_auditor(const struct shard *shard, struct key *out);
void key_janitor(struct key *out); /* of no shard */

void key_batch(
    const char *hash, struct key *out); /* of a whole batch's Idempotency-Key; in a slot of its own */

/* The channel on which the scripts say which jobs of the shard have changed (lua/lib/events.lua). */
void key_events(const struct shard *shard, struct key *out);
void key_callbacks(const struct shard *shard, struct key *out);

/* The pattern that all job keys of a shard match, for SCAN. */
void key_job_pattern(const struct shard *shard, struct key *out);
void key_queues(struct key *out);                 /* the names of all queues; in a slot of its own */
void key_rate(const char *name, struct key *out); /* of a caller; likewise */
void key_sweeper(struct key *out);                /* likewise: the worker that looked last for orphans */
void key_types(struct key *out);                  /* what workers serve; likewise */
void key_job(const struct job_id *id, struct key *out);
void key_progress(const struct job_id *id, struct key *out);

/* What is kept of schedules; all in one slot. See schedules.h. */
enum schedule_key { SCHEDULE_NAMES, SCHEDULE_TEXT, SCHEDULE_RECORD, SCHEDULE_DUE, SCHEDULE_LAST };
void key_schedules(enum schedule_key which, struct key *out);

#endif
