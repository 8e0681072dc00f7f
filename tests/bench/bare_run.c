/*
 * bare_run: the least that can be done in the place of the worker's handlers.
 *
 *     bare_run spawn COUNT WIDTH PROGRAM [ARGUMENT...]   posix_spawn and wait, WIDTH processes at a time
 *     bare_run pipe COUNT WIDTH PROGRAM [ARGUMENT...]    a job's frames to one of WIDTH processes and its
 * answer back bare_run turn COUNT WIDTH                          WIDTH callbacks of an event loop at a time,
 * which copy 64 bytes
 *
 * Prints the seconds that it took and the CPU time of this process in µs.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/bench/bench.h"

extern char **environ;

enum { WIDTH_MAX = 64, ANSWER_MAX = 4096 };

static const char payload[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static double own_cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* ---- spawn ---- */

static void spawn_one(char **argv, posix_spawn_file_actions_t *actions)
{
    pid_t pid;

    if (posix_spawnp(&pid, argv[0], actions, NULL, argv, environ) != 0)
        die("%s cannot be started", argv[0]);
}

static void run_spawn(long long count, long long width, char **argv)
{
    posix_spawn_file_actions_t actions;
    long long started = 0;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    for (; started < width && started < count; started++)
        spawn_one(argv, &actions);
    for (long long ended = 0; ended < count; ended++) {
        int status;

        if (waitpid(-1, &status, 0) < 0 || status != 0)
            die("%s failed", argv[0]);
        if (started < count) {
            spawn_one(argv, &actions);
            started++;
        }
    }
    posix_spawn_file_actions_destroy(&actions);
}

/* ---- pipe ---- */

struct peer {
    int to;
    int from;
};

static char request[1024];
static size_t request_length;
static size_t answer_length;

static void add_frame(char kind, const void *data, size_t length)
{
    const unsigned char head[] = {
        (unsigned char)kind, 0, 0, (unsigned char)(length >> 8), (unsigned char)length};

    memcpy(request + request_length, head, sizeof(head));
    memcpy(request + request_length + sizeof(head), data, length);
    request_length += sizeof(head) + length;
}

static void make_request(void)
{
    static const char id[] = "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR";
    char job[512];

    snprintf(job, sizeof(job),
        "{\"attempt\":1,\"length\":64,\"id\":\"%s\",\"type\":\"echo\",\"queue\":\"default\",\"deadline\":"
        "\"2026-11-28T07:34:44.000Z\"}",
        id);
    add_frame('J', job, strlen(job));
    add_frame('D', payload, sizeof(payload) - 1);
    add_frame('E', "", 0);
    answer_length = 5 + sizeof(payload) - 1 + 5 + strlen(id);
}

static void start_peer(struct peer *p, char **argv)
{
    posix_spawn_file_actions_t actions;
    int to[2];
    int from[2];
    pid_t pid;

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        die("no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        die("%s cannot be started", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    *p = (struct peer){.to = to[1], .from = from[0]};
}

static void ask(const struct peer *p)
{
    if (write(p->to, request, request_length) != (ssize_t)request_length)
        die("a request could not be written");
}

static void read_answer(const struct peer *p)
{
    char answer[ANSWER_MAX];
    size_t length = 0;

    while (length < answer_length) {
        ssize_t n = read(p->from, answer + length, sizeof(answer) - length);

        if (n <= 0)
            die("a process ended");
        length += (size_t)n;
    }
    if (length != answer_length || memcmp(answer + 5, payload, sizeof(payload) - 1) != 0)
        die("a wrong answer");
}

static void run_pipe(const struct peer *peers, long long count, long long width)
{
    struct pollfd fds[WIDTH_MAX];
    long long asked = 0;
    long long answered = 0;

    for (long long i = 0; i < width; i++) {
        fds[i] = (struct pollfd){.fd = peers[i].from, .events = POLLIN};
        ask(&peers[i]);
        asked++;
    }
    while (answered < asked) {
        poll(fds, (nfds_t)width, -1);
        for (long long i = 0; i < width; i++) {
            if (!fds[i].revents)
                continue;
            read_answer(&peers[i]);
            answered++;
            if (asked < count) {
                ask(&peers[i]);
                asked++;
            }
        }
    }
}

/* ---- turn ---- */

static struct event_base *base;
static long long turns_left;
static char copy[sizeof(payload)];

static void on_turn(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct event *self = *(struct event **)arg;

    memcpy(copy, payload, sizeof(copy));
    if (--turns_left <= 0)
        event_base_loopbreak(base);
    else
        event_active(self, EV_TIMEOUT, 1);
}

static void run_turns(long long count, long long width)
{
    static struct event *events[WIDTH_MAX];

    base = event_base_new();
    turns_left = count;
    for (long long i = 0; i < width; i++) {
        events[i] = event_new(base, -1, 0, on_turn, &events[i]);
        event_active(events[i], EV_TIMEOUT, 1);
    }
    event_base_dispatch(base);
}

int main(int argc, char **argv)
{
    struct peer peers[WIDTH_MAX];
    long long count;
    long long width;
    int64_t start_us;
    double cpu;
    bool is_pipe;

    if (argc < 4)
        die("usage: bare_run spawn|pipe|turn COUNT WIDTH [PROGRAM...]");
    count = argument_number(argv[2], 1, 1000000000);
    width = argument_number(argv[3], 1, WIDTH_MAX);
    is_pipe = strcmp(argv[1], "pipe") == 0;
    signal(SIGPIPE, SIG_IGN);
    if (is_pipe) {
        make_request();
        for (long long i = 0; i < width; i++)
            start_peer(&peers[i], argv + 4);
        run_pipe(peers, width * 4, width);
    }
    start_us = clock_steady_us();
    cpu = own_cpu_us();
    if (is_pipe)
        run_pipe(peers, count, width);
    else if (strcmp(argv[1], "spawn") == 0)
        run_spawn(count, width, argv + 4);
    else
        run_turns(count, width);
    printf("%.6f %.0f\n", (double)(clock_steady_us() - start_us) / 1e6, own_cpu_us() - cpu);
    return 0;
}
