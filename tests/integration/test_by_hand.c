/*
 * What the worker does by hand, without Redis and without a store.
 */
#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/process.h"
#include "tests/support/stage.h"

Suite *by_hand_suite(void);

enum { USAGE = 64, DATA = 65, NO_INPUT = 66, TRY_LATER = 75, CONFIG = 78, WAIT_MS = 60000 };

static char directory[PROCESS_PATH_SIZE];
static char setting[PROCESS_PATH_SIZE + 64];
static char worker[PROCESS_PATH_SIZE];

static void write_file(const char *name, const char *text, mode_t mode)
{
    struct stage s = {0};

    snprintf(s.directory, sizeof(s.directory), "%s", directory);
    stage_write(&s, name, text, mode);
}

static void open_directory(void)
{
    AUTO_BUF struct buf text = BUF(1 << 16);

    directory_make(directory);
    snprintf(setting, sizeof(setting), "HANDLERS_FILE=%s/handlers.json", directory);
    snprintf(worker, sizeof(worker), "%s/jobgate-worker", getenv("JOBGATE_BIN"));
    buf_printf(&text,
        "{\"types\": {"
        "\"wc\": {\"kind\": \"command\", \"command\": [\"wc\", \"-c\"], \"content_type\": \"text/plain\"},"
        "\"cat\": {\"kind\": \"command\", \"command\": [\"cat\"]},"
        "\"sh\": {\"kind\": \"command\", \"command\": [\"sh\"], \"timeout_s\": 2, \"max_memory_mb\": 60},"
        "\"patient\": {\"kind\": \"command\", \"command\": [\"sh\"]},"
        "\"pool\": {\"kind\": \"pool\", \"command\": [\"/usr/bin/python3\", \"%s/shout.py\"]},"
        "\"longest\": {\"kind\": \"command\", \"command\": [\"%s/longest\"], \"timeout_s\": 10},"
        "\"echo\": {\"kind\": \"builtin\", \"builtin\": \"echo\"}}}",
        directory, directory);
    write_file("handlers.json", text.data, 0600);
}

static void close_directory(void)
{
    directory_remove(directory);
}

/* Runs the shell's line; $W is the worker, $D the directory. */
static int run(const char *line, char **said)
{
    char w[PROCESS_PATH_SIZE + 2];
    char d[PROCESS_PATH_SIZE + 2];

    snprintf(w, sizeof(w), "W=%s", worker);
    snprintf(d, sizeof(d), "D=%s", directory);
    return process_run(
        (const char *[]){"sh", "-c", line, NULL}, (const char *[]){setting, w, d, NULL}, WAIT_MS, said);
}

