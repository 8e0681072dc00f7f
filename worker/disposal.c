#include "worker/disposal.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"

#include <sys/queue.h>

enum { WAITING_MAX = 65536 }; /* names; what is more is left to the sweep */

struct item {
    char name[BLOB_NAME_SIZE];
    STAILQ_ENTRY(item) link;
};

struct disposal {
    struct blob_store *store;
    struct blob_op *deleting;
    STAILQ_HEAD(, item) waiting;
    size_t count;
};

static const struct log_context log_context = {.component = "disposal"};

static void delete_next(struct disposal *d);

static void on_deleted(void *arg, const struct error *e)
{
    struct disposal *d = arg;
    struct item *item = STAILQ_FIRST(&d->waiting);

    fault_point(FAULT_DISPOSE_ANSWERED);
    d->deleting = NULL;
    if (e)
        log_debug(&log_context, "%s could not be removed: %s", item->name, e->text);
    STAILQ_REMOVE_HEAD(&d->waiting, link);
    d->count--;
    free(item);
    delete_next(d);
}

static void delete_next(struct disposal *d)
{
    const struct item *item = STAILQ_FIRST(&d->waiting);

    if (!item || d->deleting)
        return;
    d->deleting = blob_delete(d->store, item->name, on_deleted, d);
    fault_point(FAULT_DISPOSE_SENT);
}

struct disposal *disposal_new(struct blob_store *store)
{
    struct disposal *d = mem_zalloc(sizeof(*d));

    d->store = store;
    STAILQ_INIT(&d->waiting);
    return d;
}

struct disposal *disposal_free(struct disposal *d)
{
    struct item *item;

    if (!d)
        return NULL;
    if (d->deleting)
        blob_cancel(d->deleting);
    while ((item = STAILQ_FIRST(&d->waiting))) {
        STAILQ_REMOVE_HEAD(&d->waiting, link);
        free(item);
    }
    free(d);
    return NULL;
}

void disposal_add(struct disposal *d, const char *name)
{
    struct item *item;

    if (d->count == WAITING_MAX)
        return;
    item = mem_zalloc(sizeof(*item));
    snprintf(item->name, sizeof(item->name), "%s", name);
    STAILQ_INSERT_TAIL(&d->waiting, item, link);
    d->count++;
    delete_next(d);
}

void disposal_add_payload(struct disposal *d, const struct job_id *id, const struct job_spec *spec)
{
    char name[BLOB_NAME_SIZE];

    if (!spec->payload_size)
        return;
    if (!spec->payload_parts) {
        payload_name(id, name);
        disposal_add(d, name);
    }
    for (int part = 1; part <= spec->payload_parts; part++) {
        payload_part_name(id, spec->owner, part, name);
        disposal_add(d, name);
    }
}
