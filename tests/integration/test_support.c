/*
 * The support code itself: what the other integration tests stand on.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/json.h"
#include "tests/support/azurite.h"
#include "tests/support/http.h"
#include "tests/support/jobgate.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"

Suite *support_suite(void);

START_TEST(a_process_hands_over_what_it_wrote)
{
    AUTO(free) char *said = NULL;
    int status =
        process_run((const char *[]){"sh", "-c", "echo out; echo err >&2; echo \"$COLOUR\"; exit 7", NULL},
            (const char *[]){"COLOUR=blue", NULL}, 5000, &said);

    ck_assert_int_eq(status, 7);
    ck_assert_str_eq(said, "out\nerr\nblue\n");
}
END_TEST

START_TEST(a_process_gets_nothing_of_the_tests_own_environment)
{
    AUTO(free) char *said = NULL;

    setenv("JOBGATE_BIN", "anything", 0);
    ck_assert_int_eq(process_run((const char *[]){"env", NULL}, NULL, 5000, &said), 0);
    ck_assert_ptr_nonnull(strstr(said, "PATH="));
    ck_assert_ptr_null(strstr(said, "JOBGATE_BIN="));
}
END_TEST

START_TEST(a_program_that_is_not_there_says_so)
{
    AUTO(free) char *said = NULL;

    ck_assert_int_eq(process_run((const char *[]){"/nowhere/at-all", NULL}, NULL, 5000, &said), 127);
    ck_assert_str_eq(said, "/nowhere/at-all cannot be started: No such file or directory\n");
}
END_TEST

START_TEST(a_process_is_killed_with_its_children)
{
    struct process *p =
        process_start((const char *[]){"sh", "-c", "sleep 1000 & echo child=$!; wait", NULL}, NULL);
    AUTO(free) char *line = process_find_line(p, "child=", 5000);
    pid_t child;

    ck_assert_ptr_nonnull(line);
    child = (pid_t)strtol(line + strlen("child="), NULL, 10);
    ck_assert_int_eq(kill(child, 0), 0);
    process_free(p);
    for (int64_t i = 0; i < 1000 && kill(child, 0) == 0; i++) {
        AUTO(free) char *state = NULL;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        if (process_run((const char *[]){"cat", path, NULL}, NULL, 5000, &state) != 0 ||
            strstr(state, ") Z "))
            return;
    }
    ck_assert_int_eq(kill(child, 0), -1);
}
END_TEST

START_TEST(a_signal_shows_in_the_status)
{
    struct process *p = process_start((const char *[]){"sleep", "1000", NULL}, NULL);

    ck_assert(!process_has_ended(p, 0));
    process_signal(p, SIGTERM);
    ck_assert_int_eq(process_wait(p, 5000), -SIGTERM);
    process_free(p);
}
END_TEST

START_TEST(a_directory_is_removed_whole)
{
    char path[PROCESS_PATH_SIZE];
    char inner[PROCESS_PATH_SIZE + 16]; /* in it, a link that must not be followed */
    struct stat status;

    directory_make(path);
    snprintf(inner, sizeof(inner), "%s/inner", path);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    snprintf(inner, sizeof(inner), "%s/inner/root", path);
    ck_assert_int_eq(symlink("/", inner), 0);
    directory_remove(path);
    ck_assert_int_eq(stat(path, &status), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(redis_comes_back_empty_on_the_same_port)
{
    struct redis_server *s = redis_server_start(NULL);
    int port = redis_server_port(s);
    AUTO(free) char *before = NULL;
    AUTO(free) char *after = NULL;

    free(redis_server_text(s, "SET %s %s", "colour", "blue"));
    before = redis_server_text(s, "GET colour");
    ck_assert_str_eq(before, "blue");
    redis_server_kill(s);
    redis_server_restart(s);
    ck_assert_int_eq(redis_server_port(s), port);
    after = redis_server_text(s, "GET colour");
    ck_assert_ptr_null(after);
    redis_server_free(s);
}
END_TEST

START_TEST(redis_keeps_what_its_options_tell_it_to)
{
    struct redis_server *s =
        redis_server_start((const char *[]){"--appendonly", "yes", "--appendfsync", "always", NULL});

    ck_assert_int_eq(redis_server_integer(s, "RPUSH list one two"), 2);
    redis_server_kill(s);
    redis_server_restart(s);
    ck_assert_int_eq(redis_server_integer(s, "LLEN list"), 2);
    redis_server_stop(s);
    redis_server_restart(s);
    ck_assert_int_eq(redis_server_integer(s, "LLEN list"), 2);
    redis_server_free(s);
}
END_TEST

START_TEST(redis_answers_again_after_a_pause)
{
    struct redis_server *s = redis_server_start(NULL);

    redis_server_pause(s);
    redis_server_resume(s);
    ck_assert_int_eq(redis_server_integer(s, "DEL nothing"), 0);
    redis_server_free(s);
}
END_TEST

START_TEST(azurite_answers_and_comes_back_on_the_same_port)
{
    struct azurite *a = azurite_start();
    int port = azurite_port(a);

    ck_assert_ptr_nonnull(strstr(azurite_connection_string(a), azurite_url(a)));
    for (int i = 0; i < 2; i++) {
        AUTO_REPLY struct http_reply reply = {0};
        AUTO(free) char *server = NULL;

        http_get(azurite_url(a), &reply);
        server = http_reply_header(&reply, "SERVER");
        ck_assert_int_eq(reply.status, 400);
        ck_assert_str_eq(server, "Azurite-Blob/3.35.0");
        azurite_kill(a);
        azurite_restart(a);
        ck_assert_int_eq(azurite_port(a), port);
    }
    azurite_free(a);
}
END_TEST

START_TEST(http_says_why_nothing_came)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port_find_free());
    http_get(url, &reply);
    ck_assert_int_eq(reply.status, 0);
    ck_assert_str_ne(reply.failure, "");
}
END_TEST

