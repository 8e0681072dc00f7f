#include "common/azure/credential.h"
#include "common/base/clock.h"
#include "common/net/http_client.h"
#include "worker/handlers/excerpt.h"
#include "worker/handlers/http_settings.h"
#include "worker/handlers/kind.h"

#include <openssl/crypto.h>

/* The payload is POSTed to a URL; the answer is the result.
 *
 *     start ──▶ waiting for a token ──▶ sending and receiving ──▶ finish
 *                                            │ 401, once: with a new token
 */

enum {
    WINDOW_BYTES = 65536, /* of a streamed payload */
    WORDS_SIZE = 161,     /* of an answer that is no result, in the error */
    RETRY_AFTER_MAX_MS = 86400 * 1000,
    HEADER_TEXT_MAX = 65536,
};

struct http_run {
    struct run run;
    struct http_call *call; /* NULL: none is under way */
    struct credential_wait wait;
    unsigned generation;
    bool is_cancelled;
    bool is_second;    /* it was sent again with a new token */
    struct buf window; /* what was fed and is not sent */
    size_t window_sent;
    bool is_short;       /* a piece that was fed was not taken whole */
    bool is_starved;     /* the request waits for more of it */
    struct timer hungry; /* tells the feeder, outside of the client */
    struct timer resumed;
    bool is_result;     /* the status is 2xx */
    size_t skip;        /* of what comes again: what the receiver took before it paused */
    bool is_paused;     /* the receiver takes no more now */
    struct excerpt log; /* an answer that is no result */
    struct error error;
    int64_t retry_after_ms;
    int64_t start_ms;
};

static struct http_settings *settings_of(const struct http_run *r)
{
    return r->run.handler->settings;
}

/* ---- the end ---- */

static void finish(struct run *run)
{
    struct http_run *r = (struct http_run *)run;
    struct run_outcome outcome = {
        .error = r->error.code == ERROR_OK ? NULL : &r->error,
        .retry_after_ms = r->retry_after_ms,
        .usage = {.wall_ms = clock_steady_ms() - r->start_ms},
    };

    excerpt_finish(&r->log, &outcome.log);
    timer_stop(&r->hungry);
    timer_stop(&r->resumed);
    buf_release(&r->window);
    run_end(run, &outcome);
}

/* The client is left first: with the last run of a file that was replaced it is freed, too. */
static void end(struct http_run *r)
{
    credential_wait_stop(&r->wait);
    run_defer(&r->run);
}

/* The first reason stays. */
static void kill_run(struct run *run, enum error_code reason)
{
    struct http_run *r = (struct http_run *)run;

    if (r->error.code == ERROR_OK)
        run_set_killed(run, reason, &r->error);
    if (!r->call)
        end(r);
    else if (!r->is_cancelled)
        http_cancel(r->call);
    r->is_cancelled = true;
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

/* ---- what comes back ---- */

/* What an answer says of itself: its beginning, on one line. */
static void copy_words(const struct buf *body, char out[WORDS_SIZE])
{
    size_t length = body->length < WORDS_SIZE - 1 ? body->length : WORDS_SIZE - 1;

    while (length < body->length && length && ((unsigned char)body->data[length] & 0xc0) == 0x80)
        length--;
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)body->data[i] < ' ' || body->data[i] == 0x7f ? ' ' : body->data[i];
    out[length] = '\0';
}

static enum error_code code_of(int status)
{
    switch (status) {
    case 429:
    case 503:
        return ERROR_TRY_LATER;
    case 400:
    case 413:
    case 415:
    case 422:
        return ERROR_BAD_PAYLOAD;
    default:
        return status >= 500 ? ERROR_HANDLER_FAILED : ERROR_HANDLER_REFUSED;
    }
}

/* Retry-After is a number of seconds, or a date. Source: RFC 9110 section 10.2.3. */
static int64_t parse_retry_after(const char *text)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    int64_t ms;

    if (!text)
        return 0;
    if (digits && !text[digits])
        ms = digits > 6 ? RETRY_AFTER_MAX_MS : strtoll(text, NULL, 10) * 1000;
    else
        ms = http_date_parse(text) ? http_date_parse(text) - clock_unix_ms() : 0;
    return ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static void on_head(void *arg, const struct http_response *response)
{
    struct http_run *r = arg;
    const char *type = http_response_header(response, "Content-Type");

    r->is_result = response->status >= 200 && response->status < 300;
    if (r->is_result && type && content_type_is_valid(type))
        snprintf(r->run.content_type, sizeof(r->run.content_type), "%s", type);
    if (code_of(response->status) == ERROR_TRY_LATER)
        r->retry_after_ms = parse_retry_after(http_response_header(response, "Retry-After"));
}

