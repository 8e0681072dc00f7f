#include "tests/support/desk.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <check.h>

enum { WAIT_MS = 30000, URL_SIZE = 1024 };

void desk_ask(const struct jobgate *api, const char *method, const char *path, const char *json,
    struct http_reply *reply)
{
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s%s", jobgate_url(api), path);
    http_ask(&(struct http_ask){.method = method,
                 .url = url,
                 .headers = (const char *[]){json ? "Content-Type: application/json" : NULL, NULL},
                 .body = json,
                 .body_length = json ? strlen(json) : 0},
        reply);
}

json_t *desk_call(
    const struct jobgate *api, const char *method, const char *path, const char *json, int status)
{
    AUTO_REPLY struct http_reply reply = {0};

    desk_ask(api, method, path, json, &reply);
    ck_assert_msg(reply.status == status, "%s %s: %d, not %d: %s%s", method, path, reply.status, status,
        reply.failure, reply.body.data);
    return http_reply_json(&reply);
}

json_t *desk_refused(const struct jobgate *api, const char *method, const char *path, const char *json,
    int status, const char *code)
{
    AUTO_REPLY struct http_reply reply = {0};

    desk_ask(api, method, path, json, &reply);
    return scene_problem(&reply, status, code);
}

json_t *desk_call_job(
    const struct jobgate *api, const char *method, const char *id, const char *below, int status)
{
    char path[URL_SIZE / 2];

    snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, below);
    return desk_call(api, method, path, NULL, status);
}

int64_t desk_time(const json_t *job, const char *pointer)
{
    int64_t unix_ms = 0;

    ck_assert_msg(json_at(job, pointer) != NULL, "the job has no %s", pointer);
    ck_assert(clock_parse_rfc3339(json_text_at(job, pointer), &unix_ms));
    return unix_ms;
}

bool desk_is_in(const struct jobgate *api, const char *id, const char *state)
{
    AUTO(json) json_t *job = jobgate_job(api, id);

    return strcmp(json_text_at(job, "/state"), state) == 0;
}

long long desk_counter(struct scene *s, const char *queue, const char *name)
{
    AUTO(free) char *digits = redis_server_text(s->redis, "HGET jobgate:{%s.0}:stats %s", queue, name);

    return digits ? strtoll(digits, NULL, 10) : 0;
}

void desk_wait_counter(struct scene *s, const char *queue, const char *name, long long wanted)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (desk_counter(s, queue, name) != wanted)
        ck_assert_msg(wait_until(deadline_ms), "%s of %s is %lld, not %lld", name, queue,
            desk_counter(s, queue, name), wanted);
}

void desk_pass(int ms)
{
    int64_t deadline_ms = clock_steady_ms() + ms;

    while (wait_until(deadline_ms))
        continue;
}

void desk_wait_integer(struct scene *s, long long wanted, const char *format, ...)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char command[512];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    while (redis_server_integer(s->redis, command) != wanted)
        ck_assert_msg(wait_until(deadline_ms), "%s is %lld, not %lld, after %d ms", command,
            redis_server_integer(s->redis, command), wanted, WAIT_MS);
}

void desk_write_types(struct scene *s, const char *types)
{
    AUTO_BUF struct buf shell = BUF(1 << 12);
    AUTO_BUF struct buf json = BUF(1 << 16);

    buf_printf(&shell, "\"kind\":\"command\",\"command\":[\"sh\",\"-c\",\"D=%s; cd $D; . /dev/stdin\"]",
        s->directory);
    buf_printf(&json,
        "{\"types\":{\"echo\":{\"kind\":\"builtin\",\"builtin\":\"echo\"},"
        "\"fail\":{\"kind\":\"builtin\",\"builtin\":\"fail\"},\"sh\":{%s}",
        shell.data);
    for (const char *place; (place = strstr(types, "%s")); types = place + 2) {
        buf_append(&json, types, (size_t)(place - types));
        buf_append_text(&json, shell.data);
    }
    buf_append_text(&json, types);
    buf_append_text(&json, "}}");
    jobgate_write_handlers(s->directory, json.data, s->handlers);
}

char *desk_workers(struct scene *s, const char *queue)
{
    AUTO_BUF struct buf names = BUF(1 << 12);
    redisReply *reply = redis_server_command(s->redis, "ZRANGE jobgate:{%s.0}:workers 0 -1", queue);

    buf_append_text(&names, "");
    for (size_t i = 0; i < reply->elements; i++)
        buf_printf(&names, "%s\n", reply->element[i]->str);
    freeReplyObject(reply);
    return buf_take(&names, NULL);
}
