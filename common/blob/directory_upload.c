#include "common/blob/directory_priv.h"

#include <errno.h>
#include <unistd.h>

/* How long a full or missing disk is waited for before it is tried again. */
enum { AGAIN_MS = 1000 };

struct directory_upload {
    struct blob_upload base;
    struct directory_paths paths;
    int fd; /* of the temporary file; -1 before the first write */
    struct timer room;
    bool is_full;
    blob_put_done *done;
    void *done_arg;
    struct blob_content_head head;
    struct directory_writing *writing;
    struct timer committing;
    struct error error;
};

static struct directory_upload *upload_of(struct blob_upload *base)
{
    return (struct directory_upload *)base;
}

static void on_room_due(void *arg)
{
    struct directory_upload *u = arg;

    if (!u->is_full)
        return;
    u->is_full = false;
    if (u->base.on_room)
        u->base.on_room(u->base.arg);
}

static bool open_file(struct directory_upload *u, struct error *e)
{
    if (u->fd >= 0)
        return true;
    if (!directory_name_check(u->base.name, e))
        return false;
    u->fd = directory_create(&u->paths, e);
    return u->fd >= 0;
}

/* A disk that is full or away may come back; what is forbidden stays so. */
static size_t take_trouble(struct directory_upload *u, const struct error *e, size_t length)
{
    u->is_full = true;
    if (e->code == ERROR_STORE_AWAY) {
        timer_start(&u->room, AGAIN_MS);
        return 0;
    }
    u->base.failure = *e;
    timer_start(&u->room, 0);
    return length;
}

size_t directory_upload_write(struct blob_upload *base, const void *data, size_t length)
{
    struct directory_upload *u = upload_of(base);
    struct error e;
    ssize_t n;

    if (!open_file(u, &e))
        return take_trouble(u, &e, length);
    n = write(u->fd, data, length);
    if (n < 0 && errno != EINTR && !directory_fail(&e, "write", u->paths.temporary))
        return take_trouble(u, &e, length);
    if (n > 0)
        blob_upload_taken(base, data, (size_t)n);
    if (n < (ssize_t)length) {
        u->is_full = true;
        timer_start(&u->room, 0);
    }
    return n > 0 ? (size_t)n : 0;
}

static void on_written(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct directory_upload *u = arg;

    u->writing = NULL;
    u->done(u->done_arg, properties, e);
}

static void on_commit(void *arg)
{
    struct directory_upload *u = arg;

    if (u->base.failure.code) {
        u->done(u->done_arg, NULL, &u->base.failure);
    } else if (!blob_head_check(&u->head, &u->error) || !blob_upload_finish_md5(&u->base, &u->error) ||
               !open_file(u, &u->error)) {
        u->done(u->done_arg, NULL, &u->error);
    } else {
        u->writing = directory_writing_start(directory_of(u->base.store), &u->paths, u->fd, u->base.name,
            &u->head, u->base.size, u->base.md5, true, on_written, u);
    }
}

void directory_upload_commit(
    struct blob_upload *base, const struct blob_content_head *head, blob_put_done *done, void *arg)
{
    struct directory_upload *u = upload_of(base);

    assert(!u->writing);
    u->head = *head;
    u->done = done;
    u->done_arg = arg;
    u->is_full = false;
    timer_start(&u->committing, 0);
}

void directory_upload_cancel(struct blob_upload *base)
{
    struct directory_upload *u = upload_of(base);

    timer_stop(&u->room);
    timer_stop(&u->committing);
    if (u->writing)
        directory_writing_drop(u->writing);
    else if (u->fd >= 0)
        unlink(u->paths.temporary); /* gone already after a commit */
    if (u->fd >= 0)
        close(u->fd);
    blob_upload_free(base);
}

struct blob_upload *directory_open_upload(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg)
{
    struct directory_upload *u = blob_upload_new(s, name, on_room, arg, sizeof(*u));

    u->fd = -1;
    directory_paths_fill(&u->paths, directory_of(s)->root, u->base.name);
    timer_init(&u->room, directory_of(s)->loop, on_room_due, u);
    timer_init(&u->committing, directory_of(s)->loop, on_commit, u);
    return &u->base;
}
