#include "tests/support/jobgate.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/record.h"

#include <check.h>
#include <errno.h>
#include <signal.h>

enum { START_MS = 20000, WAIT_MS = 30000, URL_SIZE = 512, SETTINGS_MAX = 48 };

struct jobgate {
    struct process *process;
    char url[URL_SIZE];
    char ops_url[URL_SIZE];
};

static void copy_address(const json_t *line, const char *member, char out[URL_SIZE])
{
    const char *address = json_string_value(json_object_get(line, member));

    if (address)
        snprintf(out, URL_SIZE, "http://%s", address);
}

static struct jobgate *start(const char *name, const char *const *presets, const char *const *settings)
{
    struct jobgate *g = mem_zalloc(sizeof(*g));
    const char *all[SETTINGS_MAX];
    const char *directory = getenv("JOBGATE_BIN");
    char path[PROCESS_PATH_SIZE];
    AUTO(free) char *line = NULL;
    AUTO(json) json_t *listening = NULL;
    struct error e = {0};
    size_t count = 0;

    ck_assert_msg(directory != NULL, "JOBGATE_BIN is to name the directory of the programs");
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    /* getenv finds the first of two: what the test sets goes before what is preset. */
    for (; settings && *settings && count < SETTINGS_MAX - 4; settings++)
        all[count++] = *settings;
    for (; *presets; presets++)
        all[count++] = *presets;
    all[count] = NULL;
    g->process = process_start((const char *[]){path, NULL}, all);
    line = process_find_line(g->process, "\"message\":\"listening\"", START_MS);
    listening = line ? json_parse(line, strlen(line), &e) : NULL;
    if (!listening) {
        AUTO(free) char *said = process_output(g->process);

        ck_abort_msg("%s does not say where it listens %s; it said:\n%s", name, e.text, said);
    }
    copy_address(listening, "api", g->url);
    copy_address(listening, "ops", g->ops_url);
    record_ignore(g->ops_url);
    return g;
}

struct jobgate *jobgate_start_api(const char *const *settings)
{
    return start(
        "jobgate-api", (const char *[]){"API_LISTEN=127.0.0.1:0", "OPS_LISTEN=127.0.0.1:0", NULL}, settings);
}

struct jobgate *jobgate_start_worker(const char *const *settings)
{
    return start("jobgate-worker", (const char *[]){"OPS_LISTEN=127.0.0.1:0", NULL}, settings);
}

/* What a sanitizer or an assertion said fails the test, whoever else noticed. */
static void assert_no_complaint(const struct process *p)
{
    static const char *const complaints[] = {
        "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error: ", "Assertion `"};
    AUTO(free) char *said = process_output(p);

    for (size_t i = 0; i < ARRAY_LENGTH(complaints); i++)
        ck_assert_msg(strstr(said, complaints[i]) == NULL, "a program went wrong:\n%s", said);
}

struct jobgate *jobgate_free(struct jobgate *g)
{
    if (!g)
        return NULL;
    assert_no_complaint(g->process);
    process_free(g->process);
    free(g);
    return NULL;
}

const char *jobgate_url(const struct jobgate *g)
{
    return g->url;
}

const char *jobgate_ops_url(const struct jobgate *g)
{
    return g->ops_url;
}

struct process *jobgate_process(const struct jobgate *g)
{
    return g->process;
}

void jobgate_wait_ready(const struct jobgate *g, int status)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    char url[URL_SIZE + 16];

    snprintf(url, sizeof(url), "%s/readyz", g->ops_url);
    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};

        http_get(url, &reply);
        if (reply.status == status)
            return;
        ck_assert_msg(
            !process_has_ended(g->process, 0), "the program ended before /readyz answered %d", status);
        ck_assert_msg(wait_until(deadline_ms), "/readyz answers %d, not %d: %s%s", reply.status, status,
            reply.failure, reply.status ? reply.body.data : "");
    }
}

/* Fills *value. Returns false when there is no metric of that name; what there is stands in reply. */
static bool find_metric(const struct jobgate *g, const char *name, struct http_reply *reply, double *value)
{
    char url[URL_SIZE + 16];
    const char *line;

    snprintf(url, sizeof(url), "%s/metrics", g->ops_url);
    http_get(url, reply);
    ck_assert_int_eq(reply->status, 200);
    for (line = reply->body.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ') {
            *value = strtod(line + strlen(name), NULL);
            return true;
        }
    }
    return false;
}

