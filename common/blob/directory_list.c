#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/blob/directory_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a process that died left behind is removed when nobody wrote to it for a day. */
enum { DEPTH_MAX = 16, LEFT_BEHIND_S = 86400 };

struct listing {
    struct helper_job job;
    struct directory_list *list; /* NULL once dropped */
    char root[DIRECTORY_ROOT_SIZE];
    char prefix[BLOB_NAME_SIZE];
    char marker[BLOB_NAME_SIZE];
    size_t max;
    struct blob_item *items; /* the first `max` names behind the marker, in order, and one more */
    size_t count;
    char next[BLOB_NAME_SIZE];
    int64_t now_ms;
    bool is_done;
    struct error error;
};

struct directory_list {
    struct blob_op base;
    struct directory_store *store;
    struct listing *listing;
    blob_list_done *done;
    void *arg;
};

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* Puts a name where it belongs among those found so far; the last is dropped when there are too many. */
static void keep(struct listing *l, const char *name)
{
    size_t at = l->count;

    while (at > 0 && strcmp(l->items[at - 1].name, name) > 0)
        at--;
    if (at > l->max)
        return;
    if (l->count > l->max)
        l->count--;
    memmove(&l->items[at + 1], &l->items[at], (l->count - at) * sizeof(*l->items));
    l->items[at] = (struct blob_item){0};
    snprintf(l->items[at].name, sizeof(l->items[at].name), "%s", name);
    l->count++;
}

/* Whether names that begin with `path` may be wanted: it and the prefix agree as far as they go, and not all
 * of them stand before the marker. */
static bool may_hold(const struct listing *l, const char *path)
{
    size_t length = strlen(path);
    size_t prefix_length = strlen(l->prefix);

    if (strncmp(path, l->prefix, length < prefix_length ? length : prefix_length) != 0)
        return false;
    return strncmp(path, l->marker, length) >= 0;
}

static void sweep(int folder, const char *entry, int64_t now_ms)
{
    struct stat status;

    if (fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
        (int64_t)status.st_mtim.tv_sec + LEFT_BEHIND_S < now_ms / 1000)
        unlinkat(folder, entry, 0);
}

static void walk(struct listing *l, int folder, const char *path, int depth);

/* Joins path, entry and tail; false when that is too long to be a name of ours. */
static bool join(char out[BLOB_NAME_SIZE], const char *path, const char *entry, const char *tail)
{
    int length = snprintf(out, BLOB_NAME_SIZE, "%s%s%s", path, entry, tail);

    return length > 0 && length < BLOB_NAME_SIZE;
}

static void take_entry(struct listing *l, DIR *dir, const char *path, const char *entry, int depth)
{
    char name[BLOB_NAME_SIZE];
    struct stat status;
    int fd;

    if (strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0 || has_suffix(entry, DIRECTORY_PROPERTIES))
        return;
    if (has_suffix(entry, DIRECTORY_PART)) {
        sweep(dirfd(dir), entry, l->now_ms);
        return;
    }
    if (!join(name, path, entry, "") || fstatat(dirfd(dir), entry, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISREG(status.st_mode)) {
        if (strncmp(name, l->prefix, strlen(l->prefix)) == 0 && strcmp(name, l->marker) > 0 &&
            blob_name_is_valid(name))
            keep(l, name);
        return;
    }
    if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX || !join(name, path, entry, "/") || !may_hold(l, name))
        return;
    fd = openat(dirfd(dir), entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        walk(l, fd, name, depth + 1);
}

/* Takes the descriptor. path is "" or ends with '/'. */
static void walk(struct listing *l, int folder, const char *path, int depth)
{
    DIR *dir = fdopendir(folder);
    const struct dirent *entry;

    if (!dir) {
        close(folder);
        return;
    }
    while ((entry = readdir(dir)))
        take_entry(l, dir, path, entry->d_name, depth);
    closedir(dir);
}

static void describe(const struct listing *l, struct blob_item *item)
{
    struct directory_paths p;
    struct stat status;

    directory_paths_fill(&p, l->root, item->name);
    directory_read_properties(p.properties, &item->properties);
    item->properties.size = -1;
    if (stat(p.blob, &status) == 0)
        directory_read_status(&status, &item->properties);
}

static void run(struct helper_job *job)
{
    struct listing *l = (struct listing *)job;
    int fd = open(l->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        directory_fail(&l->error, "find", l->root);
        return;
    }
    walk(l, fd, "", 0);
    if (l->count > l->max) {
        l->count = l->max;
        snprintf(l->next, sizeof(l->next), "%s", l->items[l->count - 1].name);
    }
    for (size_t i = 0; i < l->count; i++)
        describe(l, &l->items[i]);
    l->is_done = true;
}

static void release(struct helper_job *job)
{
    struct listing *l = (struct listing *)job;

    free(l->items);
    free(l);
}

static void on_run(struct helper_job *job)
{
    struct listing *l = (struct listing *)job;
    struct directory_list *list = l->list;
    struct blob_page page = {l->items, l->count, l->next};

    list->done(list->arg, l->is_done ? &page : NULL, l->is_done ? NULL : &l->error);
    blob_op_free(&list->base);
    release(job);
}

static void cancel(struct blob_op *base)
{
    struct directory_list *list = (struct directory_list *)base;

    helper_drop(list->store->helper, &list->listing->job);
    blob_op_free(base);
}

static const struct blob_op_kind list_kind = {.cancel = cancel};

struct blob_op *directory_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg)
{
    struct directory_list *list = blob_op_new(s, &list_kind, sizeof(*list));
    struct listing *l = mem_zalloc(sizeof(*l));

    assert(max >= 1 && max <= BLOB_PAGE_MAX);
    list->store = directory_of(s);
    list->listing = l;
    list->done = done;
    list->arg = arg;
    l->job = (struct helper_job){.run = run, .done = on_run, .release = release};
    l->list = list;
    l->max = (size_t)max;
    l->items = mem_array(l->max + 2, sizeof(*l->items));
    l->now_ms = clock_unix_ms();
    snprintf(l->root, sizeof(l->root), "%s", list->store->root);
    snprintf(l->prefix, sizeof(l->prefix), "%s", prefix);
    snprintf(l->marker, sizeof(l->marker), "%s", marker);
    helper_start(list->store->helper, &l->job);
    return &list->base;
}
