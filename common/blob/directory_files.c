#include "common/blob/directory_files.h"
#include "common/base/buf.h"
#include "common/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROPERTIES_MAX = 65536, DIRECTORY_MODE = 0750, FILE_MODE = 0640 };

bool directory_fail(struct error *e, const char *verb, const char *path)
{
    int number = errno;
    bool is_lasting = number == EACCES || number == EPERM || number == EROFS || number == ENAMETOOLONG ||
                      number == ELOOP || number == ENOTDIR || number == EISDIR;

    return error_set(e, is_lasting ? ERROR_STORE_REFUSED : ERROR_STORE_AWAY, "cannot %s %.160s: %s", verb,
        path, strerror(number));
}

void directory_paths_fill(struct directory_paths *p, const char *root, const char *name)
{
    const char *slash = strrchr(name, '/');
    int folder_length = slash ? (int)(slash - name) : 0;
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) < 0)
        random = (uint64_t)getpid();
    snprintf(p->root, sizeof(p->root), "%s", strcmp(root, "/") == 0 ? "" : root);
    snprintf(p->blob, sizeof(p->blob), "%s/%s", p->root, name);
    snprintf(p->properties, sizeof(p->properties), "%s/%s" DIRECTORY_PROPERTIES, p->root, name);
    snprintf(p->folder, sizeof(p->folder), "%s/%.*s", p->root, folder_length, name);
    snprintf(p->temporary, sizeof(p->temporary), "%s/%s.%016llx" DIRECTORY_PART, p->root, name,
        (unsigned long long)random);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

bool directory_name_check(const char *name, struct error *e)
{
    if (blob_name_is_valid(name) && !ends_with(name, DIRECTORY_PROPERTIES) &&
        !ends_with(name, DIRECTORY_PART))
        return true;
    return error_set(e, ERROR_INVALID, "\"%.100s\" is not the name of a blob", name);
}

/* Makes the directory's entries last. */
static bool sync_directory(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (!is_synced)
        directory_fail(e, "sync", path);
    if (fd >= 0)
        close(fd);
    return is_synced;
}

