/*
 * Handlers that do what they should not, on a real worker: each ends its own job with an error that names it,
 * or harms not even that one. Beside each runs a good job, and the worker goes on and ends well.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/stage.h"

Suite *bad_handlers_suite(void);

static struct scene s;

static const char rogue[] =
    "import os, time\n"
    "import jobgate_pool as p\n"
    "def handle(job, payload):\n"
    "    order = payload.decode()\n"
    "    if order == 'noise': os.write(p._out.fileno(), b'Hello, world\\n'); time.sleep(1000)\n"
    "    if order == 'die': os._exit(7)\n"
    "    if order == 'then-die': os.system('(sleep 0.2; kill -9 %d) &' % os.getpid())\n"
    "    return payload\n"
    "p.serve(handle)\n";

#define LIMITS                                                                                               \
    "\"timeout_s\":3,\"max_memory_mb\":60,\"max_disk_mb\":5,\"max_processes\":20,\"max_output_bytes\":"      \
    "100000,"                                                                                                \
    "\"max_attempts\":1,\"max_crashes\":1"

static void open_scene(void)
{
    AUTO_BUF struct buf types = BUF(1 << 16);
    struct stage place = {0};
    char setting[PROCESS_PATH_SIZE + 32];

    scene_open(&s);
    snprintf(place.directory, sizeof(place.directory), "%s", s.directory);
    stage_write_block(&place, "jobgate_pool.py", "python", 0);
    stage_write(&place, "rogue.py", rogue, 0600);
    buf_printf(&types,
        "{\"types\":{\"good\":{\"kind\":\"command\",\"command\":[\"cat\"]},"
        "\"absent\":{\"kind\":\"command\",\"command\":[\"/no/such/program\"]},"
        "\"plain\":{\"kind\":\"command\",\"command\":[\"%1$s/plain\"]},"
        "\"true\":{\"kind\":\"command\",\"command\":[\"true\"]},"
        "\"deaf\":{\"kind\":\"command\",\"command\":[\"sleep\",\"1000\"]," LIMITS "},"
        "\"limited\":{\"kind\":\"command\",\"command\":[\"sh\"]," LIMITS "},"
        "\"pool\":{\"kind\":\"pool\",\"command\":[\"/usr/bin/python3\",\"%1$s/rogue.py\"],\"max_attempts\":1,"
        "\"max_crashes\":1}}}",
        s.directory);
    jobgate_write_handlers(s.directory, types.data, setting);
    scene_start_api(&s, NULL);
    scene_start_worker(&s, NULL);
}

static void close_scene(void)
{
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    scene_close(&s);
}

static const struct {
    const char *type;
    const char *payload; /* NULL: half a megabyte */
    const char *code;    /* NULL: it succeeds */
    const char *words;   /* in the error; the result */
} rows[] = {
    {"absent", "x", "handler_start", "/no/such/program: No such file or directory"},
    {"plain", "x", "handler_start", "chmod +x"},
    {"true", NULL, NULL, ""},
    {"deaf", NULL, "timeout", "the time limit of 3000 ms"},
    {"limited", "yes", "output_too_big", "larger than 100000 bytes, the limit (max_output_bytes)"},
    {"limited", "exit 0", NULL, ""},
    {"limited", "exec >&-; exec sleep 1000", "timeout", "the time limit of 3000 ms"},
    {"limited", "setsid sleep 1000 & sleep 1000 & echo left", NULL, "left\n"},
    {"limited", "trap '' TERM INT HUP; sleep 1000 & wait; wait", "timeout", "the time limit of 3000 ms"},
    {"limited", "x=$(head -c 200000000 /dev/zero | tr '\\0' a); sleep 1000", "out_of_memory",
        "more than 60, the limit (max_memory_mb)"},
    {"limited", "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; wait", "over_limit",
        "more than 20, the limit (max_processes)"},
    {"limited", "exec head -c 10000000 /dev/zero >file", "over_limit",
        "larger than 5 MB, the limit (max_disk_mb)"},
    {"limited", "head -c 1000000 /dev/zero | tr '\\0' x >&3; echo fine", NULL, "fine\n"},
    {"limited", "head -c 100000 /dev/urandom >&3; echo fine", NULL, "fine\n"},
    {"pool", "noise", "handler_broken", "it broke the protocol: a frame begins with byte 0x48"},
    {"pool", "die", "handler_broken", "its process ended before the job did: exit status 7"},
    {"pool", "then-die", NULL, "then-die"},
};

static char *submit(const char *type, const char *payload)
{
    AUTO(free) char *big = mem_alloc(500000);
    char query[64];

    memset(big, 'x', 500000);
    snprintf(query, sizeof(query), "type=%s", type);
    return jobgate_submit_raw(
        s.api, query, "text/plain", payload ? payload : big, payload ? strlen(payload) : 500000);
}

static void expect_good(void)
{
    AUTO(free) char *good = submit("good", "well");

    scene_expect_result(&s, good, "well", 4);
}

START_TEST(bad_handler_ends_its_own_job_only)
{
    AUTO(free) char *bad = submit(rows[_i].type, rows[_i].payload);

    expect_good();
    if (rows[_i].code)
        scene_expect_dead(&s, bad, rows[_i].code, rows[_i].words);
    else
        scene_expect_result(&s, bad, rows[_i].words, strlen(rows[_i].words));
    expect_good();
}
END_TEST

/* It died while it was idle: the next job finds another one. */
START_TEST(death_between_two_jobs_is_nobodys)
{
    for (int i = 0; i < 3; i++) {
        AUTO(free) char *one = submit("pool", "then-die");
        AUTO(free) char *line = NULL;

        scene_expect_result(&s, one, "then-die", 8);
        line = process_find_line(jobgate_process(s.worker), "between two jobs", 30000);
        ck_assert_ptr_nonnull(line);
    }
}
END_TEST

Suite *bad_handlers_suite(void)
{
    Suite *suite = suite_create("bad_handlers");
    TCase *c = tcase_create("bad_handlers");

    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, open_scene, close_scene);
    tcase_add_loop_test(c, bad_handler_ends_its_own_job_only, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_test(c, death_between_two_jobs_is_nobodys);
    suite_add_tcase(suite, c);
    return suite;
}
