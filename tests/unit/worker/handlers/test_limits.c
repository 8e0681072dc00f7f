#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "tests/support/stage.h"

/* The limits of a command, its working directory, and its lines of progress. */

Suite *limits_suite(void);

static struct stage s;
static char parent[PROCESS_PATH_SIZE]; /* of the working directories */

#define SHELL(name, more) "\"" name "\": {\"kind\": \"command\", \"command\": [\"/bin/sh\"]" more "}"

static void open_stage(void)
{
    directory_make(parent);
    setenv("TMPDIR", parent, 1);
    log_set_level(LOG_ERROR);
    stage_open(
        &s, SHELL("sh", "") "," SHELL("small", ", \"max_memory_mb\": 50") "," SHELL(
                "brief", ", \"max_cpu_s\": 1") "," SHELL("few", ", \"max_processes\": 8") "," SHELL("tidy",
                ", \"max_disk_mb\": 5") "," SHELL("closed", ", \"max_open_files\": 20") "," SHELL("terse",
                ", \"max_output_bytes\": 10") "," SHELL("there",
                ", \"directory\": \"%s\", \"environment\": {\"COLOR\": \"red\", \"LANG\": \"fixed\"}, "
                "\"inherit\": [\"HANDED\"]") "," SHELL("nowhere", ", \"directory\": \"/no/such/place\""));
}

static void close_stage(void)
{
    stage_close(&s);
    ck_assert_int_eq(rmdir(parent), 0); /* nothing is left in it */
}

static void run_script(const char *type, const char *script, struct ended *ended)
{
    struct run_input input = stage_input(type, script);

    stage_run(&s, &input, ended);
}

static const struct {
    const char *type;
    const char *script;
    enum error_code code;
    const char *text;
} rows[] = {
    /* memory: one process; two together; one that has left the group; one that is orphaned */
    {"small", "x=$(head -c 200000000 /dev/zero | tr '\\0' a); sleep 1000", ERROR_OUT_OF_MEMORY,
        "of memory, more than 50, the limit (max_memory_mb)"},
    {"small",
        "for i in 1 2 3; do sh -c 'x=$(head -c 25000000 /dev/zero | tr \"\\0\" a); sleep 1000' & done; wait",
        ERROR_OUT_OF_MEMORY, "of memory, more than 50"},
    {"small",
        "setsid sh -c 'sleep 0.3; x=$(head -c 100000000 /dev/zero | tr \"\\0\" a); sleep 1000' & sleep 1000",
        ERROR_OUT_OF_MEMORY, "of memory, more than 50"},
    {"small",
        "(setsid sh -c 'sleep 0.3; x=$(head -c 100000000 /dev/zero | tr \"\\0\" a); sleep 1000' &) & sleep "
        "1000",
        ERROR_OUT_OF_MEMORY, "of memory, more than 50"},
    /* within it */
    {"small", "x=$(head -c 5000000 /dev/zero | tr '\\0' a); sleep 0.5", ERROR_OK, ""},
    /* CPU time: one process, by the kernel; one that catches the signal; several, by the census */
    {"brief", "while :; do :; done", ERROR_TIMEOUT, "the CPU time limit of 1 s was reached (max_cpu_s)"},
    {"brief", "for i in 1 2 3 4; do sh -c 'while :; do :; done' & done; wait", ERROR_TIMEOUT,
        "the CPU time limit of 1 s"},
    {"brief", "sleep 1.5", ERROR_OK, ""},
    /* processes */
    {"few", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait", ERROR_OVER_LIMIT,
        "it had 11 processes, more than 8, the limit (max_processes)"},
    {"few", "sleep 0.4 & sleep 0.4 & wait", ERROR_OK, ""},
    /* disk: one file, several, several in a directory */
    {"tidy", "exec head -c 10000000 /dev/zero >file", ERROR_OVER_LIMIT,
        "it wrote a file larger than 5 MB, the limit (max_disk_mb)"},
    {"tidy", "mkdir -p a/b; for i in 1 2 3; do head -c 3000000 /dev/urandom >a/b/$i; done; sleep 1000",
        ERROR_OVER_LIMIT, "its working directory held 8 MB, more than 5, the limit (max_disk_mb)"},
    {"tidy", "head -c 3000000 /dev/urandom >file; sleep 1.5", ERROR_OK, ""},
    {"terse", "echo 1234567890", ERROR_OUTPUT_TOO_BIG, "larger than 10 bytes, the limit (max_output_bytes)"},
    {"closed", "ulimit -n; ulimit -c", ERROR_OK, "20\n0\n"},
    {"sh", "ulimit -n", ERROR_OK, "1024\n"},
    {"there", "echo $COLOR $LANG $HANDED; [ \"$(pwd)\" = \"$TMPDIR\" ] || echo there", ERROR_OK,
        "red fixed over\nthere\n"},
    {"nowhere", "echo", ERROR_HANDLER_START, "its directory /no/such/place: No such file or directory"},
};

