#include "common/azure/account.h"
#include "common/azure/answer.h"
#include "common/azure/credential.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/store.h"
#include "common/net/http_client.h"

#include <sys/queue.h>
#include <sys/random.h>

enum {
    URL_SIZE = ACCOUNT_ENDPOINT_SIZE + ACCOUNT_CONTAINER_SIZE + BLOB_NAME_SIZE + ACCOUNT_SAS_SIZE + 32,
    HEAD_TEXT_MAX = 12288, /* the service takes 8 KiB of metadata */
    ANSWER_BODY_MAX = 65536,
    CONNECT_TIMEOUT_MS = 10000,
    /* An emulator (and Node.js behind it) closes what was idle for 5 s; curl counts whole seconds and uses a
     * connection that was idle for up to one more. */
    IDLE_HTTP_S = 3,
    IDLE_HTTPS_S = 60,
};

/* The requests that operations are made of. */
enum step { STEP_PUT, STEP_LOOK, STEP_HEAD, STEP_GET, STEP_DELETE, STEP_LOOK_CONTAINER, STEP_MAKE_CONTAINER };

static const struct {
    const char *method;
    const char *query;
    int status; /* of success: any other 2xx does not come from Blob Storage */
} steps[] = {
    [STEP_PUT] = {"PUT", "", 201},
    [STEP_LOOK] = {"HEAD", "", 200},
    [STEP_HEAD] = {"HEAD", "", 200},
    [STEP_GET] = {"GET", "", 200},
    [STEP_DELETE] = {"DELETE", "", 202},
    [STEP_LOOK_CONTAINER] = {"GET", "restype=container", 200},
    [STEP_MAKE_CONTAINER] = {"PUT", "restype=container", 201},
};

/* What the operation's timer stands for. */
enum phase { PHASE_QUEUED, PHASE_PROVING, PHASE_CALLING, PHASE_WAITING, PHASE_FAILING };

struct azure_store {
    struct blob_store base;
    struct loop *loop;
    struct http_client *http;
    struct azure_account account; /* without what opens it: that is the credential's */
    struct credential *credential;
    struct id_generator ids;
    int64_t timeout_ms;
    int64_t deadline_ms;
    int connections;
    int calls; /* under way, at most one for each connection */
    LIST_HEAD(azure_ops, azure_op) ops;
    /* Operations whose turn comes when a call ends. curl would queue them too, at several times the cost. */
    TAILQ_HEAD(azure_queue, azure_op) queue;
};

struct azure_op {
    struct blob_op base;
    struct azure_store *store;
    enum step step;
    enum phase phase;
    char name[BLOB_NAME_SIZE]; /* "" = the container itself */
    char url[URL_SIZE];
    char request_id[ULID_SIZE]; /* ours, one for all requests of the operation */
    char md5[BLOB_MD5_SIZE];
    struct blob_content content;
    blob_put_done *put_done;
    blob_check_done *check_done;
    struct blob_reader reader;
    void *arg;
    struct http_call *call; /* NULL between requests */
    struct credential_wait proof;
    unsigned generation; /* of the credential that signed the call */
    bool is_resigned;    /* the store refused a signature, and a newer one was tried */
    struct timer timer;
    int64_t ends_at_ms; /* steady clock */
    int retries;
    int retries_max;
    bool is_streaming; /* on_head of the reader was called */
    bool is_late;
    bool is_cancelled;
    struct buf error_body;
    struct error error; /* the last that was passing, or what PHASE_FAILING reports */
    LIST_ENTRY(azure_op) link;
    TAILQ_ENTRY(azure_op) queue_link; /* while in PHASE_QUEUED */
};

/* The header lines of one request. */
struct head {
    char text[HEAD_TEXT_MAX];
    size_t used;
    const char *lines[HTTP_HEADERS_MAX];
    size_t count;
    bool is_overflown;
};

static const struct blob_store_kind azure_kind;

static void send_request(struct azure_op *op);

static void leave_queue(struct azure_op *op)
{
    if (op->phase == PHASE_QUEUED)
        TAILQ_REMOVE(&op->store->queue, op, queue_link);
    op->phase = PHASE_CALLING;
}

static void release_op(struct azure_op *op)
{
    timer_stop(&op->timer);
    credential_wait_stop(&op->proof);
    buf_release(&op->error_body);
    free(op);
}

static void free_op(struct azure_op *op)
{
    leave_queue(op);
    LIST_REMOVE(op, link);
    release_op(op);
}

