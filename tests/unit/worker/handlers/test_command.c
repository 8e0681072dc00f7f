#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/stage.h"

Suite *command_suite(void);

static struct stage s;

static void open_stage(void)
{
    stage_open(&s, "\"cat\": {\"kind\": \"command\", \"command\": [\"cat\"]},"
                   "\"file\": {\"kind\": \"command\", \"command\": [\"%s/file\"]},"
                   "\"away\": {\"kind\": \"command\", \"command\": [\"jobgate-test-program\"]},"
                   "\"directory\": {\"kind\": \"command\", \"command\": [\"/tmp\"]},"
                   "\"env\": {\"kind\": \"command\", \"command\": [\"/usr/bin/env\"]},"
                   "\"wc\": {\"kind\": \"command\", \"command\": [\"/usr/bin/wc\", \"-w\"]},"
                   "\"here\": {\"kind\": \"command\", \"command\": [\"/bin/sh\"]},"
                   "\"sh\": {\"kind\": \"command\", \"command\": [\"/bin/sh\"], \"directory\": \"%s\"}");
    ck_assert_int_eq(chdir(s.directory), 0); /* where the scripts put their files */
}

static void close_stage(void)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;
    siginfo_t how;

    ck_assert_int_eq(chdir("/"), 0);
    while (waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) == 0) { /* every child is reaped */
        ck_assert_msg(wait_until(deadline_ms), "process %d is still there", (int)how.si_pid);
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    }
    stage_close(&s);
}

/* Runs a script, which the shell reads from stdin as the payload. */
static void run_script(const char *script, struct ended *ended)
{
    struct run_input input = stage_input("sh", script);

    stage_run(&s, &input, ended);
}

START_TEST(words_are_counted)
{
    struct run_input input = stage_input("wc", "one two three");
    struct ended ended;

    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "3\n");
    ck_assert_uint_eq(ended.log.length, 0);
    ended_release(&ended);
}
END_TEST

START_TEST(payload_may_be_empty)
{
    struct run_input input = stage_input("cat", "");
    struct ended ended;

    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_eq(ended.result.length, 0);
    ended_release(&ended);
}
END_TEST

enum { MEGABYTE = 1 << 20 };

START_TEST(a_megabyte_passes_byte_for_byte)
{
    AUTO(free) unsigned char *payload = mem_alloc(MEGABYTE);
    struct run_input input = stage_input("cat", "");
    struct ended ended;

    for (size_t i = 0; i < MEGABYTE; i++)
        payload[i] = (unsigned char)(i * 2654435761U >> 13);
    input.payload = payload;
    input.payload_length = MEGABYTE;
    input.max_result_bytes = MEGABYTE;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_eq(ended.result.length, MEGABYTE);
    ck_assert_mem_eq(ended.result.data, payload, MEGABYTE);
    ended_release(&ended);
}
END_TEST

static const char *const not_readers[] = {
    "#!/bin/sh\nexec 0<&-\necho fine\n",
    "#!/bin/sh\necho fine\n",
    "#!/bin/sh\nhead -c 100000 >/dev/null\necho fine\n",
};

START_TEST(payload_need_not_be_read)
{
    AUTO(free) char *payload = mem_zalloc(MEGABYTE);
    struct run_input input = stage_input("file", "");
    struct ended ended;

    stage_write(&s, "file", not_readers[_i], 0700);
    input.payload = payload;
    input.payload_length = MEGABYTE;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "fine\n");
    ended_release(&ended);
}
END_TEST

static const struct {
    const char *script;
    enum error_code code;
    const char *text;
} ends[] = {
    {"echo a >&2; exit 0", ERROR_OK, ""},
    {"exit 3", ERROR_HANDLER_FAILED, "exit status 3"},
    {"echo first >&2; echo 'no such  thing' >&2; echo >&2; exit 3", ERROR_HANDLER_FAILED,
        "exit status 3: no such  thing"},
    {"printf 'tab\\there' >&2; exit 1", ERROR_HANDLER_FAILED, "exit status 1: tab here"},
    {"exit 127", ERROR_HANDLER_FAILED, "exit status 127"},
    {"echo 'line 3: not a number' >&2; exit 65", ERROR_BAD_PAYLOAD, "exit status 65: line 3: not a number"},
    {"exit 75", ERROR_TRY_LATER, "exit status 75"},
    {"kill -SEGV $$", ERROR_HANDLER_KILLED, "killed by SIGSEGV"},
    {"echo oh >&2; kill -TERM $$", ERROR_HANDLER_KILLED, "killed by SIGTERM: oh"},
    {"kill -KILL $$", ERROR_HANDLER_KILLED,
        "killed by SIGKILL (by the kernel, when memory ran out, or by another process)"},
    {"kill -PIPE $$", ERROR_HANDLER_KILLED, "killed by SIGPIPE"},
    {"kill -40 $$", ERROR_HANDLER_KILLED, "killed by signal 40"},
};

