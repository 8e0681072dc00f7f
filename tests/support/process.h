/*
 * process: real programs for integration tests. A program runs in a process group of its own and is killed
 * with all of that group by process_free; it dies also when the test dies (PR_SET_PDEATHSIG), so an aborted
 * test leaves nothing.
 *
 * What cannot be done fails the test, with what the program had said.
 */
#ifndef JOBGATE_TESTS_PROCESS_H
#define JOBGATE_TESTS_PROCESS_H

#include "common/base/base.h"

struct process;

enum { PROCESS_PATH_SIZE = 512 };

/* Starts argv[0], found by PATH. Its environment is `settings` ("NAME=value", NULL behind the last; may be
 * NULL) and of the test's own only PATH, HOME, TMPDIR and what run.sh and the sanitizers need. stdin is
 * /dev/null. Its stdout and stderr are gathered in memory. Returns a process that process_free releases. */
struct process *process_start(const char *const *argv, const char *const *settings);

/* Kills what still runs and forgets it. Takes NULL; returns NULL. */
struct process *process_free(struct process *p);

pid_t process_id(const struct process *p);

/* All that it wrote so far, stdout and stderr together. Released with free(). */
char *process_output(const struct process *p);

/* The first whole line that holds `needle`, without its newline, waited for up to timeout_ms. Released with
 * free(). NULL when none came, or the program ended without one. */
char *process_find_line(struct process *p, const char *needle, int timeout_ms);

/* Sends a signal to the program itself, or to all of its group. */
void process_signal(const struct process *p, int signal_number);
void process_signal_group(const struct process *p, int signal_number);

/* Whether it ended within timeout_ms (0: by now). */
bool process_has_ended(struct process *p, int timeout_ms);

/* Waits for the end. Returns the exit status, or -N when signal N ended it. Fails the test after timeout_ms.
 */
int process_wait(struct process *p, int timeout_ms);

/* Runs a program to its end and hands over all that it wrote (free()) where output is not NULL. Returns as
 * process_wait. */
int process_run(const char *const *argv, const char *const *settings, int timeout_ms, char **output);

/* Makes a directory that nobody else uses, under TMPDIR; and removes one with all that is in it. */
void directory_make(char path[PROCESS_PATH_SIZE]);
void directory_remove(const char *path);

/* A TCP port of 127.0.0.1 that was free a moment ago: whoever binds it must be ready to find it taken. */
int port_find_free(void);

/* For polling: whether `deadline_ms` (clock_steady_ms) has not come yet; sleeps a few milliseconds when so.
 */
bool wait_until(int64_t deadline_ms);

#endif