START_TEST(each_limit_is_named)
{
    struct ended ended;

    setenv("HANDED", "over", 1);
    setenv("LANG", "inherited", 1);
    run_script(rows[_i].type, rows[_i].script, &ended);
    ck_assert_msg(ended.error.code == rows[_i].code, "%s: %s", rows[_i].script, ended.error.text);
    ck_assert_msg(strstr(ended.error.code == ERROR_OK ? ended.result.data : ended.error.text, rows[_i].text),
        "%s: %s %s", rows[_i].script, ended.error.text, ended.result.data);
    ended_release(&ended);
}
END_TEST

/* ---- the working directory ---- */

START_TEST(working_directory_is_its_own_and_goes)
{
    struct ended ended;
    char *newline;

    run_script("sh", "pwd; echo $TMPDIR >&2; ls -A; touch here; mkdir -p a/b; touch a/b/c", &ended);
    ck_assert_str_eq(ended.result.data, ended.log.data);
    newline = strchr(ended.result.data, '\n');
    ck_assert_ptr_nonnull(newline);
    *newline = '\0';
    for (int64_t deadline_ms = clock_steady_ms() + 30000; access(ended.result.data, F_OK) == 0;) {
        ck_assert(wait_until(deadline_ms));
        event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
    }
    ended_release(&ended);
}
END_TEST

static const char *const nests[] = {
    "i=0; while [ $i -lt 1000 ]; do mkdir d && cd d; i=$((i+1)); done",
    "mkdir a a/b a/b/c; touch a/b/c/file; chmod 0 a/b/c a/b a",
    "for i in 1 2 3 4 5 6 7 8 9; do mkdir $i; (cd $i; seq 100 | xargs touch); done",
    "ln -s / root; ln -s .. up; ln -s /no/where nowhere; mkfifo fifo",
};

/* close_stage looks whether anything is left. */
START_TEST(whatever_lies_in_it_goes)
{
    struct ended ended;

    run_script("sh", nests[_i], &ended);
    ck_assert_int_eq(ended.error.code, ERROR_OK);
    ended_release(&ended);
}
END_TEST

/* ---- progress ---- */

struct progress_seen {
    struct ended ended;
    int count;
    double fraction;
    char message[PROGRESS_MESSAGE_SIZE];
    char content_type[MEDIA_TYPE_SIZE];
    bool is_killer;
    struct run *run;
    int done;
    char final_type[MEDIA_TYPE_SIZE];
    char type_at_output[MEDIA_TYPE_SIZE];
    struct error error;
    char log[8192];
    struct run_usage usage;
};

static void on_progress(void *arg, const struct run_progress *progress)
{
    struct progress_seen *p = arg;

    ck_assert_int_eq(p->done, 0);
    p->count++;
    p->fraction = progress->fraction;
    snprintf(p->message, sizeof(p->message), "%s", progress->message);
    snprintf(p->content_type, sizeof(p->content_type), "%s", progress->content_type);
    if (p->is_killer)
        run_kill(p->run, ERROR_STOPPED);
}

static size_t on_output(void *arg, const void *UNUSED(data), size_t length)
{
    struct progress_seen *p = arg;

    snprintf(p->type_at_output, sizeof(p->type_at_output), "%s", p->content_type);
    return length;
}

static void on_done(void *arg, struct run_outcome *outcome)
{
    struct progress_seen *p = arg;

    p->done++;
    p->error = outcome->error ? *outcome->error : (struct error){0};
    p->usage = outcome->usage;
    snprintf(p->final_type, sizeof(p->final_type), "%s", outcome->content_type);
    snprintf(p->log, sizeof(p->log), "%s", outcome->log.data);
}

static const struct run_events progress_events = {
    .on_output = on_output, .on_progress = on_progress, .on_done = on_done};

static void run_and_watch(const char *script, struct progress_seen *p)
{
    struct run_input input = stage_input("sh", script);

    p->run = run_start(handlers_find(s.handlers, "sh"), &input, &progress_events, p);
    stage_wait(&s, &p->done, 1);
}

START_TEST(progress_is_told)
{
    struct progress_seen p = {0};

    run_and_watch("printf '%s\\n' '{\"fraction\": 0.25, \"message\": \"one\\ttwo\", \"more\": [1]}' >&3; "
                  "exec sleep 0.2",
        &p);
    ck_assert_int_eq(p.error.code, ERROR_OK);
    ck_assert_int_eq(p.count, 1);
    ck_assert(p.fraction > 0.2499 && p.fraction < 0.2501);
    ck_assert_str_eq(p.message, "one two");
    ck_assert_str_eq(p.content_type, "");
    ck_assert_str_eq(p.final_type, "application/octet-stream");
    ck_assert_str_eq(p.log, "");
}
END_TEST

