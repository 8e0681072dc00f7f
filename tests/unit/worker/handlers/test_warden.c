#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/support/stage.h"
#include "worker/handlers/warden.h"

Suite *warden_suite(void);

static char directory[PROCESS_PATH_SIZE];

static void make_directory(void)
{
    directory_make(directory);
}

static void remove_directory(void)
{
    directory_remove(directory);
}

/* Reads `count` process ids from a file in the directory, as soon as it is there. */
static void wait_for_pids(const char *name, pid_t *pids, int count)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;
    char path[PROCESS_PATH_SIZE + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    while (access(path, F_OK) < 0)
        ck_assert_msg(wait_until(deadline_ms), "%s did not come", path);
    file = fopen(path, "re");
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(fscanf(file, "%d", &pids[i]), 1);
    fclose(file);
    unlink(path);
}

/* --- a worker in a process of its own, with one job that would run for long --- */

/* It writes into the file "pids": the leader, one that it started, the warden. */
static const char script[] = "sleep 1000 & echo $$ $! $(cat warden) >pids.new; mv pids.new pids; wait";

static void write_pid(const char *name, pid_t pid)
{
    FILE *file = fopen(name, "we");

    fprintf(file, "%d\n", (int)pid);
    fclose(file);
}

static void on_turn(void *arg)
{
    struct timer *t = arg;
    static pid_t written;

    if (warden_pid() != written) {
        written = warden_pid();
        write_pid("warden.new", written);
        rename("warden.new", "warden2");
    }
    timer_start(t, 5);
}

static _Noreturn void be_worker(void)
{
    struct run_input input = stage_input("sh", script);
    struct stage s = {0};
    struct ended ended;
    struct error e;
    struct timer timer;

    setpgid(0, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_DFL); /* Check's handlers would kill the test */
    signal(SIGTERM, SIG_DFL);
    log_set_output(open("/dev/null", O_WRONLY | O_CLOEXEC), true);
    if (chdir(directory) < 0 || !warden_start(&e))
        _exit(3);
    write_pid("warden", warden_pid());
    setenv("TMPDIR", directory, 1);
    stage_open(&s, "\"sh\": {\"kind\": \"command\", \"command\": [\"/bin/sh\"], \"directory\": \"%s/..\"}");
    stage_start(&s, &input, &ended);
    timer_init(&timer, s.loop, on_turn, &timer);
    timer_start(&timer, 0);
    loop_run(s.loop);
    _exit(4);
}

struct worker {
    pid_t pid;
    pid_t handlers[3]; /* the job's leader and its child, and the warden */
};

static void start_worker(struct worker *w)
{
    w->pid = fork();
    ck_assert_int_ge(w->pid, 0);
    if (w->pid == 0)
        be_worker();
    wait_for_pids("pids", w->handlers, 3);
    ck_assert(
        process_lives(w->handlers[0]) && process_lives(w->handlers[1]) && process_lives(w->handlers[2]));
}

static void assert_all_gone(const struct worker *w)
{
    int status;

    ck_assert_int_eq(waitpid(w->pid, &status, 0), w->pid);
    for (int i = 0; i < 3; i++)
        process_wait_gone(w->handlers[i]);
}

START_TEST(killed_worker_takes_its_handlers_along)
{
    struct worker w;

    start_worker(&w);
    kill(w.pid, SIGKILL);
    assert_all_gone(&w);
}
END_TEST

START_TEST(killed_group_of_the_worker_takes_its_handlers_along)
{
    struct worker w;

    start_worker(&w);
    kill(-w.pid, SIGKILL);
    assert_all_gone(&w);
}
END_TEST

/* Ctrl-C on a terminal goes to the whole group; the default action ends the worker here. */
START_TEST(interrupted_worker_takes_its_handlers_along)
{
    struct worker w;

    start_worker(&w);
    kill(w.handlers[2], SIGINT);
    kill(w.handlers[2], SIGTERM);
    kill(w.handlers[2], SIGHUP);
    kill(-w.pid, SIGINT);
    assert_all_gone(&w);
}
END_TEST

