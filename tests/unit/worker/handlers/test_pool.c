#include <check.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "tests/support/stage.h"

/* Pools: the reference clients of docs/handlers.md as they stand there, and a program that breaks every rule.
 */

Suite *pool_suite(void);

static struct stage s;

/* What the payload orders; the client is the page's own. */
static const char rogue[] =
    "import os, signal, sys, threading, time, json\n"
    "import jobgate_pool as p\n"
    "count = 0\n"
    "def raw(data): os.write(p._out.fileno(), data)\n"
    "def handle(job, payload):\n"
    "    global count\n"
    "    count += 1\n"
    "    order, _, more = payload.decode(errors='replace').partition(' ')\n"
    "    if order == 'pid': return str(os.getpid()).encode()\n"
    "    if order == 'count': return str(count).encode()\n"
    "    if order == 'job': return json.dumps(job).encode()\n"
    "    if order == 'env': return '\\n'.join(k + '=' + v for k, v in os.environ.items()).encode()\n"
    "    if order == 'log': print('to the log'); sys.stdout.flush(); os.system('echo and this'); return "
    "b'x'\n"
    "    if order == 'fail': raise p.Failure('as told', more)\n"
    "    if order == 'raise': raise KeyError('surprise')\n"
    "    if order == 'exit': print('last words'); sys.stdout.flush(); os._exit(int(more))\n"
    "    if order == 'signal': os.kill(os.getpid(), int(more))\n"
    "    if order == 'sleep': time.sleep(float(more)); return b'slept'\n"
    "    if order == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)\n"
    "    if order == 'noise': raw(b'Hello, world\\n'); time.sleep(1000)\n"
    "    if order == 'huge': raw(b'P\\xff\\xff\\xff\\xff'); time.sleep(1000)\n"
    "    if order == 'long-end': raw(b'E\\0\\0\\0\\1x'); time.sleep(1000)\n"
    "    if order == 'half': raw(b'D\\0\\0\\0\\x10half'); os._exit(0)\n"
    "    if order == 'close': os.close(p._out.fileno()); time.sleep(1000)\n"
    "    if order == 'twice': p._write(b'E', job['id'].encode()); p._out.flush(); time.sleep(float(more)); "
    "return b'again'\n"
    "    if order == 'bad-failure': raw(b'F\\0\\0\\0\\3xyz'); time.sleep(1000)\n"
    "    if order == 'odd-code': raise p.Failure('x', 'timeout')\n"
    "    if order == 'then-die': os.system('(sleep 0.1; kill -9 %d) &' % os.getpid()); return b'fine'\n"
    "    if order == 'then-talk': threading.Timer(0.1, raw, [b'rubbish']).start(); return b'fine'\n"
    "    if order == 'fork': os.system('sleep 1000 & echo $!'); return b'left'\n"
    "    if order == 'eat': x = 'x' * 200000000; time.sleep(1000)\n"
    "    if order == 'keep': globals()['kept'] = bytearray(b'x') * 100000000; return "
    "str(os.getpid()).encode()\n"
    "    if order == 'spin': \n"
    "        while True: pass\n"
    "    if order == 'progress': p.progress(fraction=0.5, message='half', content_type='text/csv'); return "
    "b'a,b'\n"
    "    if order == 'progress-rubbish': p._write(b'P', b'rubbish'); return b'fine'\n"
    "    if order == 'pieces': return (b'x' * 100000 for _ in range(int(more)))\n"
    "    return payload\n"
    "p.serve(handle)\n";

/* It answers before it reads, and never reads more than the beginning. */
static const char hasty[] =
    "import os, time\n"
    "os.read(0, 5)\n"
    "os.write(1, b'D\\0\\0\\0\\4fastE\\0\\0\\0\\x24default.0.01KA2B3C4D5E6F7G8H9JKMNPQR')\n"
    "time.sleep(1000)\n";

#define POOL(name, program, file, more)                                                                      \
    "\"" name "\": {\"kind\": \"pool\", \"command\": [\"" program "\", \"%s/" file "\"]" more "},"

