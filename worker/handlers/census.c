#include "worker/handlers/census.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/handlers/children.h"
#include "worker/handlers/proc.h"
#include "worker/handlers/warden.h"
#include "worker/handlers/workdir.h"

#include <signal.h>
#include <unistd.h>

enum { STRAYS_MAX = 1024, COST_FACTOR = 50, LOOKS_PER_DISK = 10, MEGABYTE = 1 << 20 };

static struct {
    int open_count;
    struct timer timer;
    struct watched *watched;
    bool was_busy; /* one more look follows the last program's end: for what it left behind */
    uint64_t looks;
    struct proc_list list;
} census;

static const struct log_context context = {.component = "census"};

/* ---- whose is a process ---- */

static struct watched *by_group(pid_t group)
{
    struct watched *w = census.watched;

    while (w && w->group != group)
        w = w->next;
    return w;
}

static struct watched *by_stray(const struct proc *p)
{
    for (struct watched *w = census.watched; w; w = w->next)
        for (size_t i = 0; i < w->stray_count; i++)
            if (w->strays[i].pid == p->pid && w->strays[i].start == p->start)
                return w;
    return NULL;
}

static struct watched *by_name(pid_t pid)
{
    char name[64];

    if (!proc_variable(pid, "JOBGATE_RUN", name, sizeof(name)))
        return NULL;
    for (struct watched *w = census.watched; w; w = w->next)
        if (strcmp(w->name, name) == 0)
            return w;
    return NULL;
}

static void add_stray(struct watched *w, const struct proc *p)
{
    if (w->stray_count == STRAYS_MAX)
        return; /* it is over its limit of processes, or will be killed as an orphan */
    w->strays = mem_realloc(w->strays, (w->stray_count + 1) * sizeof(*w->strays));
    w->strays[w->stray_count++] = (struct stray){p->pid, p->start};
    if (p->group == p->pid)
        warden_add_stray(p->group);
}

/* Without a warden this is no worker but a test, which may have children of its own. */
static bool is_handlers_orphan(const struct proc *p)
{
    char type[64];

    return p->parent == getpid() && !children_has(p->pid) && p->group != getpgrp() &&
           (warden_pid() || proc_variable(p->pid, "JOBGATE_TYPE", type, sizeof(type)));
}

static void claim_by_parents(void)
{
    bool has_changed = true;

    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < census.list.count; i++) {
            struct proc *p = &census.list.procs[i];
            const struct proc *parent = p->owner ? NULL : proc_find(&census.list, p->parent);

            if (!parent || !parent->owner)
                continue;
            p->owner = parent->owner;
            add_stray(p->owner, p);
            has_changed = true;
        }
    }
}

static void claim_orphans(void)
{
    for (size_t i = 0; i < census.list.count; i++) {
        struct proc *p = &census.list.procs[i];

        if (p->owner || p->is_zombie || !is_handlers_orphan(p))
            continue;
        p->owner = by_name(p->pid);
        if (p->owner) {
            add_stray(p->owner, p);
        } else {
            log_warn(&context, "process %d was left behind by a handler: it is killed", (int)p->pid);
            kill(p->pid, SIGKILL);
        }
    }
}

static void claim(void)
{
    for (size_t i = 0; i < census.list.count; i++) {
        struct proc *p = &census.list.procs[i];

        p->owner = by_group(p->group);
        if (!p->owner)
            p->owner = by_stray(p);
    }
    claim_by_parents();
    claim_orphans();
    claim_by_parents();
}

/* ---- what it uses ---- */

/* Pages that processes share are counted once for each at first, which is too much: when that is over the
 * limit, the exact number is asked for, which costs more. */
static int64_t exact_memory(const struct watched *w)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < census.list.count; i++)
        if (census.list.procs[i].owner == w)
            bytes += proc_proportional_bytes(&census.list.procs[i]);
    return bytes;
}

static void add_up(void)
{
    for (struct watched *w = census.watched; w; w = w->next)
        w->memory_bytes = w->cpu_ms = w->processes = 0;
    for (size_t i = 0; i < census.list.count; i++) {
        const struct proc *p = &census.list.procs[i];

        if (!p->owner)
            continue;
        p->owner->memory_bytes += p->memory_bytes;
        p->owner->cpu_ms += p->cpu_ms;
        p->owner->processes += !p->is_zombie;
    }
}

