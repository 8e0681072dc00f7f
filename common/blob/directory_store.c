#include "common/base/mem.h"
#include "common/blob/directory_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Files are opened, read and written in the loop, which the page cache mostly answers; what waits for the
 * disk (a commit syncs) or walks folders is done by the store's helper. This store is for one machine and for
 * trying things out.
 */
enum { PIECE_SIZE = 65536 };

enum op_kind { OP_PUT, OP_HEAD, OP_GET, OP_DELETE, OP_TIER, OP_LINK, OP_CHECK };

struct directory_op {
    struct blob_op base;
    struct directory_store *store;
    enum op_kind kind;
    char name[BLOB_NAME_SIZE];
    struct blob_content content;
    struct directory_writing *writing; /* of a put */
    blob_put_done *put_done;
    blob_check_done *check_done;
    blob_link_done *link_done;
    struct blob_reader reader;
    void *arg;
    struct timer timer; /* each step is taken in a turn of the loop of its own */
    int fd;             /* what a get or head reads; -1 before its first step */
    char *piece;        /* what a get has read and not yet handed over */
    size_t piece_length;
    struct blob_range range;
    char etag[BLOB_ETAG_SIZE];
    int64_t left; /* bytes of a get still to be read */
};

static struct directory_paths paths_of(const struct directory_op *op)
{
    struct directory_paths p;

    directory_paths_fill(&p, op->store->root, op->name);
    return p;
}

static void free_op(struct directory_op *op)
{
    timer_stop(&op->timer);
    if (op->fd >= 0)
        close(op->fd);
    free(op->piece);
    blob_op_free(&op->base);
}

static void on_written(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct directory_op *op = arg;

    op->put_done(op->arg, properties, e);
    free_op(op);
}

static bool begin_writing(struct directory_op *op, struct error *e)
{
    struct directory_paths p = paths_of(op);
    struct blob_content_head head = blob_content_head_of(&op->content);
    char md5[BLOB_MD5_SIZE];

    if (!directory_name_check(op->name, e) || !blob_head_check(&head, e) ||
        !blob_md5(op->content.data, op->content.length, md5, e))
        return false;
    op->fd = directory_create(&p, e);
    if (op->fd < 0)
        return false;
    if (!directory_write(op->fd, op->content.data, op->content.length, p.temporary, e)) {
        unlink(p.temporary);
        return false;
    }
    op->writing = directory_writing_start(
        op->store, &p, op->fd, op->name, &head, (int64_t)op->content.length, md5, false, on_written, op);
    return true;
}

static void run_put(struct directory_op *op)
{
    struct error e;

    if (begin_writing(op, &e))
        return;
    op->put_done(op->arg, NULL, &e);
    free_op(op);
}

