#include "common/blob/azure_priv.h"

/* An operation that is one request, or few in a row. */
struct azure_op {
    struct blob_op base;
    struct azure_client *client;
    char name[BLOB_NAME_SIZE];
    char tier[16];
    blob_put_done *put_done;
    blob_check_done *check_done;
    void *arg;
    struct azure_write *write; /* of a put */
    struct azure_request *request;
    struct blob_content content;
    char md5[BLOB_MD5_SIZE];
    struct timer failing;
    struct error error;
};

static const char *find_meta(const void *response, const char *name)
{
    char header[64];

    snprintf(header, sizeof(header), "x-ms-meta-%s", name);
    return http_response_header(response, header);
}

/* The size of the whole blob, where the answer is one to a range. */
static int64_t read_size(const struct http_response *response)
{
    const char *range = http_response_header(response, "Content-Range");
    const char *length = http_response_header(response, "Content-Length");
    const char *total = range ? strrchr(range, '/') : NULL;

    if (total && total[1] >= '0' && total[1] <= '9')
        return strtoll(total + 1, NULL, 10);
    return length && !range ? strtoll(length, NULL, 10) : -1;
}

void azure_read_properties(const struct http_response *response, struct blob_properties *out)
{
    const char *modified = http_response_header(response, "Last-Modified");
    bool is_part = http_response_header(response, "Content-Range") != NULL;

    *out = (struct blob_properties){
        .size = read_size(response), .modified_ms = modified ? http_date_parse(modified) : 0};
    blob_property_set(
        out->content_type, sizeof(out->content_type), http_response_header(response, "Content-Type"));
    /* Of a range, Content-MD5 is that of the range. */
    blob_property_set(out->md5, sizeof(out->md5),
        http_response_header(response, is_part ? "x-ms-blob-content-md5" : "Content-MD5"));
    blob_property_set(out->etag, sizeof(out->etag), http_response_header(response, "ETag"));
    blob_properties_set_meta(out, find_meta, response);
}

static void cancel(struct blob_op *base)
{
    struct azure_op *op = (struct azure_op *)base;

    if (op->request)
        azure_cancel(op->request);
    if (op->write)
        azure_write_cancel(op->write);
    timer_stop(&op->failing);
    blob_op_free(base);
}

static const struct blob_op_kind op_kind = {.cancel = cancel};

static void finish(struct azure_op *op, const struct blob_properties *properties, const struct error *e)
{
    if (op->put_done)
        op->put_done(op->arg, properties, e);
    else
        op->check_done(op->arg, e);
    timer_stop(&op->failing);
    blob_op_free(&op->base);
}

static void on_failing(void *arg)
{
    struct azure_op *op = arg;

    finish(op, NULL, &op->error);
}

static struct azure_op *new_op(struct blob_store *s, const char *name, void *arg)
{
    struct azure_op *op = blob_op_new(s, &op_kind, sizeof(*op));

    op->client = azure_client_of(s);
    op->arg = arg;
    snprintf(op->name, sizeof(op->name), "%s", name);
    timer_init(&op->failing, op->client->loop, on_failing, op);
    return op;
}

static void on_written(
    void *arg, const struct blob_properties *properties, const struct error *e, bool UNUSED(is_lost))
{
    struct azure_op *op = arg;

    op->write = NULL;
    finish(op, properties, e);
}

struct blob_op *azure_put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg)
{
    struct azure_op *op = new_op(s, name, arg);
    struct azure_write_ask ask = {.name = name,
        .head = blob_content_head_of(content),
        .body = content->data,
        .length = content->length,
        .size = (int64_t)content->length,
        .md5 = op->md5};

    op->put_done = done;
    if (blob_md5(content->data, content->length, op->md5, &op->error))
        op->write = azure_write_start(op->client, &ask, on_written, op);
    else
        timer_start(&op->failing, 0);
    return &op->base;
}

