/*
 * attempt_priv: what the files of an attempt share.
 *
 *     attempt.c         its life: start, the look for an earlier result, cancelling, abandoning
 *     attempt_run.c     its handler
 *     attempt_store.c   result and log on their way to the blob store
 *     attempt_settle.c  how it ended, for Redis and for people
 *     parking.c         what becomes of one whose type nobody serves here
 */
#ifndef JOBGATE_ATTEMPT_PRIV_H
#define JOBGATE_ATTEMPT_PRIV_H

#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/attempt.h"

#define ATTEMPT_STATES(STATE)                                                                                \
    STATE(STARTING)                                                                                          \
    STATE(LOOKING)                                                                                           \
    STATE(RUNNING)                                                                                           \
    STATE(STORING)                                                                                           \
    STATE(WAITING_FOR_STORE)                                                                                 \
    STATE(SETTLING)                                                                                          \
    STATE(REMOVING)                                                                                          \
    STATE(ABANDONED)

enum state {
#define STATE(name) name,
    ATTEMPT_STATES(STATE)
#undef STATE
};

enum { META_MAX = 11 };

struct attempt {
    struct consumer *consumer;
    struct worker *worker;
    enum state state;
    struct job job;
    char *record; /* what job borrows from */
    const struct handler *handler;
    struct run *run;
    struct timer kill; /* when a handler that was asked to end has not */
    bool is_cancelled;
    struct buf output;          /* the result, as far as it is not with the upload */
    size_t passed;              /* bytes of the output that the upload has taken */
    struct blob_upload *upload; /* NULL while the result is short */
    bool is_stalled;            /* the upload takes no more for now */
    struct intake *intake;      /* of a payload in the blob store */
    struct teller *teller;      /* NULL: the handler said nothing about its progress */
    struct blob_content_head content_head;
    struct buf log; /* what the handler wrote to stderr */
    bool is_log_stored;
    struct job_result result;
    struct error failure;
    bool has_failed;
    bool is_excused; /* it failed for a reason that is not held against it, and is tried again */
    struct blob_op *storing;
    bool is_looking;   /* in WAITING_FOR_STORE: for an earlier result, not to store this one */
    int refusal_count; /* of the store, each with a good check of the store since the one before */
    struct blob_meta meta[META_MAX];
    size_t meta_count;
    char time_texts[4][CLOCK_RFC3339_SIZE];
    char attempt_text[12];
    struct buf status;      /* what settle appends to the record's status */
    int64_t delay_ms;       /* of one that failed: until the next */
    int64_t retry_after_ms; /* what the handler asked for */
    int64_t started_us;
    struct inquiry *inquiry; /* about its type, which nobody serves here */
    struct attempt *settler_next;
    struct attempt *next;
    struct attempt *previous;
};

struct log_context attempt_context(const struct attempt *a);

/* The one way to change its state. */
void attempt_enter(struct attempt *a, enum state state);
void attempt_free(struct attempt *a);

/* Looks whether an earlier try has stored a result, and goes on from there. */
void attempt_look(struct attempt *a);

/* Starts its handler. */
void attempt_run(struct attempt *a);

/* What its blobs carry; the handler has ended. */
void attempt_fill_meta(struct attempt *a);

/* The handler has ended: stores what is to be stored, then settles. */
void attempt_store_log(struct attempt *a);
void attempt_finish(struct attempt *a);
void attempt_store_result(struct attempt *a);

/* The handler has ended, and its result is in an upload: stores it as soon as that has taken all of it. */
void attempt_finish_stream(struct attempt *a);

/* A store that is away, or lets nobody in, is waited for as long as it takes. One that is well otherwise and
 * refuses this very result will not change its mind. */
void attempt_wait_for_store(struct attempt *a, const struct error *e);

/* What is stored is the job's result. */
void attempt_use_stored(struct attempt *a, const struct blob_properties *properties);

/* It is to end with this failure. */
void attempt_fail(struct attempt *a, const struct error *e);
void attempt_settle(struct attempt *a);

/* Accounts for what became of the try, and gives up what the job needs no more. */
void attempt_conclude(const struct attempt *a, enum settle_verdict verdict);

/* Its type has no handler here: it waits for a worker that has one, or fails. */
void attempt_park(struct attempt *a);
void inquiry_forget(struct inquiry *i); /* takes NULL */

#endif
