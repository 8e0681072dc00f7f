/*
 * What workers say they serve: what the api makes of it, and what becomes of a job that its worker cannot
 * run.
 */
#include <check.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/support/desk.h"

Suite *published_suite(void);

enum { WAIT_MS = 20000 };

#define OTHER                                                                                                \
    "{\"types\":{\"other\":{\"kind\":\"builtin\",\"builtin\":\"echo\",\"timeout_s\":77,\"max_attempts\":9}}" \
    "}"

static struct scene s;
static struct jobgate *second;

static void open_scene(void)
{
    scene_open(&s);
    second = NULL;
}

static void close_scene(void)
{
    jobgate_free(second);
    scene_close(&s);
}

/* A worker that serves the type `other` alone. */
static struct jobgate *start_other(void)
{
    char path[PROCESS_PATH_SIZE + 32];
    char setting[PROCESS_PATH_SIZE + 64];
    FILE *file;
    struct jobgate *g;

    snprintf(path, sizeof(path), "%s/other.json", s.directory);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(OTHER, file);
    fclose(file);
    snprintf(setting, sizeof(setting), "HANDLERS_FILE=%s", path);
    g = scene_new_worker(&s, (const char *[]){setting, NULL});
    jobgate_wait_ready(g, 200);
    return g;
}

/* Waits until GET /v1/types lists so many; returns the answer (json_decref). */
static json_t *wait_types(size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        json_t *types = desk_call(s.api, "GET", "/v1/types", NULL, 200);

        if (json_array_size(json_at(types, "/types")) == count)
            return types;
        ck_assert_msg(
            wait_until(deadline_ms), "%zu types are known", json_array_size(json_at(types, "/types")));
        json_decref(types);
    }
}

static const char *const refusing[] = {"UNKNOWN_TYPES=refuse", NULL};

START_TEST(a_type_that_no_worker_serves_is_refused)
{
    AUTO(json) json_t *types = NULL;
    AUTO(json) json_t *problem = NULL;
    AUTO(json) json_t *parameter = NULL;
    AUTO(free) char *id = NULL;
    const char *detail;

    scene_start_api(&s, refusing);
    json_decref(
        desk_call(s.api, "POST", "/v1/jobs", "{\"type\":\"missing\"}", 202)); /* nobody can know yet */
    second = start_other();
    types = wait_types(1);
    ck_assert_str_eq(json_text_at(types, "/types/0/type"), "other");
    ck_assert_str_eq(json_text_at(types, "/types/0/kind"), "builtin");
    ck_assert_int_eq(json_int_at(types, "/types/0/timeout_s"), 77);
    ck_assert_str_eq(json_text_at(types, "/types/0/queues/0"), "default");
    ck_assert_int_gt(desk_time(types, "/types/0/last_seen_at"), clock_unix_ms() - 120000);
    problem = desk_refused(s.api, "POST", "/v1/jobs", "{\"type\":\"missing\"}", 422, "invalid");
    ck_assert_str_eq(json_text_at(problem, "/errors/0/pointer"), "/type");
    detail = json_text_at(problem, "/errors/0/detail");
    ck_assert_msg(strstr(detail, "no worker; known are other") != NULL, "%s", detail);
    parameter = desk_refused(s.api, "POST", "/v1/jobs?type=missing", "{}", 422, "invalid");
    ck_assert_str_eq(json_text_at(parameter, "/errors/0/parameter"), "type");
    id = jobgate_submit(s.api, "{\"type\":\"other\",\"payload\":1}");
    scene_expect_result(&s, id, "1", 1);
    ck_assert_int_eq(jobgate_stop(second), 0); /* and while there is no worker the type is still known */
    json_decref(wait_types(1));
    json_decref(desk_call(s.api, "POST", "/v1/jobs", "{\"type\":\"other\"}", 202));
    json_decref(desk_refused(s.api, "POST", "/v1/jobs", "{\"type\":\"missing\"}", 422, "invalid"));
}
END_TEST

START_TEST(a_job_shows_what_its_type_has_by_default)
{
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *own = NULL;

    scene_start_api(&s, refusing);
    second = start_other();
    json_decref(wait_types(1));
    job = desk_call(s.api, "POST", "/v1/jobs", "{\"type\":\"other\"}", 202);
    ck_assert_int_eq(json_int_at(job, "/max_attempts"), 9);
    ck_assert_int_eq(json_int_at(job, "/timeout_s"), 77);
    own =
        desk_call(s.api, "POST", "/v1/jobs", "{\"type\":\"other\",\"max_attempts\":2,\"timeout_s\":3}", 202);
    ck_assert_int_eq(json_int_at(own, "/max_attempts"), 2);
    ck_assert_int_eq(json_int_at(own, "/timeout_s"), 3);
}
END_TEST

/* Rolling out: the old worker may get a job of the new type first. */
START_TEST(a_job_waits_for_the_worker_that_serves_its_type)
{
    AUTO(free) char *id = NULL;
    AUTO(json) json_t *job = NULL;
    AUTO(json) json_t *done = NULL;

    scene_start_api(&s, NULL); /* it parks */
    scene_start_worker(&s, (const char *[]){"UNKNOWN_TYPES=park", NULL});
    id = jobgate_submit(s.api, "{\"type\":\"other\",\"payload\":1,\"max_attempts\":1}");
    job = jobgate_wait_for(s.api, id, "scheduled");
    ck_assert_str_eq(json_text_at(job, "/error/code"), "no_handler");
    ck_assert_int_eq(desk_counter(&s, "default", "dead"), 0);
    second = start_other();
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    scene_expect_result(&s, id, "1", 1);
    done = jobgate_job(s.api, id);
    ck_assert_int_ge(json_int_at(done, "/attempt"), 2);
}
END_TEST

/* With UNKNOWN_TYPES=refuse too, when another worker of the queue serves it. */
START_TEST(a_worker_leaves_a_job_to_one_that_serves_its_type)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *nobodys = NULL;

    scene_start_api(&s, NULL);
    second = start_other();
    json_decref(wait_types(1));
    ck_assert_int_eq(jobgate_stop(second), 0);
    second = jobgate_free(second);
    scene_start_worker(&s, NULL);
    id = jobgate_submit(s.api, "{\"type\":\"other\",\"payload\":1}");
    nobodys = jobgate_submit(s.api, "{\"type\":\"nobodys\",\"payload\":1}");
    json_decref(jobgate_wait_for(s.api, id, "scheduled"));
    scene_expect_dead(&s, nobodys, "no_handler", "nobodys");
    ck_assert_int_eq(jobgate_stop(s.worker), 0);
    second = start_other();
    scene_expect_result(&s, id, "1", 1);
}
END_TEST

Suite *published_suite(void)
{
    Suite *suite = suite_create("published");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_scene, close_scene);
    tcase_add_test(all, a_type_that_no_worker_serves_is_refused);
    tcase_add_test(all, a_job_shows_what_its_type_has_by_default);
    tcase_add_test(all, a_job_waits_for_the_worker_that_serves_its_type);
    tcase_add_test(all, a_worker_leaves_a_job_to_one_that_serves_its_type);
    tcase_set_timeout(all, 90);
    suite_add_tcase(suite, all);
    return suite;
}
