/*
 * caller: who asks, and what that one may do. Plain data behind a count of references: an exchange keeps its
 * caller while keys are read anew. Pure.
 */
#ifndef JOBGATE_CALLER_H
#define JOBGATE_CALLER_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/queue/record.h"

/* What a route wants, and what callers have. SCOPE_ADMIN includes the other two, and jobs of every owner. A
 * route that wants SCOPE_PUBLIC asks nobody who he is. */
enum scope { SCOPE_SUBMIT = 1, SCOPE_READ = 2, SCOPE_ADMIN = 4, SCOPE_PUBLIC = 8 };

/* Names of queues or types; none at all allows every name. */
struct name_list {
    char (*names)[NAME_SIZE]; /* owned by the caller that holds the list */
    size_t count;
};

/* How many requests may come, each taking one token; 0 = without a limit. */
struct rate {
    int64_t burst;     /* tokens that may be there at once */
    int64_t period_ms; /* in which so many come again */
};

struct caller {
    int references;
    char name[OWNER_SIZE];  /* of the key, or of the application that has the token; for the log */
    char owner[OWNER_SIZE]; /* whose jobs these are; "" with AUTH=none */
    unsigned scopes;        /* of enum scope */
    struct name_list queues;
    struct name_list types;
    struct rate rate;
    int64_t expires_ms;    /* Unix time from which it is nobody any more; 0 = never */
    struct bucket *bucket; /* of the limiter; NULL until the first request, and without a rate */
};

/* Returns one with one reference and no scopes. */
struct caller *caller_new(const char *name, const char *owner);

struct caller *caller_keep(struct caller *c);    /* one reference more; returns c */
struct caller *caller_release(struct caller *c); /* one less; takes NULL; returns NULL */

/* Whether c may use a route that wants `scope`. Fails: FORBIDDEN, with the scope that is missing. */
bool caller_has_scope(const struct caller *c, enum scope scope, struct error *e) MUST_CHECK;

/* Whether c may use this queue, or this type. Fails: FORBIDDEN, with those that it may. */
bool caller_may_use_queue(const struct caller *c, const char *queue, struct error *e) MUST_CHECK;
bool caller_may_use_type(const struct caller *c, const char *type, struct error *e) MUST_CHECK;

/* Whether a job of `owner` in `queue` is there for c: its own ones are; to an admin all of the queues that it
 * may use. */
bool caller_may_see(const struct caller *c, const char *owner, const char *queue);

/* Adds a name; it is copied. */
void name_list_add(struct name_list *l, const char *name);

/* Whether text can be an owner: 1 to 64 of A-Z a-z 0-9 . _ - */
bool owner_is_valid(const char *text, size_t length);

/* The scopes of a text such as "submit,read" (commas or blanks between them). Fails: INVALID, with what would
 * be right. */
bool scopes_parse(const char *text, unsigned *scopes, struct error *e) MUST_CHECK;

/* Appends them with blanks between: "submit read". */
void scopes_write(unsigned scopes, struct buf *out);

#endif