/* The one end of an operation. */
static void finish(struct azure_op *op, const struct blob_properties *properties, const struct error *e)
{
    timer_stop(&op->timer);
    if (op->put_done)
        op->put_done(op->arg, properties, e);
    else if (op->check_done)
        op->check_done(op->arg, e);
    else
        op->reader.on_done(op->arg, e);
    free_op(op);
}

static void describe(const struct azure_op *op, char *out, size_t size)
{
    snprintf(out, size, "%s %s", steps[op->step].method, *op->name ? op->name : op->store->account.container);
}

static uint32_t random_bits(void)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) < 0)
        bits = (uint32_t)clock_steady_us();
    return bits;
}

/* Waits and sends again, or ends with op->error when the tries or the time are used up. */
static void retry(struct azure_op *op, int64_t wait_ms)
{
    int64_t delay_ms = answer_retry_delay_ms(op->retries + 1, wait_ms, random_bits());
    struct log_context context = {.component = "blob"};

    if (op->retries == op->retries_max || clock_steady_ms() + delay_ms >= op->ends_at_ms) {
        finish(op, NULL, &op->error);
        return;
    }
    op->retries++;
    log_debug(&context, "retry %d in %lld ms: %s", op->retries, (long long)delay_ms, op->error.text);
    op->phase = PHASE_WAITING;
    timer_start(&op->timer, delay_ms);
}

static const char *find_header(const void *response, const char *name)
{
    return http_response_header(response, name);
}

static void read_properties(const struct http_response *response, struct blob_properties *out)
{
    const char *length = http_response_header(response, "Content-Length");

    *out = (struct blob_properties){.size = length ? strtoll(length, NULL, 10) : -1};
    blob_property_set(
        out->content_type, sizeof(out->content_type), http_response_header(response, "Content-Type"));
    blob_property_set(out->md5, sizeof(out->md5), http_response_header(response, "Content-MD5"));
    blob_property_set(out->etag, sizeof(out->etag), http_response_header(response, "ETag"));
    blob_property_set(out->job_id, sizeof(out->job_id), http_response_header(response, "x-ms-meta-jobid"));
    out->attempt = blob_attempt_parse(http_response_header(response, "x-ms-meta-attempt"));
}

/* The blob that stood in the way is known now. */
static void finish_looking(struct azure_op *op, const struct http_response *response)
{
    struct blob_properties properties;
    struct error e;

    read_properties(response, &properties);
    if (blob_content_is_own(&op->content, &properties)) {
        finish(op, &properties, NULL);
        return;
    }
    error_set(&e, ERROR_EXISTS, "%.160s exists already, written by %.80s", op->name,
        *properties.job_id ? properties.job_id : "somebody else");
    finish(op, &properties, &e);
}

static void succeed(struct azure_op *op, const struct http_response *response)
{
    struct blob_properties properties;

    if (op->step == STEP_LOOK) {
        finish_looking(op, response);
    } else if (op->step == STEP_HEAD) {
        read_properties(response, &properties);
        finish(op, &properties, NULL);
    } else if (op->step == STEP_PUT) {
        blob_content_properties(&op->content, op->md5, &properties);
        blob_property_set(properties.etag, sizeof(properties.etag), http_response_header(response, "ETag"));
        finish(op, &properties, NULL);
    } else {
        finish(op, NULL, NULL);
    }
}

static void go_to(struct azure_op *op, enum step step)
{
    op->step = step;
    send_request(op);
}

/* The blob that stood in the way has gone meanwhile. */
static void put_again(struct azure_op *op)
{
    op->step = STEP_PUT;
    error_set(&op->error, ERROR_STORE_AWAY, "blob %s was there and then was not", op->name);
    retry(op, -1);
}

static void finish_missing(struct azure_op *op)
{
    error_set(&op->error, ERROR_NOT_FOUND, "there is no blob %s", op->name);
    finish(op, NULL, &op->error);
}

/* Whether the store refuses to do what somebody else has done before. */
static bool is_so_already(const struct azure_op *op, const struct answer *a)
{
    return (a->verdict == ANSWER_EXISTS && op->step == STEP_MAKE_CONTAINER) ||
           (a->verdict == ANSWER_NO_BLOB && op->step == STEP_DELETE);
}

/* Whether the store does not believe who we are, but may believe it when asked once more: with a newer token
 * or key. */
static bool may_resign(struct azure_op *op, const struct answer *a)
{
    bool is_refused = a->status == 401 || strcmp(a->code, "AuthenticationFailed") == 0;

    if (!is_refused || op->is_resigned || !credential_refused(op->store->credential, op->generation))
        return false;
    op->is_resigned = true;
    return true;
}

