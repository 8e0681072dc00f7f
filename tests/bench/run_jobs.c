/*
 * run_jobs: runs jobs of one type through the worker's handlers, without queue and store.
 *
 *     run_jobs HANDLERS_FILE TYPE COUNT WIDTH      WIDTH of them at a time; prints the seconds that it took
 * and the CPU time of this process in µs, without that of the handlers
 */
#include <signal.h>
#include <sys/resource.h>

#include "tests/bench/bench.h"
#include "worker/handlers/handler.h"
#include "worker/handlers/warden.h"

static struct {
    struct loop *loop;
    const struct handler *handler;
    struct run_input input;
    long long left; /* to be started */
    long long running;
} bench;

static void start_one(void);

static void on_done(void *UNUSED(arg), struct run_outcome *outcome)
{
    if (outcome->error)
        die("a job failed: %s", outcome->error->text);
    bench.running--;
    if (bench.left)
        start_one();
    else if (!bench.running)
        loop_stop(bench.loop);
}

static const struct run_events events = {.on_done = on_done};

static void start_one(void)
{
    bench.left--;
    bench.running++;
    run_start(bench.handler, &bench.input, &events, NULL);
}

static double own_cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void run_many(long long count, long long width)
{
    bench.left = count;
    for (long long i = 0; i < width && bench.left; i++)
        start_one();
    loop_run(bench.loop);
}

int main(int argc, char **argv)
{
    AUTO_BUF struct buf mistakes = BUF(65536);
    struct handlers *handlers;
    struct error e;
    long long count;
    long long width;
    int64_t start_us;
    double cpu;

    if (argc != 5)
        die("usage: run_jobs HANDLERS_FILE TYPE COUNT WIDTH");
    count = argument_number(argv[3], 1, 100000000);
    width = argument_number(argv[4], 1, 1024);
    signal(SIGPIPE, SIG_IGN);
    if (!warden_start(&e))
        die("%s", e.text);
    bench.loop = loop_new();
    handlers = bench.loop ? handlers_load(bench.loop, NULL, argv[1], &mistakes) : NULL;
    bench.handler = handlers ? handlers_find(handlers, argv[2]) : NULL;
    if (!bench.handler)
        die("no type %s in %s\n%s", argv[2], argv[1], mistakes.data);
    bench.input = (struct run_input){
        .job_id = "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR",
        .type = argv[2],
        .queue = "default",
        .attempt = 1,
        .payload = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .payload_length = 64,
        .max_result_bytes = 1 << 20,
    };
    run_many(width * 4, width); /* what is started once */
    start_us = clock_steady_us();
    cpu = own_cpu_us();
    run_many(count, width);
    printf("%.6f %.0f\n", (double)(clock_steady_us() - start_us) / 1e6, own_cpu_us() - cpu);
    handlers_free(handlers);
    loop_free(bench.loop);
    warden_stop();
    return 0;
}
