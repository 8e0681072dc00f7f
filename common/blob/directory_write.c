#include "common/base/mem.h"
#include "common/blob/directory_priv.h"

#include <unistd.h>

struct directory_writing {
    struct helper_job job;
    struct helper *helper;
    struct directory_paths paths;
    int fd; /* of our own */
    char name[BLOB_NAME_SIZE];
    char content_type[BLOB_TYPE_SIZE];
    struct blob_meta meta[BLOB_META_MAX]; /* copies: who asked may leave while the helper works */
    struct blob_content_head head;
    int64_t size;
    char md5[BLOB_MD5_SIZE];
    directory_written *done;
    void *arg;
    bool is_kept;
    bool is_done;
    struct blob_properties properties;
    struct error error;
};

static void run(struct helper_job *job)
{
    struct directory_writing *w = (struct directory_writing *)job;

    w->is_done =
        directory_commit(&w->paths, w->fd, w->name, &w->head, w->size, w->md5, &w->properties, &w->error);
}

static void free_writing(struct directory_writing *w)
{
    for (size_t i = 0; i < w->head.meta_count; i++) {
        free((char *)w->meta[i].name);
        free((char *)w->meta[i].value);
    }
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

static void on_run(struct helper_job *job)
{
    struct directory_writing *w = (struct directory_writing *)job;
    bool is_known = w->is_done || w->error.code == ERROR_EXISTS;

    if (!is_known && !w->is_kept)
        unlink(w->paths.temporary);
    w->done(w->arg, is_known ? &w->properties : NULL, w->is_done ? NULL : &w->error);
    free_writing(w);
}

/* Dropped, it is not to leave its file behind. */
static void release(struct helper_job *job)
{
    struct directory_writing *w = (struct directory_writing *)job;

    unlink(w->paths.temporary);
    free_writing(w);
}

struct directory_writing *directory_writing_start(struct directory_store *s, const struct directory_paths *p,
    int fd, const char *name, const struct blob_content_head *head, int64_t size, const char *md5,
    bool is_kept, directory_written *done, void *arg)
{
    struct directory_writing *w = mem_zalloc(sizeof(*w));

    w->job = (struct helper_job){.run = run, .done = on_run, .release = release};
    w->helper = s->helper;
    w->paths = *p;
    w->fd = dup(fd);
    w->size = size;
    w->is_kept = is_kept;
    w->done = done;
    w->arg = arg;
    snprintf(w->name, sizeof(w->name), "%s", name);
    snprintf(w->content_type, sizeof(w->content_type), "%s", head->content_type);
    snprintf(w->md5, sizeof(w->md5), "%s", md5);
    w->head = (struct blob_content_head){w->content_type, w->meta, head->meta_count};
    for (size_t i = 0; i < head->meta_count; i++)
        w->meta[i] = (struct blob_meta){mem_strdup(head->meta[i].name), mem_strdup(head->meta[i].value)};
    helper_start(s->helper, &w->job);
    return w;
}

void directory_writing_drop(struct directory_writing *w)
{
    helper_drop(w->helper, &w->job);
}