static void take_answer(struct azure_op *op, const struct http_response *response, const struct answer *a)
{
    char what[BLOB_NAME_SIZE + 8];

    if (a->status == steps[op->step].status) {
        succeed(op, response);
    } else if (may_resign(op, a)) {
        send_request(op);
    } else if (a->verdict == ANSWER_EXISTS && op->step == STEP_PUT) {
        go_to(op, STEP_LOOK);
    } else if (is_so_already(op, a)) {
        finish(op, NULL, NULL);
    } else if (a->verdict == ANSWER_NO_CONTAINER && op->step == STEP_LOOK_CONTAINER) {
        go_to(op, STEP_MAKE_CONTAINER);
    } else if (a->verdict == ANSWER_NO_BLOB && (op->step == STEP_GET || op->step == STEP_HEAD)) {
        finish_missing(op);
    } else if (a->verdict == ANSWER_NO_BLOB && op->step == STEP_LOOK) {
        put_again(op);
    } else {
        describe(op, what, sizeof(what));
        answer_explain(a, what, &op->error);
        if (a->verdict == ANSWER_AGAIN)
            retry(op, a->wait_ms);
        else
            finish(op, NULL, &op->error);
    }
}

/* No whole answer came. */
static void take_silence(struct azure_op *op, const struct error *e)
{
    char what[BLOB_NAME_SIZE + 8];

    describe(op, what, sizeof(what));
    error_set(&op->error, e->code, "the blob store does not answer: %.120s; %.100s", e->text, what);
    if (op->is_streaming || e->code == ERROR_INVALID)
        finish(op, NULL, &op->error);
    else
        retry(op, -1);
}

/* The time is used up. What passing trouble there was before says more than that. */
static void finish_late(struct azure_op *op)
{
    char what[BLOB_NAME_SIZE + 8];

    describe(op, what, sizeof(what));
    if (!*op->error.text)
        error_set(&op->error, ERROR_TIMEOUT, "the blob store did not answer within %lld ms; %.100s",
            (long long)op->store->deadline_ms, what);
    finish(op, NULL, &op->error);
}

static void start_queued(struct azure_store *s)
{
    while (s->calls < s->connections && !TAILQ_EMPTY(&s->queue)) {
        struct azure_op *op = TAILQ_FIRST(&s->queue);

        leave_queue(op);
        send_request(op);
    }
}

static void take_outcome(struct azure_op *op, const struct http_response *response, const struct error *e)
{
    const struct buf *body = op->step == STEP_GET ? &op->error_body : &response->body;
    struct answer a;

    if (op->is_cancelled) {
        free_op(op);
    } else if (op->is_late) {
        finish_late(op);
    } else if (e && (e->code != ERROR_TOO_BIG || !response->status)) {
        take_silence(op, e);
    } else {
        answer_read(&a, response->status, find_header, response, body->data, body->length, clock_unix_ms());
        take_answer(op, response, &a);
    }
}

static void on_call_done(void *arg, const struct http_response *response, const struct error *e)
{
    struct azure_op *op = arg;
    struct azure_store *s = op->store;

    op->call = NULL;
    timer_stop(&op->timer);
    s->calls--;
    take_outcome(op, response, e);
    start_queued(s);
}

/* From here on the receiver sets the pace, and only a standstill ends the call. */
static void on_get_head(void *arg, const struct http_response *response)
{
    struct azure_op *op = arg;
    struct blob_properties properties;

    if (response->status != steps[STEP_GET].status)
        return;
    timer_stop(&op->timer);
    op->is_streaming = true;
    read_properties(response, &properties);
    op->reader.on_head(op->arg, &properties);
}

static bool on_get_data(void *arg, const void *data, size_t length)
{
    struct azure_op *op = arg;

    if (op->is_streaming)
        return op->reader.on_data(op->arg, data, length);
    buf_append(&op->error_body, data, length);
    return true;
}

static void fail_later(struct azure_op *op)
{
    op->phase = PHASE_FAILING;
    timer_start(&op->timer, 0);
}

static void on_timer(void *arg)
{
    struct azure_op *op = arg;

    switch (op->phase) {
    case PHASE_QUEUED:
    case PHASE_PROVING:
        finish_late(op);
        break;
    case PHASE_CALLING:
        op->is_late = true;
        http_cancel(op->call);
        break;
    case PHASE_WAITING:
        send_request(op);
        break;
    case PHASE_FAILING:
        finish(op, NULL, &op->error);
        break;
    }
}

static void PRINTF_LIKE(2, 3) add_line(struct head *h, const char *format, ...)
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

