/*
 * warden: a tiny process beside the worker that kills every handler's process group when the worker is gone,
 * in whatever way: it sees the end of a pipe whose other end only the worker has. (The kernel's death signal
 * reaches a group's leader only, and not what the leader started.) A process that left its group is in
 * its reach when the census saw it. It also removes the working directories.
 *
 * SIGPIPE must be ignored in the worker. One warden per process.
 */
#ifndef JOBGATE_WARDEN_H
#define JOBGATE_WARDEN_H

#include "common/base/base.h"
#include "common/base/error.h"

/* Starts it; to be called before there are threads. Fails: INTERNAL. */
bool warden_start(struct error *e) MUST_CHECK;

/* From now on, until warden_unwatch, a warden that dies is replaced, with a line in the log; needs
 * children_open. Counted; handlers_load and handlers_free call them. */
void warden_watch(void);
void warden_unwatch(void);

/* Ends it and waits until it is gone. Harmless when there is none. */
void warden_stop(void);

/* Tells the warden of the calling process's own group. For a child between vfork and exec: only system calls,
 * no memory of the worker changes. The worker calls warden_add for it as soon as it goes on. */
void warden_register_self(void);

/* Keeps the group in mind, for a warden that is started anew. */
void warden_add(pid_t group);

/* A process of a handler has left its group and leads this one. Told to the warden, too. */
void warden_add_stray(pid_t group);

/* Makes it forget a group. To be called while the leader is still a zombie, lest another process gets its id.
 */
void warden_remove(pid_t group);

/* Its process id, 0 when there is none. For tests. */
pid_t warden_pid(void);

#endif
