#include "common/blob/azure_request.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <strings.h>
#include <sys/random.h>

enum {
    URL_SIZE = ACCOUNT_ENDPOINT_SIZE + ACCOUNT_CONTAINER_SIZE + BLOB_NAME_SIZE + ACCOUNT_SAS_SIZE + 32,
    QUERY_MAX = 8192,
    HEAD_TEXT_MAX = 20480, /* the service takes 8 KiB of metadata; a token has up to 8 KiB too */
    ANSWER_BODY_MAX = 65536,
    PAGE_BODY_MAX = 8 * 1024 * 1024, /* a page of a list, with its metadata */
    CONNECT_TIMEOUT_MS = 10000,
    SLOW_BYTES_PER_MS = 32, /* the slowest line on which a body has the time that it takes */
    /* An emulator (and Node.js behind it) closes what was idle for 5 s; curl counts whole seconds and uses a
     * connection that was idle for up to one more. */
    IDLE_HTTP_S = 3,
    IDLE_HTTPS_S = 60,
};

/* What the request's timer stands for. */
enum phase { PHASE_QUEUED, PHASE_PROVING, PHASE_CALLING, PHASE_WAITING, PHASE_FAILING };

struct azure_request {
    struct azure_client *client;
    struct azure_ask ask;
    azure_done *done;
    void *arg;
    enum phase phase;
    char name[BLOB_NAME_SIZE];
    char *query;
    struct buf url;
    char id[ULID_SIZE];
    struct http_call *call; /* NULL between tries */
    struct credential_wait proof;
    unsigned generation; /* of the credential that signed the try */
    bool is_resigned;    /* the store refused a signature, and a newer one was tried */
    struct timer timer;
    int retries;
    bool is_streaming; /* ask.on_head was called */
    bool is_late;
    bool is_cancelled;
    bool is_trial; /* of the circuit */
    struct buf error_body;
    struct error error;                    /* the last that was passing, or what PHASE_FAILING reports */
    TAILQ_ENTRY(azure_request) link;       /* in client->all */
    TAILQ_ENTRY(azure_request) queue_link; /* in client->queue while in PHASE_QUEUED */
};

/* The header lines of one try. */
struct azure_lines {
    char text[HEAD_TEXT_MAX];
    size_t used;
    const char *lines[HTTP_HEADERS_MAX];
    size_t count;
    bool is_overflown;
};

static void try_now(struct azure_request *r);

static void leave_queue(struct azure_request *r)
{
    if (r->phase == PHASE_QUEUED)
        TAILQ_REMOVE(&r->client->queue, r, queue_link);
    r->phase = PHASE_CALLING;
}

static void release(struct azure_request *r)
{
    timer_stop(&r->timer);
    credential_wait_stop(&r->proof);
    buf_release(&r->error_body);
    buf_release(&r->url);
    free(r->query);
    free(r);
}

static void free_request(struct azure_request *r)
{
    if (r->is_trial)
        circuit_abandoned(&r->client->circuit);
    leave_queue(r);
    TAILQ_REMOVE(&r->client->all, r, link);
    release(r);
}

/* The one end of a request. */
static void finish(struct azure_request *r, const struct azure_outcome *outcome)
{
    timer_stop(&r->timer);
    leave_queue(r);
    r->done(r->arg, outcome);
    free_request(r);
}

static void finish_failed(struct azure_request *r)
{
    finish(r, &(struct azure_outcome){.error = &r->error});
}

static void describe(const struct azure_request *r, char *out, size_t size)
{
    snprintf(out, size, "%s %s", r->ask.method, *r->name ? r->name : r->client->account.container);
}

static uint32_t random_bits(void)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) < 0)
        bits = (uint32_t)clock_steady_us();
    return bits;
}

static int64_t left_ms(const struct azure_request *r)
{
    int64_t left = r->ask.ends_at_ms ? r->ask.ends_at_ms - clock_steady_ms() : INT64_MAX;

    return left > 1 ? left : 1;
}

/* ---- what a try came to ---- */

static void note_outcome(struct azure_request *r, bool is_well)
{
    struct azure_client *c = r->client;
    struct log_context context = {.component = "blob"};
    bool is_news = is_well ? circuit_well(&c->circuit) : circuit_failed(&c->circuit, clock_steady_ms());

    r->is_trial = false;
    if (is_news && is_well)
        log_info(&context, "the blob store answers again: requests are sent as ever");
    else if (is_news)
        log_warn(&context, "%d requests to the blob store failed in a row: one at a time is tried now; %s",
            CIRCUIT_FAILURES, r->error.text);
}