START_TEST(end_of_the_process_decides)
{
    struct ended ended;

    run_script(ends[_i].script, &ended);
    ck_assert_int_eq(ended.error.code, ends[_i].code);
    ck_assert_str_eq(ended.error.text, ends[_i].text);
    ended_release(&ended);
}
END_TEST

START_TEST(last_line_is_cut_between_characters)
{
    struct ended ended;

    run_script("i=0; while [ $i -lt 200 ]; do printf 'x\\303\\251' >&2; i=$((i+1)); done; exit 2", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_FAILED);
    ck_assert_uint_ge(strlen(ended.error.text), 150);
    ck_assert_uint_lt(strlen(ended.error.text), 200);
    ck_assert_int_ne(ended.error.text[strlen(ended.error.text) - 1], '\xc3');
    ended_release(&ended);
}
END_TEST

/* --- programs that cannot be started --- */

static const struct {
    const char *type;
    const char *file; /* NULL: it is not made */
    mode_t mode;
    const char *text;
} refused[] = {
    {"file", NULL, 0, "/file: No such file or directory: it does not exist in this container"},
    {"file", "#!/bin/sh\n", 0600, "/file: Permission denied: not executable: chmod +x"},
    {"directory", NULL, 0, "/tmp: Permission denied: not executable: chmod +x"},
    {"file", "echo hello\n", 0700, "/file: Exec format error: no #! line, or built for another architecture"},
    {"file", "#!/no/such/interpreter\n", 0700, "No such file or directory: the interpreter of its #! line"},
    {"away", NULL, 0, "jobgate-test-program: there is no such program in the worker's PATH"},
};

START_TEST(start_failure_is_named)
{
    struct run_input input = stage_input(refused[_i].type, "payload");
    struct ended ended;

    if (refused[_i].file)
        stage_write(&s, "file", refused[_i].file, refused[_i].mode);
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_START);
    ck_assert_msg(strstr(ended.error.text, refused[_i].text), "%s", ended.error.text);
    ended_release(&ended);
}
END_TEST

/* It was not there when the handlers file was loaded. */
START_TEST(program_may_appear_later)
{
    struct run_input input = stage_input("away", "");
    struct ended ended;
    char path[PROCESS_PATH_SIZE + 64];

    stage_write(&s, "jobgate-test-program", "#!/bin/sh\necho here\n", 0700);
    snprintf(path, sizeof(path), "/no/such/directory::%s:/usr/bin:/bin", s.directory);
    setenv("PATH", path, 1);
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "here\n");
    ended_release(&ended);
}
END_TEST

START_TEST(no_descriptors_left_is_tried_again_later)
{
    struct run_input input = stage_input("cat", "x");
    struct ended ended;
    int fds[1024];
    int count = 0;

    while (count < 1023 && (fds[count] = dup(0)) >= 0 && fds[count] < 200)
        count++;
    ck_assert_int_ge(fds[count], 200);
    for (int room = 0; room < 10; room++) { /* each step of the start meets the limit once */
        struct rlimit limit = {.rlim_cur = (rlim_t)(200 + room), .rlim_max = 1024};
        struct rlimit before;

        getrlimit(RLIMIT_NOFILE, &before);
        limit.rlim_max = before.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        close(fds[count]);
        stage_run(&s, &input, &ended);
        ck_assert(ended.error.code == ERROR_OK || ended.error.code == ERROR_INTERNAL);
        ck_assert(room > 0 || ended.error.code == ERROR_INTERNAL);
        ck_assert(room < 9 || ended.error.code == ERROR_OK);
        ended_release(&ended);
        setrlimit(RLIMIT_NOFILE, &before);
        fds[count] = dup(0);
    }
    for (int i = 0; i <= count; i++)
        close(fds[i]);
}
END_TEST

/* --- limits --- */

