/*
 * handler: what runs the jobs of the chaos test. It adds a line to the file `starts` of the directory that is
 * its argument,
 * "<id> <attempt> <name> alone" (or "overlapping": another run of the same job lives), and does what the
 * payload orders.
 */
#include "tests/chaos/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

/* A lock lasts as long as its process. */
static bool is_alone(const char *directory, const char *id)
{
    char path[1024];
    int fd;

    snprintf(path, sizeof(path), "%s/locks/%s", directory, id);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool tell_start(const char *directory, const char *id, int attempt, const struct order *order)
{
    char path[1024];
    char line[256];
    int length;
    int fd;

    snprintf(path, sizeof(path), "%s/starts", directory);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    length = snprintf(line, sizeof(line), "%s %d %s %s\n", id, attempt, order->name,
        is_alone(directory, id) ? "alone" : "overlapping");
    return fd >= 0 && write(fd, line, (size_t)length) == length && close(fd) == 0;
}

static bool read_order(struct order *order)
{
    char payload[PAYLOAD_SIZE];
    size_t length = fread(payload, 1, sizeof(payload) - 1, stdin);

    payload[length] = '\0';
    return order_read(payload, order);
}

int main(int argc, char **argv)
{
    static char answer[ANSWER_MAX];
    const char *id = getenv("JOBGATE_JOB_ID");
    const char *attempt_text = getenv("JOBGATE_ATTEMPT");
    int attempt = attempt_text ? (int)strtol(attempt_text, NULL, 10) : 0;
    struct order order;

    if (argc != 2 || !id || !read_order(&order))
        return EX_DATAERR;
    if (!tell_start(argv[1], id, attempt, &order)) {
        fprintf(stderr, "%s/starts: %s\n", argv[1], strerror(errno));
        return EX_TEMPFAIL;
    }
    usleep((useconds_t)order.ms * 1000);
    if (order.mode == MODE_CRASH && attempt == 1)
        raise(SIGKILL);
    if (order.mode == MODE_FAIL && attempt == 1)
        return EX_TEMPFAIL;
    if (order.mode == MODE_TALK)
        fprintf(stderr, "this is %s\n", order.name);
    answer_make(&order, answer);
    return fwrite(answer, 1, order.bytes, stdout) == order.bytes && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
