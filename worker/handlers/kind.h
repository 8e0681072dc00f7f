/*
 * kind: what stands behind handler.h. A kind of handler (command, builtin) is a row in handlers.c and a file
 * of its own. Only worker/handlers includes this.
 */
#ifndef JOBGATE_KIND_H
#define JOBGATE_KIND_H

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

    /* Makes and starts a run: memory that begins with a struct run, obtained from run_new. It never completes
     * inside. */
    struct run *(*start)(const struct handler *h, const struct run_input *input, run_done *done, void *arg);
    void (*kill)(struct run *r, enum error_code reason); /* never completes inside either */
    void (*ask)(struct run *r);                          /* optional: asks it to end by itself (SIGTERM) */
    void (*finish)(struct run *r); /* called by the loop for a run that was given to run_defer; ends it */
};

extern const struct kind kind_builtin;
extern const struct kind kind_command;

struct handler {
    char *type;
    const struct kind *kind;
    void *settings; /* what the kind's parse returned; owned */
    char *content_type;
    int64_t timeout_ms;
    struct retry_policy retry;
    struct handlers *owner;
};

/* The head of every kind's run. */
struct run {
    const struct handler *handler;
    struct run_input input; /* timeout_ms is never 0 here */
    run_done *done;
    void *arg;
    struct run *next_deferred;
    bool is_deferred;
};

/* Allocates a run of `size` bytes, of which only the head is filled. */
void *run_new(size_t size, const struct handler *h, const struct run_input *input, run_done *done, void *arg);

/* Has the loop call the kind's finish soon; harmless when that is under way already. */
void run_defer(struct run *r);

/* Tells the receiver how it ended and frees both the outcome's buffers and the run: the last thing that a
 * kind does. */
void run_end(struct run *r, struct run_outcome *outcome);

/* Fills e with `reason` for a run that is ended from outside. Returns false, as error_set does. */
bool run_set_killed(const struct run *r, enum error_code reason, struct error *e);

/* The loop on which the handler's runs live. */
struct loop *handler_loop(const struct handler *h);

#endif
