#include "worker/handlers/workdir.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BASE_SIZE = 200,
    STEPS_PER_TURN = 256,
    USAGE_FILES_MAX = 10000,
    USAGE_FDS = 8,
    SPARE_MAX = 64,
    TICK_NS = 50000000, /* longer than the kernel's clock for files stands still */
};

struct doomed {
    struct doomed *next;
    char path[];
};

static struct {
    int open_count;
    char base[BASE_SIZE]; /* "" = it has no name yet */
    bool is_made;
    uint64_t next_number;
    struct workdir spare[SPARE_MAX]; /* empty */
    size_t spare_count;
    struct doomed *doomed;
    struct timer timer;
} workdirs;

static const struct log_context context = {.component = "workdir"};

static void make_base(void)
{
    const char *parent = getenv("TMPDIR");

    if (!parent || *parent != '/' || strlen(parent) > BASE_SIZE - 64)
        parent = "/tmp";
    snprintf(workdirs.base, sizeof(workdirs.base), "%s/jobgate-%d-XXXXXX", parent, (int)getpid());
    workdirs.is_made = false;
    if (mkdtemp(workdirs.base))
        workdirs.is_made = true;
    else
        workdirs.base[0] = '\0';
}

void workdir_prepare(void)
{
    if (!workdirs.is_made)
        make_base();
}

/* ---- removing ---- */

/* One entry of a directory that is being emptied. A directory in it is emptied at its level: what is in it
 * and cannot be removed at once is moved up into `root`, so that nothing is ever deeper than two levels and
 * no path too long. Returns whether something was done. */