/* Sends the one request of an operation on a blob. */
static void send_request(struct azure_op *op, const struct azure_ask *ask, azure_done *done)
{
    struct azure_ask whole = *ask;

    if (!whole.query)
        whole.query = "";
    if (!whole.ends_at_ms)
        whole.ends_at_ms = azure_deadline(op->client);
    whole.name = op->name;
    if (*op->name && !blob_name_is_valid(op->name)) {
        error_set(&op->error, ERROR_INVALID, "\"%.100s\" is not the name of a blob", op->name);
        timer_start(&op->failing, 0);
        return;
    }
    op->request = azure_send(op->client, &whole, done, op);
}

static bool is_missing(const struct azure_outcome *o)
{
    return o->answer && o->answer->verdict == ANSWER_NO_BLOB;
}

static void finish_missing(struct azure_op *op)
{
    error_set(&op->error, ERROR_NOT_FOUND, "there is no blob %s", op->name);
    finish(op, NULL, &op->error);
}

static void on_head(void *arg, const struct azure_outcome *o)
{
    struct azure_op *op = arg;
    struct blob_properties properties;

    op->request = NULL;
    if (is_missing(o)) {
        finish_missing(op);
        return;
    }
    if (!o->error)
        azure_read_properties(o->response, &properties);
    finish(op, o->error ? NULL : &properties, o->error);
}

struct blob_op *azure_head(struct blob_store *s, const char *name, blob_put_done *done, void *arg)
{
    struct azure_op *op = new_op(s, name, arg);

    op->put_done = done;
    send_request(
        op, &(struct azure_ask){.method = "HEAD", .status = 200, .retries = ANSWER_RETRIES_MAX}, on_head);
    return &op->base;
}

static void on_deleted(void *arg, const struct azure_outcome *o)
{
    struct azure_op *op = arg;

    op->request = NULL;
    finish(op, NULL, is_missing(o) ? NULL : o->error);
}

struct blob_op *azure_delete(struct blob_store *s, const char *name, blob_check_done *done, void *arg)
{
    struct azure_op *op = new_op(s, name, arg);

    op->check_done = done;
    send_request(op, &(struct azure_ask){.method = "DELETE", .status = 202, .retries = ANSWER_RETRIES_MAX},
        on_deleted);
    return &op->base;
}

static void add_tier_line(void *arg, struct azure_lines *lines)
{
    const struct azure_op *op = arg;

    azure_line(lines, "x-ms-access-tier: %s", op->tier);
}

static void on_tier_set(void *arg, const struct azure_outcome *o)
{
    struct azure_op *op = arg;

    op->request = NULL;
    if (is_missing(o))
        finish_missing(op);
    else
        finish(op, NULL, o->error);
}

struct blob_op *azure_set_tier(
    struct blob_store *s, const char *name, const char *tier, blob_check_done *done, void *arg)
{
    struct azure_op *op = new_op(s, name, arg);

    op->check_done = done;
    snprintf(op->tier, sizeof(op->tier), "%s", tier);
    send_request(op,
        &(struct azure_ask){.method = "PUT",
            .query = "comp=tier",
            .status = 200,
            .status_too = 202,
            .add_lines = add_tier_line,
            .retries = ANSWER_RETRIES_MAX},
        on_tier_set);
    return &op->base;
}

static void on_made(void *arg, const struct azure_outcome *o)
{
    struct azure_op *op = arg;
    bool is_there = o->answer && o->answer->verdict == ANSWER_EXISTS;

    op->request = NULL;
    finish(op, NULL, is_there ? NULL : o->error);
}

static void on_checked(void *arg, const struct azure_outcome *o)
{
    struct azure_op *op = arg;

    op->request = NULL;
    if (o->answer && o->answer->verdict == ANSWER_NO_CONTAINER)
        send_request(op,
            &(struct azure_ask){
                .method = "PUT", .query = "restype=container", .status = 201, .is_probe = true},
            on_made);
    else
        finish(op, NULL, o->error);
}

struct blob_op *azure_check(struct blob_store *s, blob_check_done *done, void *arg)
{
    struct azure_op *op = new_op(s, "", arg);

    op->check_done = done;
    send_request(op,
        &(struct azure_ask){.method = "GET", .query = "restype=container", .status = 200, .is_probe = true},
        on_checked);
    return &op->base;
}
