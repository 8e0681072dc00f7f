/*
 * settler: gathers the attempts of one queue shard that end within a turn of the loop, and settles them with
 * one script. What Redis did not answer is sent again when it is back: settling twice does no harm.
 */
#ifndef JOBGATE_SETTLER_H
#define JOBGATE_SETTLER_H

#include "worker/attempt.h"

struct settler *settler_new(struct consumer *c); /* borrows */
struct settler *settler_free(struct settler *s); /* takes NULL; returns NULL */

/* Settles a; attempt_on_settled is called with the verdict, later. */
void settler_add(struct settler *s, struct attempt *a);

/* Redis is back: sends what waits. */
void settler_resume(struct settler *s);

/* Forgets all attempts; answers under way tell nobody. */
void settler_abandon(struct settler *s);

#endif