/* After a pause the same bytes come again, perhaps in other pieces. */
static bool pass_on(struct http_run *r, const char *data, size_t length)
{
    size_t skipped = r->skip < length ? r->skip : length;
    size_t taken = 0;

    if (!run_output(&r->run, data + skipped, length - skipped, &taken, &r->error)) {
        kill_run(&r->run, ERROR_OUTPUT_TOO_BIG);
        return true;
    }
    if (r->error.code != ERROR_OK) /* the receiver ended it */
        return true;
    r->is_paused = taken < length - skipped;
    r->skip = r->is_paused ? skipped + taken : r->skip - skipped;
    return !r->is_paused;
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct http_run *r = arg;

    if (r->error.code != ERROR_OK)
        return true; /* it is being cancelled */
    if (r->is_result)
        return pass_on(r, data, length);
    excerpt_add(&r->log, data, length);
    return true;
}

static void set_refused(struct http_run *r, int status)
{
    char words[WORDS_SIZE];

    copy_words(&r->log.head, words);
    error_set(&r->error, code_of(status), "%.100s answered %d%s%s", settings_of(r)->shown_url, status,
        *words ? ": " : "", words);
}

static void send_or_wait(struct http_run *r);

/* A payload that is whole can be sent again with another token. */
static bool may_go_better(struct http_run *r, int status)
{
    struct credential *c = settings_of(r)->credential;

    if (status != 401 || !c || r->is_second || r->run.input.is_streamed ||
        !credential_refused(c, r->generation))
        return false;
    r->is_second = true;
    return true;
}

static void on_done(void *arg, const struct http_response *response, const struct error *e)
{
    struct http_run *r = arg;

    r->call = NULL;
    if (r->error.code == ERROR_OK && !e && may_go_better(r, response->status)) {
        struct buf old;

        excerpt_finish(&r->log, &old);
        buf_release(&old);
        send_or_wait(r);
        return;
    }
    if (r->error.code == ERROR_OK && e)
        error_set(&r->error, ERROR_HANDLER_AWAY, "%.100s: %s", settings_of(r)->shown_url, e->text);
    else if (r->error.code == ERROR_OK && !r->is_result)
        set_refused(r, response->status);
    end(r);
}

static void on_resumed(void *arg)
{
    const struct http_run *r = arg;

    if (r->call)
        http_resume(r->call);
}

static void resume(struct run *run)
{
    struct http_run *r = (struct http_run *)run;

    if (r->is_paused)
        timer_start(&r->resumed, 0);
}

/* ---- what goes ---- */

static size_t on_body(void *arg, char *room, size_t size)
{
    struct http_run *r = arg;
    size_t left = r->window.length - r->window_sent;
    size_t n = left < size ? left : size;

    memcpy(room, r->window.data + r->window_sent, n);
    r->window_sent += n;
    r->is_starved = n == 0;
    if (r->window_sent == r->window.length) {
        buf_reset(&r->window);
        r->window_sent = 0;
        if (r->is_short)
            timer_start(&r->hungry, 0);
    }
    return n;
}

static void on_hungry(void *arg)
{
    struct http_run *r = arg;

    if (!r->is_short || r->error.code != ERROR_OK || r->run.is_deferred)
        return;
    r->is_short = false;
    r->run.events->on_hungry(r->run.arg);
}

static size_t feed(struct run *run, const void *data, size_t length)
{
    struct http_run *r = (struct http_run *)run;
    size_t room = WINDOW_BYTES - r->window.length;
    size_t n = length < room ? length : room;

    if (r->error.code != ERROR_OK || run->is_deferred)
        return length;
    buf_append(&r->window, data, n);
    r->is_short = n < length;
    if (r->is_starved && n && r->call)
        timer_start(&r->resumed, 0);
    return n;
}

/* The length was told in advance: the client knows when it has all. */
static void feed_end(struct run *UNUSED(run))
{
}

static const struct http_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
static const struct http_events feeding_events = {
    .on_head = on_head, .on_data = on_data, .on_body = on_body, .on_done = on_done};

static void add_header(struct buf *text, const char *name, const char *value)
{
    if (value && *value) {
        buf_printf(text, "%s: %s", name, value);
        buf_append(text, "", 1);
    }
}

