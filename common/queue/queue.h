/*
 * queue: the protocol between callers, Redis and workers. Each verb is one round trip on a connection whose
 * scripts are queue_scripts; each answer comes once, later. When a verb returns false nothing was sent and
 * its callback is never called.
 *
 *                  ┌────────── due ───────────┐
 *     submit ─▶ scheduled ─▶ queued ─▶ running ─▶ succeeded
 *                  ▲            ▲         │  ├──▶ dead
 *                  └──backoff───┴─reaped──┘  └──▶ cancelled
 *
 * submit pushes an id on `ready`; take moves ids from there to the worker's own list, start makes them
 * running and hands back their records, settle ends them, give_back returns what will not be run.
 */
#ifndef JOBGATE_QUEUE_H
#define JOBGATE_QUEUE_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/queue/record.h"
#include "common/redis/redis.h"

struct queue;

/* Speaks over r (borrowed, must outlive it). */
struct queue *queue_new(struct redis *r);
struct queue *queue_free(
    struct queue *q); /* takes NULL; returns NULL; what is pending must have been answered */

/* Something stood where the ids of a shard's jobs do, in a worker's list or among the scheduled ones, and is
 * none: nobody could ever run it. It was removed. text is as it stood there, not terminated. */
typedef void queue_stray_found(void *arg, const struct shard *shard, const char *text, size_t length);
void queue_on_stray(struct queue *q, queue_stray_found *found, void *arg);

/* ---- answers that several verbs have; valid inside the callback only ---- */

/* ids of jobs; what is no job id in a list is left out. */
typedef void queue_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e);

/* records[i] belongs to ids[i] of the call; text is NULL when there is none. */
struct record_text {
    const char *text;
    size_t length;
};
typedef void queue_records_got(
    void *arg, const struct record_text *records, size_t count, const struct error *e);

/* How many jobs were changed; e alone tells whether it worked. */
typedef void queue_counted(void *arg, size_t count, const struct error *e);

/* The text of NOT_FOUND for a job, so that another caller's can be told from none by nobody. */
#define QUEUE_NO_SUCH_JOB "no job has this id, or it ended longer ago than jobs are kept"

/* ---- callers ---- */

/* When a job may run at the earliest; both are counted by Redis's clock, and the later one counts. */
struct job_schedule {
    int64_t not_before_ms; /* Unix time; 0, or a time that has passed, is at once */
    int64_t delay_ms;      /* from the submission on */
};

/* What is submitted. Everything is borrowed until queue_submit returns. */
struct submit {
    const struct job_id *id;
    const struct job_spec *spec;
    const struct job_schedule *schedule;
    const void *payload;
    size_t payload_length;
    int64_t depth_max;       /* how many jobs may wait in the queue */
    const char *idempotency; /* hash of owner and Idempotency-Key, or NULL */
    const char *fingerprint; /* hash of the request; with idempotency */
    int64_t idempotency_s;   /* how long it is remembered */
    const char *unique;      /* hash of owner, type and unique_key, or NULL */
    const char *holder;      /* with unique: the id that was seen to have it ("" = none was) */
};

enum submit_verdict {
    SUBMIT_ACCEPTED,
    SUBMIT_REPEATED, /* the same request was accepted before, as the job `id` */
    SUBMIT_MISMATCH, /* another request had this Idempotency-Key */
    SUBMIT_UNIQUE,   /* the live job `id` has this unique_key */
    SUBMIT_LOOK, /* not the holder that was seen, but `id` ("" = nobody) has the unique_key: submit again */
    SUBMIT_FULL, /* as many jobs wait as may */
    SUBMIT_TAKEN /* the new id exists already */
};

/* The answer; valid inside the callback only. */
struct submit_result {
    enum submit_verdict verdict;
    int64_t
        due_ms; /* of ACCEPTED: the Unix time from which it runs, when that is to come; 0 = it is queued */
    const char *id; /* of REPEATED, UNIQUE and LOOK */
};

/* result is NULL with an e: REDIS_FULL, REDIS_AWAY (whether it was accepted is then not known), INTERNAL. */
typedef void queue_submitted(void *arg, const struct submit_result *result, const struct error *e);

/* Accepts a job: its record, its place in the queue and what makes it the only one, in one step.
 * Fails: REDIS_AWAY, TOO_BIG. */
bool queue_submit(struct queue *q, const struct submit *submit, queue_submitted *done, void *arg,
    struct error *e) MUST_CHECK;

/* Forgets the idempotency key of a submission, if it still stands for the job `id` (of the same shard). */
bool queue_forget(struct queue *q, const char *idempotency, const struct job_id *id, queue_counted *done,
    void *arg, struct error *e) MUST_CHECK;

