#include "worker/handlers/callback.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/guard.h"
#include "common/net/http_client.h"
#include "common/net/secret.h"
#include "common/net/webhook.h"
#include "worker/handlers/kind.h"

#include <curl/curl.h>
#include <strings.h>

enum {
    PAYLOAD_MAX = 1 << 20,
    EVENT_MAX = PAYLOAD_MAX,
    ANSWER_MAX = 65536,
    TIMEOUT_MS = 20000,
    CONNECT_TIMEOUT_MS = 10000,
    CONNECTIONS = 4, /* to one host */
    IDLE_S = 30,
    HEADER_SIZE = 1024,
    ID_MAX = 256,
    HOST_SIZE = 256,
    MINUTE_MS = 60000,
    HOUR_MS = 60 * MINUTE_MS,
};

/* Between the tries. Source: Standard Webhooks specification, "Deliverability and reliability". */
static const int64_t delays_ms[] = {5000, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS,
    10 * HOUR_MS, 14 * HOUR_MS, 20 * HOUR_MS, 24 * HOUR_MS};

struct callback_sender {
    const struct config *config;
    struct guard guard;
    struct webhook_keys keys;
    struct http_client *client;
    struct secret *secret;
};

struct callback_run {
    struct run run;
    struct buf payload; /* of one that is streamed */
    struct http_call *call;
    char *url;
    char host[HOST_SIZE];
    struct buf event;
    struct buf signature; /* headers' lines */
    char id[HEADER_SIZE];
    char timestamp[HEADER_SIZE];
    struct error error; /* ERROR_OK: none */
    int64_t retry_after_ms;
};

static struct callback_sender *sender_of(const struct callback_run *c)
{
    return c->run.handler->settings;
}

/* ---- the answer ---- */

/* Seconds, or an HTTP date: that is a wish, and what cannot be read is none. */
static int64_t read_retry_after(const struct http_response *response)
{
    const char *text = http_response_header(response, "Retry-After");
    char *end;
    long long seconds;
    time_t date;

    if (!text)
        return 0;
    seconds = strtoll(text, &end, 10);
    if (end != text && *end == '\0')
        return seconds > 0 && seconds <= 86400 ? seconds * 1000 : 0;
    date = curl_getdate(text, NULL);
    return date > 0 && date * 1000LL > clock_unix_ms() ? date * 1000LL - clock_unix_ms() : 0;
}

static void judge(struct callback_run *c, const struct http_response *response)
{
    int status = response->status;

    if (status >= 200 && status < 300)
        return;
    if (status == 410) {
        error_set(
            &c->error, ERROR_BAD_PAYLOAD, "%s answered 410: nobody there wants to be told any more", c->host);
    } else if (status >= 300 && status < 400) {
        error_set(&c->error, ERROR_HANDLER_FAILED,
            "%s answered %d, and redirects are not followed: name the URL itself as callback_url", c->host,
            status);
    } else {
        c->retry_after_ms = status == 429 || status == 503 ? read_retry_after(response) : 0;
        error_set(
            &c->error, ERROR_HANDLER_FAILED, "%s answered %d to the event; a 2xx is wanted", c->host, status);
    }
}

static void on_answered(void *arg, const struct http_response *response, const struct error *e)
{
    struct callback_run *c = arg;

    c->call = NULL;
    if (c->error.code == ERROR_OK && e)
        error_set(&c->error, ERROR_HANDLER_FAILED, "%s could not be told: %.160s", c->host, e->text);
    else if (c->error.code == ERROR_OK)
        judge(c, response);
    run_defer(&c->run);
}

/* ---- the request ---- */

/* What must not be in a line of a header. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < '!' || *text > '~')
            return false;
    return true;
}

static bool read_host(struct callback_run *c, struct error *e)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    bool is_right = url && curl_url_set(url, CURLUPART_URL, c->url, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && strlen(host) < HOST_SIZE;

    if (!is_right)
        error_set(e, ERROR_BAD_PAYLOAD, "the callback_url is no URL");
    else if (strcasecmp(scheme, "https") != 0 && !sender_of(c)->config->callback_insecure)
        is_right =
            error_set(e, ERROR_BAD_PAYLOAD, "the callback_url is not https, and CALLBACK_INSECURE is off");
    else
        snprintf(c->host, sizeof(c->host), "%s", host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return is_right;
}

static bool read_payload(struct callback_run *c, const char *text, size_t length, struct error *e)
{
    struct json_span event;
    AUTO(json) json_t *payload = json_parse_keeping(text, length, "event", &event, e);
    const char *url = json_string_value(json_object_get(payload, "url"));
    const char *id = json_string_value(json_object_get(json_object_get(payload, "event"), "id"));

    if (!url || !event.text || !id || strlen(id) > ID_MAX || !is_plain(id) || !is_plain(url))
        return error_set(e, ERROR_BAD_PAYLOAD, "the payload is not {\"url\": …, \"event\": {\"id\": …}}");
    c->url = mem_strdup(url);
    buf_append(&c->event, event.text, event.length);
    snprintf(c->id, sizeof(c->id), "webhook-id: %s", id);
    return read_host(c, e);
}

static void send_event(struct callback_run *c)
{
    static const struct http_events events = {.on_done = on_answered};
    const struct callback_sender *s = sender_of(c);
    int64_t now_s = clock_unix_ms() / 1000;
    const char *headers[] = {"Content-Type: application/cloudevents+json; charset=utf-8",
        "User-Agent: jobgate", c->id, c->timestamp, NULL, NULL};
    size_t count = 4;
    struct http_request request = {
        .method = "POST",
        .url = c->url,
        .headers = headers,
        .body = c->event.data,
        .body_length = c->event.length,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = TIMEOUT_MS,
        .max_response_bytes = ANSWER_MAX,
    };
    char trace[HEADER_SIZE];

    snprintf(c->timestamp, sizeof(c->timestamp), "webhook-timestamp: %lld", (long long)now_s);
    buf_append_text(&c->signature, "webhook-signature: ");
    webhook_sign(
        &s->keys, c->id + strlen("webhook-id: "), now_s, c->event.data, c->event.length, &c->signature);
    if (s->keys.count)
        headers[count++] = c->signature.data;
    if (c->run.input.traceparent && *c->run.input.traceparent) {
        snprintf(trace, sizeof(trace), "traceparent: %s", c->run.input.traceparent);
        headers[count++] = trace;
    }
    request.header_count = count;
    c->call = http_send(s->client, &request, &events, c);
}

static void begin(struct callback_run *c, const char *payload, size_t length)
{
    if (read_payload(c, payload, length, &c->error)) {
        c->error.code = ERROR_OK;
        send_event(c);
    } else {
        c->error.code = c->error.code == ERROR_BAD_JSON ? ERROR_BAD_PAYLOAD : c->error.code;
        run_defer(&c->run);
    }
}

/* ---- the kind ---- */