START_TEST(a_json_pointer_finds_its_member)
{
    AUTO(json) json_t *value = json_pack("{s:[{s:s},{s:i}]}", "list", "name", "a", "count", 7);

    ck_assert_str_eq(json_text_at(value, "/list/0/name"), "a");
    ck_assert_int_eq(json_int_at(value, "/list/1/count"), 7);
    ck_assert_ptr_null(json_at(value, "/list/2/name"));
    ck_assert_ptr_null(json_at(value, "/list/0/other"));
}
END_TEST

START_TEST(the_programs_start_do_a_job_and_stop)
{
    struct redis_server *redis = redis_server_start(NULL);
    char directory[PROCESS_PATH_SIZE];
    char blobs[PROCESS_PATH_SIZE + 32];
    char handlers[PROCESS_PATH_SIZE + 32];
    const char *settings[] = {redis_server_setting(redis), blobs, handlers, NULL};
    struct jobgate *api;
    struct jobgate *worker;
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO_REPLY struct http_reply result = {0};

    directory_make(directory);
    snprintf(blobs, sizeof(blobs), "BLOB_URL=file://%s/blobs", directory);
    jobgate_write_handlers(
        directory, "{\"types\":{\"echo\":{\"kind\":\"builtin\",\"builtin\":\"echo\"}}}", handlers);
    api = jobgate_start_api(settings);
    worker = jobgate_start_worker(settings);
    jobgate_wait_ready(api, 200);
    jobgate_wait_ready(worker, 200);
    id = jobgate_submit(api, "{\"type\":\"echo\",\"payload\":[1,2]}");
    job = jobgate_wait_for(api, id, "succeeded");
    ck_assert_int_eq(json_int_at(job, "/result/size"), 5);
    jobgate_result(api, id, &result);
    ck_assert_int_eq(result.status, 200);
    ck_assert_str_eq(result.body.data, "[1,2]");
    ck_assert_int_eq(jobgate_stop(worker), 0);
    ck_assert_int_eq(jobgate_stop(api), 0);
    jobgate_free(worker);
    jobgate_free(api);
    redis_server_free(redis);
    directory_remove(directory);
}
END_TEST

Suite *support_suite(void)
{
    Suite *suite = suite_create("support");
    TCase *programs = tcase_create("programs");
    TCase *servers = tcase_create("servers");

    tcase_add_test(programs, a_process_hands_over_what_it_wrote);
    tcase_add_test(programs, a_process_gets_nothing_of_the_tests_own_environment);
    tcase_add_test(programs, a_program_that_is_not_there_says_so);
    tcase_add_test(programs, a_process_is_killed_with_its_children);
    tcase_add_test(programs, a_signal_shows_in_the_status);
    tcase_add_test(programs, a_directory_is_removed_whole);
    tcase_add_test(programs, http_says_why_nothing_came);
    tcase_add_test(programs, a_json_pointer_finds_its_member);
    tcase_set_timeout(programs, 20);
    suite_add_tcase(suite, programs);
    tcase_add_test(servers, redis_comes_back_empty_on_the_same_port);
    tcase_add_test(servers, redis_keeps_what_its_options_tell_it_to);
    tcase_add_test(servers, redis_answers_again_after_a_pause);
    tcase_add_test(servers, azurite_answers_and_comes_back_on_the_same_port);
    tcase_add_test(servers, the_programs_start_do_a_job_and_stop);
    tcase_set_timeout(servers, 90);
    suite_add_tcase(suite, servers);
    return suite;
}
