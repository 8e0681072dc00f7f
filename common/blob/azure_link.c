#include "common/blob/azure_priv.h"

bool azure_can_link(const struct blob_store *UNUSED(s))
{
    return false;
}

struct azure_link {
    struct blob_op base;
    blob_link_done *done;
    void *arg;
    struct timer failing;
};

static void on_failing(void *arg)
{
    struct azure_link *l = arg;
    struct error e;

    error_set(&e, ERROR_INVALID, "this store gives no links");
    l->done(l->arg, NULL, &e);
    blob_op_free(&l->base);
}

static void cancel(struct blob_op *base)
{
    timer_stop(&((struct azure_link *)base)->failing);
    blob_op_free(base);
}

static const struct blob_op_kind link_kind = {.cancel = cancel};

struct blob_op *azure_link(
    struct blob_store *s, const char *UNUSED(name), int64_t UNUSED(seconds), blob_link_done *done, void *arg)
{
    struct azure_link *l = blob_op_new(s, &link_kind, sizeof(*l));

    l->done = done;
    l->arg = arg;
    timer_init(&l->failing, azure_client_of(s)->loop, on_failing, l);
    timer_start(&l->failing, 0);
    return &l->base;
}