/* The first reason stays. */
static void kill_run(struct run *r, enum error_code reason)
{
    struct callback_run *c = (struct callback_run *)r;

    if (c->error.code == ERROR_OK)
        run_set_killed(r, reason, &c->error);
    if (c->call)
        http_cancel(c->call);
    else
        run_defer(r);
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    struct callback_run *c = run_new(sizeof(*c), h, input, events, arg, on_limit);

    buf_init(&c->payload, PAYLOAD_MAX);
    buf_init(&c->event, EVENT_MAX);
    buf_init(&c->signature, HEADER_SIZE);
    countdown_start(&c->run.limit, c->run.input.timeout_ms);
    if (!input->is_streamed)
        begin(c, input->payload, input->payload_length);
    return &c->run;
}

static size_t feed(struct run *r, const void *data, size_t length)
{
    struct callback_run *c = (struct callback_run *)r;

    if (c->error.code == ERROR_OK && !buf_append(&c->payload, data, length)) {
        error_set(&c->error, ERROR_BAD_PAYLOAD, "the payload has more than %d bytes", PAYLOAD_MAX);
        run_defer(r);
    }
    return length;
}

static void feed_end(struct run *r)
{
    struct callback_run *c = (struct callback_run *)r;

    if (c->error.code == ERROR_OK)
        begin(c, c->payload.data, c->payload.length);
}

static void resume(struct run *UNUSED(r))
{
}

static void finish(struct run *r)
{
    struct callback_run *c = (struct callback_run *)r;
    struct run_outcome outcome = {.error = c->error.code == ERROR_OK ? NULL : &c->error,
        .log = BUF(0),
        .retry_after_ms = c->retry_after_ms};

    if (c->call)
        return; /* its end comes, and then this again */
    buf_release(&c->payload);
    buf_release(&c->event);
    buf_release(&c->signature);
    free(c->url);
    run_end(r, &outcome);
}

static void release(void *UNUSED(settings)) /* the sender's owner frees it */
{
}

static const struct kind kind_callback = {
    .name = "callback",
    .release = release,
    .start = start,
    .kill = kill_run,
    .feed = feed,
    .feed_end = feed_end,
    .resume = resume,
    .finish = finish,
    .is_result_inline = true,
};

struct handlers *callback_handlers(struct loop *loop, const char *type, struct callback_sender *s)
{
    static const struct retry_policy policy = {
        .max_attempts = ARRAY_LENGTH(delays_ms) + 1,
        .max_crashes = 1,
        .delays_ms = delays_ms,
        .delay_count = ARRAY_LENGTH(delays_ms),
    };

    return handlers_of_one(loop, type, &kind_callback, s, TIMEOUT_MS + CONNECT_TIMEOUT_MS, &policy);
}

/* ---- the sender ---- */

static bool on_secrets(void *arg, const char *value, struct error *e)
{
    struct callback_sender *s = arg;
    struct webhook_keys keys;

    if (!webhook_keys_parse(value, &keys, e))
        return false;
    s->keys = keys;
    webhook_keys_wipe(&keys);
    return true;
}

struct callback_sender *callback_sender_new(struct loop *loop, const struct config *config, struct error *e)
{
    struct callback_sender *s = mem_zalloc(sizeof(*s));
    const struct secret_user user = {.on_change = on_secrets, .arg = s, .component = "callbacks"};

    s->config = config;
    s->client = http_client_new(loop, CONNECTIONS, IDLE_S);
    if (!guard_parse(config->callback_allow, &s->guard, e) ||
        !webhook_keys_parse(config->callback_secrets, &s->keys, e))
        return callback_sender_free(s);
    http_client_guard(s->client, &s->guard);
    s->secret = secret_follow(loop, config, "CALLBACK_SECRETS", &user);
    return s;
}

struct callback_sender *callback_sender_free(struct callback_sender *s)
{
    if (!s)
        return NULL;
    s->secret = secret_free(s->secret);
    s->client = http_client_free(s->client);
    webhook_keys_wipe(&s->keys);
    free(s);
    return NULL;
}

void callback_check(const struct config *config, struct buf *mistakes)
{
    struct webhook_keys keys;
    struct guard guard;
    struct error e;

    if (!guard_parse(config->callback_allow, &guard, &e))
        config_mistake(mistakes, "CALLBACK_ALLOW", e.text);
    if (!webhook_keys_parse(config->callback_secrets, &keys, &e))
        config_mistake(mistakes, "CALLBACK_SECRETS", e.text);
    else
        webhook_keys_wipe(&keys);
}