/* Each with its NUL. */
static void write_headers(const struct http_run *r, struct buf *text)
{
    const struct run_input *input = &r->run.input;
    const struct http_settings *s = settings_of(r);
    char deadline[CLOCK_RFC3339_SIZE];
    char attempt[16];

    clock_format_rfc3339(clock_unix_ms() + input->timeout_ms, deadline);
    snprintf(attempt, sizeof(attempt), "%d", input->attempt);
    add_header(text, "Content-Type", s->request_content_type);
    add_header(text, "Jobgate-Job-Id", input->job_id);
    add_header(text, "Jobgate-Type", input->type);
    add_header(text, "Jobgate-Queue", input->queue);
    add_header(text, "Jobgate-Attempt", attempt);
    add_header(text, "Jobgate-Deadline", deadline);
    add_header(text, "Jobgate-Owner", input->owner);
    add_header(text, "Traceparent", input->traceparent);
    for (char *const *header = s->headers; header && *header; header++)
        buf_append(text, *header, strlen(*header) + 1);
}

static bool write_bearer(const struct http_run *r, struct buf *text, struct error *e)
{
    const struct http_settings *s = settings_of(r);
    AUTO_BUF struct buf token = BUF(BEARER_MAX_BYTES);
    bool is_right = true;

    if (s->bearer_file)
        is_right = http_settings_read_bearer(s, &token, e);
    else if (s->credential)
        buf_append_text(&token, credential_token(s->credential) ? credential_token(s->credential) : "");
    if (token.length) {
        buf_printf(text, "Authorization: Bearer %s", token.data);
        buf_append(text, "", 1);
    }
    OPENSSL_cleanse(token.data, token.length);
    return is_right;
}

static void send_request(struct http_run *r)
{
    const struct http_settings *s = settings_of(r);
    const struct run_input *input = &r->run.input;
    AUTO_BUF struct buf text = BUF(HEADER_TEXT_MAX);
    const char *headers[HTTP_HEADERS_MAX];
    struct http_request request = {
        .method = "POST",
        .url = s->url,
        .headers = headers,
        .body = input->payload,
        .body_length = input->payload_length,
        .connect_timeout_ms = s->connect_timeout_ms,
    };

    write_headers(r, &text);
    if (!write_bearer(r, &text, &r->error)) {
        end(r);
        return;
    }
    for (size_t at = 0; at < text.length && request.header_count < HTTP_HEADERS_MAX;
         at += strlen(text.data + at) + 1)
        headers[request.header_count++] = text.data + at;
    r->call = http_send(
        s->client, &request, input->is_streamed && input->payload_length ? &feeding_events : &events, r);
    OPENSSL_cleanse(text.data, text.length);
}

static void on_token(void *arg, const struct error *e)
{
    struct http_run *r = arg;

    if (!e) {
        send_or_wait(r);
        return;
    }
    error_set(&r->error, ERROR_HANDLER_AWAY, "no token for %.80s: %s", settings_of(r)->bearer_scope, e->text);
    end(r);
}

static void send_or_wait(struct http_run *r)
{
    struct credential *c = settings_of(r)->credential;

    if (c && !credential_is_ready(c)) {
        credential_wait(c, &r->wait, on_token, r);
        return;
    }
    if (c)
        r->generation = credential_generation(c);
    send_request(r);
}

/* ---- the start ---- */

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *receiver, void *arg)
{
    struct http_run *r = run_new(sizeof(*r), h, input, receiver, arg, on_limit);

    buf_init(&r->window, WINDOW_BYTES);
    excerpt_init(&r->log);
    timer_init(&r->hungry, handler_loop(h), on_hungry, r);
    timer_init(&r->resumed, handler_loop(h), on_resumed, r);
    r->start_ms = clock_steady_ms();
    run_begin(&r->run);
    if (http_settings_open(settings_of(r), handler_loop(h), handler_config(h), &r->error))
        send_or_wait(r);
    else
        run_defer(&r->run);
    return &r->run;
}

static bool check(const struct handler *h, struct error *e)
{
    return http_settings_check(h->settings, handler_loop(h), handler_config(h), e);
}

const struct kind kind_http = {
    .name = "http",
    .fields = http_settings_fields,
    .parse = http_settings_parse,
    .release = http_settings_release,
    .check = check,
    .start = start,
    .kill = kill_run,
    .feed = feed,
    .feed_end = feed_end,
    .resume = resume,
    .finish = finish,
};