static void open_stage(void)
{
    log_set_level(LOG_ERROR);
    stage_open(&s,
        POOL("rogue", "/usr/bin/python3", "rogue.py", "") POOL("two", "/usr/bin/python3", "rogue.py",
            ", \"size\": 2") POOL("worn", "/usr/bin/python3", "rogue.py", ", \"max_jobs\": 2")
            POOL("fat", "/usr/bin/python3", "rogue.py", ", \"max_rss_mb\": 80")
                POOL("small", "/usr/bin/python3", "rogue.py", ", \"max_memory_mb\": 100, \"max_cpu_s\": 1")
                    POOL("bored", "/usr/bin/python3", "rogue.py", ", \"idle_s\": 1")
                        POOL("hasty", "/usr/bin/python3", "hasty.py", "") POOL(
                            "python", "/usr/bin/python3", "shout.py", "") POOL("node", "node", "shout.js",
                            "") "\"missing\": {\"kind\": \"pool\", \"command\": [\"/no/such/program\"]},"
                                "\"true\": {\"kind\": \"pool\", \"command\": [\"true\"]},"
                                "\"cat\": {\"kind\": \"pool\", \"command\": [\"cat\"]},"
                                "\"mute\": {\"kind\": \"pool\", \"command\": [\"sleep\", \"1000\"]}");
    stage_write_block(&s, "jobgate_pool.py", "python", 0);
    stage_write_block(&s, "shout.py", "python", 1);
    stage_write_block(&s, "jobgate_pool.js", "javascript", 0);
    stage_write_block(&s, "shout.js", "javascript", 1);
    stage_write(&s, "rogue.py", rogue, 0600);
    stage_write(&s, "hasty.py", hasty, 0600);
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
}

static void close_stage(void)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;
    siginfo_t how;

    /* what was replaced goes by itself; what is idle goes with the handlers */
    for (int i = 0; i < 3; i++)
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    s.handlers = handlers_free(s.handlers);
    while (waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) == 0)
        ck_assert_msg(wait_until(deadline_ms), "process %d is still there", (int)how.si_pid);
    stage_close(&s);
}

static void run(const char *type, const char *payload, struct ended *ended)
{
    struct run_input input = stage_input(type, payload);

    stage_run(&s, &input, ended);
}

static void expect(const char *type, const char *payload, const char *result)
{
    struct ended ended;

    run(type, payload, &ended);
    ck_assert_msg(ended.error.code == ERROR_OK, "%s: %s", payload, ended.error.text);
    ck_assert_str_eq(ended.result.data, result);
    ended_release(&ended);
}

static void expect_error(const char *type, const char *payload, enum error_code code, const char *text)
{
    struct ended ended;

    run(type, payload, &ended);
    ck_assert_msg(ended.error.code == code && strstr(ended.error.text, text), "%s: %d %s", payload,
        ended.error.code, ended.error.text);
    ended_release(&ended);
}

static pid_t pid_of(const char *type)
{
    struct ended ended;
    pid_t pid;

    run(type, "pid", &ended);
    pid = (pid_t)strtol(ended.result.data, NULL, 10);
    ck_assert_int_gt(pid, 1);
    ended_release(&ended);
    return pid;
}

/* ---- the page's clients ---- */

START_TEST(pages_client_serves)
{
    const char *type = _i ? "node" : "python";
    AUTO(free) char *big = mem_alloc(3000001);
    AUTO(free) char *loud = mem_alloc(3000001);
    struct ended ended;

    for (int i = 0; i < 5; i++)
        expect(type, "hello", "HELLO");
    expect_error(type, "", ERROR_BAD_PAYLOAD, "there is no text");
    expect(type, "again", "AGAIN");
    for (size_t i = 0; i < 3000000; i++) {
        big[i] = (char)('a' + i % 26);
        loud[i] = (char)('A' + i % 26);
    }
    big[3000000] = loud[3000000] = '\0';
    run(type, big, &ended);
    ck_assert_msg(ended.error.code == ERROR_OK, "%s", ended.error.text);
    ck_assert_uint_eq(ended.result.length, 3000000);
    ck_assert_mem_eq(ended.result.data, loud, 3000000);
    ended_release(&ended);
}
END_TEST

