/*
 * desk: what a caller or an operator asks of the api, what a queue's counters in Redis say, and waiting for
 * either. What goes wrong fails the test.
 */
#ifndef JOBGATE_TESTS_DESK_H
#define JOBGATE_TESTS_DESK_H

#include "tests/support/scene.h"

/* Asks for "/v1/…" with a body of JSON, or without one (NULL). Fills reply, whatever was in it before. */
void desk_ask(const struct jobgate *api, const char *method, const char *path, const char *json,
    struct http_reply *reply);

/* The same, asserting the status. Returns the answer (json_decref). */
json_t *desk_call(
    const struct jobgate *api, const char *method, const char *path, const char *json, int status);

/* The same, asserting that it is this problem. */
json_t *desk_refused(const struct jobgate *api, const char *method, const char *path, const char *json,
    int status, const char *code);

/* The same for what stands below a job: "" is the job itself. */
json_t *desk_call_job(
    const struct jobgate *api, const char *method, const char *id, const char *below, int status);

/* A time of the job (/run_at) as Unix milliseconds; and whether it is in this state now. */
int64_t desk_time(const json_t *job, const char *pointer);
bool desk_is_in(const struct jobgate *api, const char *id, const char *state);

/* A counter of a queue, as Redis has it; and waits until it is `wanted`. */
long long desk_counter(struct scene *s, const char *queue, const char *name);
void desk_wait_counter(struct scene *s, const char *queue, const char *name, long long wanted);

/* Lets time pass in which something must not happen. */
void desk_pass(int ms);

/* Waits until a command of Redis (no blanks in its words) answers with this integer. */
void desk_wait_integer(struct scene *s, long long wanted, const char *format, ...);

/* Writes the handlers file anew, before a worker is started: with echo, fail and sh of the scene, and further
 * members of "types" (",\"flaky\":{%s}"), in which each %s stands for what makes sh a shell. */
void desk_write_types(struct scene *s, const char *types);

/* The names of the workers that are registered for a queue, each with a newline (free()). */
char *desk_workers(struct scene *s, const char *queue);

#endif
