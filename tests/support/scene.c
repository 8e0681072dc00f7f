#include "tests/support/scene.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <check.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 30000, SETTINGS_MAX = 24, URL_SIZE = 512 };

static const char types[] =
    "{\"types\":{"
    "\"echo\":{\"kind\":\"builtin\",\"builtin\":\"echo\"},"
    "\"sleep\":{\"kind\":\"builtin\",\"builtin\":\"sleep\"},"
    "\"fail\":{\"kind\":\"builtin\",\"builtin\":\"fail\"},"
    "\"sha256\":{\"kind\":\"builtin\",\"builtin\":\"sha256\"},"
    "\"cat\":{\"kind\":\"command\",\"command\":[\"cat\"],\"content_type\":\"text/plain\"},"
    "\"sh\":{\"kind\":\"command\",\"command\":[\"sh\",\"-c\",\"D=%1$s; cd $D; . /dev/stdin\"]},"
    "\"missing\":{\"kind\":\"command\",\"command\":[\"/nowhere/at-all\"]},"
    "\"plain\":{\"kind\":\"command\",\"command\":[\"%1$s/plain\"]}"
    "}}";

/* ---- opening and closing ---- */

static void path_in(const struct scene *s, const char *name, char path[PROCESS_PATH_SIZE + 256])
{
    snprintf(path, PROCESS_PATH_SIZE + 256, "%s/%s", s->directory, name);
}

void scene_open(struct scene *s)
{
    AUTO_BUF struct buf json = BUF(1 << 20);

    *s = (struct scene){.redis = redis_server_start(NULL)};
    directory_make(s->directory);
    buf_printf(&json, types, s->directory);
    jobgate_write_handlers(s->directory, json.data, s->handlers);
    scene_touch(s, "plain");
    snprintf(s->store, sizeof(s->store), "BLOB_URL=file://%s/blobs", s->directory);
}

void scene_open_on_azurite(struct scene *s)
{
    scene_open(s);
    s->azurite = azurite_start();
    snprintf(s->store, sizeof(s->store), "%s", azurite_setting(s->azurite));
}

void scene_close(struct scene *s)
{
    jobgate_free(s->worker);
    jobgate_free(s->api);
    azurite_free(s->azurite);
    redis_server_free(s->redis);
    directory_remove(s->directory);
}

/* ---- programs ---- */

typedef struct jobgate *start_program(const char *const *settings);

static struct jobgate *start(struct scene *s, start_program *start_it, const char *const *settings)
{
    const char *all[SETTINGS_MAX + 4];
    size_t count = 0;

    for (; settings && *settings; settings++) {
        ck_assert_int_lt(count, SETTINGS_MAX);
        all[count++] = *settings;
    }
    all[count++] = redis_server_setting(s->redis);
    all[count++] = s->store;
    all[count++] = s->handlers;
    all[count] = NULL;
    return start_it(all);
}

/* Tests submit what no worker serves, and see what becomes of it there. */
struct jobgate *scene_new_api(struct scene *s, const char *const *settings)
{
    const char *all[SETTINGS_MAX + 1] = {0};
    size_t count = 0;

    for (; settings && *settings && count + 1 < SETTINGS_MAX; settings++)
        all[count++] = *settings;
    all[count] = "UNKNOWN_TYPES=park";
    return start(s, jobgate_start_api, all);
}

struct jobgate *scene_new_worker(struct scene *s, const char *const *settings)
{
    return start(s, jobgate_start_worker, settings);
}

struct jobgate *scene_start_api(struct scene *s, const char *const *settings)
{
    ck_assert_ptr_null(s->api);
    s->api = scene_new_api(s, settings);
    jobgate_wait_ready(s->api, 200);
    return s->api;
}

struct jobgate *scene_start_worker(struct scene *s, const char *const *settings)
{
    ck_assert_ptr_null(s->worker);
    s->worker = scene_new_worker(s, settings);
    jobgate_wait_ready(s->worker, 200);
    return s->worker;
}

/* ---- jobs ---- */

char *scene_submit_script(struct scene *s, const char *options, const char *script)
{
    char query[128];

    snprintf(query, sizeof(query), "type=sh%s", options);
    return jobgate_submit_raw(s->api, query, "text/x-sh", script, strlen(script));
}