static bool make_one_directory(char *path, struct error *e)
{
    char *slash = strrchr(path, '/');
    bool is_synced;

    if (mkdir(path, DIRECTORY_MODE) < 0)
        return errno == EEXIST || directory_fail(e, "make the directory", path);
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

bool directory_make_root(const char *root, struct error *e)
{
    char path[DIRECTORY_ROOT_SIZE];

    snprintf(path, sizeof(path), "%s", root);
    return make_directories(path, 0, e);
}

bool directory_write(int fd, const void *data, size_t length, const char *path, struct error *e)
{
    const char *at = data;

    while (length) {
        ssize_t n = write(fd, at, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return directory_fail(e, "write", path);
        at += n;
        length -= (size_t)n;
    }
    return true;
}

int directory_create(const struct directory_paths *p, struct error *e)
{
    size_t root_length = strlen(p->root);
    char folder[DIRECTORY_PATH_SIZE];
    int fd;

    if (access(*p->root ? p->root : "/", F_OK) < 0) {
        directory_fail(e, "find", p->root);
        return -1;
    }
    snprintf(folder, sizeof(folder), "%s", p->folder);
    if (strlen(folder) > root_length + 1 && access(folder, F_OK) < 0 &&
        !make_directories(folder, root_length, e))
        return -1;
    fd = open(p->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        directory_fail(e, "write", p->temporary);
    return fd;
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

static void format_properties(const struct blob_content_head *head, const char *md5, struct buf *out)
{
    buf_append_text(out, "{\"content_type\":");
    json_write_string(out, head->content_type, strlen(head->content_type));
    json_write_member(out, "md5", md5);
    buf_append_text(out, ",\"meta\":{");
    for (size_t i = 0; i < head->meta_count; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", head->meta[i].name);
        json_write_string(out, head->meta[i].value, strlen(head->meta[i].value));
    }
    buf_append_text(out, "}}\n");
}

static bool write_properties(
    const struct directory_paths *p, const struct blob_content_head *head, const char *md5, struct error *e)
{
    AUTO_BUF struct buf text = BUF(PROPERTIES_MAX);
    char path[DIRECTORY_PATH_SIZE + 16];
    bool is_written;
    int fd;

    format_properties(head, md5, &text);
    if (buf_is_overflown(&text))
        return error_set(
            e, ERROR_INVALID, "the metadata of %.100s is larger than %d bytes", p->blob, PROPERTIES_MAX);
    snprintf(path, sizeof(path), "%s" DIRECTORY_PART, p->temporary);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return directory_fail(e, "write", path);
    is_written = directory_write(fd, text.data, text.length, path, e);
    if (is_written && (fsync(fd) < 0 || rename(path, p->properties) < 0))
        is_written = directory_fail(e, "write", p->properties);
    close(fd);
    if (!is_written)
        unlink(path);
    return is_written && sync_directory(p->folder, e);
}

static const char *find_meta(const void *meta, const char *name)
{
    return json_string_value(json_object_get(meta, name));
}

bool directory_read_properties(const char *path, struct blob_properties *out)
{
    AUTO_BUF struct buf text = BUF(PROPERTIES_MAX);
    struct error e;

    blob_property_set(out->content_type, sizeof(out->content_type), "application/octet-stream");
    if (!read_file(path, &text))
        return false;
    AUTO(json) json_t *doc = json_parse(text.data, text.length, &e);
    const char *type = json_string_value(json_object_get(doc, "content_type"));

    if (!type)
        return false;
    blob_property_set(out->content_type, sizeof(out->content_type), type);
    blob_property_set(out->md5, sizeof(out->md5), json_string_value(json_object_get(doc, "md5")));
    blob_properties_set_meta(out, find_meta, json_object_get(doc, "meta"));
    return true;
}

void directory_read_status(const struct stat *status, struct blob_properties *out)
{
    out->size = status->st_size;
    out->modified_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
    snprintf(out->etag, sizeof(out->etag), "\"%llx-%llx-%llx\"", (unsigned long long)status->st_ino,
        (unsigned long long)status->st_size,
        (unsigned long long)status->st_mtim.tv_sec * 1000000000 +
            (unsigned long long)status->st_mtim.tv_nsec);
}

/* Whether the file at path holds what the one behind fd does. */
static bool holds_the_same(const char *path, int fd)
{
    int other = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char left[8192];
    char right[8192];
    off_t offset = 0;
    ssize_t n = 1;

    while (other >= 0 && n > 0) {
        n = pread(fd, left, sizeof(left), offset);
        if (n < 0 || pread(other, right, sizeof(right), offset) != n ||
            (n > 0 && memcmp(left, right, (size_t)n) != 0))
            n = -1;
        else
            offset += n;
    }
    if (other >= 0)
        close(other);
    return other >= 0 && n == 0;
}

/* The name was taken. Whoever took it and died before the properties were written left a blob of nobody: if
 * it holds the same bytes, it is the same result. */
static bool recognise(const struct directory_paths *p, int fd, const char *name,
    const struct blob_content_head *head, const char *md5, struct blob_properties *properties,
    struct error *e)
{
    struct stat status;
    bool is_known;

    *properties = (struct blob_properties){0};
    if (stat(p->blob, &status) < 0)
        return directory_fail(e, "read", p->blob);
    is_known = directory_read_properties(p->properties, properties);
    if (!is_known && holds_the_same(p->blob, fd)) {
        blob_head_properties(head, status.st_size, md5, properties);
        if (!write_properties(p, head, md5, e))
            return false;
        is_known = true;
    }
    directory_read_status(&status, properties);
    if (is_known && blob_head_is_own(head, properties))
        return true;
    blob_explain_rival(name, properties, e);
    return false;
}

bool directory_commit(const struct directory_paths *p, int fd, const char *name,
    const struct blob_content_head *head, int64_t size, const char *md5, struct blob_properties *properties,
    struct error *e)
{
    struct stat status;
    bool is_own;

    if (fsync(fd) < 0 || fstat(fd, &status) < 0)
        return directory_fail(e, "write", p->temporary);
    if (link(p->temporary, p->blob) < 0) {
        if (errno != EEXIST)
            return directory_fail(e, "write", p->blob);
        is_own = recognise(p, fd, name, head, md5, properties, e);
        if (is_own || e->code == ERROR_EXISTS)
            unlink(p->temporary);
        return is_own;
    }
    if (!write_properties(p, head, md5, e))
        return false;
    unlink(p->temporary);
    blob_head_properties(head, size, md5, properties);
    directory_read_status(&status, properties);
    return true;
}
