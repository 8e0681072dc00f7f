#include "common/base/mem.h"
#include "common/blob/azure_page.h"
#include "common/blob/azure_priv.h"

#include <curl/curl.h>

struct azure_list {
    struct blob_op base;
    struct azure_client *client;
    blob_list_done *done;
    void *arg;
    struct azure_request *request;
};

static void finish(struct azure_list *l, const struct blob_page *page, const struct error *e)
{
    l->done(l->arg, page, e);
    blob_op_free(&l->base);
}

static void on_answer(void *arg, const struct azure_outcome *o)
{
    struct azure_list *l = arg;
    struct azure_page page;
    struct error e;

    l->request = NULL;
    if (o->error) {
        finish(l, NULL, o->error);
        return;
    }
    if (!azure_page_parse(&page, o->response->body.data, o->response->body.length, &e)) {
        finish(l, NULL, &e);
        return;
    }
    finish(l, &(struct blob_page){page.items, page.count, page.next.data}, NULL);
    azure_page_release(&page);
}

static void cancel(struct blob_op *base)
{
    struct azure_list *l = (struct azure_list *)base;

    azure_cancel(l->request);
    blob_op_free(base);
}

static const struct blob_op_kind list_kind = {.cancel = cancel};

static void append_escaped(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *text))
            buf_append_char(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

struct blob_op *azure_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg)
{
    struct azure_list *l = blob_op_new(s, &list_kind, sizeof(*l));
    AUTO_BUF struct buf query = BUF(3 * (BLOB_NAME_SIZE + AZURE_MARKER_MAX) + 256);
    struct azure_ask ask = {
        .method = "GET", .name = "", .status = 200, .retries = ANSWER_RETRIES_MAX, .is_list = true};

    assert(max >= 1 && max <= BLOB_PAGE_MAX);
    l->client = azure_client_of(s);
    l->done = done;
    l->arg = arg;
    buf_printf(&query, "restype=container&comp=list&include=metadata&maxresults=%d&prefix=", max);
    append_escaped(&query, prefix);
    if (*marker) {
        buf_append_text(&query, "&marker=");
        append_escaped(&query, marker);
    }
    ask.query = query.data;
    ask.ends_at_ms = azure_deadline(l->client);
    l->request = azure_send(l->client, &ask, on_answer, l);
    return &l->base;
}
