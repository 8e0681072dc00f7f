/*
 * waiters: many callers that wait for a job each at one api process, and then hear of it all at once.
 *
 *     waiters API_PORT OPS_PORT API_PID COUNT events|poll
 *
 * Submits COUNT jobs to a queue that nobody serves, opens COUNT connections that wait, event streams or long
 * polls, and purges the queue. Each caller must be told that its job was cancelled. Prints: the api's
 * resident MiB before and while all wait, seconds from the purge to the last one told, the api's CPU time in
 * µs for each of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { QUEUES = 5, BATCH = 2000, STUCK_MS = 60000, ANSWER_MAX = 8 << 20, ID_MAX = 128 };

struct waiter {
    int fd;
    char id[ID_MAX];
    char heard[8192]; /* the end of what came */
    size_t length;
};

static int api_port;

static double resident_mib(long long pid)
{
    char path[64];
    char line[256];
    double kib = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%lld/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (!f || kib == 0)
        die("%s cannot be read", path);
    fclose(f);
    return kib / 1024;
}

static int connect_api(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)api_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("no connection to the api: %s", strerror(errno));
    return fd;
}

static void say(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

        if (n <= 0)
            die("the api closed a connection: %s", strerror(errno));
        text += n;
        length -= (size_t)n;
    }
}

/* One request with Connection: close, its whole answer (free()). */
static char *ask(const char *request, size_t length)
{
    char *answer = malloc(ANSWER_MAX);
    size_t got = 0;
    ssize_t n = 1;
    int fd = connect_api();

    if (!answer)
        abort();
    say(fd, request, length);
    while (n > 0 && got < ANSWER_MAX - 1) {
        n = recv(fd, answer + got, ANSWER_MAX - 1 - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    answer[got] = '\0';
    close(fd);
    return answer;
}

/* Jobs of the queue `bench<number>`; their ids go to waiters. */
static void submit(struct waiter *waiters, size_t count, int number)
{
    AUTO(free) char *body = malloc(count * 64 + 1);
    AUTO(free) char *request = malloc(count * 64 + 512);
    AUTO(free) char *answer = NULL;
    size_t length = 0;
    int request_length;
    const char *at;

    if (!body || !request)
        abort();
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(body + length, 64, "{\"type\":\"echo\",\"queue\":\"bench%d\"}\n", number);
    request_length = snprintf(request, count * 64 + 512,
        "POST /v1/jobs/batch HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: "
        "application/x-ndjson\r\nContent-Length: %zu\r\n\r\n%s",
        length, body);
    answer = ask(request, (size_t)request_length);
    at = answer;
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, "\"id\":\"");
        if (!at)
            die("the batch was not accepted: %.200s", answer);
        at += 6;
        snprintf(waiters[i].id, ID_MAX, "%.*s", (int)strcspn(at, "\""), at);
    }
}

static void wait_for_job(struct waiter *w, bool is_stream)
{
    char request[512];
    int length = snprintf(request, sizeof(request), "GET /v1/jobs/%s%s HTTP/1.1\r\nHost: a\r\n%s\r\n", w->id,
        is_stream ? "/events" : "", is_stream ? "" : "Prefer: wait=600\r\n");

    w->fd = connect_api();
    say(w->fd, request, (size_t)length);
}

/* Keeps the end of what comes. */
static void hear(struct waiter *w)
{
    ssize_t n;

    if (w->length > sizeof(w->heard) / 2) {
        memmove(w->heard, w->heard + w->length - 1024, 1024);
        w->length = 1024;
    }
    n = recv(w->fd, w->heard + w->length, sizeof(w->heard) - 1 - w->length, 0);
    if (n <= 0)
        die("a caller was cut off after: %.200s", w->heard);
    w->length += (size_t)n;
    w->heard[w->length] = '\0';
}

/* Until each one has heard `text`. */
static void hear_all(struct waiter *waiters, size_t count, const char *text)
{
    struct pollfd *ready = calloc(count, sizeof(*ready));
    size_t left = count;

    if (!ready)
        abort();
    for (size_t i = 0; i < count; i++)
        ready[i] = (struct pollfd){.fd = waiters[i].fd, .events = POLLIN};
    while (left) {
        if (poll(ready, count, STUCK_MS) <= 0)
            die("%zu of %zu callers heard nothing for %d s", left, count, STUCK_MS / 1000);
        for (size_t i = 0; i < count; i++) {
            if (!(ready[i].revents & (POLLIN | POLLHUP)) || ready[i].fd < 0)
                continue;
            hear(&waiters[i]);
            if (!strstr(waiters[i].heard, text))
                continue;
            ready[i].fd = -1;
            left--;
        }
    }
    free(ready);
}

/* Until the api says that so many wait. */
static void await_waiters(size_t count, const char *ops)
{
    char wanted[64];

    char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int port = api_port;
    int64_t until_us = clock_steady_us() + (int64_t)STUCK_MS * 1000;
    bool is_so = false;

    snprintf(wanted, sizeof(wanted), "\njobgate_http_waiters %zu\n", count);
    api_port = (int)argument_number(ops, 1, 65535);
    while (!is_so && clock_steady_us() < until_us) {
        AUTO(free) char *answer = ask(request, sizeof(request) - 1);

        is_so = strstr(answer, wanted) != NULL;
        usleep(20000);
    }
    api_port = port;
    if (!is_so)
        die("the api does not say that %zu callers wait", count);
}

static void purge(int number)
{
    char request[256];
    int length = snprintf(request, sizeof(request),
        "DELETE /v1/queues/bench%d/jobs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", number);
    AUTO(free) char *answer = ask(request, (size_t)length);

    if (!strstr(answer, "\"complete\":true"))
        die("the queue was not purged: %.300s", answer);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct waiter *waiters;
    size_t count;
    long long pid;
    bool is_stream;
    double before_mib;
    double waiting_mib;
    double cpu_before_us;
    int64_t started_us;

    if (argc != 6)
        die("waiters API_PORT OPS_PORT API_PID COUNT events|poll");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    api_port = (int)argument_number(argv[1], 1, 65535);
    pid = argument_number(argv[3], 1, INT32_MAX);
    count = (size_t)argument_number(argv[4], 1, 100000);
    is_stream = strcmp(argv[5], "events") == 0;
    waiters = calloc(count, sizeof(*waiters));
    if (!waiters)
        abort();
    before_mib = resident_mib(pid);
    for (size_t i = 0; i < count; i += BATCH)
        submit(waiters + i, count - i < BATCH ? count - i : BATCH, (int)(i / BATCH % QUEUES));
    for (size_t i = 0; i < count; i++)
        wait_for_job(&waiters[i], is_stream);
    if (is_stream)
        hear_all(waiters, count, "\"state\":\"queued\"");
    await_waiters(count, argv[2]);
    waiting_mib = resident_mib(pid);
    cpu_before_us = cpu_us(pid);
    started_us = clock_steady_us();
    for (int i = 0; i < QUEUES; i++)
        purge(i);
    hear_all(waiters, count, "\"state\":\"cancelled\"");
    printf("%.2f %.2f %.3f %.1f\n", before_mib, waiting_mib, (double)(clock_steady_us() - started_us) / 1e6,
        (cpu_us(pid) - cpu_before_us) / (double)count);
    return 0;
}