/* Waits and tries again, or ends with r->error when the tries or the time are used up. */
static void retry(struct azure_request *r, int64_t wait_ms)
{
    int64_t delay_ms = answer_retry_delay_ms(r->retries + 1, wait_ms, random_bits());
    struct log_context context = {.component = "blob"};
    bool is_endless = r->ask.retries == AZURE_TRIES_ENDLESS;

    if (is_endless && delay_ms > CIRCUIT_LONGEST_MS)
        delay_ms = CIRCUIT_LONGEST_MS;
    if (!is_endless && (r->retries >= r->ask.retries || delay_ms >= left_ms(r))) {
        finish_failed(r);
        return;
    }
    r->retries++;
    log_debug(&context, "retry %d in %lld ms: %s", r->retries, (long long)delay_ms, r->error.text);
    r->phase = PHASE_WAITING;
    timer_start(&r->timer, delay_ms);
}

static const char *find_header(const void *response, const char *name)
{
    return http_response_header(response, name);
}

/* A 200 may come from anybody (a portal that wants a login); the service names each answer that it gives. */
static bool is_success(const struct azure_request *r, const struct http_response *response)
{
    int status = response->status;

    if (status != r->ask.status && (!r->ask.status_too || status != r->ask.status_too))
        return false;
    return r->ask.is_unnamed || http_response_header(response, "x-ms-request-id") != NULL;
}

/* Whether the store does not believe who we are, but may believe it when asked once more: with a newer token
 * or key. */
static bool may_resign(struct azure_request *r, const struct answer *a)
{
    bool is_refused = a->status == 401 || strcmp(a->code, "AuthenticationFailed") == 0;

    if (!is_refused || r->is_resigned || !credential_refused(r->client->credential, r->generation))
        return false;
    r->is_resigned = true;
    return true;
}

static void take_answer(struct azure_request *r, const struct http_response *response)
{
    const struct buf *body = r->ask.on_data ? &r->error_body : &response->body;
    char what[BLOB_NAME_SIZE + 8];
    struct answer a;

    if (is_success(r, response)) {
        note_outcome(r, true);
        finish(r, &(struct azure_outcome){.response = response});
        return;
    }
    answer_read(&a, response->status, find_header, response, body->data, body->length, clock_unix_ms());
    describe(r, what, sizeof(what));
    answer_explain(&a, what, &r->error);
    note_outcome(r, a.verdict != ANSWER_AGAIN);
    if (may_resign(r, &a))
        try_now(r);
    else if (a.verdict == ANSWER_AGAIN)
        retry(r, a.wait_ms);
    else
        finish(r, &(struct azure_outcome){&r->error, &a, response});
}

/* No whole answer came. */
static void take_silence(struct azure_request *r, const struct error *e)
{
    char what[BLOB_NAME_SIZE + 8];

    describe(r, what, sizeof(what));
    error_set(&r->error, e->code, "the blob store does not answer: %.120s; %.80s, our request id %s", e->text,
        what, r->id);
    note_outcome(r, false);
    if (r->is_streaming || e->code == ERROR_INVALID)
        finish_failed(r);
    else
        retry(r, -1);
}

/* The time is used up. What passing trouble there was before says more than that. */
static void finish_late(struct azure_request *r)
{
    char what[BLOB_NAME_SIZE + 8];

    describe(r, what, sizeof(what));
    if (!*r->error.text)
        error_set(&r->error, ERROR_TIMEOUT,
            "the blob store did not answer within %lld ms; %.100s, our request id %s",
            (long long)r->client->deadline_ms, what, r->id);
    finish_failed(r);
}

static void take_outcome(struct azure_request *r, const struct http_response *response, const struct error *e)
{
    if (r->is_cancelled) {
        free_request(r);
    } else if (r->is_late) {
        note_outcome(r, false);
        finish_late(r);
    } else if (e && (e->code != ERROR_TOO_BIG || !response->status)) {
        take_silence(r, e);
    } else {
        take_answer(r, response);
    }
}

static void start_queued(struct azure_client *c)
{
    while (c->calls < c->connections && !TAILQ_EMPTY(&c->queue)) {
        struct azure_request *r = TAILQ_FIRST(&c->queue);

        leave_queue(r);
        try_now(r);
    }
}

static void on_call_done(void *arg, const struct http_response *response, const struct error *e)
{
    struct azure_request *r = arg;
    struct azure_client *c = r->client;

    r->call = NULL;
    timer_stop(&r->timer);
    c->calls--;
    take_outcome(r, response, e);
    start_queued(c);
}

/* From here on the receiver sets the pace, and only a standstill ends the call. */
static void on_stream_head(void *arg, const struct http_response *response)
{
    struct azure_request *r = arg;

    if (!is_success(r, response))
        return;
    timer_stop(&r->timer);
    r->is_streaming = true;
    r->ask.on_head(r->arg, response);
}

