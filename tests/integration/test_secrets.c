#include <check.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"

Suite *secrets_suite(void);

enum { WAIT_MS = 60000, PATH_SIZE = 2 * PROCESS_PATH_SIZE };

static struct scene s;
static int version;

static void open_all(void)
{
    scene_open(&s);
    version = 0;
    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER jobgate on >one ~* &* +@all"));
}

static void close_all(void)
{
    scene_close(&s);
}

/* Writes a secret as a CSI mount does: the name leads through ..data to the folder of a version. */
static void mount_secret(const char *name, const char *value)
{
    char path[PATH_SIZE];
    char folder[PATH_SIZE];
    FILE *file;

    snprintf(folder, sizeof(folder), "%s/..v%d", s.directory, ++version);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/..v%d/%s", s.directory, version, name);
    file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(value, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    snprintf(path, sizeof(path), "%s/..data", s.directory);
    snprintf(folder, sizeof(folder), "%s/..data_tmp", s.directory);
    {
        char target[32];

        snprintf(target, sizeof(target), "..v%d", version);
        ck_assert_int_eq(symlink(target, folder), 0);
    }
    ck_assert_int_eq(rename(folder, path), 0);
    snprintf(path, sizeof(path), "%s/%s", s.directory, name);
    snprintf(folder, sizeof(folder), "..data/%s", name);
    if (symlink(folder, path) < 0)
        ck_assert_int_eq(errno, EEXIST);
}

static void mount_redis_url(int port, const char *password)
{
    char url[128];

    snprintf(url, sizeof(url), "redis://jobgate:%s@127.0.0.1:%d", password, port);
    mount_secret("redis-url", url);
}

static void start_both(void)
{
    char file[PATH_SIZE];
    const char *settings[] = {"REDIS_URL=", file, NULL};

    snprintf(file, sizeof(file), "REDIS_URL_FILE=%s/redis-url", s.directory);
    scene_start_api(&s, settings);
    scene_start_worker(&s, settings);
}

static void expect_line(const struct jobgate *g, const char *words)
{
    AUTO(free) char *line = process_find_line(jobgate_process(g), words, WAIT_MS);

    ck_assert_msg(line != NULL, "nobody says \"%s\"", words);
}

static void run_job(const char *text)
{
    AUTO(free) char *id = jobgate_submit_raw(s.api, "type=echo", "text/plain", text, strlen(text));

    scene_expect_result(&s, id, text, strlen(text));
}

/* Every connection that they have is ended: those that come instead know the new password, or none. */
static void cut_connections(void)
{
    double before = jobgate_metric(s.worker, "jobgate_redis_connects_total");

    ck_assert_int_ge(redis_server_integer(s.redis, "CLIENT KILL USER jobgate"), 2);
    jobgate_wait_metric(s.worker, "jobgate_redis_connects_total", before + 1);
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 200);
}

static void expect_one_run(void)
{
    ck_assert_uint_eq(scene_count_lines(&s, "runs"), 1);
}

/* A job is under way when the password changes, another one is submitted while nobody is connected anew. */
START_TEST(a_new_password_of_redis_is_taken_over)
{
    AUTO(free) char *id = NULL;

    mount_redis_url(redis_server_port(s.redis), "one");
    start_both();
    id = scene_submit_script(&s, "", "echo run >>runs; while [ ! -e go ]; do sleep 0.05; done; echo done");
    scene_wait_lines(&s, "runs", 1);
    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER jobgate >two"));
    mount_redis_url(redis_server_port(s.redis), "two");
    expect_line(s.api, "REDIS_URL: a new value was taken over from");
    expect_line(s.api, "took the new password");
    expect_line(s.worker, "took the new password");
    run_job("between");
    ck_assert_uint_eq(scene_count_log(s.worker, "redis", "is away"), 0);
    ck_assert_uint_eq(scene_count_log(s.api, "redis", "is away"), 0);
    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER jobgate <one"));
    cut_connections();
    scene_touch(&s, "go");
    scene_expect_result(&s, id, "done\n", 5);
    expect_one_run();
    run_job("behind");
}
END_TEST

/* The secret is there before the server knows it. */
START_TEST(a_password_that_is_refused_is_tried_again)
{
    mount_redis_url(redis_server_port(s.redis), "one");
    start_both();
    mount_redis_url(redis_server_port(s.redis), "two");
    expect_line(s.worker, "refuses the new password");
    run_job("with the old one");
    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER jobgate >two <one"));
    expect_line(s.worker, "took the new password");
    expect_line(s.api, "took the new password");
    cut_connections();
    run_job("with the new one");
    ck_assert_uint_eq(scene_count_log(s.worker, "two", ""), 0);
}
END_TEST

START_TEST(another_server_is_gone_to)
{
    struct redis_server *other = redis_server_start(NULL);
    AUTO(free) char *id = NULL;

    mount_redis_url(redis_server_port(s.redis), "one");
    freeReplyObject(redis_server_command(other, "ACL SETUSER jobgate on >one ~* &* +@all"));
    start_both();
    run_job("here");
    mount_redis_url(redis_server_port(other), "one");
    expect_line(s.worker, "REDIS_URL names another server");
    expect_line(s.api, "REDIS_URL names another server");
    expect_line(s.worker, "answers again");
    jobgate_wait_ready(s.api, 200);
    jobgate_wait_ready(s.worker, 200);
    run_job("there");
    ck_assert_int_eq(redis_server_integer(other, "HEXISTS jobgate:{default.0}:stats succeeded"), 1);
    redis_server_free(other);
}
END_TEST

