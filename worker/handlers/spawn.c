#include "worker/handlers/spawn.h"
#include "worker/handlers/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals that the worker handles or ignores get their default. All are blocked when this is called. Setting
 * SIGPIPE to be ignored first drops the one that a dead warden's pipe may have raised, sigaction(2). */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = SIG_DFL;
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &action, NULL); /* refused for SIGKILL, SIGSTOP and the two that libc keeps */
    sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

/* Never above what the worker may itself. */
static void set_limit(int which, int64_t value, int64_t beyond)
{
    struct rlimit limit;

    if (!value || getrlimit((__rlimit_resource_t)which, &limit) < 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY || (rlim_t)(value + beyond) < limit.rlim_max)
        limit.rlim_max = (rlim_t)(value + beyond);
    limit.rlim_cur = (rlim_t)value < limit.rlim_max ? (rlim_t)value : limit.rlim_max;
    setrlimit((__rlimit_resource_t)which, &limit);
}

/* The CPU limit ends with SIGXCPU, and a second later with SIGKILL when that was caught. */
static void set_limits(const struct spawn *s)
{
    static const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    set_limit(RLIMIT_CPU, s->cpu_s, 1);
    set_limit(RLIMIT_FSIZE, s->file_bytes, 0);
    set_limit(RLIMIT_NOFILE, s->open_files, 0);
}

/* What failed in the child. */
struct failure {
    int why;
    bool is_directory;
};

/* Runs in the worker's memory while the worker stands still: system calls only, and nothing is written but
 * this stack and *failure, which is the worker's.
 * Never inlined: its variables must not share the frame that the worker still needs. */
static __attribute__((noinline)) _Noreturn void become(
    const struct spawn *s, pid_t worker, volatile struct failure *failure)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getppid() != worker) /* it died before the death signal was set */
        _exit(127);
    warden_register_self();
    for (int i = 0; i < SPAWN_FDS; i++)
        if (s->fds[i] >= 0)
            dup2(s->fds[i], i);
        else
            close(i);
    close_range(SPAWN_FDS, ~0U, CLOSE_RANGE_CLOEXEC); /* what a library opened without O_CLOEXEC */
    reset_signals();
    set_limits(s);
    failure->is_directory = chdir(s->directory) < 0;
    if (!failure->is_directory)
        execve(s->path, s->arguments, s->environment);
    failure->why = errno;
    _exit(127);
}

/* Signals are blocked around it: a handler of the worker must not run in the child, which has its memory.
 * Only system calls follow in the child, which is what vfork is for. */
static pid_t start(const struct spawn *s, volatile struct failure *failure)
{
    sigset_t all;
    sigset_t before;
    pid_t worker = getpid();
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (pid == 0)
        become(s, worker, failure); // NOLINT(clang-analyzer-unix.Vfork)
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static const char *remedy(const char *path, int why)
{
    switch (why) {
    case ENOENT:
    case ENOTDIR:
        return access(path, F_OK) == 0
                   ? "the interpreter of its #! line, or its loader, does not exist in this container"
                   : "it does not exist in this container";
    case EACCES:
        return "not executable: chmod +x";
    case ENOEXEC:
        return "no #! line, or built for another architecture";
    case E2BIG:
        return "its arguments and environment are too long";
    default:
        return "see execve(2)";
    }
}

static bool is_passing(int why)
{
    return why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE || why == ETXTBSY;
}

static bool set_start_error(struct error *e, const struct spawn *s, struct failure failure)
{
    const char *path = s->path;
    int why = failure.why;

    if (failure.is_directory)
        return error_set(
            e, ERROR_HANDLER_START, "%.120s: its directory %.80s: %s", path, s->directory, strerror(why));
    if (is_passing(why))
        return error_set(e, ERROR_INTERNAL, "%.120s could not be started now: %s", path, strerror(why));
    return error_set(e, ERROR_HANDLER_START, "%.120s: %s: %s", path, strerror(why), remedy(path, why));
}

bool spawn_process(const struct spawn *s, pid_t *pid, struct error *e)
{
    volatile struct failure told = {0};
    pid_t child = start(s, &told);
    struct failure failure = {.why = child < 0 ? errno : told.why, .is_directory = told.is_directory};

    if (child > 0 && failure.why) {
        warden_remove(child);
        waitpid(child, NULL, 0);
    }
    if (failure.why)
        return set_start_error(e, s, failure);
    warden_add(child);
    *pid = child;
    return true;
}

/* Moves a descriptor out of the way of those that the program gets (the worker may run with its own 0, 1 or 2
 * closed). */
static int move_up(int fd)
{
    int moved = fd;

    if (fd >= 0 && fd < SPAWN_FDS) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FDS);
        close(fd);
    }
    return moved;
}

bool spawn_pipe_open(struct spawn_pipe *p, enum spawn_direction direction, struct error *e)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(
            e, ERROR_INTERNAL, "no pipe for a handler: %s: raise the limit of open files", strerror(errno));
    ends[0] = move_up(ends[0]);
    ends[1] = move_up(ends[1]);
    if (ends[0] < 0 || ends[1] < 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        if (ends[1] >= 0)
            close(ends[1]);
        return error_set(e, ERROR_INTERNAL, "no pipe for a handler: raise the limit of open files");
    }
    p->programs_end = ends[direction == PROGRAM_READS ? 0 : 1];
    p->workers_end = ends[direction == PROGRAM_READS ? 1 : 0];
    fcntl(p->workers_end, F_SETFL, O_NONBLOCK);
    return true;
}