static bool on_stream_data(void *arg, const void *data, size_t length)
{
    struct azure_request *r = arg;

    if (r->is_streaming)
        return r->ask.on_data(r->arg, data, length);
    buf_append(&r->error_body, data, length);
    return true;
}

/* ---- sending ---- */

static void fail_later(struct azure_request *r)
{
    r->phase = PHASE_FAILING;
    timer_start(&r->timer, 0);
}

void azure_line(struct azure_lines *h, const char *format, ...)
{
    size_t room = sizeof(h->text) - h->used;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(h->text + h->used, room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= room || h->count == ARRAY_LENGTH(h->lines)) {
        h->is_overflown = true;
        return;
    }
    h->lines[h->count++] = h->text + h->used;
    h->used += (size_t)length + 1;
}

static void write_url(struct azure_request *r)
{
    const struct azure_account *a = &r->client->account;

    buf_reset(&r->url);
    buf_append_text(&r->url, a->endpoint);
    buf_append_char(&r->url, '/');
    if (!r->ask.name)
        return;
    buf_append_text(&r->url, a->container);
    if (*r->name) {
        buf_append_char(&r->url, '/');
        buf_append_text(&r->url, r->name);
    }
}

/* Fills h with a signed head, and r->url. */
static bool fill_head(struct azure_request *r, struct azure_lines *h, struct error *e)
{
    const struct azure_account *account = &r->client->account;
    AUTO_BUF struct buf authorization = BUF(HEAD_TEXT_MAX);
    const char *sas;
    struct sign_request request = {
        .method = r->ask.method, .query = r->query, .headers = h->lines, .content_length = r->ask.length};
    char date[CLOCK_HTTP_DATE_SIZE];

    h->used = h->count = 0;
    h->is_overflown = false;
    clock_format_http_date(clock_unix_ms(), date);
    azure_line(h, "x-ms-date: %s", date);
    azure_line(h, "x-ms-version: " AZURE_VERSION);
    azure_line(h, "x-ms-client-request-id: %s", r->id);
    if (r->ask.add_lines)
        r->ask.add_lines(r->arg, h);
    write_url(r);
    request.path = r->url.data + strlen(account->endpoint) - strlen(azure_account_path(account));
    request.header_count = h->count;
    if (!credential_sign(r->client->credential, &request, &authorization, e))
        return false;
    if (authorization.length)
        azure_line(h, "%s", authorization.data);
    buf_wipe(&authorization);
    sas = credential_sas(r->client->credential);
    if (*r->query || *sas)
        buf_printf(&r->url, "?%s%s%s", r->query, *r->query && *sas ? "&" : "", sas);
    return !h->is_overflown || error_set(e, ERROR_INVALID,
                                   "the metadata of %.100s is larger than the store takes (8 KiB)", r->name);
}

/* A body has the time that it takes on a slow line; a stream is bounded by its standstills alone. */
static int64_t timeout_of(const struct azure_request *r)
{
    int64_t timeout_ms = r->client->timeout_ms + (int64_t)r->ask.length / SLOW_BYTES_PER_MS;

    if (r->ask.on_data)
        return 0;
    return timeout_ms < left_ms(r) ? timeout_ms : left_ms(r);
}

static void call_store(struct azure_request *r, const struct azure_lines *h)
{
    static const struct http_events gather = {.on_done = on_call_done};
    static const struct http_events stream = {
        .on_head = on_stream_head, .on_data = on_stream_data, .on_done = on_call_done};
    struct azure_client *c = r->client;
    struct http_request request = {
        .method = r->ask.method,
        .url = r->url.data,
        .headers = h->lines,
        .header_count = h->count,
        .body = r->ask.body,
        .body_length = r->ask.length,
        .connect_timeout_ms = c->timeout_ms < CONNECT_TIMEOUT_MS ? c->timeout_ms : CONNECT_TIMEOUT_MS,
        .timeout_ms = timeout_of(r),
        .low_speed_s = (c->timeout_ms + 999) / 1000,
        .max_response_bytes = r->ask.is_list ? PAGE_BODY_MAX : ANSWER_BODY_MAX,
    };

    c->calls++;
    r->call = http_send(c->http, &request, r->ask.on_data ? &stream : &gather, r);
}