START_TEST(content_type_comes_before_the_output)
{
    for (int i = 0; i < 20; i++) {
        struct progress_seen p = {0};

        run_and_watch("echo '{\"content_type\": \"text/csv; header=present\"}' >&3; echo a,b; echo "
                      "'{\"fraction\": 1}' >&3",
            &p);
        ck_assert_str_eq(p.type_at_output, "text/csv; header=present");
        ck_assert_str_eq(p.final_type, "text/csv; header=present");
        ck_assert(p.fraction == 1);
    }
}
END_TEST

static const struct {
    const char *script;
    const char *log; /* what stands in it */
} rubbish[] = {
    {"echo rubbish >&3", "[jobgate: 1 of 2 lines of progress were none: line 1: "},
    {"echo mine >&2; echo '{}' >&3; echo '[1]' >&3; echo 1 >&3",
        "mine\n[jobgate: 2 of 4 lines of progress were none: line 2: it is not a JSON object]\n"},
    {"head -c 1000000 /dev/zero | tr '\\0' x >&3; echo >&3", "line 1: it is longer than 4096 bytes]"},
    {"head -c 1000000 /dev/zero >&3", "line 1: it is longer than 4096 bytes]"},
    {"head -c 100000 /dev/urandom >&3", "lines of progress were none: line "},
    {"echo '{\"fraction\": 2}' >&3", "line 1: fraction is not a number from 0 to 1]"},
    {"echo '{\"message\": 2}' >&3", "line 1: message is not a text]"},
    {"echo '{\"content_type\": \"a\"}' >&3", "line 1: content_type is not a media type such as text/plain]"},
    {"echo '{}' >&3; echo '{\"content_type\": \"a/b\"}' >&3",
        "line 2: content_type is for the first line only]"},
};

START_TEST(rubbish_is_named_and_ends_nothing)
{
    struct progress_seen p = {0};
    AUTO_BUF struct buf script = BUF(4096);

    buf_printf(&script, "%s; echo '{\"fraction\": 0.5}' >&3; exit 0", rubbish[_i].script);
    run_and_watch(script.data, &p);
    ck_assert_int_eq(p.error.code, ERROR_OK);
    ck_assert_msg(strstr(p.log, rubbish[_i].log), "%s: %s", rubbish[_i].script, p.log);
    ck_assert_str_eq(p.final_type, "application/octet-stream");
}
END_TEST

START_TEST(long_message_is_cut_between_characters)
{
    struct progress_seen p = {0};

    run_and_watch("printf '{\"message\": \"x' >&3; for i in $(seq 300); do printf '\\303\\251' >&3; done; "
                  "echo '\"}' >&3",
        &p);
    ck_assert_uint_eq(strlen(p.message), PROGRESS_MESSAGE_SIZE - 2);
    ck_assert_str_eq(p.message + 1, p.message + 1);
    ck_assert_int_eq(p.message[strlen(p.message) - 1], '\xa9');
}
END_TEST

START_TEST(receiver_of_progress_may_end_the_run)
{
    struct progress_seen p = {.is_killer = true};

    run_and_watch(_i ? "echo '{}' >&3" : "echo '{}' >&3; sleep 1000", &p);
    ck_assert_int_eq(p.error.code, ERROR_STOPPED);
}
END_TEST

START_TEST(usage_is_told)
{
    struct progress_seen p = {0};

    run_and_watch(
        "x=$(head -c 30000000 /dev/zero | tr '\\0' a); i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done",
        &p);
    ck_assert_int_ge(p.usage.peak_memory_bytes, 30000000);
    ck_assert_int_ge(p.usage.cpu_ms, 10);
    ck_assert_int_ge(p.usage.wall_ms, 10);
}
END_TEST

Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *c = tcase_create("limits");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_stage, close_stage);
    tcase_add_loop_test(c, each_limit_is_named, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_test(c, working_directory_is_its_own_and_goes);
    tcase_add_loop_test(c, whatever_lies_in_it_goes, 0, (int)ARRAY_LENGTH(nests));
    tcase_add_test(c, progress_is_told);
    tcase_add_test(c, content_type_comes_before_the_output);
    tcase_add_loop_test(c, rubbish_is_named_and_ends_nothing, 0, (int)ARRAY_LENGTH(rubbish));
    tcase_add_test(c, long_message_is_cut_between_characters);
    tcase_add_loop_test(c, receiver_of_progress_may_end_the_run, 0, 2);
    tcase_add_test(c, usage_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
