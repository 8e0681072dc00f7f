#include "worker/handlers/warden.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/handlers/children.h"
#include "worker/handlers/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 200 /* a pipe holds what is told in that time */ };

/* What goes through the pipe, whole (pipe(7): up to PIPE_BUF bytes are written at once): a group to keep, or
 * negative one to forget. */
typedef int32_t record;

struct groups {
    pid_t *ids;
    size_t count;
    size_t size;
};

static struct {
    pid_t pid;            /* 0 = there is none */
    int fd;               /* the writing end, non-blocking */
    struct groups groups; /* the living ones: what the warden knows, too */
    int watch_count;
    struct child child; /* in the table while there is a warden and it is watched */
} warden;

static const struct log_context context = {.component = "warden"};

static void add(struct groups *g, pid_t id)
{
    if (g->count == g->size) {
        g->size = g->size ? 2 * g->size : 64;
        g->ids = mem_realloc(g->ids, g->size * sizeof(*g->ids));
    }
    g->ids[g->count++] = id;
}

static void drop(struct groups *g, pid_t id)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->ids[i] == id) {
            g->ids[i] = g->ids[--g->count];
            return;
        }
}

/* Waits for something to read. While there is much, it looks now and then only: it is the worker's end that
 * it must not miss, and each time that it is woken costs as much as the worker's own part in a short job. */
static void wait_for_words(int fd, bool was_silent)
{
    struct pollfd words = {.fd = fd, .events = was_silent ? POLLIN : 0};

    poll(&words, 1, was_silent ? -1 : LOOK_MS);
}

/* Reads what there is, on a descriptor that does not block. Returns what the last read did. */
static ssize_t read_records(int fd, struct groups *g, bool *was_silent)
{
    record records[256];
    ssize_t n;

    *was_silent = true;
    while ((n = read(fd, records, sizeof(records))) > 0) {
        *was_silent = false;
        for (ssize_t i = 0; i < n / (ssize_t)sizeof(*records); i++)
            if (records[i] > 0) {
                drop(g, records[i]); /* a new warden may be told twice */
                add(g, records[i]);
            } else {
                drop(g, -records[i]);
            }
    }
    return n;
}

/* Reads until the worker is gone. */
static void keep_groups(int fd, struct groups *g)
{
    bool was_silent;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (read_records(fd, g, &was_silent) < 0 && (errno == EAGAIN || errno == EINTR))
        wait_for_words(fd, was_silent);
}

/* A signal to the worker's group is not for it: it has to outlive the worker. Nor must it hold on to
 * anything. */
static void detach(int fd)
{
    static const int ignored[] = {
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2};
    sigset_t none;

    for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_NAME, "jobgate-warden");
    if (fd > 0)
        close_range(0, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
    if (chdir("/") < 0)
        return; /* it then holds the directory a little longer */
}

static _Noreturn void be_warden(int fd, struct groups *g)
{
    detach(fd);
    keep_groups(fd, g);
    for (size_t i = 0; i < g->count; i++)
        kill(-g->ids[i], SIGKILL);
    log_set_output(-1, true);
    workdir_remove_all();
    _exit(0);
}

/* The new one knows the living groups at once: it begins with a copy of this process's memory. */
static void on_exited(void *UNUSED(arg), const siginfo_t *UNUSED(how), const struct rusage *UNUSED(used))
{
    struct error e;

    log_error(&context, "the warden (process %d) was killed; another one is started", (int)warden.pid);
    close(warden.fd);
    warden.pid = 0;
    if (!warden_start(&e))
        log_error(
            &context, "no warden: %s; handlers may outlive this worker if it is killed: restart it", e.text);
}

bool warden_start(struct error *e)
{
    int ends[2];
    pid_t pid;

    assert(!warden.pid);
    workdir_prepare();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(e, ERROR_INTERNAL, "the warden's pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(ends[1]);
        be_warden(ends[0], &warden.groups);
    }
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return error_set(e, ERROR_INTERNAL, "the warden's process: %s", strerror(errno));
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    warden.pid = pid;
    warden.fd = ends[1];
    if (warden.watch_count)
        children_add(&warden.child, pid, on_exited, NULL);
    return true;
}

void warden_watch(void)
{
    if (!warden.watch_count++ && warden.pid)
        children_add(&warden.child, warden.pid, on_exited, NULL);
}

void warden_unwatch(void)
{
    assert(warden.watch_count);
    if (--warden.watch_count == 0)
        children_remove(&warden.child);
}

void warden_stop(void)
{
    if (!warden.pid)
        return;
    children_remove(&warden.child);
    close(warden.fd);
    while (waitpid(warden.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(warden.groups.ids);
    warden.groups = (struct groups){0};
    warden.pid = 0;
}

static bool tell(record r)
{
    return write(warden.fd, &r, sizeof(r)) == sizeof(r);
}

/* What fails here is made good: a dead warden's successor is told by warden_add, and one that does not read
 * is replaced at the next warden_remove. Until then the kernel's death signal covers the leader. */
void warden_register_self(void)
{
    if (warden.pid && !tell(getpid()))
        return;
}

void warden_add(pid_t group)
{
    if (warden.pid)
        add(&warden.groups, group);
}

void warden_add_stray(pid_t group)
{
    warden_add(group);
    if (warden.pid && !tell(group))
        kill(warden.pid, SIGKILL);
}

/* One that can't be told would one day kill a stranger that has the id: it is ended, and on_warden_exited
 * goes on. */
void warden_remove(pid_t group)
{
    drop(&warden.groups, group);
    if (warden.pid && !tell(-group))
        kill(warden.pid, SIGKILL);
}

pid_t warden_pid(void)
{
    return warden.pid;
}
