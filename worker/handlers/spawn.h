/*
 * spawn: starts a program as the leader of a process group of its own, by vfork: neither is the worker's
 * memory copied nor its page table, and the loop stands still only until the kernel has opened the program.
 * Everything that has to be set up for the program is a system call between the two, so that no helper has to
 * be executed in between.
 *
 * The program gets the descriptors that it is given and no other, its limits, a working directory, default
 * signals, no core dumps, no new privileges (setuid has no effect), and dies with the worker: by the kernel's
 * death signal, its group by the warden.
 */
#ifndef JOBGATE_SPAWN_H
#define JOBGATE_SPAWN_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "worker/handlers/limits.h"

enum { SPAWN_FDS = 4 };

/* Everything is borrowed. */
struct spawn {
    const char *path;
    char *const *arguments;   /* as execve takes them */
    char *const *environment; /* as execve takes it */
    const char *directory;    /* where it starts */
    int fds[SPAWN_FDS]; /* what becomes descriptor 0, 1, 2, 3; from spawn_pipe. A last one of -1: closed */
    int64_t cpu_s;      /* limits of each process; 0: none */
    int64_t file_bytes;
    int64_t open_files;
};

/* Starts it. The caller waits for *pid with children_add, and calls warden_remove when it has exited.
 * Fails: HANDLER_START (the path, what the system says, and the remedy), INTERNAL (the system has no room
 * now). */
bool spawn_process(const struct spawn *s, pid_t *pid, struct error *e) MUST_CHECK;

/* A pipe of which the program gets the one end and the worker keeps the other, non-blocking. Both are closed
 * on exec. Fails: INTERNAL. */
struct spawn_pipe {
    int programs_end;
    int workers_end;
};
enum spawn_direction { PROGRAM_READS, PROGRAM_WRITES };
bool spawn_pipe_open(struct spawn_pipe *p, enum spawn_direction direction, struct error *e) MUST_CHECK;

#endif
