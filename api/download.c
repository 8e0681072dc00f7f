#include "api/download.h"
#include "api/api.h"
#include "api/live/etag.h"
#include "api/range.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { TAG_SIZE = BLOB_ETAG_SIZE + 2, MEMBERS_MAX = 128 };

/* A content on its way to a caller. */
struct download {
    struct exchange *exchange;
    char what[16];
    char job_id[JOB_ID_SIZE];
    char blob[BLOB_NAME_SIZE];
    struct blob_op *op;
    bool is_streaming;  /* the answer's head is out */
    int64_t size;       /* of the whole; -1 while it is not known */
    int64_t offset;     /* of what is sent */
    int64_t left;       /* bytes that were announced and not sent yet */
    bool is_part;       /* 206 */
    bool is_damaged;    /* the store holds another size */
    size_t ahead;       /* bytes that were sent with the piece that paused the store: they come again */
    char tag[TAG_SIZE]; /* what the caller sees; "" without one */
    char md5[BLOB_MD5_SIZE];
    char etag[BLOB_ETAG_SIZE]; /* of the store */
    char content_type[BLOB_TYPE_SIZE];
};

static void send_blob(struct download *d);

static void free_download(struct download *d)
{
    if (d->op)
        blob_cancel(d->op);
    free(d);
}

/* The store's own words may name hosts and paths: they are for the log. */
static void fail(struct download *d, const struct error *e)
{
    struct exchange *x = d->exchange;
    struct log_context context = {.component = "results", .job_id = d->job_id};
    struct error shown;

    log_warn(&context, "the %s cannot be read: %s", d->what, e->text);
    if (e->code == ERROR_NOT_FOUND)
        error_set(&shown, e->code, "the %s is not (or no longer) in the store", d->what);
    else
        error_set(&shown, e->code, "the %s cannot be read: the log of the api says why", d->what);
    if (d->is_streaming)
        exchange_end_stream(x, false);
    else
        exchange_problem(x, &shown, NULL);
    free_download(d);
}

static void on_gone(struct exchange *x)
{
    struct download *d = x->user;

    exchange_end_stream(x, false);
    free_download(d);
}

/* ---- headers ---- */

static bool is_get(const struct exchange *x)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(x->request);

    return method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
}

static void add_content_range(const struct download *d)
{
    char text[96];

    snprintf(text, sizeof(text), "bytes %lld-%lld/%lld", (long long)d->offset,
        (long long)(d->offset + d->left - 1), (long long)d->size);
    exchange_add_header(d->exchange, "Content-Range", text);
}

static void add_headers(const struct download *d)
{
    struct exchange *x = d->exchange;

    if (*d->tag)
        exchange_add_header(x, "ETag", d->tag);
    if (*d->md5 && !d->is_part)
        exchange_add_header(x, "Content-MD5", d->md5);
    if (is_get(x))
        exchange_add_header(x, "Accept-Ranges", "bytes");
    if (d->is_part)
        add_content_range(d);
}

/* ---- conditions and ranges ---- */

static void refuse_range(struct download *d)
{
    AUTO_BUF struct buf members = BUF(MEMBERS_MAX);
    struct error e;
    char text[48];

    snprintf(text, sizeof(text), "bytes */%lld", (long long)d->size);
    exchange_add_header(d->exchange, "Content-Range", text);
    error_set(&e, ERROR_BAD_RANGE, "the %s has %lld bytes: the range lies behind them", d->what,
        (long long)d->size);
    buf_printf(&members, ",\"size\":%lld", (long long)d->size);
    exchange_problem(d->exchange, &e, members.data);
}

static void refuse_match(struct download *d)
{
    struct error e;

    error_set(&e, ERROR_CHANGED, "the %s is not the one that If-Match names%s%s", d->what,
        *d->tag ? ": its tag is " : "", d->tag);
    exchange_problem(d->exchange, &e, NULL);
}

/* Answers when a precondition does not let the content be sent. */
static bool answer_conditions(struct download *d)
{
    struct exchange *x = d->exchange;
    const char *if_match = exchange_header(x, "If-Match");
    const char *if_none_match = exchange_header(x, "If-None-Match");

    if (!is_get(x))
        return false;
    if (if_match && !etag_matches_strongly(if_match, d->tag)) {
        refuse_match(d);
        return true;
    }
    if (if_none_match && etag_matches(if_none_match, d->tag)) {
        if (*d->tag)
            exchange_add_header(x, "ETag", d->tag);
        exchange_reply(x, 304, NULL, "", 0);
        return true;
    }
    return false;
}

/* Reads the range, or answers 416. */
static bool answer_range(struct download *d)
{
    struct exchange *x = d->exchange;
    const char *if_range = exchange_header(x, "If-Range");
    bool is_meant = evhttp_request_get_command(x->request) == EVHTTP_REQ_GET &&
                    (!if_range || (*d->tag && strcmp(if_range, d->tag) == 0));

    d->left = d->size;
    switch (is_meant ? range_read(exchange_header(x, "Range"), d->size, &d->offset, &d->left) : RANGE_ALL) {
    case RANGE_NONE:
        refuse_range(d);
        return true;
    case RANGE_PART:
        d->is_part = true;
        break;
    case RANGE_ALL:
        break;
    }
    return false;
}

