/*
 * jobgate: the two real programs, started for one test on free ports of 127.0.0.1 and in an otherwise empty
 * environment. They are taken from the directory that JOBGATE_BIN names; the Makefile sets it.
 */
#ifndef JOBGATE_TESTS_JOBGATE_H
#define JOBGATE_TESTS_JOBGATE_H

#include "tests/support/http.h"
#include "tests/support/process.h"

struct jobgate;

/* Starts jobgate-api or jobgate-worker and waits for the line that names its ports. settings: "NAME=value",
 * NULL behind the last. They go before what is preset (API_LISTEN and OPS_LISTEN, 127.0.0.1:0), and of a name
 * that comes twice the first one counts. Returns one that jobgate_free ends and releases. */
struct jobgate *jobgate_start_api(const char *const *settings);
struct jobgate *jobgate_start_worker(const char *const *settings);

/* Kills what still runs; fails the test when a sanitizer or an assertion had stopped it. Takes NULL; returns
 * NULL. */
struct jobgate *jobgate_free(struct jobgate *g);

/* "http://127.0.0.1:<port>" of the api (a worker has none: "") and of the ops port. Borrowed. */
const char *jobgate_url(const struct jobgate *g);
const char *jobgate_ops_url(const struct jobgate *g);

/* To look at what it logs, to signal it, to wait for its end. Borrowed. */
struct process *jobgate_process(const struct jobgate *g);

/* Waits until /readyz answers with this status. Fails the test after 30 s. */
void jobgate_wait_ready(const struct jobgate *g, int status);

/* The value of a metric, with its labels as /metrics writes them (`jobgate_jobs_total{state="succeeded"}`).
 * Fails the test when there is none of that name. */
double jobgate_metric(const struct jobgate *g, const char *name);

/* Waits until a metric is there and has this value, a whole number. Fails the test after 30 s. */
void jobgate_wait_metric(const struct jobgate *g, const char *name, double wanted);

/* SIGTERM, and waits for the end. Returns as process_wait. */
int jobgate_stop(struct jobgate *g);

/* SIGKILL. */
void jobgate_kill(struct jobgate *g);

/* Writes a file for HANDLERS_FILE into a directory and its setting, "HANDLERS_FILE=…", into setting. */
void jobgate_write_handlers(const char *directory, const char *json, char setting[PROCESS_PATH_SIZE + 32]);

/* Submits a job by its JSON; fails the test when the answer is not 202. Returns the job's id (free()). */
char *jobgate_submit(const struct jobgate *api, const char *json);

/* Submits bytes as they are, with the query that names at least the type ("type=wordcount"). Returns as
 * jobgate_submit. */
char *jobgate_submit_raw(
    const struct jobgate *api, const char *query, const char *content_type, const void *data, size_t length);

/* The job as GET shows it (json_decref). Fails the test when the answer is not 200. */
json_t *jobgate_job(const struct jobgate *api, const char *id);

/* Waits until the job is in `state` (NULL: succeeded, dead or cancelled) and returns it (json_decref). Fails
 * the test when it ends otherwise, or after 30 s. */
json_t *jobgate_wait_for(const struct jobgate *api, const char *id, const char *state);

/* Asks for the job's result. */
void jobgate_result(const struct jobgate *api, const char *id, struct http_reply *reply);

#endif
