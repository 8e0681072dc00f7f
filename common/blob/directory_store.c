#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/blob/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A blob is a plain file, and what is known of it stands in `<name>.properties` beside it. A blob is written
 * to a temporary file and then linked to its name: link(2) fails when the name is taken, so the first writer
 * wins. Files are written in the loop, with fsync: this store is for one machine and for trying things out.
 */
enum {
    ROOT_SIZE = 2048,
    PATH_SIZE = 4096,
    PIECE_SIZE = 65536,
    PROPERTIES_MAX = 65536,
    DIRECTORY_MODE = 0750,
    FILE_MODE = 0640
};

#define PROPERTIES_SUFFIX ".properties"

enum op_kind { OP_PUT, OP_HEAD, OP_GET, OP_DELETE, OP_CHECK };

struct directory_store {
    struct blob_store base;
    struct loop *loop;
    char root[ROOT_SIZE];
    LIST_HEAD(directory_ops, directory_op) ops;
};

struct directory_op {
    struct blob_op base;
    struct directory_store *store;
    enum op_kind kind;
    char name[BLOB_NAME_SIZE];
    struct blob_content content;
    blob_put_done *put_done;
    blob_check_done *check_done;
    struct blob_reader reader;
    void *arg;
    struct timer timer; /* each step is taken in a turn of the loop of its own */
    int fd;             /* what a get or head reads; -1 before its first step */
    char *piece;        /* what a get has read and not yet handed over */
    size_t piece_length;
    int64_t left; /* bytes of a get still to be read */
    LIST_ENTRY(directory_op) link;
};

/* A blob's files. */
struct paths {
    char blob[PATH_SIZE];
    char properties[PATH_SIZE];
    char folder[PATH_SIZE];
    char temporary[PATH_SIZE];
};

static const struct blob_store_kind directory_kind;

/* Says what the system said; trouble that passes by itself or by an operator who makes room is STORE_AWAY. */
static bool fail(struct error *e, const char *verb, const char *path)
{
    int number = errno;
    bool is_lasting = number == EACCES || number == EPERM || number == EROFS || number == ENAMETOOLONG ||
                      number == ELOOP || number == ENOTDIR || number == EISDIR;

    return error_set(e, is_lasting ? ERROR_STORE_REFUSED : ERROR_STORE_AWAY, "cannot %s %.160s: %s", verb,
        path, strerror(number));
}

static struct paths paths_of(const struct directory_op *op)
{
    struct paths p;
    const char *slash = strrchr(op->name, '/');
    int folder_length = slash ? (int)(slash - op->name) : 0;
    const char *root = strcmp(op->store->root, "/") == 0 ? "" : op->store->root;
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) < 0)
        random = (uint64_t)getpid();
    snprintf(p.blob, sizeof(p.blob), "%s/%s", root, op->name);
    snprintf(p.properties, sizeof(p.properties), "%s/%s" PROPERTIES_SUFFIX, root, op->name);
    snprintf(p.folder, sizeof(p.folder), "%s/%.*s", root, folder_length, op->name);
    snprintf(p.temporary, sizeof(p.temporary), "%s/%.*s%s.%016llx.part", root, folder_length, op->name,
        folder_length ? "/" : "", (unsigned long long)random);
    return p;
}

/* Makes the directory's entries last. */
static bool sync_directory(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (!is_synced)
        fail(e, "sync", path);
    if (fd >= 0)
        close(fd);
    return is_synced;
}

static bool make_one_directory(char *path, struct error *e)
{
    char *slash = strrchr(path, '/');
    bool is_synced;

    if (mkdir(path, DIRECTORY_MODE) < 0)
        return errno == EEXIST || fail(e, "make the directory", path);
    *slash = '\0';
    is_synced = sync_directory(slash == path ? "/" : path, e);
    *slash = '/';
    return is_synced;
}