/* An open circuit: endless requests wait for it, others fail. Returns whether the request may be sent. */
static bool pass_circuit(struct azure_request *r)
{
    struct azure_client *c = r->client;
    int64_t now_ms = clock_steady_ms();
    int64_t wait_ms;

    if (r->ask.is_probe)
        return true;
    wait_ms = circuit_wait_ms(&c->circuit, now_ms);
    if (circuit_admits(&c->circuit, now_ms)) {
        r->is_trial = circuit_is_open(&c->circuit);
        return true;
    }
    if (r->ask.retries == AZURE_TRIES_ENDLESS) {
        r->phase = PHASE_WAITING;
        timer_start(&r->timer, wait_ms);
        return false;
    }
    if (!*r->error.text)
        error_set(&r->error, ERROR_STORE_AWAY,
            "the blob store is away: after %d failures in a row it is asked once every few seconds",
            CIRCUIT_FAILURES);
    fail_later(r);
    return false;
}

static void on_proof(void *arg, const struct error *e)
{
    struct azure_request *r = arg;

    if (!e) {
        try_now(r);
        return;
    }
    r->error = *e;
    if (e->code == ERROR_STORE_AWAY)
        retry(r, -1);
    else
        finish_failed(r);
}

static void try_now(struct azure_request *r)
{
    struct azure_client *c = r->client;
    struct azure_lines h;

    if (r->ask.ends_at_ms)
        timer_start(&r->timer, left_ms(r));
    if (c->calls >= c->connections) {
        r->phase = PHASE_QUEUED;
        TAILQ_INSERT_TAIL(&c->queue, r, queue_link);
        return;
    }
    if (!credential_is_ready(c->credential)) {
        r->phase = PHASE_PROVING;
        credential_wait(c->credential, &r->proof, on_proof, r);
        return;
    }
    if (!pass_circuit(r))
        return;
    r->generation = credential_generation(c->credential);
    if (!fill_head(r, &h, &r->error)) {
        fail_later(r);
        return;
    }
    buf_reset(&r->error_body);
    r->phase = PHASE_CALLING;
    call_store(r, &h);
    explicit_bzero(h.text, h.used);
}

static void on_timer(void *arg)
{
    struct azure_request *r = arg;

    switch (r->phase) {
    case PHASE_QUEUED:
    case PHASE_PROVING:
        finish_late(r);
        break;
    case PHASE_CALLING:
        r->is_late = true;
        http_cancel(r->call);
        break;
    case PHASE_WAITING:
        try_now(r);
        break;
    case PHASE_FAILING:
        finish_failed(r);
        break;
    }
}

int64_t azure_deadline(const struct azure_client *c)
{
    return clock_steady_ms() + c->deadline_ms;
}

struct azure_request *azure_send(
    struct azure_client *c, const struct azure_ask *ask, azure_done *done, void *arg)
{
    struct azure_request *r = mem_zalloc(sizeof(*r));

    r->client = c;
    r->ask = *ask;
    r->done = done;
    r->arg = arg;
    r->phase = PHASE_CALLING;
    r->query = mem_strdup(ask->query);
    snprintf(r->name, sizeof(r->name), "%s", ask->name ? ask->name : "");
    id_generate_ulid(&c->ids, r->id);
    buf_init(&r->url, URL_SIZE + QUERY_MAX);
    buf_init(&r->error_body, ANSWER_BODY_MAX);
    timer_init(&r->timer, c->loop, on_timer, r);
    TAILQ_INSERT_HEAD(&c->all, r, link);
    if (*r->name && !blob_name_is_valid(ask->name)) {
        error_set(&r->error, ERROR_INVALID, "\"%.100s\" is not the name of a blob", r->name);
        fail_later(r);
    } else {
        try_now(r);
    }
    return r;
}

void azure_resume(struct azure_request *r)
{
    if (r->call)
        http_resume(r->call);
}

void azure_cancel(struct azure_request *r)
{
    if (!r->call) {
        free_request(r);
        return;
    }
    r->is_cancelled = true;
    timer_stop(&r->timer);
    http_cancel(r->call);
}

void azure_client_init(struct azure_client *c, struct loop *loop, const struct config *config,
    const struct azure_account *account)
{
    bool is_tls = strncasecmp(account->endpoint, "https", strlen("https")) == 0;

    *c = (struct azure_client){.loop = loop, .account = *account};
    azure_account_release(&c->account);
    c->credential = credential_open_storage(loop, config, account);
    c->timeout_ms = config->blob_timeout_ms;
    c->deadline_ms = config->blob_deadline_ms;
    c->connections = (int)config->blob_connections;
    c->http = http_client_new(loop, c->connections, is_tls ? IDLE_HTTPS_S : IDLE_HTTP_S);
    TAILQ_INIT(&c->all);
    TAILQ_INIT(&c->queue);
}

void azure_client_release(struct azure_client *c)
{
    http_client_free(c->http);
    for (struct azure_request *r = TAILQ_FIRST(&c->all), *next; r; r = next) {
        next = TAILQ_NEXT(r, link);
        release(r);
    }
    credential_free(c->credential);
}
