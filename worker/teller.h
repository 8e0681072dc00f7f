/*
 * teller: tells Redis how far a running job is, a few times a second at the most: of what comes faster the
 * last counts.
 */
#ifndef JOBGATE_TELLER_H
#define JOBGATE_TELLER_H

#include "worker/consumer.h"

struct teller;

struct teller *teller_new(const struct consumer *c, const struct job *job); /* borrows */

/* fraction: 0 to 1, negative = not said. message is copied; "" = none. */
void teller_tell(struct teller *t, double fraction, const char *message);

/* The job is no longer running: nothing is to be left of it. */
void teller_forget(struct teller *t); /* takes NULL */

struct teller *teller_free(struct teller *t); /* takes NULL; returns NULL */

#endif