START_TEST(output_is_bounded)
{
    struct run_input input = stage_input("sh", "head -c 100000 /dev/zero");
    struct ended ended;

    input.max_result_bytes = 100000;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_eq(ended.result.length, 100000);
    ended_release(&ended);
    input.max_result_bytes = 99999;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OUTPUT_TOO_BIG);
    ck_assert_str_eq(ended.error.text, "the result is larger than 99999 bytes, the limit (MAX_RESULT)");
    ended_release(&ended);
    input = stage_input("sh", "yes");
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OUTPUT_TOO_BIG);
    ended_release(&ended);
}
END_TEST

/* The process ids that a script wrote, each on its line. */
static int read_pids(const struct buf *text, pid_t pids[8])
{
    const char *at = text->data;
    int count = 0;

    while (count < 8) {
        char *behind;
        long pid = strtol(at, &behind, 10);

        if (behind == at)
            break;
        pids[count++] = (pid_t)pid;
        at = behind;
    }
    return count;
}

static void assert_pids_gone(const struct buf *text, int wanted)
{
    pid_t pids[8];

    ck_assert_int_eq(read_pids(text, pids), wanted);
    for (int i = 0; i < wanted; i++)
        process_wait_gone(pids[i]);
}

/* The same of processes that only the census sees: the loop has to turn. */
static void turn_until_gone(const struct buf *text, int wanted)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;
    pid_t pids[8];

    ck_assert_int_eq(read_pids(text, pids), wanted);
    for (int i = 0; i < wanted; i++)
        while (process_lives(pids[i])) {
            ck_assert_msg(wait_until(deadline_ms), "process %d still lives", (int)pids[i]);
            event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
        }
}

START_TEST(time_limit_kills_the_group)
{
    struct run_input input =
        stage_input("sh", "trap '' TERM INT HUP; (sleep 1000 & echo $! >&2; sleep 1000) & "
                          "echo $$ $! >&2; wait");
    struct ended ended;

    input.timeout_ms = 500;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    ck_assert_str_eq(ended.error.text, "the time limit of 500 ms was reached");
    assert_pids_gone(&ended.log, 3);
    ended_release(&ended);
}
END_TEST

START_TEST(stdout_closed_early_does_not_end_it)
{
    struct run_input input = stage_input("sh", "echo $$ >&2; exec >&-; exec sleep 1000");
    struct ended ended;

    input.timeout_ms = 300;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    assert_pids_gone(&ended.log, 1);
    ended_release(&ended);
}
END_TEST

START_TEST(what_the_leader_leaves_behind_is_killed)
{
    struct ended ended;

    run_script("sleep 1000 & echo $! >&2; sleep 1000 & echo $! >&2; echo done", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "done\n");
    assert_pids_gone(&ended.log, 2);
    ended_release(&ended);
}
END_TEST

/* It left the group and the session, and holds stdout. */
START_TEST(escaped_process_is_killed)
{
    struct ended ended;

    run_script("setsid sh -c 'echo $$ >&2; echo ready >&3; exec sleep 1000' 3>ready & "
               "while ! [ -s ready ]; do sleep 0.01; done; rm ready; echo done",
        &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "done\n");
    turn_until_gone(&ended.log, 1);
    ended_release(&ended);
}
END_TEST

/* It writes to both pipes for ever behind the leader's exit. */
START_TEST(escaped_writer_does_not_hold_the_run)
{
    struct run_input input =
        stage_input("sh", "echo $$ >&2; setsid sh -c 'echo $$ >&2; echo x >ready; exec yes >&2' & "
                          "while ! [ -s ready ]; do sleep 0.01; done; rm ready; exit 3");
    struct ended ended;
    pid_t pids[8];

    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_FAILED);
    ck_assert_int_eq(read_pids(&ended.log, pids), 2);
    process_wait_gone(pids[1]); /* by SIGPIPE */
    ended_release(&ended);
}
END_TEST