static void add_content_lines(struct head *h, const struct azure_op *op)
{
    add_line(h, "x-ms-blob-type: BlockBlob");
    add_line(h, "x-ms-blob-content-type: %s", op->content.content_type);
    add_line(h, "Content-MD5: %s", op->md5);
    add_line(h, "If-None-Match: *");
    for (size_t i = 0; i < op->content.meta_count; i++)
        add_line(h, "x-ms-meta-%s: %s", op->content.meta[i].name, op->content.meta[i].value);
}

/* Signed anew for each try, because the service takes a date for 15 minutes only. */
static bool fill_head(
    struct head *h, const struct azure_op *op, const char *path, size_t length, struct error *e)
{
    struct sign_request request = {steps[op->step].method, path, steps[op->step].query, h->lines, 0, length};
    AUTO_BUF struct buf authorization = BUF(HEAD_TEXT_MAX);
    char date[CLOCK_HTTP_DATE_SIZE];

    h->used = h->count = 0;
    h->is_overflown = false;
    clock_format_http_date(clock_unix_ms(), date);
    add_line(h, "x-ms-date: %s", date);
    add_line(h, "x-ms-version: " AZURE_VERSION);
    add_line(h, "x-ms-client-request-id: %s", op->request_id);
    if (op->step == STEP_PUT)
        add_content_lines(h, op);
    request.header_count = h->count;
    if (!credential_sign(op->store->credential, &request, &authorization, e))
        return false;
    if (authorization.length)
        add_line(h, "%s", authorization.data);
    return !h->is_overflown || error_set(e, ERROR_INVALID,
                                   "the metadata of %.100s is larger than the store takes (8 KiB)", op->name);
}

/* Writes the URL of what the operation is about and returns where its path begins. */
static const char *fill_url(struct azure_op *op)
{
    const struct azure_account *a = &op->store->account;
    int length = snprintf(
        op->url, sizeof(op->url), "%s/%s%s%s", a->endpoint, a->container, *op->name ? "/" : "", op->name);

    assert(length < URL_SIZE);
    return op->url + strlen(a->endpoint) - strlen(azure_account_path(a));
}

static void add_query(struct azure_op *op)
{
    size_t length = strlen(op->url);
    const char *query = steps[op->step].query;
    const char *sas = credential_sas(op->store->credential);

    if (*query || *sas)
        snprintf(
            op->url + length, sizeof(op->url) - length, "?%s%s%s", query, *query && *sas ? "&" : "", sas);
}

static void call_store(struct azure_op *op, const struct head *h, int64_t left_ms)
{
    static const struct http_events gather = {.on_done = on_call_done};
    static const struct http_events stream = {on_get_head, on_get_data, on_call_done};
    struct azure_store *s = op->store;
    bool is_get = op->step == STEP_GET;
    struct http_request request = {
        .method = steps[op->step].method,
        .url = op->url,
        .headers = h->lines,
        .header_count = h->count,
        .connect_timeout_ms = s->timeout_ms < CONNECT_TIMEOUT_MS ? s->timeout_ms : CONNECT_TIMEOUT_MS,
        .timeout_ms = is_get                    ? 0
                      : s->timeout_ms < left_ms ? s->timeout_ms
                                                : left_ms,
        .low_speed_s = is_get ? (s->timeout_ms + 999) / 1000 : 0,
        .max_response_bytes = ANSWER_BODY_MAX,
    };

    if (op->step == STEP_PUT) {
        request.body = op->content.data;
        request.body_length = op->content.length;
    }
    s->calls++;
    op->call = http_send(s->http, &request, is_get ? &stream : &gather, op);
}

static void on_proof(void *arg, const struct error *e)
{
    struct azure_op *op = arg;

    if (e)
        finish(op, NULL, e);
    else
        send_request(op);
}

static void send_request(struct azure_op *op)
{
    int64_t left_ms = op->ends_at_ms - clock_steady_ms();
    struct azure_store *s = op->store;
    struct head h;

    if (left_ms < 1)
        left_ms = 1;
    timer_start(&op->timer, left_ms);
    if (s->calls == s->connections) {
        op->phase = PHASE_QUEUED;
        TAILQ_INSERT_TAIL(&s->queue, op, queue_link);
        return;
    }
    if (!credential_is_ready(s->credential)) {
        op->phase = PHASE_PROVING;
        credential_wait(s->credential, &op->proof, on_proof, op);
        return;
    }
    op->generation = credential_generation(s->credential);
    if (!fill_head(&h, op, fill_url(op), op->step == STEP_PUT ? op->content.length : 0, &op->error)) {
        fail_later(op);
        return;
    }
    add_query(op);
    buf_reset(&op->error_body);
    op->phase = PHASE_CALLING;
    call_store(op, &h, left_ms);
}

