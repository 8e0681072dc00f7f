/*
 * Configuration, as a person meets it: the options of the programs, and how they refuse to start.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/json.h"
#include "tests/support/scene.h"

Suite *config_suite(void);

/* Source: sysexits.h. */
enum { USAGE = 64, CONFIG = 78, WAIT_MS = 30000 };

static struct scene s;

static void open_scene(void)
{
    scene_open(&s);
}

static void close_scene(void)
{
    scene_close(&s);
}

/* Runs a program to its end; what it said is said's (free()). */
static int run(const char *program, const char *option, const char *const *settings, char **said)
{
    char path[PROCESS_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", getenv("JOBGATE_BIN"), program);
    return process_run((const char *[]){path, option, NULL}, settings, WAIT_MS, said);
}

static void assert_says(const char *said, const char *const *words)
{
    for (; *words; words++)
        ck_assert_msg(strstr(said, *words) != NULL, "\"%s\" is not in:\n%s", *words, said);
}

static const char *const programs[] = {"jobgate-api", "jobgate-worker"};

START_TEST(help_lists_the_settings_of_each)
{
    static const char *const others[] = {"WORKER_CONCURRENCY", "API_LISTEN"};
    AUTO(free) char *said = NULL;

    ck_assert_int_eq(run(programs[_i], "--help", NULL, &said), 0);
    assert_says(said, (const char *const[]){programs[_i], "--check-config", "--print-config", "--version",
                          "OPS_LISTEN", "REDIS_URL", "BLOB_URL", "_FILE", others[1 - _i], "default", NULL});
    ck_assert_ptr_null(strstr(said, others[_i]));
}
END_TEST

START_TEST(version_names_the_program)
{
    AUTO(free) char *said = NULL;

    ck_assert_int_eq(run(programs[_i], "--version", NULL, &said), 0);
    ck_assert_int_eq(strncmp(said, programs[_i], strlen(programs[_i])), 0);
    ck_assert_uint_gt(strlen(said), strlen(programs[_i]) + 2);
}
END_TEST

START_TEST(wrong_option_is_a_usage_error)
{
    static const char *const options[] = {"--nonsense", "-x", "extra", "--help=yes"};

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        AUTO(free) char *said = NULL;

        ck_assert_int_eq(run(programs[_i], options[i], NULL, &said), USAGE);
        assert_says(said, (const char *const[]){"--help", NULL});
    }
}
END_TEST

START_TEST(right_configuration_is_said_to_be_right)
{
    const char *settings[] = {redis_server_setting(s.redis), s.store, s.handlers, NULL};
    AUTO(free) char *said = NULL;

    ck_assert_int_eq(run(programs[_i], "--check-config", settings, &said), 0);
    assert_says(said, (const char *const[]){"right", NULL});
}
END_TEST

/* Each line is about one setting, and says what would be right. */
START_TEST(every_mistake_is_listed)
{
    static const char *const api[] = {"API_LISTEN=nowhere", "OPS_LISTEN=127.0.0.1:99999", "API_LOOPS=0",
        "MAX_BODY=1k", "AUTH=magic", "REDIS_URL=http://x", "REDIS_TIMEOUT_MS=", "BLOB_URL=ftp://x/y",
        "LOG_LEVEL=loud", "DRAIN_S=-1", NULL};
    static const char *const worker[] = {"OPS_LISTEN=:x", "WORKER_CONCURRENCY=0", "WORKER_QUEUES=good,Bad",
        "RESULT_STORE=never", "MAX_RESULT=99999999999999999999", "REDIS_URL=redis://",
        "BLOB_URL=file://relative", "BLOB_TIMEOUT_MS=1", NULL};
    static const char *const *const settings[] = {api, worker};
    static const char *const ways[] = {"--check-config", NULL, "--print-config"};

    for (size_t way = 0; way < ARRAY_LENGTH(ways); way++) {
        AUTO(free) char *said = NULL;

        ck_assert_int_eq(run(programs[_i], ways[way], settings[_i], &said), CONFIG);
        for (const char *const *setting = settings[_i]; *setting; setting++) {
            char name[64];

            snprintf(name, sizeof(name), "\n%.*s: ", (int)strcspn(*setting, "="), *setting);
            if (strcmp(*setting, "REDIS_TIMEOUT_MS=") != 0) /* empty is not set */
                assert_says(said, (const char *const[]){name, NULL});
        }
        ck_assert_ptr_null(strstr(said, "REDIS_TIMEOUT_MS"));
        ck_assert_ptr_null(strstr(said, "listening"));
    }
}
END_TEST