START_TEST(log_is_bounded)
{
    struct ended ended;
    const char *line;

    run_script("{ echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; echo last; } >&2", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_lt(ended.log.length, 2 * 32768 + 64);
    ck_assert_uint_gt(ended.log.length, 2 * 32768);
    ck_assert_int_eq(strncmp(ended.log.data, "first\nxxx", 9), 0);
    ck_assert_str_eq(ended.log.data + ended.log.length - 9, "xxx\nlast\n");
    line = strchr(ended.log.data + 6, '\n');
    ck_assert_int_eq(line - ended.log.data, 32768);
    ck_assert_int_eq(strncmp(line, "\n[134476 bytes left out]\nx", 26), 0); /* 200012 - 65536 */
    ended_release(&ended);
}
END_TEST

/* Around every edge of the two halves. */
static const int log_sizes[] = {0, 1, 32767, 32768, 32769, 65535, 65536, 65537, 98304, 100000};

START_TEST(log_keeps_its_ends)
{
    char script[128];
    struct ended ended;
    int size = log_sizes[_i];

    snprintf(script, sizeof(script), "seq 100000 199999 | head -c %d >&2", size);
    run_script(script, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_uint_ge(ended.log.length, size < 65536 ? (size_t)size : 65536);
    ck_assert_int_eq(strstr(ended.log.data, " bytes left out]\n") != NULL, size > 65536);
    for (int i = 0; i < 7 && i < size && i < 32768; i++) {
        static const char begins[] = "100000\n";

        ck_assert_int_eq(ended.log.data[i], begins[i]);
    }
    if (size) { /* byte n of the stream is byte n % 7 of the number 100000 + n / 7 */
        char number[16];

        snprintf(number, sizeof(number), "%d\n", 100000 + (size - 1) / 7);
        ck_assert_int_eq(ended.log.data[ended.log.length - 1], number[(size - 1) % 7]);
    }
    ended_release(&ended);
}
END_TEST

/* --- what the program finds --- */

START_TEST(environment_is_clean)
{
    static const char *const wanted[] = {"PATH=/usr/bin:/bin", "LANG=C", "LC_TIME=de_DE", "TZ=UTC",
        "TMPDIR=/tmp/jobgate-", "JOBGATE_RUN=", "JOBGATE_OWNER=me", "JOBGATE_META_color=red and blue",
        "JOBGATE_META_n=", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "JOBGATE_JOB_ID=default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", "JOBGATE_TYPE=env", "JOBGATE_QUEUE=default",
        "JOBGATE_ATTEMPT=7", "JOBGATE_DEADLINE=2026-11-21T03:35:22.001Z"};
    struct run_input input = stage_input("env", "");
    AUTO(json) json_t *metadata = json_pack("{s:s,s:s}", "color", "red and blue", "n", "");
    struct ended ended;
    size_t lines = 0;

    clearenv();
    setenv("PATH", "/usr/bin:/bin", 1);
    setenv("LANG", "C", 1);
    setenv("LC_TIME", "de_DE", 1);
    setenv("TZ", "UTC", 1);
    setenv("TZDATA", "no", 1);
    setenv("AZURE_STORAGE_CONNECTION_STRING", "secret", 1);
    setenv("REDIS_URL", "redis://:secret@host", 1);
    setenv("JOBGATE_SECRET", "secret", 1);
    setenv("LD_PRELOAD_NOT", "secret", 1);
    clock_set_for_test(1795232062001);
    input.attempt = 7;
    input.owner = "me";
    input.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    input.metadata = metadata;
    stage_run(&s, &input, &ended);
    clock_set_for_test(-1);
    setenv("TMPDIR", "/tmp", 1);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    for (const char *c = ended.result.data; *c; c++)
        lines += *c == '\n';
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        ck_assert_msg(strstr(ended.result.data, wanted[i]), "%s not in: %s", wanted[i], ended.result.data);
    ck_assert_msg(lines == ARRAY_LENGTH(wanted), "%s", ended.result.data);
    ended_release(&ended);
}
END_TEST

START_TEST(descriptors_are_not_inherited)
{
    struct ended ended;
    int leaked = open("/dev/null", O_RDONLY); /* as a library might, without O_CLOEXEC */
    int high = fcntl(leaked, F_DUPFD, 700);

    ck_assert_int_ge(high, 700);
    run_script("ls /proc/$$/fd", &ended);
    ck_assert_str_eq(ended.result.data, "0\n1\n2\n3\n");
    close(leaked);
    close(high);
    ended_release(&ended);
}
END_TEST

/* The pipes then get the numbers that the program's own are to have. */
START_TEST(worker_without_stdin_and_stdout_can_start_it)
{
    struct run_input input = stage_input("cat", "x");
    struct ended ended;
    int in = fcntl(0, F_DUPFD_CLOEXEC, 100);
    int out = fcntl(1, F_DUPFD_CLOEXEC, 100);

    close(0);
    close(1);
    stage_run(&s, &input, &ended);
    dup2(in, 0);
    dup2(out, 1);
    close(in);
    close(out);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_str_eq(ended.result.data, "x");
    ended_release(&ended);
}
END_TEST

/* The mask that /proc/<pid>/status shows behind this name. The two signals that glibc keeps for itself (32
 * and 33) are left out: nobody can reset those through it, and who started the tests may have them ignored.
 */
static uint64_t signal_mask(const char *status, const char *name)
{
    static const uint64_t of_glibc = UINT64_C(3) << 31;
    const char *at = strstr(status, name);

    ck_assert_msg(at != NULL, "%s not in: %s", name, status);
    return strtoull(at + strlen(name), NULL, 16) & ~of_glibc;
}

START_TEST(signals_and_privileges_are_reset)
{
    struct ended ended;
    sigset_t blocked;

    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    run_script("grep -E 'Sig(Blk|Ign)|NoNew' /proc/self/status", &ended);
    ck_assert_uint_eq(signal_mask(ended.result.data, "SigBlk:"), 0);
    ck_assert_uint_eq(signal_mask(ended.result.data, "SigIgn:"), 0);
    ck_assert_ptr_nonnull(strstr(ended.result.data, "NoNewPrivs:\t1"));
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    ck_assert(sigismember(&blocked, SIGUSR2) == 1 && sigismember(&blocked, SIGUSR1) == 0);
    ended_release(&ended);
}
END_TEST

START_TEST(it_leads_its_own_group)
{
    struct ended ended;
    pid_t pids[8];

    run_script("sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 3; echo $$", &ended);
    ck_assert_int_eq(read_pids(&ended.result, pids), 2);
    ck_assert_int_eq(pids[0], pids[1]);
    ended_release(&ended);
}
END_TEST

/* --- ended from outside, and many at once --- */

START_TEST(run_is_killed)
{
    struct run_input input = stage_input("sh", "echo $$ >&2; sleep 1000 & echo $! >&2; wait");
    struct ended ended;
    struct run *r = stage_start(&s, &input, &ended);

    for (int i = 0; i < 20; i++) { /* so that the script gets to its second line, most times */
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
        usleep(10000);
    }
    run_kill(r, ERROR_STOPPED);
    run_kill(r, ERROR_TIMEOUT);
    ck_assert_int_eq(ended.count, 0);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
    ck_assert_str_eq(ended.error.text, "the handler was stopped: the process is stopping");
    {
        pid_t pids[8];
        int count = read_pids(&ended.log, pids);

        for (int i = 0; i < count; i++)
            process_wait_gone(pids[i]);
    }
    ended_release(&ended);
}
END_TEST

START_TEST(run_is_killed_at_once)
{
    struct run_input input = stage_input("cat", "");
    struct ended ended;

    run_kill(stage_start(&s, &input, &ended), ERROR_STOPPED);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
    ended_release(&ended);
}
END_TEST

START_TEST(run_that_did_not_start_is_killed)
{
    struct run_input input = stage_input("file", "");
    struct ended ended;

    run_kill(stage_start(&s, &input, &ended), ERROR_STOPPED);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_START);
    ended_release(&ended);
}
END_TEST

struct killed_late {
    struct run *run;
    struct timer timer;
    pid_t *leader;
};

static void kill_when_leader_is_gone(void *arg)
{
    struct killed_late *k = arg;
    siginfo_t how;

    if (waitid(P_PID, (id_t)*k->leader, &how, WEXITED | WNOHANG | WNOWAIT) == -1)
        run_kill(k->run, ERROR_STOPPED);
    else
        timer_start(&k->timer, 10);
}

/* The leader has exited, an escaped process holds stdout: the run still waits, and is ended in that state. */
START_TEST(run_is_killed_behind_its_leader)
{
    struct run_input input =
        stage_input("sh", "setsid sh -c 'echo $$ >pids; mv pids ready; exec sleep 1000' & "
                          "while ! [ -s ready ]; do sleep 0.01; done; echo $$ >>ready");
    struct ended ended;
    struct killed_late k;
    char text[64] = "";
    struct buf pids_text = {.data = text};
    pid_t pids[8] = {0};
    int fd;

    k.run = stage_start(&s, &input, &ended);
    while (read_pids(&pids_text, pids) < 2) {
        fd = open("ready", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            ssize_t n = read(fd, text, sizeof(text) - 1);

            text[n < 0 ? 0 : n] = '\0';
            close(fd);
        }
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
        usleep(1000);
    }
    unlink("ready");
    k.leader = &pids[1];
    timer_init(&k.timer, s.loop, kill_when_leader_is_gone, &k);
    timer_start(&k.timer, 0);
    stage_wait(&s, &ended.count, 1);
    timer_stop(&k.timer);
    ck_assert_int_eq(ended.error.code, ERROR_STOPPED);
    kill(pids[0], SIGKILL);
    process_wait_gone(pids[0]);
    ended_release(&ended);
}
END_TEST

enum { MANY = 60 };

static void count_run(void *arg, struct run_outcome *outcome)
{
    int *count = arg;

    ck_assert_msg(!outcome->error, "%s", outcome->error ? outcome->error->text : "");
    ck_assert_str_eq(outcome->result.data, "1\n");
    ++*count;
}

static const struct run_events counted = {.on_done = count_run};

START_TEST(many_run_at_once)
{
    struct run_input input = stage_input("wc", "word");
    int count = 0;

    for (int i = 0; i < MANY; i++)
        run_start(handlers_find(s.handlers, "wc"), &input, &counted, &count);
    stage_wait(&s, &count, MANY);
    ck_assert_int_eq(count, MANY);
}
END_TEST

/* A child that somebody else in the worker started stays theirs, and hides none of ours. */
START_TEST(strange_children_are_left_alone)
{
    struct ended ended;
    pid_t strange = fork();
    siginfo_t how;
    int status;

    if (strange == 0)
        _exit(9);
    ck_assert_int_eq(waitid(P_PID, (id_t)strange, &how, WEXITED | WNOWAIT), 0);
    run_script("echo a", &ended);
    ck_assert_str_eq(ended.result.data, "a\n");
    ck_assert_int_eq(waitpid(strange, &status, 0), strange);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    ended_release(&ended);
}
END_TEST

/* Nothing is left open, run after run. */
START_TEST(descriptors_do_not_leak)
{
    struct run_input missing = stage_input("file", "x");
    struct ended ended;
    int before = dup(0);
    int after;

    close(before);
    for (int i = 0; i < 20; i++) {
        run_script("exit 1", &ended);
        ended_release(&ended);
        stage_run(&s, &missing, &ended);
        ended_release(&ended);
    }
    after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *c = tcase_create(name);

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_stage, close_stage);
    suite_add_tcase(suite, c);
    return c;
}

