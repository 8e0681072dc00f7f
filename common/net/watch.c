#include "common/net/watch.h"
#include "common/base/mem.h"

#include <limits.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINKS_MAX = 40, /* as many as the kernel follows */
    SOON_MS = 20,
};

#define WATCHED                                                                                              \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF |     \
        IN_MOVE_SELF | IN_ONLYDIR)

/* What tells one state of a file from another. */
struct state {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t modified_ns;
    int64_t changed_ns;
    bool is_there;
};

struct watch {
    struct watcher *watcher;
    char *path;
    loop_callback *on_change;
    void *arg;
    struct state known; /* what on_change was last called for */
    struct state seen;  /* by the last look */
    struct timer settle;
    struct timer again;
    LIST_ENTRY(watch) link;
};

/* One for each loop: a kernel has few inotify instances to give. */
struct watcher {
    struct loop *loop;
    int fd; /* -1: there is none, and the slow look is all */
    struct event readable;
    struct timer soon;
    struct timer poll;
    LIST_HEAD(, watch) watches;
};

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct state look(const char *path)
{
    struct state state = {0};
    struct stat found;

    if (stat(path, &found) < 0 || !S_ISREG(found.st_mode))
        return state;
    state.device = found.st_dev;
    state.inode = found.st_ino;
    state.size = found.st_size;
    state.modified_ns = ns_of(found.st_mtim);
    state.changed_ns = ns_of(found.st_ctim);
    state.is_there = true;
    return state;
}

static bool are_same(const struct state *a, const struct state *b)
{
    return a->is_there == b->is_there && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* ---- which folders to watch ---- */

static void watch_folder(int fd, const char *path, size_t length)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof(folder), "%.*s", (int)length, length ? path : ".");
    inotify_add_watch(fd, length ? folder : ".", WATCHED);
}

/* Watches the folders in which path can be given another meaning: that of the file itself, those of symlinks
 * on the way to it, and that of a name that is missing. */
static void watch_path(int fd, const char *path, int links)
{
    char target[PATH_MAX];
    char prefix[PATH_MAX];
    char next[2 * PATH_MAX];
    size_t at = 0;

    while (path[at]) {
        size_t folder = at + strspn(path + at, "/");
        size_t end = folder + strcspn(path + folder, "/");
        ssize_t length;

        if (end >= sizeof(prefix))
            return;
        snprintf(prefix, sizeof(prefix), "%.*s", (int)end, path);
        length = readlink(prefix, target, sizeof(target) - 1);
        if (length > 0 || !path[end] || access(prefix, F_OK) < 0)
            watch_folder(fd, path, folder);
        if (length > 0 && links < LINKS_MAX) {
            target[length] = '\0';
            snprintf(
                next, sizeof(next), "%.*s%s%s", *target == '/' ? 0 : (int)folder, path, target, path + end);
            watch_path(fd, next, links + 1);
            return;
        }
        at = end;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg);

/* Asks the kernel anew: what a path leads to has changed, or may have. */
static void arm(struct watcher *r)
{
    struct watch *w;

    if (r->fd >= 0) {
        event_del(&r->readable);
        close(r->fd);
    }
    r->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (r->fd < 0)
        return;
    LIST_FOREACH(w, &r->watches, link)
    watch_path(r->fd, w->path, 0);
    event_assign(&r->readable, loop_base(r->loop), r->fd, EV_READ | EV_PERSIST, on_readable, r);
    event_add(&r->readable, NULL);
}

/* ---- looking ---- */

static void look_at(struct watch *w)
{
    struct state now = look(w->path);

    if (!are_same(&now, &w->seen))
        timer_start(&w->settle, WATCH_SETTLE_MS);
    w->seen = now;
}

static void look_at_all(void *arg)
{
    struct watcher *r = arg;
    struct watch *w;

    arm(r);
    LIST_FOREACH(w, &r->watches, link)
    look_at(w);
}

static void on_poll(void *arg)
{
    struct watcher *r = arg;

    look_at_all(r);
    timer_start(&r->poll, WATCH_POLL_MS);
}

/* One look for all that happens within a moment: the folder may be one in which much happens. */
static void on_readable(evutil_socket_t fd, short UNUSED(what), void *arg)
{
    struct watcher *r = arg;
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(fd, events, sizeof(events)) > 0)
        ;
    if (!timer_is_running(&r->soon))
        timer_start(&r->soon, SOON_MS);
}

static void tell(struct watch *w)
{
    timer_stop(&w->again);
    w->on_change(w->arg);
}

static void on_settled(void *arg)
{
    struct watch *w = arg;
    struct state now = look(w->path);

    if (!are_same(&now, &w->seen)) { /* it is being written */
        w->seen = now;
        timer_start(&w->settle, WATCH_SETTLE_MS);
        return;
    }
    if (are_same(&now, &w->known))
        return;
    w->known = now;
    if (now.is_there)
        tell(w);
}

static void on_again(void *arg)
{
    tell(arg);
}

/* ---- life ---- */

static struct watcher *new_watcher(struct loop *l)
{
    struct watcher *r = mem_zalloc(sizeof(*r));

    r->loop = l;
    r->fd = -1;
    LIST_INIT(&r->watches);
    timer_init(&r->soon, l, look_at_all, r);
    timer_init(&r->poll, l, on_poll, r);
    timer_start(&r->poll, WATCH_POLL_MS);
    return r;
}

static void free_watcher(struct watcher *r)
{
    *loop_watcher(r->loop) = NULL;
    timer_stop(&r->soon);
    timer_stop(&r->poll);
    if (r->fd >= 0) {
        event_del(&r->readable);
        close(r->fd);
    }
    free(r);
}

struct watch *watch_new(struct loop *l, const char *path, loop_callback *on_change, void *arg)
{
    struct watch *w = mem_zalloc(sizeof(*w));

    if (!*loop_watcher(l))
        *loop_watcher(l) = new_watcher(l);
    w->watcher = *loop_watcher(l);
    w->path = mem_strdup(path);
    w->on_change = on_change;
    w->arg = arg;
    timer_init(&w->settle, l, on_settled, w);
    timer_init(&w->again, l, on_again, w);
    LIST_INSERT_HEAD(&w->watcher->watches, w, link);
    arm(w->watcher);
    w->seen = look(path);
    timer_start(&w->settle, 0);
    return w;
}

struct watch *watch_free(struct watch *w)
{
    if (!w)
        return NULL;
    timer_stop(&w->settle);
    timer_stop(&w->again);
    LIST_REMOVE(w, link);
    if (LIST_EMPTY(&w->watcher->watches))
        free_watcher(w->watcher);
    free(w->path);
    free(w);
    return NULL;
}

void watch_again(struct watch *w, int64_t delay_ms)
{
    timer_start(&w->again, delay_ms);
}