/* ---- one process ---- */

START_TEST(process_stays)
{
    pid_t pid = pid_of("rogue");

    expect("rogue", "count", "2");
    expect_error("rogue", "fail bad_payload", ERROR_BAD_PAYLOAD, "as told");
    ck_assert_int_eq(pid_of("rogue"), pid);
}
END_TEST

static const struct {
    const char *payload;
    enum error_code code;
    const char *text;
    bool is_replaced;
} failures[] = {
    {"fail bad_payload", ERROR_BAD_PAYLOAD, "as told", false},
    {"fail try_later", ERROR_TRY_LATER, "as told", false},
    {"fail handler_failed", ERROR_HANDLER_FAILED, "as told", false},
    {"raise", ERROR_HANDLER_FAILED, "surprise", false},
    {"odd-code", ERROR_HANDLER_FAILED, "with the code timeout, which is none of handler_failed, bad_payload",
        false},
    {"exit 3", ERROR_HANDLER_BROKEN, "its process ended before the job did: exit status 3: last words", true},
    {"exit 0", ERROR_HANDLER_BROKEN, "its process ended before the job did: exit status 0", true},
    {"signal 11", ERROR_HANDLER_KILLED, "its process ended before the job did: killed by SIGSEGV", true},
    {"signal 9", ERROR_HANDLER_KILLED, "killed by SIGKILL", true},
    {"noise", ERROR_HANDLER_BROKEN, "it broke the protocol: a frame begins with byte 0x48", true},
    {"huge", ERROR_HANDLER_BROKEN, "it broke the protocol: a P frame of 4294967295 bytes, more than 65536",
        true},
    {"long-end", ERROR_HANDLER_BROKEN, "it broke the protocol: it ended job \"x\", which is not this one",
        true},
    {"half", ERROR_HANDLER_BROKEN, "its process ended before the job did: exit status 0", true},
    {"close", ERROR_HANDLER_BROKEN, "it closed stdout in the middle of a job, and lives on", true},
    {"bad-failure", ERROR_HANDLER_BROKEN, "it broke the protocol: an F frame that is not JSON", true},
};

/* The next job gets an answer, from the same process or from another one. */
START_TEST(failure_is_named_and_harms_no_other)
{
    pid_t before = pid_of("rogue");
    struct ended ended;

    expect_error("rogue", failures[_i].payload, failures[_i].code, failures[_i].text);
    run("rogue", "pid", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_int_eq(strtol(ended.result.data, NULL, 10) != before, failures[_i].is_replaced);
    ended_release(&ended);
}
END_TEST

START_TEST(time_limit_kills_and_replaces)
{
    pid_t before = pid_of("rogue");
    struct run_input input = stage_input("rogue", "deaf");
    struct ended ended;

    input.timeout_ms = 300;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_TIMEOUT);
    ended_release(&ended);
    process_wait_gone(before);
    ck_assert_int_ne(pid_of("rogue"), before);
}
END_TEST

static const struct {
    const char *payload;
    enum error_code code;
    const char *text;
} over[] = {
    {"eat", ERROR_OUT_OF_MEMORY, "more than 100, the limit (max_memory_mb)"},
    {"spin", ERROR_TIMEOUT, "the CPU time limit of 1 s"},
};

START_TEST(limits_hold_for_each_job)
{
    expect("small", "first", "first");
    expect_error("small", over[_i].payload, over[_i].code, over[_i].text);
    expect("small", "next", "next");
}
END_TEST

/* It answers before the payload is all written, let alone read. */
START_TEST(answer_that_is_complete_counts)
{
    AUTO(free) char *big = mem_zalloc(300001);

    memset(big, 'x', 300000);
    expect("hasty", big, "fast");
    expect("hasty", big, "fast");
}
END_TEST

