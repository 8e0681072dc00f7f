/*
 * depot: a blob store in the test's own process, one blocking call at a time. What it writes has another byte
 * at each place, so that a block in the wrong place shows.
 */
#ifndef JOBGATE_TESTS_DEPOT_H
#define JOBGATE_TESTS_DEPOT_H

#include "common/blob/blob.h"

struct depot;

/* Opens the store that the settings name ("NAME=value", NULL behind the last), and makes its container.
 * Returns a depot that depot_free releases. What goes wrong fails the test. */
struct depot *depot_open(const char *const *settings);
struct depot *depot_new(const char *const *settings); /* the same without looking at the store */
struct depot *depot_free(struct depot *d);            /* takes NULL; returns NULL */

struct blob_store *depot_store(struct depot *d);
struct loop *depot_loop(struct depot *d);

/* How a call ended. */
struct depot_end {
    struct error error; /* ERROR_OK: well */
    struct blob_properties properties;
    int64_t length; /* of what was read */
    bool is_right;  /* what was read is what would have been written */
};

/* Fills out with the content from offset on. */
void depot_fill(void *out, int64_t offset, size_t length);

/* Writes so many bytes as a blob of the job default.0.X and the attempt: in one piece, or as an upload, which
 * is committed again until the store takes it or refuses it. */
void depot_put(struct depot *d, const char *name, int64_t length, const char *attempt, struct depot_end *end);
void depot_upload(
    struct depot *d, const char *name, int64_t length, const char *attempt, struct depot_end *end);

void depot_read(struct depot *d, const char *name, struct depot_end *end);

/* Gives a link (free()). */
char *depot_link(struct depot *d, const char *name);

#endif
