#include "common/base/mem.h"
#include "common/blob/azure_priv.h"

enum { ROUNDS_MAX = 3 };

struct azure_write {
    struct azure_client *client;
    struct azure_write_ask ask;
    char name[BLOB_NAME_SIZE];
    azure_write_done *done;
    void *arg;
    struct azure_request *request;
    int64_t ends_at_ms;
    int rounds; /* how often the name was found taken, and then free */
    struct timer failing;
    struct error error;
};

static void put(struct azure_write *w);

static void finish(
    struct azure_write *w, const struct blob_properties *properties, const struct error *e, bool is_lost)
{
    w->done(w->arg, properties, e, is_lost);
    timer_stop(&w->failing);
    free(w);
}

void azure_add_content_lines(const struct blob_content_head *head, struct azure_lines *lines)
{
    azure_line(lines, "x-ms-blob-content-type: %s", head->content_type);
    for (size_t i = 0; i < head->meta_count; i++)
        azure_line(lines, "x-ms-meta-%s: %s", head->meta[i].name, head->meta[i].value);
}

static void add_put_lines(void *arg, struct azure_lines *lines)
{
    const struct azure_write *w = arg;

    azure_line(lines, "If-None-Match: *");
    if (w->ask.is_block_list) {
        azure_line(lines, "x-ms-blob-content-md5: %s", w->ask.md5);
    } else {
        azure_line(lines, "x-ms-blob-type: BlockBlob");
        azure_line(lines, "Content-MD5: %s", w->ask.md5);
    }
    azure_add_content_lines(&w->ask.head, lines);
}

/* The blob that stood in the way has gone meanwhile: then it can be made after all, unless its making took
 * the blocks away. */
static void go_on_without(struct azure_write *w, bool is_lost)
{
    if (is_lost) {
        error_set(&w->error, ERROR_INTERNAL,
            "the blocks of %.120s were dropped by the store, and no blob is there", w->name);
        finish(w, NULL, &w->error, true);
    } else if (++w->rounds < ROUNDS_MAX) {
        put(w);
    } else {
        error_set(&w->error, ERROR_STORE_AWAY, "blob %.120s was there and then was not", w->name);
        finish(w, NULL, &w->error, false);
    }
}

static void take_look(struct azure_write *w, const struct azure_outcome *o, bool is_lost)
{
    struct blob_properties properties;

    w->request = NULL;
    if (o->answer && o->answer->verdict == ANSWER_NO_BLOB) {
        go_on_without(w, is_lost);
        return;
    }
    if (o->error) {
        finish(w, NULL, o->error, false);
        return;
    }
    azure_read_properties(o->response, &properties);
    if (blob_head_is_own(&w->ask.head, &properties)) {
        finish(w, &properties, NULL, false);
        return;
    }
    blob_explain_rival(w->name, &properties, &w->error);
    finish(w, &properties, &w->error, false);
}

static void on_looked(void *arg, const struct azure_outcome *o)
{
    take_look(arg, o, false);
}

static void on_looked_without_blocks(void *arg, const struct azure_outcome *o)
{
    take_look(arg, o, true);
}

static void look(struct azure_write *w, bool is_lost)
{
    struct azure_ask ask = {.method = "HEAD",
        .name = w->name,
        .query = "",
        .status = 200,
        .retries = ANSWER_RETRIES_MAX,
        .ends_at_ms = w->ends_at_ms};

    w->request = azure_send(w->client, &ask, is_lost ? on_looked_without_blocks : on_looked, w);
}

static void on_put(void *arg, const struct azure_outcome *o)
{
    struct azure_write *w = arg;
    struct blob_properties properties;

    w->request = NULL;
    if (o->answer && o->answer->verdict == ANSWER_EXISTS) {
        look(w, false);
    } else if (o->answer && o->answer->verdict == ANSWER_BLOCKS_GONE) {
        look(w, true);
    } else if (o->error) {
        finish(w, NULL, o->error, false);
    } else {
        blob_head_properties(&w->ask.head, w->ask.size, w->ask.md5, &properties);
        blob_property_set(
            properties.etag, sizeof(properties.etag), http_response_header(o->response, "ETag"));
        finish(w, &properties, NULL, false);
    }
}

static void put(struct azure_write *w)
{
    struct azure_ask ask = {.method = "PUT",
        .name = w->name,
        .query = w->ask.is_block_list ? "comp=blocklist" : "",
        .status = 201,
        .add_lines = add_put_lines,
        .body = w->ask.body,
        .length = w->ask.length,
        .retries = ANSWER_RETRIES_MAX,
        .ends_at_ms = w->ends_at_ms};

    w->request = azure_send(w->client, &ask, on_put, w);
}

static void on_failing(void *arg)
{
    struct azure_write *w = arg;

    finish(w, NULL, &w->error, false);
}

struct azure_write *azure_write_start(
    struct azure_client *c, const struct azure_write_ask *ask, azure_write_done *done, void *arg)
{
    struct azure_write *w = mem_zalloc(sizeof(*w));

    w->client = c;
    w->ask = *ask;
    w->done = done;
    w->arg = arg;
    w->ends_at_ms = azure_deadline(c);
    snprintf(w->name, sizeof(w->name), "%s", ask->name);
    timer_init(&w->failing, c->loop, on_failing, w);
    if (blob_name_is_valid(ask->name) && blob_head_check(&ask->head, &w->error)) {
        put(w);
        return w;
    }
    if (!w->error.code)
        error_set(&w->error, ERROR_INVALID, "\"%.100s\" is not the name of a blob", ask->name);
    timer_start(&w->failing, 0);
    return w;
}

void azure_write_cancel(struct azure_write *w)
{
    if (w->request)
        azure_cancel(w->request);
    timer_stop(&w->failing);
    free(w);
}
