#include "common/net/watch.h"
#include "common/base/mem.h"

#include <sys/stat.h>

enum { LOOK_MS = 1000 };

struct watch {
    char *path;
    struct stat last; /* zeroes while it was never there */
    struct timer look;
    loop_callback *on_change;
    void *arg;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void look(void *arg)
{
    struct watch *w = arg;
    struct stat now;
    bool has_changed = stat(w->path, &now) == 0 && !is_same(&now, &w->last);

    timer_start(&w->look, LOOK_MS);
    if (!has_changed)
        return;
    w->last = now;
    w->on_change(w->arg); /* which may free w */
}

struct watch *watch_new(struct loop *l, const char *path, loop_callback *on_change, void *arg)
{
    struct watch *w = mem_zalloc(sizeof(*w));

    w->path = mem_strdup(path);
    w->on_change = on_change;
    w->arg = arg;
    if (stat(path, &w->last) < 0)
        w->last = (struct stat){0};
    timer_init(&w->look, l, look, w);
    timer_start(&w->look, LOOK_MS);
    return w;
}

struct watch *watch_free(struct watch *w)
{
    if (!w)
        return NULL;
    timer_stop(&w->look);
    free(w->path);
    free(w);
    return NULL;
}
