/*
 * watch: tells when a file has changed: written anew, replaced, or led to another one by a symlink anywhere
 * in its path, as Kubernetes does with the files of a ConfigMap, a Secret or a CSI volume. inotify tells at
 * once; a look every WATCH_POLL_MS finds what it does not tell (network file systems, folders that come
 * later).
 *
 * A file counts as changed when it stood still for WATCH_SETTLE_MS, so that one that is being written is not
 * read by half; whoever reads it checks it all the same.
 */
#ifndef JOBGATE_WATCH_H
#define JOBGATE_WATCH_H

#include "common/base/base.h"
#include "common/net/loop.h"

enum { WATCH_SETTLE_MS = 100, WATCH_POLL_MS = 5000 };

struct watch;

/* Calls on_change each time that the file at path is another one than before, and once soon after this call:
 * it may have changed since it was read. A file that is not there is waited for, one that goes away is kept
 * silent about until another one comes. path is copied. Never fails. Released with watch_free, also from
 * inside on_change. */
struct watch *watch_new(struct loop *l, const char *path, loop_callback *on_change, void *arg);
struct watch *watch_free(struct watch *w); /* takes NULL; returns NULL */

/* Calls on_change once more after delay_ms, unless a change comes first: what was found could not be used. */
void watch_again(struct watch *w, int64_t delay_ms);

#endif
