/*
 * directory_priv: what the parts of the directory store know of each other. Private to common/blob.
 */
#ifndef JOBGATE_BLOB_DIRECTORY_PRIV_H
#define JOBGATE_BLOB_DIRECTORY_PRIV_H

#include "common/blob/directory_files.h"
#include "common/blob/helper.h"

struct directory_store {
    struct blob_store base;
    struct loop *loop;
    struct helper *helper;
    char root[DIRECTORY_ROOT_SIZE];
};

static inline struct directory_store *directory_of(struct blob_store *s)
{
    return (struct directory_store *)s;
}

/* directory_write: makes a temporary file a blob, in the helper. All that is given is copied (fd:
 * duplicated). After a failure other than EXISTS the file is still there, for another try. One that is
 * dropped removes the file, and may yet have made the blob. */
struct directory_writing;
typedef void directory_written(void *arg, const struct blob_properties *properties, const struct error *e);
struct directory_writing *directory_writing_start(struct directory_store *s, const struct directory_paths *p,
    int fd, const char *name, const struct blob_content_head *head, int64_t size, const char *md5,
    bool is_kept, directory_written *done, void *arg);
void directory_writing_drop(struct directory_writing *w);

/* The operations of blob.h that have a file of their own. */
struct blob_op *directory_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg);
struct blob_upload *directory_open_upload(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg);
size_t directory_upload_write(struct blob_upload *u, const void *data, size_t length);
void directory_upload_commit(
    struct blob_upload *u, const struct blob_content_head *head, blob_put_done *done, void *arg);
void directory_upload_cancel(struct blob_upload *u);

#endif
