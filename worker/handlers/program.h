/*
 * program: a program of the handlers file, and a running process of it with its pipes, its working directory,
 * its place in the warden's and the census's books. What the kinds command and pool have in common.
 */
#ifndef JOBGATE_PROGRAM_H
#define JOBGATE_PROGRAM_H

#include "worker/handlers/census.h"
#include "worker/handlers/children.h"
#include "worker/handlers/excerpt.h"
#include "worker/handlers/kind.h"
#include "worker/handlers/limits.h"
#include "worker/handlers/workdir.h"

enum {
    CHUNK_BYTES = 65536 /* what one callback moves at most, so that the other jobs get their turn; a pipe
                           holds as much */
};

/* What the file says. */
struct program {
    char **arguments;
    char *path; /* NULL: it was not found in PATH when the file was loaded; looked up again at each start */
    char **inherited;
    char **fixed;
    char *directory; /* where it starts; NULL: its working directory */
    struct limits limits;
};

/* The names of its fields, as an initialiser's rows. */
#define PROGRAM_FIELDS "command", "directory", "environment", "inherit", LIMITS_FIELDS

void program_parse(struct program *p, struct spec *s);
void program_release(struct program *p);

/* Whether it is there and can be executed. Fails: HANDLER_START. */
bool program_check(const struct program *p, struct error *e) MUST_CHECK;

/* To be called once before programs run: what the kernel killed for want of memory so far is not theirs. */
void program_note_memory(void);

/* The worker's end of one of the pipes. */
struct end {
    int fd; /* -1 = closed */
    struct event event;
};

struct process {
    const struct program *program;
    struct loop *loop;
    pid_t group; /* 0 = the leader has exited, or never started */
    struct child child;
    struct watched watched;
    struct workdir directory;
    char name[32]; /* JOBGATE_RUN: of this process alone */
    struct end in;
    struct end out;
    struct end err;
    struct end note; /* its descriptor 3; closed for those that get none */
    int programs_ends[4];
};

/* All ends closed, nothing running. */
void process_init(struct process *p, const struct program *program, struct loop *loop);

/* Opens the pipes: what fits can be written before the program starts. Fails: INTERNAL. */
bool process_open(struct process *p, bool has_note, struct error *e) MUST_CHECK;

/* Starts it; input is what the environment tells (with_job: of the job, too). on_over as in census.h. Fails:
 * HANDLER_START, INTERNAL. */
bool process_launch(struct process *p, const struct run_input *input, bool with_job, child_exited *on_exited,
    void (*on_over)(void *arg, const struct error *why), void *arg, struct error *e) MUST_CHECK;

/* Its on_exited was called: what it left behind is killed, its directory goes. The pipes stay. */
void process_has_exited(struct process *p);

/* Closes the pipes and removes the directory. The process must have exited, or never have started. */
void process_release(struct process *p);

/* Watches a pipe, or closes it. The event is added only when is_active. */
void end_watch(
    struct end *end, struct loop *l, short what, event_callback_fn callback, void *arg, bool is_active);
void end_close(struct end *end);

/* Moves one chunk at most. Returns 0 or less when there is none now; at the end of the stream the end is
 * closed. */
ssize_t end_read(struct end *end, char chunk[CHUNK_BYTES]);

/* Reads what is there of the log, a bounded number of chunks. */
void end_read_rest(struct end *end, struct excerpt *log);

/* What the exit of a process says, as exit_status_judge, with memory and the limits that the kernel holds
 * named. */
bool process_judge(
    const struct process *p, const siginfo_t *how, const struct buf *log, struct error *e) MUST_CHECK;

#endif