void scene_expect_dead(struct scene *s, const char *id, const char *code, const char *words)
{
    AUTO(json) json_t *job = jobgate_wait_for(s->api, id, "dead");
    const char *message = json_text_at(job, "/error/message");

    ck_assert_str_eq(json_text_at(job, "/error/code"), code);
    ck_assert_msg(strstr(message, words) != NULL, "\"%s\" is not in \"%s\"", words, message);
    ck_assert_ptr_null(json_at(job, "/result"));
}

void scene_expect_result(struct scene *s, const char *id, const void *data, size_t length)
{
    AUTO(json) json_t *job = jobgate_wait_for(s->api, id, "succeeded");
    AUTO_REPLY struct http_reply result = {0};

    ck_assert_int_eq(json_int_at(job, "/result/size"), (json_int_t)length);
    ck_assert_ptr_null(json_at(job, "/error"));
    jobgate_result(s->api, id, &result);
    ck_assert_msg(
        result.status == 200, "the result got %d: %s%s", result.status, result.failure, result.body.data);
    ck_assert_uint_eq(result.body.length, length);
    ck_assert_msg(
        length == 0 || memcmp(result.body.data, data, length) == 0, "the result is not the same bytes");
}

/* ---- files ---- */

void scene_touch(const struct scene *s, const char *name)
{
    char path[PROCESS_PATH_SIZE + 256];
    FILE *file;

    path_in(s, name, path);
    file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    fclose(file);
}

void scene_wait_file(const struct scene *s, const char *name)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char path[PROCESS_PATH_SIZE + 256];

    path_in(s, name, path);
    while (access(path, F_OK) < 0)
        ck_assert_msg(wait_until(deadline_ms), "%s did not come within %d ms", path, WAIT_MS);
}

char *scene_read(const struct scene *s, const char *name, size_t *length)
{
    char path[PROCESS_PATH_SIZE + 256];
    struct stat about;
    char *text;
    FILE *file;

    path_in(s, name, path);
    file = fopen(path, "re");
    if (!file)
        return NULL;
    ck_assert_int_eq(fstat(fileno(file), &about), 0);
    text = mem_zalloc((size_t)about.st_size + 1);
    *length = fread(text, 1, (size_t)about.st_size, file);
    fclose(file);
    return text;
}

size_t scene_count_lines(const struct scene *s, const char *name)
{
    size_t length = 0;
    size_t lines = 0;
    AUTO(free) char *text = scene_read(s, name, &length);

    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

void scene_wait_lines(const struct scene *s, const char *name, size_t count)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (scene_count_lines(s, name) < count)
        ck_assert_msg(wait_until(deadline_ms), "%s has %zu lines, not %zu, after %d ms", name,
            scene_count_lines(s, name), count, WAIT_MS);
}

/* ---- looking at a program ---- */

size_t scene_count_log(const struct jobgate *g, const char *first, const char *second)
{
    AUTO(free) char *text = process_output(jobgate_process(g));
    size_t count = 0;
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")))
        count += strstr(line, first) && strstr(line, second);
    return count;
}

json_t *scene_readiness(const struct jobgate *g)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/readyz", jobgate_ops_url(g));
    http_get(url, &reply);
    return http_reply_json(&reply);
}

json_t *scene_problem(const struct http_reply *reply, int status, const char *code)
{
    AUTO(free) char *type = http_reply_header(reply, "Content-Type");
    json_t *problem;
    char urn[96];

    ck_assert_msg(reply->status == status, "status %d, not %d: %s%s", reply->status, status, reply->failure,
        reply->body.data);
    ck_assert_ptr_nonnull(type);
    ck_assert_str_eq(type, "application/problem+json");
    problem = http_reply_json(reply);
    snprintf(urn, sizeof(urn), "urn:jobgate:problem:%s", code);
    ck_assert_str_eq(json_text_at(problem, "/type"), urn);
    ck_assert_int_eq(json_int_at(problem, "/status"), status);
    ck_assert_str_eq(json_text_at(problem, "/code"), code);
    ck_assert_str_ne(json_text_at(problem, "/title"), "");
    ck_assert_str_ne(json_text_at(problem, "/detail"), "");
    return problem;
}
