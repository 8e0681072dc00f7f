/*
 * kind: what stands behind handler.h. A kind of handler (command, builtin, …) is a row in handlers.c and a
 * file of its own. Only worker/handlers includes this.
 */
#ifndef JOBGATE_KIND_H
#define JOBGATE_KIND_H

#include "worker/handlers/countdown.h"
#include "worker/handlers/handler.h"
#include "worker/handlers/spec.h"

/* What a kind can do. One static object each. */
struct kind {
    const char *name;          /* the value of "kind" in the handlers file */
    const char *const *fields; /* the fields that it knows besides those of every type; ends with NULL */

    /* Reads its fields. Mistakes go to the spec; what is returned is then thrown away through release.
     * Sets *content_type (static storage) when the kind has a better default than application/octet-stream.
     */
    void *(*parse)(struct spec *spec, const char **content_type);
    void (*release)(void *settings); /* takes NULL */

    /* Optional: whether what it needs is there now. Fails: HANDLER_START. */
    bool (*check)(const struct handler *h, struct error *e);

    /* Makes and starts a run: memory that begins with a struct run, obtained from run_new. */
    struct run *(*start)(
        const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg);
    void (*kill)(struct run *r, enum error_code reason);
    void (*ask)(struct run *r); /* optional: asks it to end by itself (SIGTERM) */
    size_t (*feed)(struct run *r, const void *data, size_t length);
    void (*feed_end)(struct run *r);
    void (*resume)(struct run *r); /* offers what on_output did not take again, from the loop */
    void (*finish)(struct run *r); /* called by the loop for a run that was given to run_defer: ends it, or
                                      goes on with it, and may then defer it again */
    bool is_result_inline;         /* what it makes is small, and stays in the job's record */
};

extern const struct kind kind_builtin;
extern const struct kind kind_command;
extern const struct kind kind_pool;
extern const struct kind kind_http;

struct handler {
    char *type;
    const struct kind *kind;
    void *settings; /* what the kind's parse returned; owned */
    char *content_type;
    int64_t timeout_ms;
    int64_t max_output_bytes; /* 0: MAX_RESULT alone */
    struct retry_policy retry;
    int64_t cache_s;
    int64_t retention_s; /* 0: RETENTION_S */
    struct handlers *owner;
};

/* The head of every kind's run. */
struct run {
    const struct handler *handler;
    struct run_input input; /* timeout_ms is never 0 here */
    const struct run_events *events;
    void *arg;
    struct countdown limit; /* the time limit; what it calls is the kind's own */
    struct buf result;      /* without on_output */
    uint64_t result_bytes;
    char content_type[MEDIA_TYPE_SIZE]; /* "" = the run has not said */
    struct run *next_deferred;
    bool is_deferred;
};

/* Allocates a run of `size` bytes; behind the head they are zero. on_limit is called with the run when its
 * time is over, once countdown_start was called on its limit. */
void *run_new(size_t size, const struct handler *h, const struct run_input *input,
    const struct run_events *events, void *arg, loop_callback *on_limit);

/* Its time begins: timeout_ms is cut to what deadline_ms leaves, and the limit's clock starts. */
void run_begin(struct run *r);

/* Has the loop call the kind's finish soon; harmless when that is under way already. */
void run_defer(struct run *r);

/* Hands output over. *taken is what the receiver took; the rest is the kind's to keep until its resume. The
 * receiver may have called the run's functions meanwhile. Fails: OUTPUT_TOO_BIG, with nothing taken. */
bool run_output(struct run *r, const void *data, size_t length, size_t *taken, struct error *e) MUST_CHECK;

/* Completes the outcome (error, log, retry_after_ms and usage are the kind's), tells the receiver, and frees
 * both the outcome's buffers and the run: the last thing that a kind does. */
void run_end(struct run *r, struct run_outcome *outcome);

/* Fills e with `reason` for a run that is ended from outside. Returns false, as error_set does. */
bool run_set_killed(const struct run *r, enum error_code reason, struct error *e);

/* Handlers of a single type, which stands in no file. settings go to the kind's release in the end. Returns
 * handlers that handlers_free releases. */
struct handlers *handlers_of_one(struct loop *loop, const char *type, const struct kind *kind, void *settings,
    int64_t timeout_ms, const struct retry_policy *retry);

/* The loop on which the handler's runs live. */
struct loop *handler_loop(const struct handler *h);

/* The process's settings, NULL when it has none. */
const struct config *handler_config(const struct handler *h);

#endif