/* job is valid inside the callback only. e: NOT_FOUND, BAD_RECORD, REDIS_AWAY, INTERNAL. */
typedef void queue_got(void *arg, const struct job *job, const struct error *e);
bool queue_get(
    struct queue *q, const struct job_id *id, queue_got *done, void *arg, struct error *e) MUST_CHECK;

enum cancel_verdict { CANCEL_MISSING, CANCEL_DONE, CANCEL_ENDED, CANCEL_LOOK_AGAIN };

/* verdict is meaningless with an e. */
typedef void queue_cancelled(void *arg, enum cancel_verdict verdict, const struct error *e);

/* Cancels a job as it was seen by queue_get. LOOK_AGAIN: it has moved on meanwhile, get it again. */
bool queue_cancel(struct queue *q, const struct job *job, int64_t retention_s, queue_cancelled *done,
    void *arg, struct error *e) MUST_CHECK;

/* Replays dead jobs, all of one shard. */
bool queue_replay(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_counted *done, void *arg, struct error *e) MUST_CHECK;

/* changed: whether it was not so before. */
typedef void queue_paused(void *arg, bool changed, const struct error *e);

/* Pauses a queue's shard, or lets it go on. While it is paused it takes jobs and nobody claims them. */
bool queue_pause(struct queue *q, const struct shard *shard, bool pause, queue_paused *done, void *arg,
    struct error *e) MUST_CHECK;

/* ---- rates ---- */

/* An answer to a wish for tokens. */
struct rate_lease {
    int64_t granted; /* at most what was wanted */
    int64_t left;    /* how many are there for others */
    int64_t wait_ms; /* until there is another one; 0 = all that were wanted were granted */
};

/* lease is zeroes with an e. */
typedef void queue_leased(void *arg, const struct rate_lease *lease, const struct error *e);

/* Takes tokens out of the bucket `name`, of which there are `most`, and which fills within period_ms. */
bool queue_lease_tokens(struct queue *q, const char *name, int64_t most, int64_t period_ms, int64_t wanted,
    queue_leased *done, void *arg, struct error *e) MUST_CHECK;

/* ---- what stands where ---- */

/* A worker of a shard. */
struct worker_overview {
    char name[WORKER_ID_SIZE];
    int64_t seen_ms; /* its last heartbeat, Unix time by Redis's clock */
    int64_t slots;   /* how many jobs it runs at once, over all its queues */
    int64_t running; /* how many it holds of this shard */
};

/* What the scripts count. */
#define QUEUE_COUNTERS(COUNTER)                                                                              \
    COUNTER(submitted)                                                                                       \
    COUNTER(started)                                                                                         \
    COUNTER(succeeded)                                                                                       \
    COUNTER(dead)                                                                                            \
    COUNTER(cancelled)                                                                                       \
    COUNTER(retried)                                                                                         \
    COUNTER(returned)                                                                                        \
    COUNTER(lost)                                                                                            \
    COUNTER(replayed)

/* A shard at one moment. */
struct queue_overview {
    struct shard shard;
    bool is_paused;
    int64_t waiting;
    int64_t scheduled;
    int64_t running;
    int64_t dead;
    int64_t oldest_ms; /* how long the one at the head has been there since its submission; 0 = none waits */
    int64_t now_ms;    /* Unix time by Redis's clock */
    struct worker_overview *workers;
    size_t worker_count;
#define COUNTER(name) int64_t name##_total;
    QUEUE_COUNTERS(COUNTER)
#undef COUNTER
};

/* overview is valid inside the callback only; NULL with an e. */
typedef void queue_overlooked(void *arg, const struct queue_overview *overview, const struct error *e);
bool queue_overview(struct queue *q, const struct shard *shard, queue_overlooked *done, void *arg,
    struct error *e) MUST_CHECK;

/* is_known: false when there are as many queues as may be. */
typedef void queue_registered(void *arg, bool is_known, const struct error *e);

/* Makes a queue known to queue_names. */
bool queue_register(struct queue *q, const char *name, int64_t count_max, queue_registered *done, void *arg,
    struct error *e) MUST_CHECK;

/* Names of all queues that ever took a job. */
typedef void queue_named(void *arg, const char *const *names, size_t count, const struct error *e);
bool queue_names(struct queue *q, queue_named *done, void *arg, struct error *e) MUST_CHECK;

/* ---- jobs of a queue ---- */

/* Where jobs stand that nobody holds. */
enum place {
    PLACE_READY,     /* waiting to run; oldest first */
    PLACE_HELD,      /* the same while the queue is paused */
    PLACE_SCHEDULED, /* the next due first */
    PLACE_DEAD,      /* the one that died last first */
    PLACE_CALLBACKS  /* ended, and its caller is still to be told; the first first. Not for queue_purge */
};