static const char *const useless[] = {"", "redis:/", "redis://jobgate:SECRET@[", "redis://x/\n\nSECRET"};

/* What is half of a secret changes nothing, and is warned of without being shown. */
START_TEST(half_a_secret_is_passed_over)
{
    mount_redis_url(redis_server_port(s.redis), "one");
    start_both();
    mount_secret("redis-url", useless[_i]);
    expect_line(s.worker, "the value before stays in use, and the file is read again");
    run_job("all the same");
    ck_assert_uint_eq(scene_count_log(s.worker, "SECRET", ""), 0);
    mount_redis_url(redis_server_port(s.redis), "one");
    run_job("still");
    ck_assert_uint_eq(scene_count_log(s.worker, "is away", ""), 0);
}
END_TEST

/* A wrong key, mended while both programs run. */
START_TEST(a_new_key_of_the_store_is_taken_over)
{
    char file[PATH_SIZE];
    const char *settings[] = {file, NULL};

    s.azurite = azurite_start();
    snprintf(s.store, sizeof(s.store), "%s", azurite_container_setting(s.azurite));
    snprintf(file, sizeof(file), "AZURE_STORAGE_KEY_FILE=%s/key", s.directory);
    mount_secret("key", "d3Jvbmc=");
    scene_start_api(&s, settings);
    s.worker = scene_new_worker(&s, settings);
    expect_line(s.worker, "the blob store cannot be used: the blob store answered 403");
    mount_secret("key", azurite_key);
    expect_line(s.worker, "AZURE_STORAGE_KEY: a new value was taken over from");
    jobgate_wait_ready(s.worker, 200);
    run_job("with the right key");
    ck_assert_uint_eq(scene_count_log(s.worker, azurite_key, ""), 0);
}
END_TEST

#define PASSWORD "hunter2hunter2"

/* Of a handler, the worker is the parent. */
START_TEST(secrets_do_not_show_in_proc)
{
    static const char script[] =
        "tr '\\0' '\\n' </proc/$PPID/environ; tr '\\0' '\\n' </proc/self/environ; env";
    char setting[256];
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO_REPLY struct http_reply result = {0};

    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER jobgate >" PASSWORD));
    snprintf(setting, sizeof(setting), "REDIS_URL=redis://jobgate:" PASSWORD "@127.0.0.1:%d",
        redis_server_port(s.redis));
    scene_start_api(&s, (const char *const[]){setting, NULL});
    scene_start_worker(&s, (const char *const[]){setting, NULL});
    id = scene_submit_script(&s, "", script);
    job = jobgate_wait_for(s.api, id, NULL);
    ck_assert_ptr_nonnull(job);
    jobgate_result(s.api, id, &result);
    ck_assert_msg(strstr(result.body.data, "JOBGATE_JOB_ID=") != NULL, "%s", result.body.data);
    ck_assert_msg(strstr(result.body.data, PASSWORD) == NULL, "%s", result.body.data);
    ck_assert_uint_eq(scene_count_log(s.worker, PASSWORD, ""), 0);
    ck_assert_uint_eq(scene_count_log(s.api, PASSWORD, ""), 0);
}
END_TEST

/* What belongs to a process that may not be dumped belongs to root in /proc, whoever runs it. */
static uid_t owner_of_memory(pid_t pid)
{
    struct stat found;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    ck_assert_int_eq(stat(path, &found), 0);
    return found.st_uid;
}

/* Runs a program as somebody who is not root. */
static struct process *start_as_nobody(const char *core_dumps)
{
    char program[PROCESS_PATH_SIZE];
    const char *argv[8] = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program};
    const char *settings[] = {
        core_dumps, "API_LISTEN=127.0.0.1:0", "OPS_LISTEN=127.0.0.1:0", "BLOB_URL=file:///nowhere", NULL};
    struct process *p;
    AUTO(free) char *line = NULL;

    snprintf(program, sizeof(program), "%s/jobgate-api", getenv("JOBGATE_BIN"));
    p = process_start(geteuid() == 0 ? argv : argv + 4, settings);
    line = process_find_line(p, "listening", WAIT_MS);
    ck_assert_ptr_nonnull(line);
    return p;
}

START_TEST(the_process_is_closed_to_its_own_user)
{
    struct process *closed = start_as_nobody("CORE_DUMPS=off");
    struct process *open = start_as_nobody("CORE_DUMPS=on");

    ck_assert_uint_eq(owner_of_memory(process_id(closed)), 0);
    ck_assert_uint_ne(owner_of_memory(process_id(open)), 0);
    process_free(closed);
    process_free(open);
}
END_TEST

Suite *secrets_suite(void)
{
    Suite *suite = suite_create("secrets");
    TCase *tcase = tcase_create("secrets");

    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_new_password_of_redis_is_taken_over);
    tcase_add_test(tcase, a_password_that_is_refused_is_tried_again);
    tcase_add_test(tcase, another_server_is_gone_to);
    tcase_add_loop_test(tcase, half_a_secret_is_passed_over, 0, ARRAY_LENGTH(useless));
    tcase_add_test(tcase, a_new_key_of_the_store_is_taken_over);
    tcase_add_test(tcase, secrets_do_not_show_in_proc);
    tcase_add_test(tcase, the_process_is_closed_to_its_own_user);
    suite_add_tcase(suite, tcase);
    return suite;
}
