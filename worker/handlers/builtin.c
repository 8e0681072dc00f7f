#include "common/base/mem.h"
#include "worker/handlers/kind.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

/* Handlers inside the worker, for smoke tests and benchmarks. They work in the loop's thread: nothing here is
 * meant for payloads that take long. */

enum {
    SLEEP_MAX_MS = 2 * 86400 * 1000,
    WINDOW_BYTES = 65536, /* of a streamed payload: what is held at once, and all that sleep and fail read */
};

struct builtin_run {
    struct run run;
    struct error error; /* ERROR_OK: none */
    struct timer timer; /* of sleep only */
    struct buf window;  /* of a streamed payload: what came and is not written yet */
    size_t window_sent; /* of it */
    bool is_short;      /* a piece was not taken whole: the feeder waits for on_hungry */
    bool is_fed;        /* the payload is all there; what is to be written is known */
    EVP_MD_CTX *digest; /* of sha256, while it is fed */
    char hex[2 * SHA256_DIGEST_LENGTH + 2];
    const char *out; /* what is still to be written; NULL: the window */
    size_t out_length;
};

/* What a builtin is. A whole payload, or a streamed one that was gathered up to WINDOW_BYTES, goes to
 * `begin`, which sees to it that the run is deferred, now or later, with `out` set or an error. */
struct builtin {
    const char *name;
    const char *content_type;
    void (*begin)(struct builtin_run *b);
    size_t (*feed)(struct builtin_run *b, const void *data, size_t length); /* NULL: gather it */
    void (*feed_end)(struct builtin_run *b);                                /* with feed */
};

static bool has_no_payload(const struct run_input *input)
{
    return input->payload_length == 0 ||
           (input->payload_length == 4 && memcmp(input->payload, "null", 4) == 0);
}

static void write_payload(struct builtin_run *b)
{
    b->out = b->run.input.payload;
    b->out_length = b->run.input.payload_length;
    run_defer(&b->run);
}

/* ---- echo ---- */

static size_t feed_echo(struct builtin_run *b, const void *data, size_t length)
{
    size_t room = WINDOW_BYTES - b->window.length;
    size_t n = length < room ? length : room;

    buf_append(&b->window, data, n);
    b->is_short = n < length;
    run_defer(&b->run);
    return n;
}

static void feed_end_echo(struct builtin_run *b)
{
    b->is_fed = true;
    run_defer(&b->run);
}

/* ---- sha256 ---- */

static void write_digest(struct builtin_run *b, const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(b->hex + 2 * i, 3, "%02x", digest[i]);
    b->hex[sizeof(b->hex) - 2] = '\n';
    b->out = b->hex;
    b->out_length = sizeof(b->hex) - 1;
    run_defer(&b->run);
}

static void begin_sha256(struct builtin_run *b)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(b->run.input.payload, b->run.input.payload_length, digest);
    write_digest(b, digest);
}

static size_t feed_sha256(struct builtin_run *b, const void *data, size_t length)
{
    if (!b->digest) {
        b->digest = EVP_MD_CTX_new();
        if (!b->digest || EVP_DigestInit_ex(b->digest, EVP_sha256(), NULL) != 1)
            abort(); /* out of memory: mem.h's policy */
    }
    EVP_DigestUpdate(b->digest, data, length);
    return length;
}

static void feed_end_sha256(struct builtin_run *b)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    feed_sha256(b, "", 0);
    EVP_DigestFinal_ex(b->digest, digest, NULL);
    b->is_fed = true;
    write_digest(b, digest);
}

/* ---- sleep ---- */

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
    write_payload(arg);
}

static void begin_sleep(struct builtin_run *b)
{
    double ms = parse_sleep_ms(&b->run.input);

    if (ms < 0) {
        error_set(&b->error, ERROR_BAD_PAYLOAD, "sleep wants a number of seconds, or {\"seconds\": number}");
        run_defer(&b->run);
        return;
    }
    if (ms <= (double)SLEEP_MAX_MS) /* what is longer than any time limit */
        timer_start(&b->timer, (int64_t)(ms + 0.999));
}