static const struct {
    const char *line;
    int status;
    const char *words[5]; /* in what it says on both */
} rows[] = {
    {"echo hello | $W --run wc", 0,
        {"6\n", "wc: succeeded: 2 bytes, text/plain\n", "time ", "CPU ", "peak memory "}},
    {"echo hello >$D/file; $W --run cat --payload $D/file", 0, {"hello\ncat: succeeded: 6 bytes"}},
    {"printf '' | $W --run cat", 0, {"cat: succeeded: 0 bytes"}},
    {"echo 'echo result; echo words >&2; echo \"{\\\"fraction\\\": 0.5, \\\"message\\\": \\\"half\\\"}\" "
     ">&3' | $W --run "
     "sh",
        0, {"result\n", "log:\nwords\n", "progress: 50.0 % half\n"}},
    {"echo 'echo $JOBGATE_TYPE $JOBGATE_ATTEMPT' | $W --run sh 2>/dev/null", 0, {"sh 1\n"}},
    {"echo 'echo why >&2; exit 3' | $W --run sh", 1,
        {"log:\nwhy\n", "sh: handler_failed: exit status 3: why"}},
    {"echo 'exit 65' | $W --run sh", DATA, {"sh: bad_payload: exit status 65"}},
    {"echo 'exit 75' | $W --run sh", TRY_LATER, {"sh: try_later: exit status 75"}},
    {"echo 'sleep 1000' | $W --run sh", 1, {"sh: timeout: the time limit of 2000 ms was reached"}},
    {"printf %s 'x=$(head -c 200000000 /dev/zero | tr \"\\0\" a); sleep 1' | $W --run sh", 1,
        {"sh: out_of_memory: it used ", "more than 60, the limit (max_memory_mb)"}},
    {"head -c 10000000 /dev/zero >$D/file; $W --run wc --payload $D/file", 0, {"10000000\n"}},
    {"head -c 10000000 /dev/zero >$D/file; $W --run cat --payload $D/file 2>/dev/null | wc -c", 0,
        {"10000000\n"}},
    {"head -c 3000000 /dev/zero | $W --run cat 2>/dev/null | head -c 10 | wc -c", 0, {"10\n"}},
    {"echo hello | $W --run pool", 0, {"HELLO\n", "pool: succeeded: 6 bytes, text/plain"}},
    {"echo 1 | MAX_RESULT=1 $W --run echo", 1, {"echo: output_too_big: the result is larger than 1 bytes"}},
    {"$W --run nothing", USAGE,
        {"there is no type nothing; there are: cat, echo, longest, patient, pool, sh, wc"}},
    {"$W --run", USAGE, {"jobgate-worker --run TYPE [--payload FILE]"}},
    {"$W --payload x", USAGE, {"jobgate-worker --run TYPE"}},
    {"$W --run cat --check-handlers", USAGE, {"jobgate-worker --run TYPE"}},
    {"$W --run cat more", USAGE, {"jobgate-worker --run TYPE"}},
    {"$W --run cat --payload $D/nothing", NO_INPUT, {"/nothing: No such file or directory"}},
    {"HANDLERS_FILE=/no/such/file $W --run cat", CONFIG, {"/no/such/file: cannot be opened: No such file"}},
    {"MAX_RESULT=x $W --run cat", CONFIG, {"MAX_RESULT: \"x\" is not a whole number"}},
    {"chmod +x $D/longest; $W --check-handlers", 0,
        {"cat: command: right\n", "echo: builtin: right\n", "pool: pool: right\n"}},
    {"echo '{}' >$D/handlers.json; $W --check-handlers", CONFIG,
        {"/types: must be an object with at least one type"}},
    {"echo x >$D/plain; sed -i \"s|\\\"wc\\\", \\\"-c\\\"|\\\"$D/plain\\\"|; "
     "s|\\\"cat\\\"\\]|\\\"/no/cat\\\"]|\" "
     "$D/handlers.json; $W --check-handlers",
        CONFIG,
        {"wc: command: WRONG: ", "/plain: it cannot be executed: chmod +x",
            "cat: command: WRONG: /no/cat: No such file or directory", "sh: command: right"}},
    {"chmod +x $D/longest; echo a short sentence | $W --run longest", 0,
        {"sentence\n", "progress: 50.0 % reading content type text/plain",
            "longest: succeeded: 9 bytes, text/plain"}},
    {"chmod +x $D/longest; $W --run longest </dev/null", DATA,
        {"longest: bad_payload: exit status 65: there is no text"}},
    {"$W --help", 0, {"--run TYPE [--payload FILE]", "--check-handlers"}},
};

START_TEST(each_line_does_what_it_should)
{
    AUTO(free) char *said = NULL;
    struct stage s = {0};
    int status;

    snprintf(s.directory, sizeof(s.directory), "%s", directory);
    stage_write_block(&s, "jobgate_pool.py", "python", 0);
    stage_write_block(&s, "shout.py", "python", 1);
    stage_write_block(&s, "longest", "py", 0);
    status = run(rows[_i].line, &said);
    ck_assert_msg(status == rows[_i].status, "%s: status %d: %s", rows[_i].line, status, said);
    for (int i = 0; i < 5 && rows[_i].words[i]; i++)
        ck_assert_msg(
            strstr(said, rows[_i].words[i]), "%s: no \"%s\" in: %s", rows[_i].line, rows[_i].words[i], said);
}
END_TEST

/* Ctrl-C ends the handler with all that it started. */
START_TEST(interrupt_ends_the_handler)
{
    char path[PROCESS_PATH_SIZE + 16];
    AUTO(free) char *line = NULL;
    AUTO(free) char *said = NULL;
    struct process *p;

    write_file("script", "sleep 1000 & echo '{\"message\": \"on the way\"}' >&3; wait", 0600);
    snprintf(path, sizeof(path), "%s/script", directory);
    p = process_start((const char *[]){worker, "--run", "patient", "--payload", path, NULL},
        (const char *[]){setting, NULL});
    line = process_find_line(p, "on the way", WAIT_MS);
    ck_assert_ptr_nonnull(line);
    process_signal(p, SIGINT);
    ck_assert_int_eq(process_wait(p, WAIT_MS), 1);
    said = process_output(p);
    ck_assert_msg(strstr(said, "patient: stopped: ") != NULL, "%s", said);
    process_free(p);
}
END_TEST

Suite *by_hand_suite(void)
{
    Suite *suite = suite_create("by_hand");
    TCase *c = tcase_create("by_hand");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_directory, close_directory);
    tcase_add_loop_test(c, each_line_does_what_it_should, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_test(c, interrupt_ends_the_handler);
    suite_add_tcase(suite, c);
    return suite;
}