START_TEST(worker_says_what_is_wrong_in_the_handlers_file)
{
    static const char json[] =
        "{\"types\":{\"a\":{\"kind\":\"command\",\"command\":[]},"
        "\"B\":{\"kind\":\"builtin\",\"builtin\":\"echo\"},"
        "\"c\":{\"kind\":\"magic\"},"
        "\"d\":{\"kind\":\"builtin\",\"builtin\":\"dance\",\"timeout_s\":0,\"surprise\":1}}}";
    AUTO(free) char *said = NULL;
    AUTO(free) char *broken = NULL;
    AUTO(free) char *missing = NULL;
    AUTO(free) char *unset = NULL;

    jobgate_write_handlers(s.directory, json, s.handlers);
    ck_assert_int_eq(
        run("jobgate-worker", "--check-config", (const char *[]){s.handlers, s.store, NULL}, &said), CONFIG);
    assert_says(said, (const char *const[]){"HANDLERS_FILE", "/types/a/command", "/types/B", "/types/c/kind",
                          "/types/d/builtin", "/types/d/timeout_s", "/types/d/surprise", NULL});
    jobgate_write_handlers(s.directory, "{\"types\":{\n]}", s.handlers);
    ck_assert_int_eq(
        run("jobgate-worker", NULL, (const char *[]){s.handlers, s.store, NULL}, &broken), CONFIG);
    assert_says(broken, (const char *const[]){"line 2", NULL});
    ck_assert_int_eq(run("jobgate-worker", NULL,
                         (const char *[]){"HANDLERS_FILE=/nowhere/at-all", s.store, NULL}, &missing),
        CONFIG);
    assert_says(missing, (const char *const[]){"/nowhere/at-all", "No such file or directory", NULL});
    ck_assert_int_eq(run("jobgate-worker", NULL, (const char *[]){s.store, NULL}, &unset), CONFIG);
    assert_says(unset, (const char *const[]){"HANDLERS_FILE: is not set", NULL});
}
END_TEST

START_TEST(print_config_shows_what_is_in_force_and_no_secret)
{
    const char *settings[] = {"REDIS_URL=redis://me:very%2Fsecret@127.0.0.1:1", "DRAIN_S=7", s.handlers,
        "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=https;AccountName=someone;"
        "AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
        NULL};
    AUTO(free) char *said = NULL;

    ck_assert_int_eq(run(programs[_i], "--print-config", settings, &said), 0);
    assert_says(
        said, (const char *const[]){"REDIS_URL=***\n", "AZURE_STORAGE_CONNECTION_STRING=***\n", "DRAIN_S=7\n",
                  "AZURE_STORAGE_KEY=\n", "BLOB_CONTAINER=jobgate\n", "REDIS_TIMEOUT_MS=2000\n", NULL});
    ck_assert_ptr_null(strstr(said, "secret"));
    ck_assert_ptr_null(strstr(said, "c2VjcmV0"));
}
END_TEST