static bool open_blob(struct directory_op *op, struct blob_properties *properties, struct error *e)
{
    struct directory_paths p = paths_of(op);
    struct stat status;

    *properties = (struct blob_properties){0};
    if (!directory_name_check(op->name, e))
        return false;
    op->fd = open(p.blob, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (op->fd < 0 && errno == ENOENT && access(op->store->root, F_OK) == 0)
        return error_set(e, ERROR_NOT_FOUND, "there is no blob %s", op->name);
    if (op->fd < 0 || fstat(op->fd, &status) < 0)
        return directory_fail(e, "read", p.blob);
    if (!S_ISREG(status.st_mode))
        return error_set(e, ERROR_NOT_FOUND, "%s is a directory or device, not a blob", op->name);
    directory_read_properties(p.properties, properties);
    directory_read_status(&status, properties);
    return true;
}

static void run_head(struct directory_op *op)
{
    struct blob_properties properties;
    struct error e;
    bool is_there = open_blob(op, &properties, &e);

    op->put_done(op->arg, is_there ? &properties : NULL, is_there ? NULL : &e);
    free_op(op);
}

static void finish_get(struct directory_op *op, const struct error *e)
{
    op->reader.on_done(op->arg, e);
    free_op(op);
}

/* Goes to where the range begins. */
static bool seek_range(struct directory_op *op, const struct blob_properties *p, struct error *e)
{
    const struct blob_range *r = &op->range;

    if (*op->etag && strcmp(op->etag, p->etag) != 0)
        return error_set(e, ERROR_CHANGED, "%.200s is no longer the one that was asked for", op->name);
    if (r->offset > 0 && r->offset >= p->size)
        return error_set(e, ERROR_BAD_RANGE, "%.200s has %lld bytes, and was asked for those from %lld on",
            op->name, (long long)p->size, (long long)r->offset);
    op->left = p->size - r->offset;
    if (r->length >= 0 && r->length < op->left)
        op->left = r->length;
    if (lseek(op->fd, r->offset, SEEK_SET) < 0)
        return directory_fail(e, "read", op->name);
    return true;
}

static bool read_piece(struct directory_op *op, struct error *e)
{
    ssize_t n = read(op->fd, op->piece, PIECE_SIZE < op->left ? PIECE_SIZE : (size_t)op->left);

    if (n < 0)
        return directory_fail(e, "read", op->name);
    if (n == 0)
        return error_set(e, ERROR_STORE_AWAY, "%s became shorter while it was read", op->name);
    op->piece_length = (size_t)n;
    op->left -= n;
    return true;
}

/* One piece a turn, so that a large blob holds nobody up. */
static void run_get(struct directory_op *op)
{
    struct blob_properties properties;
    struct error e;

    if (op->fd < 0) {
        if (!open_blob(op, &properties, &e) || !seek_range(op, &properties, &e)) {
            finish_get(op, &e);
            return;
        }
        op->piece = mem_alloc(PIECE_SIZE);
        op->reader.on_head(op->arg, &properties);
    } else if (op->piece_length == 0 && op->left == 0) {
        finish_get(op, NULL);
        return;
    } else if (op->piece_length == 0 && !read_piece(op, &e)) {
        finish_get(op, &e);
        return;
    } else if (!op->reader.on_data(op->arg, op->piece, op->piece_length)) {
        return; /* until blob_resume */
    } else {
        op->piece_length = 0;
    }
    timer_start(&op->timer, 0);
}

static void run_delete(struct directory_op *op)
{
    struct directory_paths p = paths_of(op);
    struct error e;
    bool is_done = directory_name_check(op->name, &e);

    if (is_done && unlink(p.blob) < 0 && errno != ENOENT)
        is_done = directory_fail(&e, "remove", p.blob);
    if (is_done && unlink(p.properties) < 0 && errno != ENOENT)
        is_done = directory_fail(&e, "remove", p.properties);
    op->check_done(op->arg, is_done ? NULL : &e);
    free_op(op);
}

/* There is one tier. */
static void run_tier(struct directory_op *op)
{
    struct blob_properties properties;
    struct error e;
    bool is_there = open_blob(op, &properties, &e);

    op->check_done(op->arg, is_there ? NULL : &e);
    free_op(op);
}

static void run_link(struct directory_op *op)
{
    struct error e;

    error_set(&e, ERROR_INVALID, "a directory gives no links");
    op->link_done(op->arg, NULL, &e);
    free_op(op);
}

static void run_check(struct directory_op *op)
{
    const char *root = op->store->root;
    struct error e;
    bool is_usable = access(root, F_OK) == 0 || directory_make_root(root, &e);

    if (is_usable && faccessat(AT_FDCWD, root, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
        is_usable = directory_fail(&e, "use the directory", root);
    op->check_done(op->arg, is_usable ? NULL : &e);
    free_op(op);
}

static void on_turn(void *arg)
{
    static void (*const run[])(struct directory_op *) = {[OP_PUT] = run_put,
        [OP_HEAD] = run_head,
        [OP_GET] = run_get,
        [OP_DELETE] = run_delete,
        [OP_TIER] = run_tier,
        [OP_LINK] = run_link,
        [OP_CHECK] = run_check};
    struct directory_op *op = arg;

    run[op->kind](op);
}

static void cancel(struct blob_op *base)
{
    struct directory_op *op = (struct directory_op *)base;

    if (op->writing)
        directory_writing_drop(op->writing);
    free_op(op);
}

static void resume(struct blob_op *base)
{
    struct directory_op *op = (struct directory_op *)base;

    if (!timer_is_running(&op->timer))
        timer_start(&op->timer, 0);
}

static const struct blob_op_kind op_kind = {cancel, resume};

static struct directory_op *new_op(struct blob_store *s, enum op_kind kind, const char *name, void *arg)
{
    struct directory_op *op = blob_op_new(s, &op_kind, sizeof(*op));

    op->store = directory_of(s);
    op->kind = kind;
    op->arg = arg;
    op->fd = -1;
    snprintf(op->name, sizeof(op->name), "%s", name);
    timer_init(&op->timer, op->store->loop, on_turn, op);
    timer_start(&op->timer, 0);
    return op;
}

static struct blob_op *put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_PUT, name, arg);

    op->content = *content;
    op->put_done = done;
    return &op->base;
}

static struct blob_op *head(struct blob_store *s, const char *name, blob_put_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_HEAD, name, arg);

    op->put_done = done;
    return &op->base;
}

