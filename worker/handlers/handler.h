/*
 * handler: what runs a job. The kinds (command, builtin, …) stand behind one interface; the registry maps a
 * job type to its handler by the handlers file (docs/handlers.md).
 */
#ifndef JOBGATE_HANDLER_H
#define JOBGATE_HANDLER_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/net/loop.h"

struct handler; /* one type's entry in the file; immutable once loaded */
struct run;     /* one running try of a job */

/* What a run is given. Borrowed until on_done. */
struct run_input {
    const char *job_id;
    const char *type;
    const char *queue;
    int attempt;
    const void *payload;
    size_t payload_length;
    int64_t timeout_ms;      /* 0: the handler's own default */
    size_t max_result_bytes; /* an output beyond it ends the run with OUTPUT_TOO_BIG */
};

/* How it ended. Valid inside on_done only; the receiver may take the buffers (buf_take). */
struct run_outcome {
    const struct error *error; /* NULL = it succeeded */
    struct buf result;         /* what it wrote; meaningless with an error */
    struct buf log;            /* the head and tail of what it wrote to stderr, bounded */
};

typedef void run_done(void *arg, struct run_outcome *outcome);

/* All handlers of one handlers file. */
struct handlers;

/* Loads a handlers file. Returns handlers that handlers_free releases, or NULL with every mistake of the
 * file, a line each, appended to `mistakes` (JSON Pointer, what is wrong, what would be right). */
struct handlers *handlers_load(struct loop *loop, const char *path, struct buf *mistakes) MUST_CHECK;
struct handlers *handlers_free(struct handlers *h); /* takes NULL; returns NULL; no run may be left */

/* The handler of a type, NULL when none serves it. Borrowed from h. */
const struct handler *handlers_find(const struct handlers *h, const char *type);

/* The i-th type's name in alphabetical order; NULL behind the last. Borrowed. */
const char *handlers_type_at(const struct handlers *h, size_t i);

/* The content type of what the handler makes. Borrowed. */
const char *handler_content_type(const struct handler *h);

/* The timeout of a job that names none, milliseconds. */
int64_t handler_timeout_ms(const struct handler *h);

/* How a type's tries follow each other. Plain data. */
struct retry_policy {
    int max_attempts; /* tries that may fail by themselves */
    int max_crashes;  /* tries in which the handler may die */
    int64_t delay_ms; /* before the second try; it doubles with each */
    int64_t delay_max_ms;
};

/* Borrowed. */
const struct retry_policy *handler_retry_policy(const struct handler *h);

/* Starts a run. done is called exactly once, never from inside this. The run is released after done returned.
 */
struct run *run_start(const struct handler *h, const struct run_input *input, run_done *done, void *arg);

/* Asks a run to end by itself: SIGTERM to its process group. What cannot be asked is ended at once, with
 * `reason`. done comes as ever; a handler that does not listen is for run_kill. */
void run_ask(struct run *r, enum error_code reason);

/* Ends a run early: its process group is killed, and done comes with `reason` as the error's code. */
void run_kill(struct run *r, enum error_code reason);

#endif
