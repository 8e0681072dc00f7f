/*
 * census: looks at all processes of the running programs, again and again, and tells whose are too many or
 * use too much: what the kernel limits per process or per user only.
 *
 * A process belongs to a program when it is in its process group, when its parent does (it may have left the
 * group), or, orphaned, when it carries the program's JOBGATE_RUN in its environment. What became a child of
 * this process and belongs to no living program is killed. One look at /proc serves all programs; looks are
 * CENSUS_MS apart, or more where they take long, so that they cost two percent of one processor at the most.
 */
#ifndef JOBGATE_CENSUS_H
#define JOBGATE_CENSUS_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "worker/handlers/limits.h"

enum { CENSUS_MS = 100 };

struct stray {
    pid_t pid;
    uint64_t start; /* in clock ticks since boot: with it, the id is unique */
};

/* A running program; embedded in what runs it. */
struct watched {
    pid_t group;
    const char *name;                                    /* its JOBGATE_RUN; borrowed */
    const char *directory;                               /* its TMPDIR; borrowed */
    const struct limits *limits;                         /* borrowed */
    void (*on_over)(void *arg, const struct error *why); /* called once at the most for each watched_begin */
    void *arg;
    int64_t memory_bytes;  /* at the last look */
    int64_t peak_bytes;    /* since watched_begin */
    int64_t cpu_ms;        /* of all its processes, since the program's start */
    int64_t cpu_before_ms; /* what watched_begin found */
    int64_t processes;
    bool is_over;
    struct stray *strays; /* what left the group */
    size_t stray_count;
    struct watched *next;
    struct watched *previous;
};

/* Counted: each open has its close, before the loop is freed. All opens name the same loop. */
void census_open(struct loop *l);
void census_close(void);

/* Begins to watch. group, name, directory, limits, on_over and arg are set, the rest is zero. */
void census_add(struct watched *w);

/* Kills what left the group, and ends watching. To be called when the leader has exited. Harmless when it is
 * not watched. */
void census_remove(struct watched *w);

/* A new job begins in the same program: its memory and CPU time count from now on. */
void watched_begin(struct watched *w);

/* Kills the group and what left it. */
void watched_kill(const struct watched *w, int signal_number);

#endif
