#include "tests/support/process.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENVIRONMENT_MAX = 64, POLL_US = 3000 };

struct process {
    pid_t id;
    int output; /* a memfd, so that nobody has to read it for the program to go on */
    bool has_ended;
    int status; /* as waitpid gives it */
    char name[64];
};

bool wait_until(int64_t deadline_ms)
{
    if (clock_steady_ms() >= deadline_ms)
        return false;
    usleep(POLL_US);
    return true;
}

/* Fills out with pointers into the test's own environment and into settings. */
static void make_environment(const char *const *settings, const char *out[ENVIRONMENT_MAX])
{
    static const char *const kept[] = {"PATH", "HOME", "TMPDIR", "JOBGATE_TEST_RUN", "ASAN_OPTIONS",
        "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH"};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        for (char **variable = environ; *variable; variable++)
            if (strncmp(*variable, kept[i], strlen(kept[i])) == 0 && (*variable)[strlen(kept[i])] == '=')
                out[count++] = *variable;
    for (; settings && *settings; settings++) {
        ck_assert_msg(count < ENVIRONMENT_MAX - 1, "more than %d settings", ENVIRONMENT_MAX);
        out[count++] = *settings;
    }
    out[count] = NULL;
}

_Noreturn static void become(
    const char *const *argv, const char *const *environment, int output, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 ||
        dup2(output, 2) < 0)
        _exit(126);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(argv[0], (char *const *)argv, (char *const *)environment);
    dprintf(2, "%s cannot be started: %s\n", argv[0], strerror(errno));
    _exit(127);
}

struct process *process_start(const char *const *argv, const char *const *settings)
{
    struct process *p = mem_zalloc(sizeof(*p));
    const char *environment[ENVIRONMENT_MAX];
    const char *name = strrchr(argv[0], '/');
    pid_t parent = getpid();
    sigset_t all;
    sigset_t before;

    snprintf(p->name, sizeof(p->name), "%s", name ? name + 1 : argv[0]);
    make_environment(settings, environment);
    p->output = memfd_create(p->name, MFD_CLOEXEC);
    ck_assert_msg(p->output >= 0, "memfd_create: %s", strerror(errno));
    ck_assert_int_eq(fcntl(p->output, F_SETFL, O_APPEND), 0);
    /* Check's handlers are inherited: a signal that comes before exec must not run them. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    p->id = fork();
    if (p->id == 0)
        become(argv, environment, p->output, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    ck_assert_msg(p->id >= 0, "fork: %s", strerror(errno));
    setpgid(p->id, p->id); /* both sides do it: whichever comes first */
    return p;
}

struct process *process_free(struct process *p)
{
    if (!p)
        return NULL;
    process_signal_group(p, SIGKILL);
    if (!p->has_ended)
        waitpid(p->id, NULL, 0);
    close(p->output);
    free(p);
    return NULL;
}

pid_t process_id(const struct process *p)
{
    return p->id;
}

char *process_output(const struct process *p)
{
    struct stat written;
    ssize_t length;
    char *text;

    ck_assert_int_eq(fstat(p->output, &written), 0);
    text = mem_zalloc((size_t)written.st_size + 1);
    length = pread(p->output, text, (size_t)written.st_size, 0);
    ck_assert_int_ge(length, 0);
    return text;
}

static char *find_line(const char *text, const char *needle)
{
    const char *end;

    for (; (end = strchr(text, '\n')); text = end + 1)
        if (memmem(text, (size_t)(end - text), needle, strlen(needle)))
            return strndup(text, (size_t)(end - text));
    return NULL;
}

char *process_find_line(struct process *p, const char *needle, int timeout_ms)
{
    int64_t deadline_ms = clock_steady_ms() + timeout_ms;

    for (;;) {
        bool has_ended = process_has_ended(p, 0);
        AUTO(free) char *text = process_output(p);
        char *line = find_line(text, needle);

        if (line || has_ended || !wait_until(deadline_ms))
            return line;
    }
}

void process_signal(const struct process *p, int signal_number)
{
    if (!p->has_ended)
        kill(p->id, signal_number);
}

void process_signal_group(const struct process *p, int signal_number)
{
    kill(-p->id, signal_number);
}

bool process_has_ended(struct process *p, int timeout_ms)
{
    int64_t deadline_ms = clock_steady_ms() + timeout_ms;

    while (!p->has_ended) {
        pid_t ended = waitpid(p->id, &p->status, WNOHANG);

        ck_assert_msg(ended >= 0, "waitpid: %s", strerror(errno));
        p->has_ended = ended > 0;
        if (!p->has_ended && !wait_until(deadline_ms))
            return false;
    }
    return true;
}

int process_wait(struct process *p, int timeout_ms)
{
    if (!process_has_ended(p, timeout_ms)) {
        AUTO(free) char *said = process_output(p);

        ck_abort_msg("%s still runs after %d ms; it said:\n%s", p->name, timeout_ms, said);
    }
    return WIFSIGNALED(p->status) ? -WTERMSIG(p->status) : WEXITSTATUS(p->status);
}

int process_run(const char *const *argv, const char *const *settings, int timeout_ms, char **output)
{
    struct process *p = process_start(argv, settings);
    int status = process_wait(p, timeout_ms);

    if (output)
        *output = process_output(p);
    process_free(p);
    return status;
}

void directory_make(char path[PROCESS_PATH_SIZE])
{
    const char *parent = getenv("TMPDIR");

    snprintf(path, PROCESS_PATH_SIZE, "%s/jobgate.XXXXXX", parent ? parent : "/tmp");
    ck_assert_msg(mkdtemp(path) != NULL, "%s: %s", path, strerror(errno));
}

static int remove_entry(
    const char *path, const struct stat *UNUSED(status), int UNUSED(kind), struct FTW *UNUSED(at))
{
    (void)remove(path); /* what cannot go keeps its directory, and that is tried again */
    return 0;
}

/* A program that is just being killed may still write: an emptied directory may not stay empty. */
void directory_remove(const char *path)
{
    int64_t deadline_ms = clock_steady_ms() + 5000;

    do
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    while (access(path, F_OK) == 0 && wait_until(deadline_ms));
}

int port_find_free(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}