/* Makes what is missing of path behind its first `start` bytes. */
static bool make_directories(char *path, size_t start, struct error *e)
{
    bool is_made = true;

    for (char *at = strchr(path + start + 1, '/'); at && is_made; at = strchr(at + 1, '/')) {
        *at = '\0';
        is_made = make_one_directory(path, e);
        *at = '/';
    }
    return is_made && make_one_directory(path, e);
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

/* Writes a new file that lasts; on failure none is left. */
static bool write_file(const char *path, const void *data, size_t length, struct error *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    bool is_written = fd >= 0 && write_all(fd, data, length) && fsync(fd) == 0;

    if (!is_written)
        fail(e, "write", path);
    if (fd >= 0 && close(fd) < 0 && is_written)
        is_written = fail(e, "write", path);
    if (!is_written && fd >= 0)
        unlink(path);
    return is_written;
}

/* Appends a whole file of at most `out`'s ceiling. False, with errno set, when it cannot be read. */
static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = 1;

    while (fd >= 0 && n > 0) {
        char piece[4096];

        n = read(fd, piece, sizeof(piece));
        if (n > 0 && !buf_append(out, piece, (size_t)n)) {
            errno = EFBIG;
            n = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && n == 0;
}

static void format_properties(const struct blob_content *content, const char *md5, struct buf *out)
{
    buf_append_text(out, "{\"content_type\":");
    json_write_string(out, content->content_type, strlen(content->content_type));
    json_write_member(out, "md5", md5);
    buf_append_text(out, ",\"meta\":{");
    for (size_t i = 0; i < content->meta_count; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", content->meta[i].name);
        json_write_string(out, content->meta[i].value, strlen(content->meta[i].value));
    }
    buf_append_text(out, "}}\n");
}

static bool write_properties(
    const struct paths *p, const struct blob_content *content, const char *md5, struct error *e)
{
    AUTO_BUF struct buf text = BUF(PROPERTIES_MAX);

    format_properties(content, md5, &text);
    if (buf_is_overflown(&text))
        return error_set(
            e, ERROR_INVALID, "the metadata of %.100s is larger than %d bytes", p->blob, PROPERTIES_MAX);
    if (!write_file(p->temporary, text.data, text.length, e))
        return false;
    if (rename(p->temporary, p->properties) < 0) {
        fail(e, "write", p->properties);
        unlink(p->temporary);
        return false;
    }
    return sync_directory(p->folder, e);
}

/* Fills out but for the size. Returns false when the properties are missing or damaged; out then says what is
 * so of any file. */
static bool read_properties(const struct paths *p, struct blob_properties *out)
{
    AUTO_BUF struct buf text = BUF(PROPERTIES_MAX);
    const json_t *meta;
    struct error e;

    blob_property_set(out->content_type, sizeof(out->content_type), "application/octet-stream");
    if (!read_file(p->properties, &text))
        return false;
    AUTO(json) json_t *doc = json_parse(text.data, text.length, &e);
    const char *type = json_string_value(json_object_get(doc, "content_type"));

    if (!type)
        return false;
    meta = json_object_get(doc, "meta");
    blob_property_set(out->content_type, sizeof(out->content_type), type);
    blob_property_set(out->md5, sizeof(out->md5), json_string_value(json_object_get(doc, "md5")));
    blob_property_set(out->job_id, sizeof(out->job_id), json_string_value(json_object_get(meta, "jobid")));
    out->attempt = blob_attempt_parse(json_string_value(json_object_get(meta, "attempt")));
    return true;
}

/* Whether the file at path holds exactly the content. */
static bool holds(const char *path, const struct blob_content *content)
{
    AUTO_BUF struct buf data = BUF(content->length);

    return read_file(path, &data) && data.length == content->length &&
           (content->length == 0 || memcmp(data.data, content->data, content->length) == 0);
}

/* The name was taken. Whoever took it and died before the properties were written left a blob of nobody: if
 * it holds the same bytes, it is the same result. Fails: EXISTS, with properties filled. */
static bool recognise(const struct directory_op *op, const struct paths *p, const char *md5,
    struct blob_properties *properties, struct error *e)
{
    struct stat status;
    bool is_known;

    *properties = (struct blob_properties){0};
    if (stat(p->blob, &status) < 0)
        return fail(e, "read", p->blob);
    properties->size = status.st_size;
    is_known = read_properties(p, properties);
    if (is_known && blob_content_is_own(&op->content, properties))
        return true;
    if (!is_known && holds(p->blob, &op->content)) {
        blob_content_properties(&op->content, md5, properties);
        return write_properties(p, &op->content, md5, e);
    }
    return error_set(e, ERROR_EXISTS, "%.160s exists already, written by %.80s", op->name,
        *properties->job_id ? properties->job_id : "somebody else");
}

static bool store(
    const struct directory_op *op, const char *md5, struct blob_properties *properties, struct error *e)
{
    size_t root_length = strcmp(op->store->root, "/") == 0 ? 0 : strlen(op->store->root);
    struct paths p = paths_of(op);
    bool is_taken;

    if (access(op->store->root, F_OK) < 0)
        return fail(e, "find", op->store->root);
    if (strlen(p.folder) > root_length + 1 && !make_directories(p.folder, root_length, e))
        return false;
    if (!write_file(p.temporary, op->content.data, op->content.length, e))
        return false;
    is_taken = link(p.temporary, p.blob) < 0;
    if (is_taken && errno != EEXIST) {
        fail(e, "write", p.blob);
        unlink(p.temporary);
        return false;
    }
    unlink(p.temporary);
    if (is_taken)
        return recognise(op, &p, md5, properties, e);
    blob_content_properties(&op->content, md5, properties);
    return write_properties(&p, &op->content, md5, e);
}

static void release_op(struct directory_op *op)
{
    timer_stop(&op->timer);
    if (op->fd >= 0)
        close(op->fd);
    free(op->piece);
    free(op);
}

static void free_op(struct directory_op *op)
{
    LIST_REMOVE(op, link);
    release_op(op);
}

static bool check_name(const char *name, struct error *e)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(PROPERTIES_SUFFIX);
    bool is_properties =
        length >= suffix_length && strcmp(name + length - suffix_length, PROPERTIES_SUFFIX) == 0;

    if (blob_name_is_valid(name) && !is_properties)
        return true;
    return error_set(e, ERROR_INVALID, "\"%.100s\" is not the name of a blob", name);
}

static void run_put(struct directory_op *op)
{
    struct blob_properties properties;
    char md5[BLOB_MD5_SIZE];
    struct error e;
    bool is_done = check_name(op->name, &e) && blob_content_check(&op->content, &e) &&
                   blob_md5(op->content.data, op->content.length, md5, &e) && store(op, md5, &properties, &e);
    bool is_known = is_done || e.code == ERROR_EXISTS;

    op->put_done(op->arg, is_known ? &properties : NULL, is_done ? NULL : &e);
    free_op(op);
}

static bool open_blob(struct directory_op *op, struct blob_properties *properties, struct error *e)
{
    struct paths p = paths_of(op);
    struct stat status;

    *properties = (struct blob_properties){0};
    if (!check_name(op->name, e))
        return false;
    op->fd = open(p.blob, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (op->fd < 0 && errno == ENOENT && access(op->store->root, F_OK) == 0)
        return error_set(e, ERROR_NOT_FOUND, "there is no blob %s", op->name);
    if (op->fd < 0 || fstat(op->fd, &status) < 0)
        return fail(e, "read", p.blob);
    if (!S_ISREG(status.st_mode))
        return error_set(e, ERROR_NOT_FOUND, "%s is a directory or device, not a blob", op->name);
    read_properties(&p, properties);
    properties->size = op->left = status.st_size;
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

static bool read_piece(struct directory_op *op, struct error *e)
{
    ssize_t n = read(op->fd, op->piece, PIECE_SIZE < op->left ? PIECE_SIZE : (size_t)op->left);

    if (n < 0)
        return fail(e, "read", op->name);
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
        if (!open_blob(op, &properties, &e)) {
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
    struct paths p = paths_of(op);
    struct error e;
    bool is_done = check_name(op->name, &e);

    if (is_done && unlink(p.blob) < 0 && errno != ENOENT)
        is_done = fail(&e, "remove", p.blob);
    if (is_done && unlink(p.properties) < 0 && errno != ENOENT)
        is_done = fail(&e, "remove", p.properties);
    op->check_done(op->arg, is_done ? NULL : &e);
    free_op(op);
}

static void run_check(struct directory_op *op)
{
    char path[ROOT_SIZE];
    struct error e;
    bool is_usable;

    snprintf(path, sizeof(path), "%s", op->store->root);
    is_usable = access(path, F_OK) == 0 || make_directories(path, 0, &e);
    if (is_usable && faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
        is_usable = fail(&e, "use the directory", path);
    op->check_done(op->arg, is_usable ? NULL : &e);
    free_op(op);
}

static void on_turn(void *arg)
{
    static void (*const run[])(struct directory_op *) = {[OP_PUT] = run_put,
        [OP_HEAD] = run_head,
        [OP_GET] = run_get,
        [OP_DELETE] = run_delete,
        [OP_CHECK] = run_check};
    struct directory_op *op = arg;

    run[op->kind](op);
}

static struct directory_op *new_op(struct blob_store *base, enum op_kind kind, const char *name, void *arg)
{
    struct directory_store *s = (struct directory_store *)base;
    struct directory_op *op = mem_zalloc(sizeof(*op));

    op->base.kind = &directory_kind;
    op->store = s;
    op->kind = kind;
    op->arg = arg;
    op->fd = -1;
    snprintf(op->name, sizeof(op->name), "%s", name);
    LIST_INSERT_HEAD(&s->ops, op, link);
    timer_init(&op->timer, s->loop, on_turn, op);
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

static struct blob_op *get(
    struct blob_store *s, const char *name, const struct blob_reader *reader, void *arg)
{
    struct directory_op *op = new_op(s, OP_GET, name, arg);

    op->reader = *reader;
    return &op->base;
}

static struct blob_op *delete (struct blob_store *s, const char *name, blob_check_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_DELETE, name, arg);

    op->check_done = done;
    return &op->base;
}

static struct blob_op *check(struct blob_store *s, blob_check_done *done, void *arg)
{
    struct directory_op *op = new_op(s, OP_CHECK, "", arg);

    op->check_done = done;
    return &op->base;
}

static void resume(struct blob_op *base)
{
    struct directory_op *op = (struct directory_op *)base;

    if (!timer_is_running(&op->timer))
        timer_start(&op->timer, 0);
}

static void cancel(struct blob_op *base)
{
    free_op((struct directory_op *)base);
}

static void write_url(const struct blob_store *base, const char *name, char *out, size_t size)
{
    const struct directory_store *s = (const struct directory_store *)base;

    snprintf(out, size, "file://%s/%s", strcmp(s->root, "/") == 0 ? "" : s->root, name);
}

static void free_store(struct blob_store *base)
{
    struct directory_store *s = (struct directory_store *)base;

    for (struct directory_op *op = LIST_FIRST(&s->ops), *next; op; op = next) {
        next = LIST_NEXT(op, link);
        release_op(op);
    }
    free(s);
}

static const struct blob_store_kind directory_kind = {
    free_store, write_url, put, head, get, delete, check, resume, cancel};

struct blob_store *directory_store_open(struct loop *loop, const char *path)
{
    struct directory_store *s = mem_zalloc(sizeof(*s));

    s->base.kind = &directory_kind;
    s->loop = loop;
    snprintf(s->root, sizeof(s->root), "%s", path);
    LIST_INIT(&s->ops);
    return &s->base;
}