/* Up to count ids from the offset-th on. */
bool queue_list(struct queue *q, const struct shard *shard, enum place place, size_t offset, size_t count,
    queue_listed *done, void *arg, struct error *e) MUST_CHECK;

/* The end of this job is on its way to its caller: it leaves PLACE_CALLBACKS. */
bool queue_forget_callback(
    struct queue *q, const struct job_id *id, queue_counted *done, void *arg, struct error *e) MUST_CHECK;

bool queue_records(struct queue *q, const struct job_id *ids, size_t count, queue_records_got *done,
    void *arg, struct error *e) MUST_CHECK;

/* The same without their payloads, all of one shard, for record_decode_peeked. */
bool queue_peek(struct queue *q, const struct job_id *ids, size_t count, queue_records_got *done, void *arg,
    struct error *e) MUST_CHECK;

/* Removes jobs from a place: those that wait are cancelled, dead ones forgotten. ids in the order in which
 * queue_list gave them. count: how many went. */
bool queue_purge(struct queue *q, const struct shard *shard, enum place place, int64_t retention_s,
    const struct job_id *ids, size_t count, queue_counted *done, void *arg, struct error *e) MUST_CHECK;

/* ---- the audit ---- */

/* is_chosen: whether this worker is to do it now; only one is in `period_s` seconds. */
typedef void queue_chosen(void *arg, bool is_chosen, const struct error *e);
bool queue_choose_auditor(struct queue *q, const struct shard *shard, const char *worker, int64_t period_s,
    queue_chosen *done, void *arg, struct error *e) MUST_CHECK;

/* The same for the sweep of the blob store, which spans queues. */
bool queue_choose_sweeper(struct queue *q, const char *worker, int64_t period_s, queue_chosen *done,
    void *arg, struct error *e) MUST_CHECK;

/* The same for the round over what has expired there. */
bool queue_choose_janitor(struct queue *q, const char *worker, int64_t period_s, queue_chosen *done,
    void *arg, struct error *e) MUST_CHECK;

/* Some jobs of the shard, of any state; cursor goes into the next call, 0 = that was all. Valid inside the
 * callback only. */
typedef void queue_scanned(
    void *arg, const struct job_id *ids, size_t count, uint64_t cursor, const struct error *e);
bool queue_scan(struct queue *q, const struct shard *shard, uint64_t cursor, queue_scanned *done, void *arg,
    struct error *e) MUST_CHECK;

enum whereabouts { WHERE_PLACED, WHERE_LISTED, WHERE_ENDED, WHERE_CANCELLED, WHERE_GONE, WHERE_STRAY };

/* whereabouts[i] belongs to ids[i] of the call; valid inside the callback only. */
typedef void queue_located(
    void *arg, const enum whereabouts *whereabouts, size_t count, const struct error *e);
bool queue_locate(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_located *done, void *arg, struct error *e) MUST_CHECK;

/* state: its letter, 0 when there is no record. places: how many it stands in. */
typedef void queue_places_counted(void *arg, char state, int64_t places, const struct error *e);
bool queue_count_places(struct queue *q, const struct job_id *id, const struct worker_overview *workers,
    size_t worker_count, queue_places_counted *done, void *arg, struct error *e) MUST_CHECK;

/* ---- workers ---- */

/* Waits up to block_ms for one id, on a connection of its own: this blocks it. */
bool queue_wait(struct queue *q, const struct shard *shard, const char *worker, int64_t block_ms,
    queue_listed *done, void *arg, struct error *e) MUST_CHECK;

/* Takes up to `count` ids without waiting. */
bool queue_take(struct queue *q, const struct shard *shard, const char *worker, size_t count,
    queue_listed *done, void *arg, struct error *e) MUST_CHECK;

/* All ids in the worker's list, oldest first: what it holds as Redis sees it. */
bool queue_list_taken(struct queue *q, const struct shard *shard, const char *worker, queue_listed *done,
    void *arg, struct error *e) MUST_CHECK;

/* Makes taken jobs running. ids are read before this returns. All of one shard. The answer is the record of
 * each as it is now; of one that is not to be run its state's letter, or NULL when there is none. */
bool queue_start(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_records_got *done, void *arg, struct error *e) MUST_CHECK;

/* How a try ended. */
enum ending {
    ENDING_SUCCEEDED = '+',
    ENDING_FAILED = 'f',   /* may be tried again */
    ENDING_CRASHED = 'x',  /* the handler died by itself; counted apart, may be tried again */
    ENDING_HOPELESS = 'd', /* another try would fail too */
    ENDING_PARKED = 'p',   /* it could not be run here and waits for another worker; counts as nothing */
    ENDING_DAMAGED = 'b'   /* its record cannot be read: its bytes become the payload of one that can */
};