double jobgate_metric(const struct jobgate *g, const char *name)
{
    AUTO_REPLY struct http_reply reply = {0};
    double value = 0;

    ck_assert_msg(find_metric(g, name, &reply, &value), "no metric %s in:\n%s", name, reply.body.data);
    return value;
}

void jobgate_wait_metric(const struct jobgate *g, const char *name, double wanted)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        AUTO_REPLY struct http_reply reply = {0};
        double value = 0;

        if (find_metric(g, name, &reply, &value) && value == wanted)
            return;
        ck_assert_msg(wait_until(deadline_ms), "%s is %g, not %g, after %d ms", name, value, wanted, WAIT_MS);
    }
}

int jobgate_stop(struct jobgate *g)
{
    process_signal(g->process, SIGTERM);
    return process_wait(g->process, WAIT_MS);
}

void jobgate_kill(struct jobgate *g)
{
    process_signal(g->process, SIGKILL);
    process_wait(g->process, WAIT_MS);
}

void jobgate_write_handlers(const char *directory, const char *json, char setting[PROCESS_PATH_SIZE + 32])
{
    const char *path = setting + strlen("HANDLERS_FILE=");
    FILE *file;

    snprintf(setting, PROCESS_PATH_SIZE + 32, "HANDLERS_FILE=%s/handlers.json", directory);
    file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(json, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static char *accepted_id(const struct http_reply *reply)
{
    AUTO(json) json_t *job = NULL;

    ck_assert_msg(
        reply->status == 202, "the submission got %d: %s%s", reply->status, reply->failure, reply->body.data);
    job = http_reply_json(reply);
    return mem_strdup(json_text_at(job, "/id"));
}

char *jobgate_submit(const struct jobgate *api, const char *json)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE + 16];

    snprintf(url, sizeof(url), "%s/v1/jobs", api->url);
    http_post_json(url, json, &reply);
    return accepted_id(&reply);
}

char *jobgate_submit_raw(
    const struct jobgate *api, const char *query, const char *content_type, const void *data, size_t length)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[2 * URL_SIZE];
    char header[128];

    snprintf(url, sizeof(url), "%s/v1/jobs?%s", api->url, query);
    snprintf(header, sizeof(header), "Content-Type: %s", content_type);
    http_ask(&(struct http_ask){.method = "POST",
                 .url = url,
                 .headers = (const char *[]){header, NULL},
                 .body = data,
                 .body_length = length},
        &reply);
    return accepted_id(&reply);
}

static void get_of_job(const struct jobgate *api, const char *id, const char *part, struct http_reply *reply)
{
    char url[2 * URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s%s", api->url, id, part);
    http_get(url, reply);
}

json_t *jobgate_job(const struct jobgate *api, const char *id)
{
    AUTO_REPLY struct http_reply reply = {0};

    get_of_job(api, id, "", &reply);
    ck_assert_msg(reply.status == 200, "job %s: %d %s%s", id, reply.status, reply.failure, reply.body.data);
    return http_reply_json(&reply);
}

static bool is_terminal(const char *state)
{
    return strcmp(state, "succeeded") == 0 || strcmp(state, "dead") == 0 || strcmp(state, "cancelled") == 0;
}

json_t *jobgate_wait_for(const struct jobgate *api, const char *id, const char *state)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    for (;;) {
        json_t *job = jobgate_job(api, id);
        const char *now = json_text_at(job, "/state");
        AUTO_BUF struct buf text = BUF(1 << 20);

        if (state ? strcmp(now, state) == 0 : is_terminal(now))
            return job;
        json_write_value(&text, job);
        ck_assert_msg(!is_terminal(now), "the job was to be %s: %s", state, text.data);
        ck_assert_msg(wait_until(deadline_ms), "the job is not %s after %d ms: %s",
            state ? state : "at its end", WAIT_MS, text.data);
        json_decref(job);
    }
}

void jobgate_result(const struct jobgate *api, const char *id, struct http_reply *reply)
{
    get_of_job(api, id, "/result", reply);
}
