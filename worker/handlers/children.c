#include "worker/handlers/children.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUCKET_COUNT = 256 };

static struct {
    int open_count;
    struct event signal;
    struct child *buckets[BUCKET_COUNT];
} children;

static struct child **find(pid_t pid)
{
    struct child **at = &children.buckets[(size_t)pid % BUCKET_COUNT];

    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

void children_add(struct child *c, pid_t pid, child_exited *callback, void *arg)
{
    struct child **at = find(pid);

    assert(children.open_count && !*at);
    *c = (struct child){.pid = pid, .callback = callback, .arg = arg};
    *at = c;
}

void children_remove(struct child *c)
{
    struct child **at;

    if (!c->pid)
        return;
    at = find(c->pid);
    assert(*at == c);
    *at = c->next;
    c->pid = 0;
}

/* The callback may free c. */
static void report(struct child *c, const siginfo_t *how, const struct rusage *used)
{
    children_remove(c);
    c->callback(c->arg, how, used);
    waitpid(how->si_pid, NULL, 0);
}

/* The system call has a fifth argument that libc's waitid hides. */
static bool has_exited(idtype_t which, pid_t pid, siginfo_t *how, struct rusage *used)
{
    how->si_pid = 0;
    return syscall(SYS_waitid, which, pid, how, WEXITED | WNOHANG | WNOWAIT, used) == 0 && how->si_pid != 0;
}

bool children_has(pid_t pid)
{
    return *find(pid) != NULL;
}

/* A callback may change the list, so the search begins anew behind each. */
static void report_bucket(struct child **bucket)
{
    struct child *c = *bucket;
    struct rusage used;
    siginfo_t how;

    while (c)
        if (has_exited(P_PID, c->pid, &how, &used)) {
            report(c, &how, &used);
            c = *bucket;
        } else {
            c = c->next;
        }
}

/* Signals of several children may arrive as one. As long as the kernel names children of ours, none has to be
 * searched for; behind a stranger's zombie it would name that one for ever. */
static void on_sigchld(evutil_socket_t UNUSED(fd), short UNUSED(what), void *UNUSED(arg))
{
    struct rusage used;
    siginfo_t how;

    while (has_exited(P_ALL, 0, &how, &used)) {
        struct child *c = *find(how.si_pid);

        if (c) {
            report(c, &how, &used);
        } else if (getpid() == 1 || getpgid(how.si_pid) != getpgrp()) {
            waitpid(how.si_pid, NULL, 0);
        } else {
            for (size_t i = 0; i < BUCKET_COUNT; i++)
                report_bucket(&children.buckets[i]);
            return;
        }
    }
}

void children_open(struct loop *l)
{
    if (children.open_count++) {
        assert(event_get_base(&children.signal) == loop_base(l));
        return;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    evsignal_assign(&children.signal, loop_base(l), SIGCHLD, on_sigchld, NULL);
    evsignal_add(&children.signal, NULL);
    event_active(&children.signal, EV_SIGNAL, 1); /* for one that exited before */
}

void children_close(void)
{
    assert(children.open_count);
    if (--children.open_count == 0)
        event_del(&children.signal);
}