static bool is_within(const struct watched *w, struct error *e)
{
    const struct limits *l = w->limits;

    if (l->memory_mb && w->memory_bytes > l->memory_mb * MEGABYTE)
        return error_set(e, ERROR_OUT_OF_MEMORY,
            "it used %lld MB of memory, more than %lld, the limit (max_memory_mb)",
            (long long)(w->memory_bytes / MEGABYTE), (long long)l->memory_mb);
    if (l->cpu_s && w->cpu_ms - w->cpu_before_ms > l->cpu_s * 1000)
        return error_set(
            e, ERROR_TIMEOUT, "the CPU time limit of %lld s was reached (max_cpu_s)", (long long)l->cpu_s);
    if (l->processes && w->processes > l->processes)
        return error_set(e, ERROR_OVER_LIMIT,
            "it had %lld processes, more than %lld, the limit (max_processes)", (long long)w->processes,
            (long long)l->processes);
    if (l->disk_mb && census.looks % LOOKS_PER_DISK == 0) {
        int64_t bytes = workdir_usage(w->directory);

        if (bytes > l->disk_mb * MEGABYTE)
            return error_set(e, ERROR_OVER_LIMIT,
                "its working directory held %lld MB, more than %lld, the limit (max_disk_mb)",
                (long long)(bytes / MEGABYTE), (long long)l->disk_mb);
    }
    return true;
}

static void judge(struct watched *w)
{
    struct error e;

    if (w->limits->memory_mb && w->memory_bytes > w->limits->memory_mb * MEGABYTE && w->processes > 1)
        w->memory_bytes = exact_memory(w);
    if (w->memory_bytes > w->peak_bytes)
        w->peak_bytes = w->memory_bytes;
    if (w->is_over || is_within(w, &e))
        return;
    w->is_over = true;
    w->on_over(w->arg, &e);
}

static void on_look(void *UNUSED(arg))
{
    int64_t start_us = clock_steady_us();
    int64_t wait_ms;
    struct watched *next;

    census.was_busy = census.watched != NULL;
    census.looks++;
    proc_read_all(&census.list);
    claim();
    add_up();
    for (struct watched *w = census.watched; w; w = next) {
        next = w->next;
        judge(w);
    }
    wait_ms = (clock_steady_us() - start_us) * COST_FACTOR / 1000;
    if (census.was_busy)
        timer_start(&census.timer, wait_ms > CENSUS_MS ? wait_ms : CENSUS_MS);
}

/* ---- the programs ---- */

void census_open(struct loop *l)
{
    if (!census.open_count++)
        timer_init(&census.timer, l, on_look, NULL);
}

void census_close(void)
{
    assert(census.open_count);
    if (--census.open_count)
        return;
    timer_stop(&census.timer);
    proc_list_release(&census.list);
}

void census_add(struct watched *w)
{
    w->next = census.watched;
    w->previous = NULL;
    if (w->next)
        w->next->previous = w;
    census.watched = w;
    if (!timer_is_running(&census.timer))
        timer_start(&census.timer, CENSUS_MS);
}

void census_remove(struct watched *w)
{
    if (!w->group)
        return;
    watched_kill(w, SIGKILL);
    for (size_t i = 0; i < w->stray_count; i++)
        warden_remove(w->strays[i].pid);
    if (w->previous)
        w->previous->next = w->next;
    else
        census.watched = w->next;
    if (w->next)
        w->next->previous = w->previous;
    free(w->strays);
    w->strays = NULL;
    w->stray_count = 0;
    w->group = 0;
}

void watched_begin(struct watched *w)
{
    w->cpu_before_ms = w->cpu_ms;
    w->peak_bytes = 0;
    w->is_over = false;
}

void watched_kill(const struct watched *w, int signal_number)
{
    kill(-w->group, signal_number);
    for (size_t i = 0; i < w->stray_count; i++)
        if (proc_start(w->strays[i].pid) == w->strays[i].start)
            kill(w->strays[i].pid, signal_number);
}
