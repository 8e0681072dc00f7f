/*
 * start_time: starts a program of ours and measures how long it takes until /readyz answers 200, and how much
 * memory it has when it has been idle for a while.
 *
 *     OPS_LISTEN=127.0.0.1:0 start_time IDLE_MS PROGRAM
 *
 * Prints: milliseconds from before the fork to the answer, resident KiB after IDLE_MS. The program's address
 * is read from its start-up line; from then on it is asked in a tight loop.
 */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { PATIENCE_US = 10000000, LOOK_US = 100 };

static pid_t start(char *program, FILE **output)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends) < 0 || (pid = fork()) < 0)
        die("no pipe or no process to be had");
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    return pid;
}

static unsigned read_ops_port(FILE *output)
{
    char line[4096];
    unsigned port;

    while (output && fgets(line, sizeof(line), output)) {
        const char *address = strstr(line, "\"ops\":\"");

        if (strstr(line, "\"listening\"") && address &&
            sscanf(address, "\"ops\":\"127.0.0.1:%u\"", &port) == 1)
            return port;
    }
    die("the program said no \"listening\" with the address of its ops port");
}

static bool is_ready(unsigned port)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[16] = "";
    ssize_t n = -1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        write(fd, request, sizeof(request) - 1) > 0)
        n = read(fd, answer, sizeof(answer) - 1);
    close(fd);
    return n >= 12 && memcmp(answer + 8, " 200", 4) == 0;
}

static long read_resident_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

int main(int argc, char **argv)
{
    int64_t started_us = clock_steady_us();
    int64_t ready_us;
    FILE *output;
    unsigned port;
    int status;
    pid_t pid;

    if (argc != 3)
        die("start_time IDLE_MS PROGRAM");
    pid = start(argv[2], &output);
    port = read_ops_port(output);
    while (!is_ready(port)) {
        if (clock_steady_us() - started_us > PATIENCE_US)
            die("%s is not ready after %d s", argv[2], PATIENCE_US / 1000000);
        usleep(LOOK_US);
    }
    ready_us = clock_steady_us() - started_us;
    usleep((useconds_t)argument_number(argv[1], 0, 60000) * 1000);
    printf("%.1f %ld\n", (double)ready_us / 1000, read_resident_kib(pid));
    kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("%s did not end well", argv[2]);
    fclose(output);
    return 0;
}