static void write_file(
    const char *name, const char *text, const char *setting_name, char setting[SCENE_SETTING_SIZE])
{
    char path[PROCESS_PATH_SIZE + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", s.directory, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
    snprintf(setting, SCENE_SETTING_SIZE, "%s=%s", setting_name, path);
}

START_TEST(secret_may_stand_in_a_file)
{
    char setting[SCENE_SETTING_SIZE];
    char text[128];

    snprintf(text, sizeof(text), "%s\n", redis_server_url(s.redis));
    write_file("url", text, "REDIS_URL_FILE", setting);
    s.api = jobgate_start_api((const char *[]){setting, s.store, NULL});
    jobgate_wait_ready(s.api, 200);
    free(jobgate_submit(s.api, "{\"type\":\"echo\",\"payload\":1}"));
    ck_assert_int_eq(redis_server_integer(s.redis, "LLEN jobgate:{default.0}:ready"), 1);
}
END_TEST

START_TEST(secret_in_two_places_or_in_no_file_is_refused)
{
    char setting[SCENE_SETTING_SIZE];
    AUTO(free) char *twice = NULL;
    AUTO(free) char *missing = NULL;

    write_file("url", "redis://127.0.0.1:1", "REDIS_URL_FILE", setting);
    ck_assert_int_eq(run("jobgate-api", NULL,
                         (const char *[]){setting, "REDIS_URL=redis://127.0.0.1:2", s.store, NULL}, &twice),
        CONFIG);
    assert_says(twice, (const char *const[]){"REDIS_URL: is set, and REDIS_URL_FILE too", NULL});
    ck_assert_int_eq(
        run("jobgate-api", NULL, (const char *[]){"REDIS_URL_FILE=/nowhere/at-all", s.store, NULL}, &missing),
        CONFIG);
    assert_says(
        missing, (const char *const[]){"REDIS_URL_FILE: /nowhere/at-all: No such file or directory", NULL});
}
END_TEST

/* With AUTH=none nobody but this machine may reach the api. */
START_TEST(without_authentication_only_loopback_is_listened_on)
{
    static const char *const open[] = {"API_LISTEN=0.0.0.0:0", "API_LISTEN=[::]:0", "API_LISTEN=:8080",
        "API_LISTEN=192.168.1.1:80", "API_LISTEN=example.com:80", "API_LISTEN=[::ffff:10.0.0.1]:80"};
    static const char *const closed[] = {
        "API_LISTEN=127.0.0.1:0", "API_LISTEN=127.1.2.3:0", "API_LISTEN=[::1]:0", "API_LISTEN=localhost:0"};

    for (size_t i = 0; i < ARRAY_LENGTH(open); i++) {
        AUTO(free) char *said = NULL;

        ck_assert_msg(run("jobgate-api", NULL, (const char *[]){open[i], s.store, NULL}, &said) == CONFIG,
            "%s", open[i]);
        assert_says(said, (const char *const[]){"API_LISTEN: ", "loopback", NULL});
    }
    for (size_t i = 0; i < ARRAY_LENGTH(closed); i++) {
        AUTO(free) char *said = NULL;

        ck_assert_msg(
            run("jobgate-api", "--check-config", (const char *[]){closed[i], s.store, NULL}, &said) == 0,
            "%s", said);
    }
}
END_TEST

START_TEST(port_that_is_taken_ends_the_start)
{
    char listen[128];
    AUTO(free) char *said = NULL;
    int status;

    scene_start_api(&s, NULL);
    snprintf(listen, sizeof(listen), "OPS_LISTEN=%s", jobgate_ops_url(s.api) + strlen("http://"));
    status =
        run("jobgate-api", NULL, (const char *[]){listen, "API_LISTEN=127.0.0.1:0", s.store, NULL}, &said);
    ck_assert_int_ne(status, 0);
    assert_says(said, (const char *const[]){"cannot start", "Address already in use", NULL});
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *options = tcase_create("options");
    TCase *values = tcase_create("values");

    tcase_add_loop_test(options, help_lists_the_settings_of_each, 0, 2);
    tcase_add_loop_test(options, version_names_the_program, 0, 2);
    tcase_add_loop_test(options, wrong_option_is_a_usage_error, 0, 2);
    tcase_set_timeout(options, 60);
    suite_add_tcase(suite, options);
    tcase_add_checked_fixture(values, open_scene, close_scene);
    tcase_add_loop_test(values, right_configuration_is_said_to_be_right, 0, 2);
    tcase_add_loop_test(values, every_mistake_is_listed, 0, 2);
    tcase_add_test(values, worker_says_what_is_wrong_in_the_handlers_file);
    tcase_add_loop_test(values, print_config_shows_what_is_in_force_and_no_secret, 0, 2);
    tcase_add_test(values, secret_may_stand_in_a_file);
    tcase_add_test(values, secret_in_two_places_or_in_no_file_is_refused);
    tcase_add_test(values, without_authentication_only_loopback_is_listened_on);
    tcase_add_test(values, port_that_is_taken_ends_the_start);
    tcase_set_timeout(values, 60);
    suite_add_tcase(suite, values);
    return suite;
}