START_TEST(dead_warden_is_replaced)
{
    struct worker w;
    pid_t second = 0;

    start_worker(&w);
    wait_for_pids("warden2", &second, 1);
    ck_assert_int_eq(second, w.handlers[2]);
    kill(w.handlers[2], SIGKILL);
    wait_for_pids("warden2", &second, 1);
    ck_assert_int_ne(second, w.handlers[2]);
    process_wait_gone(w.handlers[2]);
    ck_assert(process_lives(w.handlers[0]) && process_lives(w.handlers[1]) && process_lives(second));
    kill(w.pid, SIGKILL);
    assert_all_gone(&w);
    process_wait_gone(second);
}
END_TEST

/* --- the warden itself --- */

START_TEST(it_ends_with_the_worker)
{
    struct error e;
    pid_t pid;

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(warden_pid(), 0);
    warden_stop();
    ck_assert(warden_start(&e));
    pid = warden_pid();
    ck_assert(process_lives(pid));
    warden_stop();
    ck_assert_int_eq(warden_pid(), 0);
    ck_assert(!process_lives(pid));
    ck_assert(warden_start(&e));
    warden_stop();
}
END_TEST

START_TEST(it_has_its_name_and_nothing_else)
{
    struct error e;
    char path[64];
    char name[64] = "";
    int64_t deadline_ms = clock_steady_ms() + 30000;
    int fds = 0;

    signal(SIGPIPE, SIG_IGN);
    ck_assert(warden_start(&e));
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)warden_pid());
    while (strcmp(name, "jobgate-warden\n") != 0) {
        FILE *file = fopen(path, "re");

        ck_assert(wait_until(deadline_ms));
        ck_assert_ptr_nonnull(fgets(name, sizeof(name), file));
        fclose(file);
    }
    do {
        fds = 0;
        for (int i = 0; i < 1024; i++) {
            snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)warden_pid(), i);
            fds += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        }
    } while (fds != 1 && wait_until(deadline_ms));
    ck_assert_int_eq(fds, 1);
    warden_stop();
}
END_TEST

/* A process in a group of its own that registers itself, as a handler's does. */
static pid_t start_member(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setpgid(0, 0);
        warden_register_self();
        raise(SIGSTOP);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
    warden_add(pid);
    return pid;
}

START_TEST(forgotten_group_is_spared)
{
    struct error e;
    pid_t kept;
    pid_t spared;
    int status;

    signal(SIGPIPE, SIG_IGN);
    ck_assert(warden_start(&e));
    kept = start_member();
    spared = start_member();
    warden_remove(spared);
    kill(kept, SIGKILL); /* a member has the pipe too, until it is gone: it did not exec */
    kill(spared, SIGCONT);
    ck_assert_int_eq(waitpid(kept, &status, 0), kept);
    ck_assert_int_eq(waitpid(spared, &status, 0), spared);
    ck_assert(WIFEXITED(status));
    warden_stop();
}
END_TEST

/* The pipe is filled up while the warden stands still: it is replaced rather than left with wrong ids. */
START_TEST(warden_that_does_not_read_is_replaced)
{
    struct error e;
    struct stage s = {0};
    int64_t deadline_ms = clock_steady_ms() + 30000;
    pid_t first;

    log_set_output(open("/dev/null", O_WRONLY | O_CLOEXEC), true);
    signal(SIGPIPE, SIG_IGN);
    ck_assert(warden_start(&e));
    stage_open(&s, "\"echo\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}");
    first = warden_pid();
    kill(first, SIGSTOP);
    for (int i = 0; i < 17000; i++)
        warden_remove(0x3ffffff0); /* beyond any process id */
    while (warden_pid() == first) {
        ck_assert(wait_until(deadline_ms));
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    }
    ck_assert(process_lives(warden_pid()));
    ck_assert(!process_lives(first));
    stage_close(&s);
    warden_stop();
}
END_TEST

Suite *warden_suite(void)
{
    Suite *suite = suite_create("warden");
    TCase *c = tcase_create("warden");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, make_directory, remove_directory);
    tcase_add_test(c, killed_worker_takes_its_handlers_along);
    tcase_add_test(c, killed_group_of_the_worker_takes_its_handlers_along);
    tcase_add_test(c, interrupted_worker_takes_its_handlers_along);
    tcase_add_test(c, dead_warden_is_replaced);
    tcase_add_test(c, it_ends_with_the_worker);
    tcase_add_test(c, it_has_its_name_and_nothing_else);
    tcase_add_test(c, forgotten_group_is_spared);
    tcase_add_test(c, warden_that_does_not_read_is_replaced);
    suite_add_tcase(suite, c);
    return suite;
}
