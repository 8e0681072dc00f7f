/*
 * watch: tells when a file has changed, or a symbolic link on the way to it (which is how Kubernetes swaps a
 * secret). It looks every second (stat), so that it works on every file system.
 *
 * A file that is away is no change; when it is there again and another one, that is.
 */
#ifndef JOBGATE_WATCH_H
#define JOBGATE_WATCH_H

#include "common/base/base.h"
#include "common/net/loop.h"

struct watch;

/* Remembers how the file is now; on_change(arg) is called in l's thread each time that it is another one.
 * path is copied. Returns a watch that watch_free releases. */
struct watch *watch_new(struct loop *l, const char *path, loop_callback *on_change, void *arg);

/* May be called from inside on_change. Takes NULL; returns NULL. */
struct watch *watch_free(struct watch *w);

#endif
