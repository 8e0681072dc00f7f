#include "common/base/mem.h"
#include "worker/handlers/kind.h"

#include <openssl/sha.h>

/* Handlers inside the worker, for smoke tests and benchmarks. They work in the loop's thread: nothing here is
 * meant for payloads that take long. */

struct builtin_run {
    struct run run;
    struct error error; /* ERROR_OK: none */
    struct timer timer; /* of sleep only */
};

/* What a builtin is: `begin` looks at the payload and sees to it that the run is deferred, now or later;
 * `make` appends the result when it did not fail (NULL: it always fails). */
struct builtin {
    const char *name;
    const char *content_type;
    void (*begin)(struct builtin_run *b);
    void (*make)(const struct run_input *input, struct buf *result);
};

static bool has_no_payload(const struct run_input *input)
{
    return input->payload_length == 0 ||
           (input->payload_length == 4 && memcmp(input->payload, "null", 4) == 0);
}

static void begin_at_once(struct builtin_run *b)
{
    run_defer(&b->run);
}

static void make_echo(const struct run_input *input, struct buf *result)
{
    buf_append(result, input->payload, input->payload_length);
}

static void make_sha256(const struct run_input *input, struct buf *result)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 2];

    SHA256(input->payload, input->payload_length, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    hex[2 * sizeof(digest)] = '\n';
    buf_append(result, hex, 2 * sizeof(digest) + 1);
}

/* Milliseconds that the payload of sleep asks for; -1 when it is neither N nor {"seconds": N}. */
static double parse_sleep_ms(const struct run_input *input)
{
    struct error e;
    AUTO(json) json_t *value = json_parse(input->payload, input->payload_length, &e);
    const json_t *seconds = json_object_size(value) == 1 ? json_object_get(value, "seconds") : value;

    return json_is_number(seconds) ? json_number_value(seconds) * 1000 : -1;
}

static void on_slept(void *arg)
{
    struct builtin_run *b = arg;

    run_defer(&b->run);
}

static void begin_sleep(struct builtin_run *b)
{
    const struct run_input *input = &b->run.input;
    double ms = parse_sleep_ms(input);

    if (ms < 0) {
        error_set(&b->error, ERROR_BAD_PAYLOAD, "sleep wants a number of seconds, or {\"seconds\": number}");
        run_defer(&b->run);
        return;
    }
    if (ms > (double)input->timeout_ms) {
        run_set_killed(&b->run, ERROR_TIMEOUT, &b->error);
        ms = (double)input->timeout_ms;
    }
    timer_start(&b->timer, (int64_t)(ms + 0.999));
}

/* The code that the payload of fail names; ERROR_COUNT when it may not. */
static enum error_code parse_fail_code(const json_t *payload)
{
    const json_t *name = json_object_get(payload, "code");
    enum error_code code = json_is_string(name) ? error_from_name(json_string_value(name)) : ERROR_COUNT;

    if (!name)
        return ERROR_HANDLER_FAILED;
    return code == ERROR_HANDLER_FAILED || code == ERROR_BAD_PAYLOAD || code == ERROR_TRY_LATER ? code
                                                                                                : ERROR_COUNT;
}

static bool parse_fail(const json_t *payload, struct error *e)
{
    const json_t *message = json_object_get(payload, "message");
    enum error_code code = parse_fail_code(payload);
    size_t known = (json_object_get(payload, "code") != NULL) + (message != NULL);

    if (!json_is_object(payload) || json_object_size(payload) != known ||
        (message && !json_is_string(message)))
        return error_set(e, ERROR_BAD_PAYLOAD, "fail wants nothing, or {\"code\": text, \"message\": text}");
    if (code == ERROR_COUNT)
        return error_set(e, ERROR_BAD_PAYLOAD, "fail wants as code one of %s, %s, %s",
            error_name(ERROR_HANDLER_FAILED), error_name(ERROR_BAD_PAYLOAD), error_name(ERROR_TRY_LATER));
    return error_set(e, code, "%s", message ? json_string_value(message) : "the payload asked for it");
}

static void begin_fail(struct builtin_run *b)
{
    const struct run_input *input = &b->run.input;

    if (has_no_payload(input)) {
        error_set(&b->error, ERROR_HANDLER_FAILED, "the payload asked for it");
    } else {
        AUTO(json) json_t *payload = json_parse(input->payload, input->payload_length, &b->error);

        if (payload)
            parse_fail(payload, &b->error);
        else
            b->error.code = ERROR_BAD_PAYLOAD;
    }
    run_defer(&b->run);
}

static const struct builtin builtins[] = {
    {"echo", "application/json", begin_at_once, make_echo},
    {"sleep", "application/json", begin_sleep, make_echo},
    {"fail", "application/octet-stream", begin_fail, NULL},
    {"sha256", "text/plain", begin_at_once, make_sha256},
};

static const char *const fields[] = {"builtin", NULL};

static const struct builtin *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(builtins); i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

static void *parse(struct spec *s, const char **content_type)
{
    AUTO_BUF struct buf names = BUF(128);
    const char *name = spec_text(s, "builtin", true, 32);
    const struct builtin *builtin = name ? find(name) : NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(builtins); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", builtins[i].name);
    if (name && !builtin)
        spec_mistake(s, "builtin", "is not a known builtin: it must be one of %s", names.data);
    if (builtin)
        *content_type = builtin->content_type;
    return (void *)builtin;
}

static void release(void *UNUSED(settings))
{
}

static struct run *start(const struct handler *h, const struct run_input *input, run_done *done, void *arg)
{
    const struct builtin *builtin = h->settings;
    struct builtin_run *b = run_new(sizeof(*b), h, input, done, arg);

    b->error.code = ERROR_OK;
    timer_init(&b->timer, handler_loop(h), on_slept, b);
    builtin->begin(b);
    return &b->run;
}

/* The first reason stays. */
static void kill_run(struct run *r, enum error_code reason)
{
    struct builtin_run *b = (struct builtin_run *)r;

    if (b->error.code == ERROR_OK || timer_is_running(&b->timer))
        run_set_killed(r, reason, &b->error);
    timer_stop(&b->timer);
    run_defer(r);
}

static void finish(struct run *r)
{
    const struct builtin *builtin = r->handler->settings;
    struct builtin_run *b = (struct builtin_run *)r;
    struct run_outcome outcome = {.result = BUF(r->input.max_result_bytes), .log = BUF(0)};

    if (b->error.code == ERROR_OK)
        builtin->make(&r->input, &outcome.result);
    if (buf_is_overflown(&outcome.result))
        error_set(&b->error, ERROR_OUTPUT_TOO_BIG,
            "the result is larger than %zu bytes, the limit (MAX_RESULT)", r->input.max_result_bytes);
    outcome.error = b->error.code == ERROR_OK ? NULL : &b->error;
    run_end(r, &outcome);
}

const struct kind kind_builtin = {
    .name = "builtin",
    .fields = fields,
    .parse = parse,
    .release = release,
    .start = start,
    .kill = kill_run,
    .finish = finish,
};
