/*
 * workdir: a directory for each running program, below one of this process: its working directory and its
 * TMPDIR. It is removed with all that is in it when the program has ended: a little per turn of the loop, so
 * that a million files stop nobody.
 */
#ifndef JOBGATE_WORKDIR_H
#define JOBGATE_WORKDIR_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/net/loop.h"

enum { WORKDIR_PATH_SIZE = 256 };

/* Makes this process's directory, below TMPDIR or /tmp, if it has none. The warden calls it at its start,
 * since it removes the directory when this process was killed; else the first workdir_make does. */
void workdir_prepare(void);

/* Counted: each open has its close, before the loop is freed. All opens name the same loop. The last close
 * removes everything. */
void workdir_open(struct loop *l);
void workdir_close(void);

/* One of them. Plain data. */
struct workdir {
    char path[WORKDIR_PATH_SIZE]; /* "": none */
    int64_t changed_ns;           /* its ctime when it was taken */
    bool is_settled;              /* that is so long ago that any change gives it another one */
};

/* Hands out an empty one. Fails: INTERNAL (with the remedy). */
bool workdir_take(struct workdir *w, struct error *e) MUST_CHECK;

/* Sees to it that it goes; one in which nothing was ever made is kept for the next, since making and removing
 * it costs the file system's journal more than a short job. Harmless when there is none. */
void workdir_give_back(struct workdir *w);

/* How many bytes lie in it on disk; counting stops at 10000 files. */
int64_t workdir_usage(const char *path);

/* For the warden: removes this process's directory, however long it takes. */
void workdir_remove_all(void);

#endif
