/*
 * session: the queue's verbs on one connection, called in a straight line: what is sent is sent, then
 * session_run turns the loop until a callback calls session_stop. For programs that measure; whatever goes
 * wrong ends them.
 */
#ifndef JOBGATE_SESSION_H
#define JOBGATE_SESSION_H

#include <time.h>

#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/bench/bench.h"

enum { SESSION_TIMEOUT_MS = 20000 };

/* CPU time so far, of this program and of Redis. */
struct cpu {
    double own_us;
    double redis_us;
};

struct session {
    struct loop *loop;
    struct redis *redis;
    struct queue *queue;
    clockid_t redis_clock; /* its CPU time to the nanosecond, where /proc has ticks of 10 ms */
};

static inline void session_stop(void *s)
{
    loop_stop(((struct session *)s)->loop);
}

static inline void session_run(struct session *s)
{
    loop_run(s->loop);
}

static inline void session_timed_out(void *UNUSED(arg))
{
    die("no redis that is ready within %d ms", SESSION_TIMEOUT_MS);
}

/* Returns when the scripts are loaded. */
static inline void session_open(struct session *s, int port, pid_t redis_pid)
{
    struct redis_url url = {0};
    struct timer timeout;
    char text[64];
    struct error e;
    struct redis_options options = {
        .url = &url,
        .component = "bench",
        .timeout_ms = SESSION_TIMEOUT_MS,
        .scripts = queue_scripts,
        .script_count = SCRIPT_COUNT,
        .on_ready = session_stop,
        .arg = s,
    };

    if (clock_getcpuclockid(redis_pid, &s->redis_clock) != 0)
        die("there is no process %lld", (long long)redis_pid);
    snprintf(text, sizeof(text), "redis://127.0.0.1:%d", port);
    s->loop = loop_new();
    if (!s->loop || !redis_url_parse(text, &url, &e))
        die("no loop, or %s is no URL", text);
    s->redis = redis_new(s->loop, &options);
    s->queue = queue_new(s->redis);
    timer_init(&timeout, s->loop, session_timed_out, NULL);
    timer_start(&timeout, SESSION_TIMEOUT_MS);
    session_run(s);
    timer_stop(&timeout);
}

static inline void session_close(struct session *s)
{
    redis_free(s->redis);
    queue_free(s->queue);
    loop_free(s->loop);
}

static inline double cpu_clock_us(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        die("the CPU time of a process cannot be read: has redis ended?");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline struct cpu session_cpu(const struct session *s)
{
    return (struct cpu){cpu_clock_us(CLOCK_PROCESS_CPUTIME_ID), cpu_clock_us(s->redis_clock)};
}

/* What some operations cost together. */
struct meter {
    double own_us;
    double redis_us;
    long long count;
};

/* Adds what was used since `before` for count operations. */
static inline void meter_add(
    struct meter *m, const struct session *s, const struct cpu *before, long long count)
{
    struct cpu now = session_cpu(s);

    m->own_us += now.own_us - before->own_us;
    m->redis_us += now.redis_us - before->redis_us;
    m->count += count;
}

/* Prints two figures: <name>_redis and <name>_cpu, in µs for each operation. */
static inline void meter_print(const struct meter *m, const char *name)
{
    printf("%s_redis %.4f\n%s_cpu %.4f\n", name, m->redis_us / (double)m->count, name,
        m->own_us / (double)m->count);
}

#endif
