/*
 * directory_files: a blob as files of a directory. Private to the directory store.
 *
 * A blob is a plain file, and what is known of it stands in `<name>.properties` beside it. A blob is written
 * to a temporary file (`<name>.<random>.part`) and then linked to its name: link(2) fails when the name is
 * taken, so the first writer wins. Functions return false with e: STORE_AWAY for trouble that passes by
 * itself or by an operator who makes room, STORE_REFUSED for what lasts, else as said.
 */
#ifndef JOBGATE_BLOB_DIRECTORY_FILES_H
#define JOBGATE_BLOB_DIRECTORY_FILES_H

#include "common/blob/store.h"

enum { DIRECTORY_ROOT_SIZE = 2048, DIRECTORY_PATH_SIZE = 4096 };

#define DIRECTORY_PROPERTIES ".properties"
#define DIRECTORY_PART ".part"

/* A blob's files. */
struct directory_paths {
    char root[DIRECTORY_ROOT_SIZE]; /* "" of the file system's */
    char blob[DIRECTORY_PATH_SIZE];
    char properties[DIRECTORY_PATH_SIZE];
    char folder[DIRECTORY_PATH_SIZE];
    char temporary[DIRECTORY_PATH_SIZE]; /* another one in each struct */
};

void directory_paths_fill(struct directory_paths *p, const char *root, const char *name);

/* Fails: INVALID, for what is not the name of a blob. */
bool directory_name_check(const char *name, struct error *e) MUST_CHECK;

/* Says what the system said (errno) of `verb` and path. Returns false. */
bool directory_fail(struct error *e, const char *verb, const char *path);

/* Makes the root, and what leads to it. */
bool directory_make_root(const char *root, struct error *e) MUST_CHECK;

/* Creates the temporary file and the folder that it lies in; not the root, which is there or away. Returns
 * its descriptor, -1 on failure. */
int directory_create(const struct directory_paths *p, struct error *e) MUST_CHECK;

bool directory_write(int fd, const void *data, size_t length, const char *path, struct error *e) MUST_CHECK;

/* Makes the temporary file, whose descriptor is fd, the blob, and removes it. Both last when this returns.
 * Fails too: EXISTS, with properties filled, when another's blob is there. */
bool directory_commit(const struct directory_paths *p, int fd, const char *name,
    const struct blob_content_head *head, int64_t size, const char *md5, struct blob_properties *properties,
    struct error *e) MUST_CHECK;

/* Fills out, but for the size and the time. Without readable properties out says what is so of any file. */
bool directory_read_properties(const char *path, struct blob_properties *out);

/* Fills what the file's status says: size, time, etag. */
struct stat;
void directory_read_status(const struct stat *status, struct blob_properties *out);

#endif