/* One try to be settled. Borrowed until queue_settle returns. */
struct settlement {
    const struct job_id *id;
    int attempt;
    enum ending ending;
    const char *status; /* members of the status, as status_write_* append them */
    size_t status_length;
    const void *inline_result; /* of a job that succeeded; NULL = it is in the blob store */
    size_t inline_length;
    int limit;           /* how many tries may end like this; of FAILED and CRASHED */
    int64_t delay_ms;    /* until the next try */
    int64_t retention_s; /* how long its record is kept when it ends so that it expires */
};

enum settle_verdict {
    SETTLE_STALE, /* it was no longer this worker's; nothing was changed */
    SETTLE_SUCCEEDED,
    SETTLE_DEAD,
    SETTLE_RETRY,     /* another try is scheduled */
    SETTLE_REPEATED,  /* this very settlement had been made: its answer got lost */
    SETTLE_CANCELLED, /* it was cancelled under this attempt: what was stored is to be removed */
    SETTLE_VERDICT_COUNT
};

/* verdicts[i] belongs to settlements[i] of the call; valid inside the callback only; NULL with an e. */
typedef void queue_settled(
    void *arg, const enum settle_verdict *verdicts, size_t count, const struct error *e);

/* Ends tries, all of one shard. Sending it again after an answer was lost does no harm. */
bool queue_settle(struct queue *q, const struct shard *shard, const char *worker,
    const struct settlement *settlements, size_t count, queue_settled *done, void *arg,
    struct error *e) MUST_CHECK;

/* How far a running job is. */
struct progress_told {
    double fraction;     /* 0 to 1; negative = not known */
    const char *message; /* "" = none */
};

/* Keeps it outside of the record, if the job is still this worker's and this attempt's; nobody is told. */
bool queue_progress(struct queue *q, const struct job_id *id, const char *worker, int attempt,
    const struct progress_told *told, struct error *e) MUST_CHECK;
bool queue_forget_progress(struct queue *q, const struct job_id *id, struct error *e) MUST_CHECK;

/* Returns taken jobs to the head of their queue; count is how many went back. ids are oldest first, all of
 * one shard. */
bool queue_give_back(struct queue *q, const struct shard *shard, const char *worker, const struct job_id *ids,
    size_t count, queue_counted *done, void *arg, struct error *e) MUST_CHECK;

/* ---- leases and schedules: the upkeep that any worker does ---- */

/* worker_count: how many are registered; 0 when this worker was reaped: its id is refused for ever. revoked:
 * jobs that were cancelled while this worker ran them; valid inside the callback only. */
typedef void queue_renewed(void *arg, size_t worker_count, const struct job_id *revoked, size_t revoked_count,
    const struct error *e);

/* How a worker registers itself. */
struct registration {
    const char *name; /* borrowed */
    int64_t slots;    /* how many jobs it runs at once */
    int64_t lease_ms; /* how long after a heartbeat it counts as vanished; each worker's is its own */
};

/* A worker's heartbeat on a shard. is_first registers it. */
bool queue_renew(struct queue *q, const struct shard *shard, const struct registration *worker, bool is_first,
    queue_renewed *done, void *arg, struct error *e) MUST_CHECK;

/* Workers whose lists are to be looked after: their lease is over, or they were reaped before. */
bool queue_silent(
    struct queue *q, const struct shard *shard, queue_named *done, void *arg, struct error *e) MUST_CHECK;

/* How many jobs were moved; -1 when the worker turned out to be alive. */
typedef void queue_reaped(void *arg, int64_t count, const struct error *e);

/* Gives the jobs `ids` of a silent worker's list back, and forgets the worker when its list is empty then.
 * is_leaving: whoever it is, it goes by itself and its lease does not count. */
bool queue_reap(struct queue *q, const struct shard *shard, const char *worker, bool is_leaving, int max_lost,
    const struct job_id *ids, size_t count, queue_reaped *done, void *arg, struct error *e) MUST_CHECK;

/* ids of jobs that are due, and how long until the next one (-1 = there is none). Valid inside the callback
 * only. */
typedef void queue_due_found(
    void *arg, const struct job_id *ids, size_t count, int64_t next_ms, const struct error *e);
bool queue_due(struct queue *q, const struct shard *shard, size_t count, queue_due_found *done, void *arg,
    struct error *e) MUST_CHECK;

/* Makes due jobs queued. e alone tells whether it worked; count is how many were. */
bool queue_promote(struct queue *q, const struct shard *shard, const struct job_id *ids, size_t count,
    queue_counted *done, void *arg, struct error *e) MUST_CHECK;

/* Ends the blocking wait of another connection, which then answers with no id. Best effort. */
void queue_unblock(struct queue *q, long long client_id);

#endif