/* ---- from the store ---- */

static void on_head(void *arg, const struct blob_properties *properties)
{
    struct download *d = arg;
    struct exchange *x = d->exchange;

    if (properties->size >= 0 && properties->size != d->size) {
        d->is_damaged = true;
        return;
    }
    add_headers(d);
    x->on_gone = on_gone;
    d->is_streaming = true;
    exchange_begin_stream(x, d->is_part ? 206 : 200, properties->content_type, d->left);
}

static void on_drained(struct exchange *x)
{
    struct download *d = x->user;

    if (d->op)
        blob_resume(d->op);
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct download *d = arg;
    size_t known = length < d->ahead ? length : d->ahead;

    d->ahead -= known;
    if (d->is_damaged || known == length)
        return true;
    d->left -= (int64_t)(length - known);
    if (exchange_stream(d->exchange, (const char *)data + known, length - known, on_drained))
        return true;
    d->ahead = length;
    return false;
}

static void on_done(void *arg, const struct error *e)
{
    struct download *d = arg;
    struct error damaged;

    d->op = NULL;
    if (!e && d->is_damaged) {
        error_set(
            &damaged, ERROR_INTERNAL, "the blob has not the %lld bytes that were stored", (long long)d->size);
        e = &damaged;
    }
    if (e) {
        fail(d, e);
        return;
    }
    exchange_end_stream(d->exchange, d->left == 0);
    free_download(d);
}

/* HEAD: what GET would say of it. */
static void on_looked(void *arg, const struct blob_properties *properties, const struct error *e)
{
    struct download *d = arg;

    d->op = NULL;
    if (e) {
        fail(d, e);
        return;
    }
    on_head(d, properties);
    d->left = 0;
    on_done(d, NULL);
}

static void on_link(void *arg, const char *url, const struct error *e)
{
    struct download *d = arg;
    struct exchange *x = d->exchange;

    d->op = NULL;
    if (e) {
        fail(d, e);
        return;
    }
    if (*d->tag)
        exchange_add_header(x, "ETag", d->tag);
    exchange_add_header(x, "Location", url);
    exchange_add_header(x, "Cache-Control", "no-store"); /* whoever has the URL can read the blob */
    exchange_reply(x, 302, NULL, "", 0);
    free_download(d);
}

static void send_blob(struct download *d)
{
    static const struct blob_reader reader = {on_head, on_data, on_done};
    struct exchange *x = d->exchange;
    struct blob_store *store = x->api->store;
    const struct config *config = x->api->config;
    struct blob_range range = {d->offset, d->is_part ? d->left : -1, d->etag};

    x->user = d;
    if (config->result_delivery == RESULT_DELIVERY_REDIRECT && is_get(x) && blob_can_link(store))
        d->op = blob_link(store, d->blob, config->result_link_s, on_link, d);
    else if (exchange_is_head(x))
        d->op = blob_head(store, d->blob, on_looked, d);
    else
        d->op = blob_get(store, d->blob, &range, &reader, d);
}

/* ---- from memory ---- */

static void send_content(struct download *d, const void *content)
{
    add_headers(d);
    exchange_reply(d->exchange, d->is_part ? 206 : 200, d->content_type, (const char *)content + d->offset,
        (size_t)d->left);
}

/* ---- the entrances ---- */

static struct download *new_download(
    struct exchange *x, const char *what, const char *job_id, const char *blob)
{
    struct download *d = mem_zalloc(sizeof(*d));

    d->exchange = x;
    d->size = -1;
    snprintf(d->what, sizeof(d->what), "%s", what);
    snprintf(d->job_id, sizeof(d->job_id), "%s", job_id);
    snprintf(d->blob, sizeof(d->blob), "%s", blob ? blob : "");
    return d;
}

static void know(struct download *d, int64_t size, const char *md5, const char *etag, const char *type)
{
    d->size = size;
    snprintf(d->md5, sizeof(d->md5), "%s", md5);
    snprintf(d->etag, sizeof(d->etag), "%s", etag);
    snprintf(d->content_type, sizeof(d->content_type), "%s", type);
    if (*md5)
        snprintf(d->tag, sizeof(d->tag), "\"%.60s\"", md5);
    else
        snprintf(d->tag, sizeof(d->tag), "%s", etag);
}

void download_send(struct exchange *x, const struct download_ask *ask)
{
    struct download *d = new_download(x, ask->what, ask->job_id, ask->blob);

    know(d, ask->size, ask->md5, ask->etag, ask->content_type);
    if (answer_conditions(d) || answer_range(d)) {
        free_download(d);
    } else if (ask->blob) {
        send_blob(d);
    } else {
        send_content(d, ask->content);
        free_download(d);
    }
}

static void on_found(void *arg, const struct blob_properties *p, const struct error *e)
{
    struct download *d = arg;

    d->op = NULL;
    if (e) {
        fail(d, e);
        return;
    }
    know(d, p->size, p->md5, p->etag, p->content_type);
    if (answer_conditions(d) || answer_range(d))
        free_download(d);
    else
        send_blob(d);
}

void download_find(struct exchange *x, const char *what, const char *job_id, const char *blob)
{
    struct download *d = new_download(x, what, job_id, blob);

    x->user = d;
    d->op = blob_head(x->api->store, d->blob, on_found, d);
}
