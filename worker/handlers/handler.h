/*
 * handler: what runs a job. The kinds (command, builtin, …) stand behind one interface; the registry maps a
 * job type to its handler by the handlers file (docs/handlers.md).
 *
 * A run is a stream in and a stream out. Payload and result never have to be in memory whole: the payload may
 * be fed piece by piece, and the result is handed over as it comes, with backpressure both ways. For small
 * ones both can be whole.
 */
#ifndef JOBGATE_HANDLER_H
#define JOBGATE_HANDLER_H

#include <jansson.h>

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/net/loop.h"

struct handler; /* one type's entry in the file; immutable once loaded */
struct run;     /* one running try of a job */

enum { MEDIA_TYPE_SIZE = 128, PROGRESS_MESSAGE_SIZE = 257 };

/* ---- the registry ---- */

/* All handlers of one handlers file. Counted: whoever keeps one of its handlers, and each run, keeps it. */
struct handlers;

/* Loads a handlers file. Returns handlers that handlers_free releases, or NULL with every mistake of the
 * file, a line each, appended to `mistakes` (JSON Pointer, what is wrong, what would be right). config, which
 * is kept as a reference, tells the identity with which handlers fetch tokens; NULL: they can't. */
struct handlers *handlers_load(
    struct loop *loop, const struct config *config, const char *path, struct buf *mistakes) MUST_CHECK;

/* Gives up the loader's hold; what runs goes on with what it started with. Takes NULL; returns NULL. */
struct handlers *handlers_free(struct handlers *h);

/* Whether both were loaded from the same text. */
bool handlers_are_same(const struct handlers *a, const struct handlers *b);

/* The handler of a type, NULL when none serves it. Borrowed from h. */
const struct handler *handlers_find(const struct handlers *h, const char *type);

/* Keeps a handler beyond its handlers_free, until handler_drop. Returns it. */
const struct handler *handler_keep(const struct handler *h);
void handler_drop(const struct handler *h); /* takes NULL */

/* The i-th type's name in alphabetical order; NULL behind the last. Borrowed. */
const char *handlers_type_at(const struct handlers *h, size_t i);

/* Whether what it needs is there now: a program that can be executed. Fails: HANDLER_START. */
bool handler_check(const struct handler *h, struct error *e) MUST_CHECK;

/* "command", "builtin", … Static storage. */
const char *handler_kind_name(const struct handler *h);

/* The content type of what the handler makes, unless a run says otherwise. Borrowed. */
const char *handler_content_type(const struct handler *h);

/* Whether text is type "/" subtype and perhaps parameters, short enough, and cannot break out of a header's
 * line. */
bool content_type_is_valid(const char *text);

/* The timeout of a job that names none, milliseconds. */
int64_t handler_timeout_ms(const struct handler *h);

/* How long a result answers for the same payload (the api's POST /v1/run); 0 = not at all. */
int64_t handler_cache_s(const struct handler *h);

/* How long a job of this type is known, and its blobs are kept, after its end, in seconds; 0 = RETENTION_S
 * says. */
int64_t handler_retention_s(const struct handler *h);

/* How a type's tries follow each other. Plain data. */
struct retry_policy {
    int max_attempts; /* tries that may fail by themselves */
    int max_crashes;  /* tries in which the handler may die */
    int64_t delay_ms; /* before the second try; it doubles with each */
    int64_t delay_max_ms;
    const int64_t *delays_ms; /* instead of these two: before each try but the first, static; or NULL */
    int delay_count;
};

/* Whether what it makes stays in the job's record, whatever RESULT_STORE says. */
bool handler_keeps_inline(const struct handler *h);

/* Borrowed. */
const struct retry_policy *handler_retry_policy(const struct handler *h);

/* ---- a run ---- */

