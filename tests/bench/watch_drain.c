/*
 * watch_drain: lets a waiting worker loose on a queue that was filled before, and measures until it is empty.
 *
 *     watch_drain REDIS_PORT REDIS_PID WORKER_PID JOBS
 *
 * The ids wait in the list `bench:held`; renamed to the queue's ready list they wake the worker all at once,
 * so that neither its start nor the filling is in the figures. Prints: jobs, seconds, the worker's CPU time
 * in µs, Redis's.
 */
#include "common/queue/keys.h"
#include "tests/bench/bench.h"

enum { LOOK_US = 2000, STUCK_US = 20000000 };

static long long read_succeeded(redisContext *c, const struct key *stats)
{
    redisReply *r = redis_answer(c, redisCommand(c, "HGET %s succeeded", stats->text));
    long long count = r->type == REDIS_REPLY_STRING ? strtoll(r->str, NULL, 10) : 0;

    freeReplyObject(r);
    return count;
}

static void wait_until_done(redisContext *c, const struct key *stats, long long jobs)
{
    int64_t moved_us = clock_steady_us();
    long long last = 0;

    while (last < jobs) {
        long long now = read_succeeded(c, stats);

        if (now != last)
            moved_us = clock_steady_us();
        else if (clock_steady_us() - moved_us > STUCK_US)
            die("the worker stands still after %lld of %lld jobs", now, jobs);
        last = now;
        usleep(LOOK_US);
    }
}

int main(int argc, char **argv)
{
    struct shard shard = {.queue = "default"};
    struct key ready;
    struct key stats;
    redisContext *c;
    long long pids[2];
    double before_us[2];
    int64_t started_us;
    long long jobs;
    double seconds;

    if (argc != 5)
        die("watch_drain REDIS_PORT REDIS_PID WORKER_PID JOBS");
    c = redis_open((int)argument_number(argv[1], 1, 65535));
    pids[0] = argument_number(argv[3], 1, INT32_MAX);
    pids[1] = argument_number(argv[2], 1, INT32_MAX);
    jobs = argument_number(argv[4], 1, 100000000);
    key_ready(&shard, &ready);
    key_stats(&shard, &stats);
    for (int i = 0; i < 2; i++)
        before_us[i] = cpu_us(pids[i]);
    started_us = clock_steady_us();
    freeReplyObject(redis_answer(c, redisCommand(c, "RENAME bench:held %s", ready.text)));
    wait_until_done(c, &stats, jobs);
    seconds = (double)(clock_steady_us() - started_us) / 1e6;
    printf("%lld %.6f %.0f %.0f\n", jobs, seconds, cpu_us(pids[0]) - before_us[0],
        cpu_us(pids[1]) - before_us[1]);
    redisFree(c);
    return 0;
}
