#include "common/blob/azure_priv.h"

/* How often a stream is resumed without a byte having come in between. */
enum { RESUMES_MAX = 3 };

struct azure_get {
    struct blob_op base;
    struct azure_client *client;
    char name[BLOB_NAME_SIZE];
    struct blob_reader reader;
    void *arg;
    struct azure_request *request;
    bool is_whole;  /* no range was asked for */
    bool has_head;  /* reader.on_head was called */
    bool is_wrong;  /* the answer is not to what was asked */
    bool is_beyond; /* the blob ends before the range begins */
    bool is_changed;
    int64_t offset; /* of the next byte */
    int64_t end;    /* behind the last byte; -1 while it is not known */
    char etag[BLOB_ETAG_SIZE];
    int resumes;
    struct timer failing;
    struct error error;
};

static void send_request(struct azure_get *g);

static void finish(struct azure_get *g, const struct error *e)
{
    g->reader.on_done(g->arg, e);
    timer_stop(&g->failing);
    blob_op_free(&g->base);
}

static void finish_with(struct azure_get *g, enum error_code code, const char *what)
{
    error_set(&g->error, code, "%.200s %s", g->name, what);
    finish(g, &g->error);
}

static void add_lines(void *arg, struct azure_lines *lines)
{
    const struct azure_get *g = arg;

    if (*g->etag)
        azure_line(lines, "If-Match: %s", g->etag);
    if (g->is_whole && g->offset == 0)
        return;
    if (g->end < 0)
        azure_line(lines, "Range: bytes=%lld-", (long long)g->offset);
    else
        azure_line(lines, "Range: bytes=%lld-%lld", (long long)g->offset, (long long)g->end - 1);
}

/* Whether a 206 begins where it was asked to. */
static bool begins_at(const struct http_response *response, int64_t offset)
{
    const char *range = http_response_header(response, "Content-Range");

    return range && strncmp(range, "bytes ", 6) == 0 && strtoll(range + 6, NULL, 10) == offset;
}

static void take_first_head(struct azure_get *g, const struct blob_properties *p)
{
    if (p->size >= 0 && (g->end < 0 || g->end > p->size))
        g->end = p->size;
    snprintf(g->etag, sizeof(g->etag), "%s", p->etag);
    g->has_head = true;
    g->reader.on_head(g->arg, p);
}

static void on_head(void *arg, const struct http_response *response)
{
    struct azure_get *g = arg;
    struct blob_properties properties;
    bool is_part = !g->is_whole || g->offset > 0;

    azure_read_properties(response, &properties);
    g->is_wrong =
        is_part ? response->status != 206 || !begins_at(response, g->offset) : response->status != 200;
    /* The service answers 416, an emulator with nothing. */
    g->is_beyond = g->offset > 0 && properties.size >= 0 && g->offset >= properties.size;
    if (g->is_wrong || g->is_beyond)
        return;
    if (!g->has_head)
        take_first_head(g, &properties);
    else
        g->is_changed = strcmp(properties.etag, g->etag) != 0;
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct azure_get *g = arg;

    if (g->is_wrong || g->is_beyond || g->is_changed)
        return true;
    if (g->end >= 0 && (int64_t)length > g->end - g->offset)
        length = (size_t)(g->end - g->offset);
    if (length && !g->reader.on_data(g->arg, data, length))
        return false;
    g->offset += (int64_t)length;
    if (length)
        g->resumes = 0;
    return true;
}

/* The stream broke off after its head. */
static void go_on(struct azure_get *g, const struct error *e)
{
    if (*g->etag && g->resumes++ < RESUMES_MAX) {
        send_request(g);
        return;
    }
    g->error = *e;
    finish(g, &g->error);
}

static void finish_beyond(struct azure_get *g)
{
    finish_with(g, ERROR_BAD_RANGE, "is shorter than the range that was asked for");
}

static void take_refusal(struct azure_get *g, const struct azure_outcome *o)
{
    if (o->answer->verdict == ANSWER_NO_BLOB && g->has_head)
        finish_with(g, ERROR_CHANGED, "was removed while it was read");
    else if (o->answer->verdict == ANSWER_NO_BLOB)
        finish_with(g, ERROR_NOT_FOUND, "is not there: there is no such blob");
    else if (o->answer->status == 412)
        finish_with(g, ERROR_CHANGED, "is no longer the one that was asked for");
    else if (o->answer->status == 416)
        finish_beyond(g);
    else
        finish(g, o->error);
}

static void on_done(void *arg, const struct azure_outcome *o)
{
    struct azure_get *g = arg;
    bool is_short = g->end >= 0 && g->offset < g->end;

    g->request = NULL;
    if (g->is_beyond) {
        finish_beyond(g);
    } else if (g->is_wrong) {
        finish_with(g, ERROR_STORE_REFUSED,
            "was answered with another range than was asked for: is a proxy between?");
    } else if (g->is_changed) {
        finish_with(g, ERROR_CHANGED, "was replaced while it was read");
    } else if (o->answer) {
        take_refusal(g, o);
    } else if (g->has_head && is_short) {
        if (!o->error)
            error_set(
                &g->error, ERROR_STORE_AWAY, "%.160s broke off at byte %lld", g->name, (long long)g->offset);
        go_on(g, o->error ? o->error : &g->error);
    } else if (g->has_head && g->end >= 0) {
        finish(g, NULL); /* all is there, whatever became of the connection */
    } else {
        finish(g, o->error);
    }
}

static void send_request(struct azure_get *g)
{
    struct azure_ask ask = {.method = "GET",
        .name = g->name,
        .query = "",
        .status = 200,
        .status_too = 206,
        .add_lines = add_lines,
        .retries = ANSWER_RETRIES_MAX,
        .ends_at_ms = azure_deadline(g->client),
        .on_head = on_head,
        .on_data = on_data};

    g->request = azure_send(g->client, &ask, on_done, g);
}

static void cancel(struct blob_op *base)
{
    struct azure_get *g = (struct azure_get *)base;

    if (g->request)
        azure_cancel(g->request);
    timer_stop(&g->failing);
    blob_op_free(base);
}

static void resume(struct blob_op *base)
{
    struct azure_get *g = (struct azure_get *)base;

    if (g->request)
        azure_resume(g->request);
}

static const struct blob_op_kind get_kind = {cancel, resume};

static void on_failing(void *arg)
{
    struct azure_get *g = arg;

    finish(g, &g->error);
}

struct blob_op *azure_get(struct blob_store *s, const char *name, const struct blob_range *range,
    const struct blob_reader *reader, void *arg)
{
    struct azure_get *g = blob_op_new(s, &get_kind, sizeof(*g));

    g->client = azure_client_of(s);
    g->reader = *reader;
    g->arg = arg;
    g->end = -1;
    g->is_whole = !range || (range->offset == 0 && range->length < 0);
    snprintf(g->name, sizeof(g->name), "%s", name);
    if (range) {
        g->offset = range->offset;
        g->end = range->length < 0 ? -1 : range->offset + range->length;
        snprintf(g->etag, sizeof(g->etag), "%s", range->etag ? range->etag : "");
    }
    timer_init(&g->failing, g->client->loop, on_failing, g);
    if (blob_name_is_valid(name)) {
        send_request(g);
    } else {
        error_set(&g->error, ERROR_INVALID, "\"%.100s\" is not the name of a blob", name);
        timer_start(&g->failing, 0);
    }
    return &g->base;
}
