#include "worker/disposal.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"

#include <sys/queue.h>

enum { WAITING_MAX = 65536 }; /* names; what is more is left to the sweep */

struct item {
    char name[BLOB_NAME_SIZE];
    char *text; /* what is to be written; NULL = it is to be removed. Owned */
    size_t length;
    bool is_replacing; /* one that was there before is being removed */
    STAILQ_ENTRY(item) link;
};

struct disposal {
    struct blob_store *store;
    struct blob_op *working;
    STAILQ_HEAD(, item) waiting;
    size_t count;
};

static const struct log_context log_context = {.component = "disposal"};

static void begin(struct disposal *d);
static void do_next(struct disposal *d);

static void finish_first(struct disposal *d, const struct error *e)
{
    struct item *item = STAILQ_FIRST(&d->waiting);

    if (e)
        log_warn(
            &log_context, "%s could not be %s: %s", item->name, item->text ? "written" : "removed", e->text);
    STAILQ_REMOVE_HEAD(&d->waiting, link);
    d->count--;
    free(item->text);
    free(item);
    do_next(d);
}

static void on_deleted(void *arg, const struct error *e)
{
    struct disposal *d = arg;

    fault_point(FAULT_DISPOSE_ANSWERED);
    d->working = NULL;
    if (!e && STAILQ_FIRST(&d->waiting)->is_replacing)
        begin(d);
    else
        finish_first(d, e);
}

static void delete_first(struct disposal *d)
{
    d->working = blob_delete(d->store, STAILQ_FIRST(&d->waiting)->name, on_deleted, d);
    fault_point(FAULT_DISPOSE_SENT);
}

static void on_put(void *arg, const struct blob_properties *UNUSED(properties), const struct error *e)
{
    struct disposal *d = arg;
    struct item *item = STAILQ_FIRST(&d->waiting);

    d->working = NULL;
    if (e && e->code == ERROR_EXISTS && !item->is_replacing) {
        item->is_replacing = true;
        delete_first(d);
    } else {
        finish_first(d, e);
    }
}

static void begin(struct disposal *d)
{
    const struct item *item = STAILQ_FIRST(&d->waiting);
    struct blob_content content = {
        .data = item->text, .length = item->length, .content_type = CONTENT_TYPE_JSON};

    if (item->text)
        d->working = blob_put(d->store, item->name, &content, on_put, d);
    else
        delete_first(d);
}

static void do_next(struct disposal *d)
{
    if (STAILQ_FIRST(&d->waiting) && !d->working)
        begin(d);
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
    if (d->working)
        blob_cancel(d->working);
    while ((item = STAILQ_FIRST(&d->waiting))) {
        STAILQ_REMOVE_HEAD(&d->waiting, link);
        free(item->text);
        free(item);
    }
    free(d);
    return NULL;
}

static void add(struct disposal *d, const char *name, const char *text, size_t length)
{
    struct item *item;

    if (d->count == WAITING_MAX)
        return;
    item = mem_zalloc(sizeof(*item));
    snprintf(item->name, sizeof(item->name), "%s", name);
    item->text = text ? mem_dup(text, length) : NULL;
    item->length = length;
    STAILQ_INSERT_TAIL(&d->waiting, item, link);
    d->count++;
    do_next(d);
}

void disposal_add(struct disposal *d, const char *name)
{
    add(d, name, NULL, 0);
}

void disposal_put(struct disposal *d, const char *name, const char *text, size_t length)
{
    add(d, name, text, length);
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
