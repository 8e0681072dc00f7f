/*
 * proc: what /proc tells of processes. Source: proc(5).
 */
#ifndef JOBGATE_PROC_H
#define JOBGATE_PROC_H

#include "common/base/base.h"

struct watched;

struct proc {
    pid_t pid;
    pid_t parent;
    pid_t group;
    bool is_zombie;
    uint64_t start;        /* in clock ticks since boot */
    int64_t cpu_ms;        /* of it, and of the children that it waited for */
    int64_t memory_bytes;  /* resident; what is shared is counted whole */
    struct watched *owner; /* for the census */
};

struct proc_list {
    struct proc *procs; /* by pid, ascending */
    size_t count;
    size_t size;
};

/* Reads all processes that are there. Those that end meanwhile are left out. */
void proc_read_all(struct proc_list *list);
void proc_list_release(struct proc_list *list);

/* Reads one. Returns false when there is none. */
bool proc_read(pid_t pid, struct proc *p);

/* NULL when there is none. */
const struct proc *proc_find(const struct proc_list *list, pid_t pid);

/* When a process was started; 0 when there is none. */
uint64_t proc_start(pid_t pid);

/* Its memory, where shared pages count in part; what is shared whole when the kernel does not tell. */
int64_t proc_proportional_bytes(const struct proc *p);

/* Reads a variable of the environment that a process was started with. Returns false when it has none, or may
 * not be looked at. */
bool proc_variable(pid_t pid, const char *name, char *out, size_t size);

/* How many times the kernel killed something in this process's control group because memory ran out; -1 when
 * it does not tell. */
int64_t proc_out_of_memory_count(void);

#endif