/* A second answer to a job, which comes while the next one runs, must never be taken for that one's. */
START_TEST(late_answer_is_no_others)
{
    struct run_input first = stage_input("rogue", "twice 0.3");
    struct run_input second = stage_input("rogue", "mine");
    struct ended ended;

    stage_run(&s, &first, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ended_release(&ended);
    second.job_id = "default.0.01KA2B3C4D5E6F7G8H9JKMNPQS";
    stage_run(&s, &second, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_BROKEN);
    ck_assert_ptr_nonnull(strstr(ended.error.text, "it ended job \"default.0.01KA2B3C4D5E6F7G8H9JKMNPQR\""));
    ended_release(&ended);
    expect("rogue", "next", "next");
}
END_TEST

static void turn_until_gone(pid_t pid)
{
    int64_t deadline_ms = clock_steady_ms() + 30000;

    while (process_lives(pid)) {
        ck_assert(wait_until(deadline_ms));
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    }
}

static const char *const between[] = {"then-die", "then-talk"};

START_TEST(what_happens_between_two_jobs_harms_none)
{
    pid_t before = pid_of("rogue");

    expect("rogue", between[_i], "fine");
    turn_until_gone(before);
    ck_assert_int_ne(pid_of("rogue"), before);
}
END_TEST

/* Its death was not told yet when the next job comes. */
START_TEST(dead_process_gets_no_job)
{
    pid_t before = pid_of("rogue");
    siginfo_t how;

    kill(before, SIGKILL);
    ck_assert_int_eq(waitid(P_PID, (id_t)before, &how, WEXITED | WNOWAIT), 0);
    ck_assert_int_ne(pid_of("rogue"), before);
}
END_TEST

START_TEST(used_up_process_is_replaced)
{
    pid_t first = pid_of("worn");
    pid_t kept;

    ck_assert_int_eq(pid_of("worn"), first);
    ck_assert_int_ne(pid_of("worn"), first);
    turn_until_gone(first);
    kept = pid_of("fat");
    ck_assert_int_eq(pid_of("fat"), kept);
    expect("fat", "count", "3");
    {
        struct ended ended;

        run("fat", "keep", &ended);
        ck_assert_int_eq(strtol(ended.result.data, NULL, 10), kept);
        ended_release(&ended);
    }
    ck_assert_int_ne(pid_of("fat"), kept);
}
END_TEST

START_TEST(idle_process_is_ended)
{
    turn_until_gone(pid_of("bored"));
}
END_TEST

START_TEST(log_belongs_to_the_job)
{
    struct ended ended;

    run("rogue", "log", &ended);
    ck_assert_str_eq(ended.log.data, "to the log\nand this\n");
    ended_release(&ended);
    run("rogue", "x", &ended);
    ck_assert_uint_eq(ended.log.length, 0);
    ended_release(&ended);
}
END_TEST

START_TEST(job_is_described)
{
    struct run_input input = stage_input("rogue", "job");
    AUTO(json) json_t *metadata = json_pack("{s:s}", "color", "red");
    AUTO(json) json_t *job = NULL;
    struct ended ended;
    struct error e;

    input.attempt = 3;
    input.owner = "me";
    input.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    input.metadata = metadata;
    stage_run(&s, &input, &ended);
    job = json_parse(ended.result.data, ended.result.length, &e);
    ck_assert_str_eq(json_string_value(json_object_get(job, "id")), input.job_id);
    ck_assert_str_eq(json_string_value(json_object_get(job, "type")), "rogue");
    ck_assert_str_eq(json_string_value(json_object_get(job, "queue")), "default");
    ck_assert_str_eq(json_string_value(json_object_get(job, "owner")), "me");
    ck_assert_str_eq(json_string_value(json_object_get(job, "traceparent")), input.traceparent);
    ck_assert(json_equal(json_object_get(job, "metadata"), metadata));
    ck_assert_int_eq(json_integer_value(json_object_get(job, "attempt")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(job, "length")), 3);
    ck_assert_ptr_nonnull(json_object_get(job, "deadline"));
    ended_release(&ended);
}
END_TEST

START_TEST(environment_is_of_no_job)
{
    struct ended ended;

    setenv("AZURE_STORAGE_KEY", "secret", 1);
    run("rogue", "env", &ended);
    ck_assert_ptr_nonnull(strstr(ended.result.data, "JOBGATE_TYPE=rogue"));
    ck_assert_ptr_nonnull(strstr(ended.result.data, "TMPDIR="));
    ck_assert_ptr_null(strstr(ended.result.data, "JOBGATE_JOB_ID"));
    ck_assert_ptr_null(strstr(ended.result.data, "secret"));
    ended_release(&ended);
}
END_TEST

static const struct {
    const char *type;
    enum error_code code;
    const char *text;
} misfits[] = {
    {"missing", ERROR_HANDLER_START, "/no/such/program: No such file or directory"},
    {"true", ERROR_HANDLER_BROKEN, "its process ended before the job did: exit status 0"},
    {"cat", ERROR_HANDLER_BROKEN, "it broke the protocol: a frame begins with byte 0x4a"},
    {"mute", ERROR_TIMEOUT, "the time limit of 300 ms"},
};

START_TEST(program_that_knows_no_protocol)
{
    for (int i = 0; i < 2; i++) {
        struct run_input input = stage_input(misfits[_i].type, "x");
        struct ended ended;

        input.timeout_ms = _i == 3 ? 300 : input.timeout_ms;
        stage_run(&s, &input, &ended);
        ck_assert_msg(ended.error.code == misfits[_i].code && strstr(ended.error.text, misfits[_i].text),
            "%d %s", ended.error.code, ended.error.text);
        ended_release(&ended);
    }
}
END_TEST

/* ---- several ---- */

START_TEST(jobs_wait_for_a_process)
{
    enum { JOBS = 12 };
    struct ended ended[JOBS];
    int pids = 0;
    long seen[JOBS];

    for (int i = 0; i < JOBS; i++) {
        struct run_input input = stage_input("two", "pid");

        stage_start(&s, &input, &ended[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        bool is_new = true;

        stage_wait(&s, &ended[i].count, 1);
        seen[i] = strtol(ended[i].result.data, NULL, 10);
        for (int j = 0; j < i; j++)
            is_new = is_new && seen[j] != seen[i];
        pids += is_new;
        ended_release(&ended[i]);
    }
    ck_assert_int_eq(pids, 2);
}
END_TEST

START_TEST(others_notice_nothing)
{
    struct run_input slow = stage_input("two", "sleep 1");
    struct run_input bad = stage_input("two", "signal 11");
    struct ended slow_ended, bad_ended, waiting;
    struct run_input next = stage_input("two", "after");

    stage_start(&s, &slow, &slow_ended);
    stage_start(&s, &bad, &bad_ended);
    stage_start(&s, &next, &waiting);
    stage_wait(&s, &waiting.count, 1);
    stage_wait(&s, &slow_ended.count, 1);
    ck_assert_int_eq(bad_ended.error.code, ERROR_HANDLER_KILLED);
    ck_assert_str_eq(slow_ended.result.data, "slept");
    ck_assert_str_eq(waiting.result.data, "after");
    ended_release(&slow_ended);
    ended_release(&bad_ended);
    ended_release(&waiting);
}
END_TEST

START_TEST(waiting_job_is_killed)
{
    struct run_input slow = stage_input("rogue", "sleep 0.5");
    struct run_input next = stage_input("rogue", "next");
    struct ended first, second, third;
    struct run *run;

    stage_start(&s, &slow, &first);
    run = stage_start(&s, &next, &second);
    stage_start(&s, &next, &third);
    run_kill(run, ERROR_CANCELLED);
    stage_wait(&s, &second.count, 1);
    ck_assert_int_eq(second.error.code, ERROR_CANCELLED);
    stage_wait(&s, &third.count, 1);
    ck_assert_str_eq(first.result.data, "slept");
    ck_assert_str_eq(third.result.data, "next");
    ended_release(&first);
    ended_release(&second);
    ended_release(&third);
}
END_TEST

START_TEST(job_is_asked_to_end)
{
    struct run_input input = stage_input("rogue", "sleep 1000");
    struct ended ended;
    struct run *r;

    ck_assert_int_gt(pid_of("rogue"), 1);
    r = stage_start(&s, &input, &ended);
    run_ask(r, ERROR_CANCELLED);
    stage_wait(&s, &ended.count, 1);
    ck_assert_int_eq(ended.error.code, ERROR_HANDLER_KILLED);
    ck_assert_ptr_nonnull(strstr(ended.error.text, "SIGTERM"));
    ended_release(&ended);
}
END_TEST

START_TEST(output_is_bounded)
{
    struct run_input input = stage_input("rogue", "pieces 11");
    struct ended ended;

    input.max_result_bytes = 1000000;
    stage_run(&s, &input, &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OUTPUT_TOO_BIG);
    ended_release(&ended);
    expect("rogue", "x", "x");
}
END_TEST

START_TEST(rubbish_as_progress_is_named)
{
    struct ended ended;

    run("rogue", "progress-rubbish", &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ck_assert_ptr_nonnull(strstr(ended.log.data, "[jobgate: 1 of 1 lines of progress were none: line 1: "));
    ended_release(&ended);
}
END_TEST

/* A new file: what runs goes on with the old process, what is idle goes. */
START_TEST(reload_ends_idle_processes_only)
{
    struct run_input slow = stage_input("rogue", "sleep 0.5");
    struct handlers *old = s.handlers;
    AUTO_BUF struct buf mistakes = BUF(4096);
    char path[PROCESS_PATH_SIZE + 64];
    struct ended ended;
    pid_t idle = pid_of("two");

    stage_start(&s, &slow, &ended);
    snprintf(path, sizeof(path), "%s/handlers.json", s.directory);
    s.handlers = handlers_load(s.loop, NULL, path, &mistakes);
    handlers_free(old);
    ck_assert_int_ne(pid_of("two"), idle);
    stage_wait(&s, &ended.count, 1);
    ck_assert_str_eq(ended.result.data, "slept");
    turn_until_gone(idle);
    ended_release(&ended);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *c = tcase_create("pool");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_stage, close_stage);
    tcase_add_loop_test(c, pages_client_serves, 0, 2);
    tcase_add_test(c, process_stays);
    tcase_add_loop_test(c, failure_is_named_and_harms_no_other, 0, (int)ARRAY_LENGTH(failures));
    tcase_add_test(c, time_limit_kills_and_replaces);
    tcase_add_loop_test(c, limits_hold_for_each_job, 0, (int)ARRAY_LENGTH(over));
    tcase_add_test(c, answer_that_is_complete_counts);
    tcase_add_test(c, late_answer_is_no_others);
    tcase_add_loop_test(c, what_happens_between_two_jobs_harms_none, 0, (int)ARRAY_LENGTH(between));
    tcase_add_test(c, dead_process_gets_no_job);
    tcase_add_test(c, used_up_process_is_replaced);
    tcase_add_test(c, idle_process_is_ended);
    tcase_add_test(c, log_belongs_to_the_job);
    tcase_add_test(c, job_is_described);
    tcase_add_test(c, environment_is_of_no_job);
    tcase_add_loop_test(c, program_that_knows_no_protocol, 0, (int)ARRAY_LENGTH(misfits));
    tcase_add_test(c, jobs_wait_for_a_process);
    tcase_add_test(c, others_notice_nothing);
    tcase_add_test(c, waiting_job_is_killed);
    tcase_add_test(c, job_is_asked_to_end);
    tcase_add_test(c, output_is_bounded);
    tcase_add_test(c, rubbish_as_progress_is_named);
    tcase_add_test(c, reload_ends_idle_processes_only);
    suite_add_tcase(suite, c);
    return suite;
}