static void add_streams(TCase *c)
{
    tcase_add_test(c, words_are_counted);
    tcase_add_test(c, payload_may_be_empty);
    tcase_add_test(c, a_megabyte_passes_byte_for_byte);
    tcase_add_loop_test(c, payload_need_not_be_read, 0, (int)ARRAY_LENGTH(not_readers));
    tcase_add_test(c, output_is_bounded);
    tcase_add_test(c, log_is_bounded);
    tcase_add_loop_test(c, log_keeps_its_ends, 0, (int)ARRAY_LENGTH(log_sizes));
}

static void add_ends(TCase *c)
{
    tcase_add_loop_test(c, end_of_the_process_decides, 0, (int)ARRAY_LENGTH(ends));
    tcase_add_test(c, last_line_is_cut_between_characters);
    tcase_add_loop_test(c, start_failure_is_named, 0, (int)ARRAY_LENGTH(refused));
    tcase_add_test(c, program_may_appear_later);
    tcase_add_test(c, no_descriptors_left_is_tried_again_later);
    tcase_add_test(c, time_limit_kills_the_group);
    tcase_add_test(c, stdout_closed_early_does_not_end_it);
    tcase_add_test(c, what_the_leader_leaves_behind_is_killed);
    tcase_add_test(c, escaped_process_is_killed);
    tcase_add_test(c, escaped_writer_does_not_hold_the_run);
    tcase_add_test(c, run_is_killed);
    tcase_add_test(c, run_is_killed_at_once);
    tcase_add_test(c, run_that_did_not_start_is_killed);
    tcase_add_test(c, run_is_killed_behind_its_leader);
}

static void add_surroundings(TCase *c)
{
    tcase_add_test(c, environment_is_clean);
    tcase_add_test(c, descriptors_are_not_inherited);
    tcase_add_test(c, worker_without_stdin_and_stdout_can_start_it);
    tcase_add_test(c, signals_and_privileges_are_reset);
    tcase_add_test(c, it_leads_its_own_group);
    tcase_add_test(c, many_run_at_once);
    tcase_add_test(c, strange_children_are_left_alone);
    tcase_add_test(c, descriptors_do_not_leak);
}

Suite *command_suite(void)
{
    Suite *suite = suite_create("command");

    add_streams(add_case(suite, "streams"));
    add_ends(add_case(suite, "ends"));
    add_surroundings(add_case(suite, "surroundings"));
    return suite;
}
