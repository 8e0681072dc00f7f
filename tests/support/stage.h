/*
 * stage: handlers on a loop of their own, to run single jobs on in a unit test. What goes wrong fails the
 * test.
 */
#ifndef JOBGATE_TESTS_STAGE_H
#define JOBGATE_TESTS_STAGE_H

#include "tests/support/process.h"
#include "worker/handlers/handler.h"

struct stage {
    const struct config *config; /* for handlers_load, set before stage_open; NULL: none. Else all is zero */
    struct loop *loop;
    struct handlers *handlers;
    char directory[PROCESS_PATH_SIZE]; /* of this test only; removed by stage_close */
};

/* How a run ended, copied. */
struct ended {
    struct stage *stage;
    int count;          /* how often done was called */
    struct error error; /* ERROR_OK: it succeeded */
    struct buf result;
    struct buf log;
    char content_type[MEDIA_TYPE_SIZE];
    int64_t retry_after_ms;
};

/* Loads {"types": {<types>}}; each %s in `types` stands for the stage's directory. */
void stage_open(struct stage *s, const char *types);
void stage_close(struct stage *s);

/* Makes a file in the stage's directory. */
void stage_write(const struct stage *s, const char *name, const char *text, mode_t mode);

/* Makes a file of the n-th block (0: the first) of `language` in docs/handlers.md, as it stands there. */
void stage_write_block(const struct stage *s, const char *name, const char *language, int n);

/* What is given to a run of `type`: payload is a text, limits are generous. To be changed by the test. */
struct run_input stage_input(const char *type, const char *payload);

/* Starts a run and asserts that it did not complete inside. */
struct run *stage_start(struct stage *s, const struct run_input *input, struct ended *ended);

/* Turns the loop until `*count` reached `wanted`; 60 seconds at the most. */
void stage_wait(struct stage *s, const int *count, int wanted);

/* Both together, and a few turns more in which done must not come again. */
void stage_run(struct stage *s, const struct run_input *input, struct ended *ended);
void ended_release(struct ended *ended);

/* Whether a process is there and no zombie. */
bool process_lives(pid_t pid);

/* Waits until it is not; 30 seconds at the most. */
void process_wait_gone(pid_t pid);

#endif
