/*
 * secret: a setting that is a secret and comes from a file (NAME_FILE), followed: when the file is rotated,
 * its user is called with the new value.
 *
 * A value that cannot be used (an empty file, one that is written by half, a text that its user does not
 * understand) is passed over with a warning, and tried again; the old one stays in use.
 */
#ifndef JOBGATE_SECRET_H
#define JOBGATE_SECRET_H

#include "common/base/base.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/loop.h"

struct secret;

/* Takes a new value, which is wiped when this returns. Returns false when it cannot be used, with why in e
 * (never with the value in it). */
typedef bool secret_changed(void *arg, const char *value, struct error *e);

struct secret_user {
    secret_changed *on_change;
    void *arg;
    const char *component; /* for log lines; borrowed for ever */
    bool is_quiet;         /* logs nothing: another user of the same secret does */
};

/* Follows the SECRET `name` ("REDIS_URL"; borrowed for ever) of config, which is kept as a reference. Returns
 * NULL when it does not come from a file: then there is nothing to follow. on_change is never called from
 * inside this call, and only with what differs from the value before. Released with secret_free, not from
 * inside on_change. */
struct secret *secret_follow(
    struct loop *l, const struct config *config, const char *name, const struct secret_user *user);
struct secret *secret_free(struct secret *s); /* takes NULL; returns NULL */

#endif