/* What a run is given. Borrowed until on_done, but the struct itself. */
struct run_input {
    const char *job_id;
    const char *type;
    const char *queue;
    const char *owner;       /* NULL or "": none */
    const char *traceparent; /* NULL or "": none */
    const json_t *metadata;  /* an object whose values are texts; NULL: none */
    int attempt;
    bool is_streamed;        /* the payload comes by run_feed, and payload is NULL */
    const void *payload;     /* whole */
    size_t payload_length;   /* of a streamed one: what run_feed will bring in all, which must be known */
    int64_t timeout_ms;      /* 0: the handler's own default */
    int64_t deadline_ms;     /* unix time behind which it must not run, whatever timeout_ms says; 0: none */
    size_t max_result_bytes; /* an output beyond it ends the run with OUTPUT_TOO_BIG */
};

/* How far it is, as the handler told. Valid inside on_progress only. */
struct run_progress {
    double fraction;     /* 0 to 1; negative: it did not say */
    const char *message; /* UTF-8 without control characters, shorter than PROGRESS_MESSAGE_SIZE; "": none */
    const char *content_type; /* of the result, shorter than MEDIA_TYPE_SIZE; "": it did not say. A handler
                                 says it in its first line if at all */
};

/* What a run used. 0 = not known for this kind. */
struct run_usage {
    int64_t wall_ms;
    int64_t cpu_ms;
    int64_t peak_memory_bytes; /* of all its processes together */
};

/* How it ended. Valid inside on_done only; the receiver may take the buffers (buf_take, or copy the struct
 * and buf_init the original). */
struct run_outcome {
    const struct error *error; /* NULL = it succeeded */
    struct buf result;         /* what it wrote, when there is no on_output; meaningless with an error */
    uint64_t result_bytes;     /* how much it wrote, either way */
    struct buf log;            /* the head and tail of what it wrote to stderr, bounded */
    const char *content_type;  /* of the result: what the run said, else the handler's. Borrowed, never "" */
    int64_t retry_after_ms;    /* the next try should not come sooner; 0: it did not say */
    struct run_usage usage;
};

/* Who is told. A static object; arg goes with it. None is called from inside run_start, run_feed,
 * run_feed_end, run_resume, run_ask or run_kill. on_progress, on_output and on_hungry come before on_done and
 * never behind it. All of these functions but run_start may be called from inside on_output, on_progress and
 * on_hungry. */
struct run_events {
    /* Optional: the result in pieces, instead of gathering it. Returns how many bytes it took; when that is
     * less than length, the rest comes again after run_resume, and until then the handler's pipe fills. What
     * came may be worthless: on_done says whether the run succeeded. */
    size_t (*on_output)(void *arg, const void *data, size_t length);

    /* Optional. Bounded in rate: of several within a turn only the last comes, but for the content type,
     * which comes before any output that the handler wrote after it said so. */
    void (*on_progress)(void *arg, const struct run_progress *progress);

    /* Needed with is_streamed: run_feed took less than all, and would take more now. */
    void (*on_hungry)(void *arg);

    /* Exactly once; the run is released after it returned. */
    void (*on_done)(void *arg, struct run_outcome *outcome);
};

/* Starts a run. */
struct run *run_start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg);

/* The next piece of a streamed payload. Returns how many bytes it took (copied); when that is less than
 * length, on_hungry tells when more fits. A handler that reads no more, or has ended, takes all. May be
 * called as soon as run_start returned. */
size_t run_feed(struct run *r, const void *data, size_t length) MUST_CHECK;

/* The whole payload was fed: exactly input->payload_length bytes. */
void run_feed_end(struct run *r);

/* on_output would take more now. Harmless when nothing waits. */
void run_resume(struct run *r);

/* The time limit's clock stands still while the store does, so that a job does not pay for it. Counted: as
 * many run_unsuspend as run_suspend. */
void run_suspend(struct run *r);
void run_unsuspend(struct run *r);

/* Whether an outcome's error is a crash, which the retry policy counts apart from a failure. */
bool run_has_crashed(const struct error *e);

/* Asks a run to end by itself: SIGTERM to its process group. What cannot be asked is ended at once, with
 * `reason`. on_done comes as ever; a handler that does not listen is for run_kill. */
void run_ask(struct run *r, enum error_code reason);

/* Ends a run early: its process group is killed, and on_done comes with `reason` as the error's code. */
void run_kill(struct run *r, enum error_code reason);

#endif
