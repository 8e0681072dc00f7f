#include "common/base/mem.h"
#include "common/blob/azure_priv.h"

/* The buffers of all uploads: four whole blocks. */
enum { BUFFERS_MAX = 4 * BLOB_BLOCK_BYTES };

static void write_url(const struct blob_store *base, const char *name, char *out, size_t size)
{
    const struct azure_account *a = &((const struct azure_store *)base)->client.account;

    snprintf(out, size, "%s/%s/%s", a->endpoint, a->container, name);
}

static void free_store(struct blob_store *base)
{
    struct azure_store *s = azure_of(base);

    azure_client_release(&s->client);
    azure_keys_close(s);
    block_budget_release(&s->budget);
    free(s);
}

static const struct blob_store_kind azure_kind = {
    .free = free_store,
    .url = write_url,
    .put = azure_put,
    .head = azure_head,
    .get = azure_get,
    .list = azure_list,
    .can_link = azure_can_link,
    .link = azure_link,
    .delete = azure_delete,
    .set_tier = azure_set_tier,
    .check = azure_check,
    .open_upload = azure_open_upload,
    .write = azure_upload_write,
    .commit = azure_upload_commit,
    .cancel_upload = azure_upload_cancel,
};

struct blob_store *azure_store_open(
    struct loop *loop, const struct config *config, const struct azure_account *account)
{
    struct azure_store *s = mem_zalloc(sizeof(*s));

    s->base.kind = &azure_kind;
    s->budget.max_bytes = BUFFERS_MAX;
    azure_client_init(&s->client, loop, config, account);
    azure_keys_open(s);
    return &s->base;
}
