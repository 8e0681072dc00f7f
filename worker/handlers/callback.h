/*
 * callback: the handler of jobgate's own jobs that tell callers of the end of theirs.
 *
 * The payload is {"url": …, "event": …}, as worker/callbacks.c writes it. The event is POSTed as it stands,
 * signed as Standard Webhooks say, with the event's id as webhook-id. Any 2xx is a success; 410 means that
 * nobody wants to be told any more; anything else is tried again by the specification's own schedule, for
 * three days. Redirects are not followed, proxies not used, and no connection is made to an address that the
 * guard refuses.
 */
#ifndef JOBGATE_CALLBACK_H
#define JOBGATE_CALLBACK_H

#include "common/base/config.h"
#include "worker/handlers/handler.h"

struct callback_sender;

/* CALLBACK_SECRETS (followed, when they come from a file), CALLBACK_ALLOW and CALLBACK_INSECURE of config,
 * which is kept as a reference. Fails: INVALID, naming the setting. */
struct callback_sender *callback_sender_new(
    struct loop *loop, const struct config *config, struct error *e) MUST_CHECK;

/* Its handlers must have been given up, with no run left. Takes NULL; returns NULL. */
struct callback_sender *callback_sender_free(struct callback_sender *s);

/* The one handler of `type`, which sends through s. Returns handlers that handlers_free releases. */
struct handlers *callback_handlers(struct loop *loop, const char *type, struct callback_sender *s);

/* Whether CALLBACK_SECRETS and CALLBACK_ALLOW can be read. */
void callback_check(const struct config *config, struct buf *mistakes);

#endif