static struct azure_op *new_op(struct blob_store *base, enum step step, const char *name, void *arg)
{
    struct azure_store *s = (struct azure_store *)base;
    struct azure_op *op = mem_zalloc(sizeof(*op));

    op->base.kind = &azure_kind;
    op->store = s;
    op->step = step;
    op->phase = PHASE_CALLING;
    op->arg = arg;
    op->retries_max = ANSWER_RETRIES_MAX;
    op->ends_at_ms = clock_steady_ms() + s->deadline_ms;
    snprintf(op->name, sizeof(op->name), "%s", name);
    id_generate_ulid(&s->ids, op->request_id);
    buf_init(&op->error_body, ANSWER_BODY_MAX);
    timer_init(&op->timer, s->loop, on_timer, op);
    LIST_INSERT_HEAD(&s->ops, op, link);
    return op;
}

static bool check_name(const char *name, struct error *e)
{
    return blob_name_is_valid(name) ||
           error_set(e, ERROR_INVALID, "\"%.100s\" is not the name of a blob", name);
}

static struct blob_op *put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg)
{
    struct azure_op *op = new_op(s, STEP_PUT, name, arg);

    op->put_done = done;
    op->content = *content;
    if (check_name(name, &op->error) && blob_content_check(content, &op->error) &&
        blob_md5(content->data, content->length, op->md5, &op->error))
        send_request(op);
    else
        fail_later(op);
    return &op->base;
}

static struct blob_op *head(struct blob_store *s, const char *name, blob_put_done *done, void *arg)
{
    struct azure_op *op = new_op(s, STEP_HEAD, name, arg);

    op->put_done = done;
    if (check_name(name, &op->error))
        send_request(op);
    else
        fail_later(op);
    return &op->base;
}

static struct blob_op *get(
    struct blob_store *s, const char *name, const struct blob_reader *reader, void *arg)
{
    struct azure_op *op = new_op(s, STEP_GET, name, arg);

    op->reader = *reader;
    if (check_name(name, &op->error))
        send_request(op);
    else
        fail_later(op);
    return &op->base;
}

static struct blob_op *delete (struct blob_store *s, const char *name, blob_check_done *done, void *arg)
{
    struct azure_op *op = new_op(s, STEP_DELETE, name, arg);

    op->check_done = done;
    if (check_name(name, &op->error))
        send_request(op);
    else
        fail_later(op);
    return &op->base;
}

static struct blob_op *check(struct blob_store *s, blob_check_done *done, void *arg)
{
    struct azure_op *op = new_op(s, STEP_LOOK_CONTAINER, "", arg);

    op->check_done = done;
    op->retries_max = 0;
    send_request(op);
    return &op->base;
}

static void resume(struct blob_op *base)
{
    struct azure_op *op = (struct azure_op *)base;

    if (op->call)
        http_resume(op->call);
}

static void cancel(struct blob_op *base)
{
    struct azure_op *op = (struct azure_op *)base;

    if (!op->call) {
        free_op(op);
        return;
    }
    op->is_cancelled = true;
    timer_stop(&op->timer);
    http_cancel(op->call);
}

static void write_url(const struct blob_store *base, const char *name, char *out, size_t size)
{
    const struct azure_store *s = (const struct azure_store *)base;

    snprintf(out, size, "%s/%s/%s", s->account.endpoint, s->account.container, name);
}

static void free_store(struct blob_store *base)
{
    struct azure_store *s = (struct azure_store *)base;

    http_client_free(s->http);
    for (struct azure_op *op = LIST_FIRST(&s->ops), *next; op; op = next) {
        next = LIST_NEXT(op, link);
        release_op(op);
    }
    credential_free(s->credential);
    free(s);
}

static const struct blob_store_kind azure_kind = {
    free_store, write_url, put, head, get, delete, check, resume, cancel};

struct blob_store *azure_store_open(
    struct loop *loop, const struct config *config, const struct azure_account *account)
{
    struct azure_store *s = mem_zalloc(sizeof(*s));
    bool is_tls = strncasecmp(account->endpoint, "https", strlen("https")) == 0;

    s->base.kind = &azure_kind;
    s->loop = loop;
    s->account = *account;
    azure_account_release(&s->account);
    s->credential = credential_open_storage(loop, config, account);
    s->timeout_ms = config->blob_timeout_ms;
    s->deadline_ms = config->blob_deadline_ms;
    s->connections = (int)config->blob_connections;
    s->http = http_client_new(loop, s->connections, is_tls ? IDLE_HTTPS_S : IDLE_HTTP_S);
    LIST_INIT(&s->ops);
    TAILQ_INIT(&s->queue);
    return &s->base;
}
