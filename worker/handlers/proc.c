#include "worker/handlers/proc.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { STAT_SIZE = 1024, ENVIRONMENT_BYTES = 1 << 17, PROCS_MAX = 1 << 16 };

/* Reads a small file whole. Returns its length, -1 when it cannot be read. */
static ssize_t read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0;
    ssize_t n;

    if (fd < 0)
        return -1;
    while ((n = read(fd, text + length, size - 1 - (size_t)length)) > 0)
        length += n;
    close(fd);
    text[length] = '\0';
    return n < 0 && length == 0 ? -1 : length;
}

/* The fields behind the name, which may hold anything but ends with the last ')': 3 state, 4 ppid, 5 pgrp, 14
 * utime, 15 stime, 16 cutime, 17 cstime, 22 starttime, 24 rss. */
static bool parse_stat(const char *text, struct proc *p)
{
    static long ticks, page;
    const char *at = strrchr(text, ')');
    unsigned long long utime, stime, start;
    long long cutime, cstime, rss;
    int parent, group;
    char state;

    if (!ticks) {
        ticks = sysconf(_SC_CLK_TCK);
        page = sysconf(_SC_PAGESIZE);
    }
    if (!at || sscanf(at,
                   ") %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d %*d %llu %*u "
                   "%lld", // NOLINT(cert-err34-c)
                   &state, &parent, &group, &utime, &stime, &cutime, &cstime, &start, &rss) != 9)
        return false;
    p->parent = parent;
    p->group = group;
    p->is_zombie = state == 'Z' || state == 'X';
    p->start = start;
    p->cpu_ms = ((int64_t)(utime + stime) + cutime + cstime) * 1000 / ticks;
    p->memory_bytes = rss * page;
    return true;
}

bool proc_read(pid_t pid, struct proc *p)
{
    char path[64];
    char text[STAT_SIZE];

    *p = (struct proc){.pid = pid};
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    return read_small(path, text, sizeof(text)) > 0 && parse_stat(text, p);
}

static int by_pid(const void *a, const void *b)
{
    const struct proc *x = a;
    const struct proc *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

void proc_read_all(struct proc_list *list)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;

    list->count = 0;
    while (directory && list->count < PROCS_MAX && (entry = readdir(directory))) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid <= 0)
            continue;
        if (list->count == list->size) {
            list->size = list->size ? 2 * list->size : 256;
            list->procs = mem_realloc(list->procs, list->size * sizeof(*list->procs));
        }
        list->count += proc_read((pid_t)pid, &list->procs[list->count]);
    }
    if (directory)
        closedir(directory);
    if (list->count)
        qsort(list->procs, list->count, sizeof(*list->procs), by_pid);
}

void proc_list_release(struct proc_list *list)
{
    free(list->procs);
    *list = (struct proc_list){0};
}

const struct proc *proc_find(const struct proc_list *list, pid_t pid)
{
    struct proc key = {.pid = pid};

    return list->count ? bsearch(&key, list->procs, list->count, sizeof(*list->procs), by_pid) : NULL;
}

uint64_t proc_start(pid_t pid)
{
    struct proc p;

    return proc_read(pid, &p) && !p.is_zombie ? p.start : 0;
}

int64_t proc_proportional_bytes(const struct proc *p)
{
    char path[64];
    char text[2048];
    const char *at;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)p->pid);
    if (read_small(path, text, sizeof(text)) <= 0 || !(at = strstr(text, "\nPss:")))
        return p->memory_bytes;
    return strtoll(at + strlen("\nPss:"), NULL, 10) * 1024;
}

bool proc_variable(pid_t pid, const char *name, char *out, size_t size)
{
    AUTO(free) char *text = mem_alloc(ENVIRONMENT_BYTES);
    size_t name_length = strlen(name);
    char path[64];
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    length = read_small(path, text, ENVIRONMENT_BYTES);
    for (const char *at = text; length > 0 && at < text + length; at += strlen(at) + 1)
        if (strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
            snprintf(out, size, "%s", at + name_length + 1);
            return true;
        }
    return false;
}

/* Version 2 of control groups as a container sees it, then version 1. */
int64_t proc_out_of_memory_count(void)
{
    static const char *const paths[] = {
        "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"};
    char text[1024];
    const char *at;

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
        if (read_small(paths[i], text, sizeof(text)) > 0 && (at = strstr(text, "oom_kill ")))
            return strtoll(at + strlen("oom_kill "), NULL, 10);
    return -1;
}
