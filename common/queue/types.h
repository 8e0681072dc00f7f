/*
 * types: what workers say they serve, as Redis keeps it and as the api reads it.
 *
 * One sorted set for all queues, jobgate:types: each member is a text that some worker published, scored by
 * the second in which that was done last. Workers with the same handlers and queues publish the same text, so
 * there are as many texts as there are kinds of workers:
 *
 *     {"queues":["default"],"types":{"wordcount":{"kind":"command","timeout_s":300,…},…}}
 *
 * A type is known for a week after a worker served it last, so that workers may all be away (scaled to none)
 * without a submission being refused.
 */
#ifndef JOBGATE_TYPES_H
#define JOBGATE_TYPES_H

#include <jansson.h>

#include "common/queue/queue.h"

enum { TYPES_REMEMBERED_S = 7 * 86400, TYPES_TEXTS_MAX = 64, TYPES_TEXT_MAX = 4 << 20 };

/* What is known of a type: what the worker said that published it last. */
struct known_type {
    const char *name;
    const json_t *info;   /* an object: kind, content_type, timeout_s, max_attempts, retention_s, … */
    const json_t *queues; /* an array of names: all queues with workers that serve it */
    int64_t seen_ms;      /* Unix time of the last publication; 0 = unknown */
};

/* All types. Plain data behind a pointer; nobody changes it. */
struct type_table;

/* A text as it was published, and when. */
struct published_types {
    const char *text;
    size_t length;
    int64_t seen_ms;
};

/* Reads texts; what is malformed in one is left out. Returns a table that type_table_free releases. */
struct type_table *type_table_new(const struct published_types *texts, size_t count);
struct type_table *type_table_free(struct type_table *t); /* takes NULL; returns NULL */

size_t type_table_count(const struct type_table *t);

/* The i-th in alphabetical order. Valid as long as the table. */
struct known_type type_table_at(const struct type_table *t, size_t i);

/* Returns false when no worker said that it serves this type. */
bool type_table_find(const struct type_table *t, const char *name, struct known_type *out);

/* Whether workers of this queue serve it. */
bool known_type_is_served_in(const struct known_type *type, const char *queue);

/* A whole number of its info; preset when there is none. */
int64_t known_type_int(const struct known_type *type, const char *name, int64_t preset);

/* e alone tells whether it worked. */
typedef void types_published(void *arg, const struct error *e);
bool queue_publish_types(struct queue *q, const char *text, size_t length, types_published *done, void *arg,
    struct error *e) MUST_CHECK;

/* texts is valid inside the callback only; NULL with an e. */
typedef void types_read(void *arg, const struct published_types *texts, size_t count, const struct error *e);
bool queue_read_types(struct queue *q, types_read *done, void *arg, struct error *e) MUST_CHECK;

#endif