/* ---- fail ---- */

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
    {"echo", "application/json", write_payload, feed_echo, feed_end_echo},
    {"sleep", "application/json", begin_sleep, NULL, NULL},
    {"fail", "application/octet-stream", begin_fail, NULL, NULL},
    {"sha256", "text/plain", begin_sha256, feed_sha256, feed_end_sha256},
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

static const struct builtin *builtin_of(const struct builtin_run *b)
{
    return b->run.handler->settings;
}

/* The first reason stays. */
static void kill_run(struct run *r, enum error_code reason)
{
    struct builtin_run *b = (struct builtin_run *)r;

    if (b->error.code == ERROR_OK)
        run_set_killed(r, reason, &b->error);
    run_defer(r);
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    struct builtin_run *b = run_new(sizeof(*b), h, input, events, arg, on_limit);

    timer_init(&b->timer, handler_loop(h), on_slept, b);
    buf_init(&b->window, WINDOW_BYTES);
    b->is_fed = !input->is_streamed;
    run_begin(&b->run);
    if (b->is_fed)
        builtin_of(b)->begin(b);
    return &b->run;
}

static size_t feed(struct run *r, const void *data, size_t length)
{
    struct builtin_run *b = (struct builtin_run *)r;

    if (b->error.code != ERROR_OK)
        return length;
    if (builtin_of(b)->feed)
        return builtin_of(b)->feed(b, data, length);
    if (!buf_append(&b->window, data, length)) {
        error_set(&b->error, ERROR_BAD_PAYLOAD, "%s wants a payload of %d bytes at the most",
            builtin_of(b)->name, WINDOW_BYTES);
        run_defer(r);
    }
    return length;
}

static void feed_end(struct run *r)
{
    struct builtin_run *b = (struct builtin_run *)r;

    if (b->error.code != ERROR_OK)
        return;
    if (builtin_of(b)->feed_end) {
        builtin_of(b)->feed_end(b);
        return;
    }
    r->input.payload = b->window.data;
    r->input.payload_length = b->window.length;
    b->is_fed = true;
    builtin_of(b)->begin(b);
}

static size_t unsent(const struct builtin_run *b)
{
    return b->out ? b->out_length : b->window.length - b->window_sent;
}

static void resume(struct run *r)
{
    if (unsent((struct builtin_run *)r))
        run_defer(r);
}

static void end(struct builtin_run *b)
{
    struct run_outcome outcome = {.error = b->error.code == ERROR_OK ? NULL : &b->error, .log = BUF(0)};

    timer_stop(&b->timer);
    EVP_MD_CTX_free(b->digest);
    buf_release(&b->window);
    run_end(&b->run, &outcome);
}

/* Writes what there is. */
static void write_out(struct builtin_run *b)
{
    const char *data = b->out ? b->out : b->window.data + b->window_sent;
    size_t taken = 0;

    if (!run_output(&b->run, data, unsent(b), &taken, &b->error))
        return;
    if (b->out) {
        b->out += taken;
        b->out_length -= taken;
    } else {
        b->window_sent += taken;
    }
}

/* The receiver may have ended the run while it was told; it then is finished once more. */
static void finish(struct run *r)
{
    struct builtin_run *b = (struct builtin_run *)r;

    if (b->error.code == ERROR_OK)
        write_out(b);
    if (r->is_deferred)
        return;
    if (b->error.code != ERROR_OK || (b->is_fed && !unsent(b))) {
        end(b);
    } else if (!unsent(b)) {
        buf_reset(&b->window);
        b->window_sent = 0;
        if (b->is_short) {
            b->is_short = false;
            r->events->on_hungry(r->arg);
        }
    }
}

const struct kind kind_builtin = {
    .name = "builtin",
    .fields = fields,
    .parse = parse,
    .release = release,
    .start = start,
    .kill = kill_run,
    .feed = feed,
    .feed_end = feed_end,
    .resume = resume,
    .finish = finish,
};
