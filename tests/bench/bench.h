/*
 * bench: what the programs of this folder share. Each of them is one small file; run.sh starts them and does
 * the sums.
 */
#ifndef JOBGATE_BENCH_H
#define JOBGATE_BENCH_H

#include <hiredis/hiredis.h>
#include <unistd.h>

#include "common/base/base.h"
#include "common/base/clock.h"

/* What went wrong ends the program, with exit status 1. */
static inline void PRINTF_LIKE(1, 2) __attribute__((noreturn)) die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* A whole number from the command line; what is none ends the program. */
static inline long long argument_number(const char *text, long long min, long long max)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    if (*end || end == text || number < min || number > max)
        die("\"%s\" is not a whole number from %lld to %lld", text, min, max);
    return number;
}

/* User and system time of a process so far, in microseconds; the kernel tells it in ticks of 10 ms.
 * Source: proc(5), /proc/pid/stat; the name in field 2 may hold spaces and parentheses. */
static inline double cpu_us(long long pid)
{
    char path[64];
    char line[1024];
    FILE *file;
    const char *after_name;
    unsigned long long user_ticks;
    unsigned long long system_ticks;

    snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
    file = fopen(path, "re");
    if (!file || !fgets(line, sizeof(line), file))
        die("%s cannot be read: is process %lld still there?", path, pid);
    fclose(file);
    after_name = strrchr(line, ')');
    if (!after_name || sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                           &user_ticks, &system_ticks) != 2)
        die("%s is not as proc(5) says", path);
    return (double)(user_ticks + system_ticks) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static inline redisContext *redis_open(int port)
{
    redisContext *c = redisConnect("127.0.0.1", port);

    if (!c || c->err)
        die("no redis on port %d: %s", port, c ? c->errstr : "out of memory");
    return c;
}

/* The answer, which the caller releases with freeReplyObject; an error answer ends the program. */
static inline redisReply *redis_answer(redisContext *c, void *reply)
{
    redisReply *r = reply;

    if (!r || r->type == REDIS_REPLY_ERROR)
        die("redis: %s", r ? r->str : c->errstr);
    return r;
}

/* Loads a script and writes the name that EVALSHA takes. */
static inline void redis_load(redisContext *c, const char *source, char sha1[41])
{
    redisReply *r = redis_answer(c, redisCommand(c, "SCRIPT LOAD %s", source));

    snprintf(sha1, 41, "%s", r->str);
    freeReplyObject(r);
}

#endif
