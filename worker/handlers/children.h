/*
 * children: tells who waits for it that a child process has exited. SIGCHLD is one per process, so this is
 * too: a table from process id to callback, for the loop of one thread. The orphans of handlers become
 * children of this process (it is their subreaper) and are reaped here, whatever group they are in but this
 * process's own: children of that group belong to who started them. In a process with the id 1 (a container
 * without an init) all are reaped.
 */
#ifndef JOBGATE_CHILDREN_H
#define JOBGATE_CHILDREN_H

#include <signal.h>
#include <sys/resource.h>

#include "common/base/base.h"
#include "common/net/loop.h"

/* Called in the loop, once. The child is still a zombie: its id, and the group of that id, can't have been
 * given to another process yet. It is reaped when this returns. `how` is what waitid says: si_code and
 * si_status. `used` counts what it waited for itself, too. */
typedef void child_exited(void *arg, const siginfo_t *how, const struct rusage *used);

/* A child that is waited for; embedded in the object that it belongs to. */
struct child {
    pid_t pid; /* 0 = not in the table */
    child_exited *callback;
    void *arg;
    struct child *next;
};

/* Counted: each open has its close, before the loop is freed. All opens name the same loop. */
void children_open(struct loop *l);
void children_close(void);

void children_add(struct child *c, pid_t pid, child_exited *callback, void *arg);
bool children_has(pid_t pid);
void children_remove(
    struct child *c); /* no callback will come, and no reaping; harmless when it is not in the table */

#endif