static struct blob_op *get(struct blob_store *s, const char *name, const struct blob_range *range,
    const struct blob_reader *reader, void *arg)
{
    struct directory_op *op = new_op(s, OP_GET, name, arg);

    op->reader = *reader;
    op->range = range ? *range : (struct blob_range){.length = -1};
    snprintf(op->etag, sizeof(op->etag), "%s", op->range.etag ? op->range.etag : "");
    return &op->base;
}

static bool can_link(const struct blob_store *UNUSED(s))
{
    return false;
}

static struct blob_op *make_link(
    struct blob_store *s, const char *name, int64_t UNUSED(seconds), blob_link_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_LINK, name, arg);

    op->link_done = done;
    return &op->base;
}

static struct blob_op *delete (struct blob_store *s, const char *name, blob_check_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_DELETE, name, arg);

    op->check_done = done;
    return &op->base;
}

static struct blob_op *set_tier(
    struct blob_store *s, const char *name, const char *UNUSED(tier), blob_check_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_TIER, name, arg);

    op->check_done = done;
    return &op->base;
}

static struct blob_op *check(struct blob_store *s, blob_check_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_CHECK, "", arg);

    op->check_done = done;
    return &op->base;
}

static void write_url(const struct blob_store *base, const char *name, char *out, size_t size)
{
    const struct directory_store *s = (const struct directory_store *)base;

    snprintf(out, size, "file://%s/%s", strcmp(s->root, "/") == 0 ? "" : s->root, name);
}

static void free_store(struct blob_store *base)
{
    struct directory_store *s = directory_of(base);

    helper_free(s->helper);
    free(s);
}

static const struct blob_store_kind directory_kind = {
    .free = free_store,
    .url = write_url,
    .put = put,
    .head = head,
    .get = get,
    .list = directory_list,
    .can_link = can_link,
    .link = make_link,
    .delete = delete,
    .set_tier = set_tier,
    .check = check,
    .open_upload = directory_open_upload,
    .write = directory_upload_write,
    .commit = directory_upload_commit,
    .cancel_upload = directory_upload_cancel,
};

struct blob_store *directory_store_open(struct loop *loop, const char *path)
{
    struct directory_store *s = mem_zalloc(sizeof(*s));

    s->base.kind = &directory_kind;
    s->loop = loop;
    s->helper = helper_new(loop);
    snprintf(s->root, sizeof(s->root), "%s", path);
    return &s->base;
}