static bool move_up(int root, int parent, const char *name)
{
    static uint64_t number;
    char unique[64];

    snprintf(unique, sizeof(unique), ".jobgate-%llu", (unsigned long long)++number);
    return renameat(parent, name, root, unique) == 0 ||
           (fchmodat(parent, name, 0700, 0) == 0 && renameat(parent, name, root, unique) == 0);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool remove_entry(int directory, const char *name)
{
    return unlinkat(directory, name, 0) == 0 || unlinkat(directory, name, AT_REMOVEDIR) == 0;
}

/* Empties what is in the directory `name` of root. Returns how many steps that took; 0 when nothing can be
 * done. */
static int empty(int root, const char *name, int steps)
{
    int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory;
    const struct dirent *entry;
    int done = 0;

    if (fd < 0 && errno == EACCES && fchmodat(root, name, 0700, 0) == 0)
        fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    fchmod(fd, 0700);
    while (done < steps && (entry = readdir(directory)))
        if (!is_dots(entry->d_name) && (remove_entry(fd, entry->d_name) || move_up(root, fd, entry->d_name)))
            done++;
    closedir(directory);
    return done + (unlinkat(root, name, AT_REMOVEDIR) == 0);
}

/* Removes up to `steps` entries of the tree. Returns whether it has to be called again. */
static bool remove_some(const char *path, int steps)
{
    int root;
    DIR *directory;
    const struct dirent *entry;
    int done = 0;

    if (rmdir(path) == 0 || errno == ENOENT)
        return false;
    chmod(path, 0700);
    root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    directory = root >= 0 ? fdopendir(root) : NULL;
    if (!directory) {
        if (root >= 0)
            close(root);
        log_warn(&context, "%s cannot be removed: %s", path, strerror(errno));
        return false;
    }
    while (done < steps && (entry = readdir(directory)))
        if (!is_dots(entry->d_name))
            done += remove_entry(root, entry->d_name) ? 1 : empty(root, entry->d_name, steps - done);
    closedir(directory);
    if (rmdir(path) == 0)
        return false;
    if (!done)
        log_warn(&context, "%s cannot be removed: %s", path, strerror(errno));
    return done > 0;
}

static void forget_first(void)
{
    struct doomed *first = workdirs.doomed;

    workdirs.doomed = first->next;
    free(first);
}

static void on_turn(void *UNUSED(arg))
{
    if (workdirs.doomed && !remove_some(workdirs.doomed->path, STEPS_PER_TURN))
        forget_first();
    if (workdirs.doomed)
        timer_start(&workdirs.timer, 1);
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    if (!directory)
        return false;
    while (count < 3 && readdir(directory))
        count++;
    closedir(directory);
    return count == 2;
}

/* Whether nothing was ever made in it, nor its rights changed. */
static bool is_as_new(struct workdir *w)
{
    struct stat about;
    int64_t changed_ns;

    if (lstat(w->path, &about) < 0 || !S_ISDIR(about.st_mode) || (about.st_mode & 07777) != 0700)
        return false;
    changed_ns = ns_of(about.st_ctim);
    if (!(w->is_settled && changed_ns == w->changed_ns) && !is_empty(w->path))
        return false;
    w->changed_ns = changed_ns;
    return true;
}

void workdir_give_back(struct workdir *w)
{
    size_t size = strlen(w->path) + 1;
    struct doomed *doomed;

    if (!*w->path)
        return;
    if (workdirs.spare_count < SPARE_MAX && is_as_new(w)) {
        workdirs.spare[workdirs.spare_count++] = *w;
    } else if (rmdir(w->path) < 0) {
        doomed = mem_alloc(sizeof(*doomed) + size);
        memcpy(doomed->path, w->path, size);
        doomed->next = workdirs.doomed;
        workdirs.doomed = doomed;
        timer_start(&workdirs.timer, 0);
    }
    w->path[0] = '\0';
}

void workdir_remove_all(void)
{
    while (workdirs.is_made && remove_some(workdirs.base, 1 << 20))
        continue;
}

/* ---- making ---- */

void workdir_open(struct loop *l)
{
    if (!workdirs.open_count++)
        timer_init(&workdirs.timer, l, on_turn, NULL);
}

void workdir_close(void)
{
    assert(workdirs.open_count);
    if (--workdirs.open_count)
        return;
    timer_stop(&workdirs.timer);
    while (workdirs.doomed)
        forget_first();
    workdirs.spare_count = 0;
    workdir_remove_all();
    workdirs.is_made = false;
    workdirs.base[0] = '\0';
}

static bool take_spare(struct workdir *w)
{
    struct timespec now;

    if (!workdirs.spare_count)
        return false;
    *w = workdirs.spare[--workdirs.spare_count];
    clock_gettime(CLOCK_REALTIME, &now);
    w->is_settled = ns_of(now) - w->changed_ns > TICK_NS;
    return access(w->path, X_OK) == 0; /* somebody may have tidied up /tmp */
}

bool workdir_take(struct workdir *w, struct error *e)
{
    if (take_spare(w))
        return true;
    workdirs.spare_count = 0;
    *w = (struct workdir){0};
    for (int i = 0; i < 2; i++) {
        if (!workdirs.is_made || (i && errno == ENOENT))
            make_base();
        if (!workdirs.is_made)
            break;
        snprintf(
            w->path, sizeof(w->path), "%s/%llu", workdirs.base, (unsigned long long)++workdirs.next_number);
        if (mkdir(w->path, 0700) == 0)
            return true;
    }
    w->path[0] = '\0';
    return error_set(e, ERROR_INTERNAL,
        "no working directory for the handler: %s: TMPDIR (or /tmp) must be a directory with room that the "
        "worker can write",
        strerror(errno));
}

/* ---- measuring ---- */

static int64_t usage_bytes;
static int usage_files;

static int count_file(const char *UNUSED(path), const struct stat *about, int what, struct FTW *UNUSED(where))
{
    if (what != FTW_NS)
        usage_bytes += about->st_blocks * 512;
    return ++usage_files >= USAGE_FILES_MAX;
}

int64_t workdir_usage(const char *path)
{
    usage_bytes = 0;
    usage_files = 0;
    nftw(path, count_file, USAGE_FDS, FTW_PHYS | FTW_MOUNT);
    return usage_bytes;
}
