#include "worker/orphans.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"
#include "worker/disposal.h"

enum { FOLDERS = 256, PAGE = 100, NEXT_SIZE = 1024 };

struct orphans {
    struct worker *worker;
    struct timer next;
    struct blob_op *listing;
    bool is_asking; /* an answer of Redis is awaited */
    int folder;     /* that is being swept; FOLDERS = none is */
    char marker[NEXT_SIZE];
    struct blob_item *items; /* of the page at hand */
    size_t count;
    size_t at;
    struct job_id id; /* of the last one that was looked at */
    bool is_needed;   /* the payload of that job */
    bool is_gone;     /* there is no such job, or not yet */
    size_t removed;   /* in this round */
};

static const struct log_context log_context = {.component = "orphans"};

static void go_on(struct orphans *o);

static void end_round(struct orphans *o)
{
    if (o->removed)
        log_info(&log_context, "%zu payloads that no job needs were removed", o->removed);
    o->folder = FOLDERS;
    free(o->items);
    o->items = NULL;
    o->count = o->at = o->removed = 0;
}

/* ---- a page ---- */

/* What has just been written may be of a job that is about to be there. */
static bool is_young(const struct orphans *o, const struct blob_item *item)
{
    int64_t age_ms = clock_unix_ms() - item->properties.modified_ms;

    return item->properties.modified_ms == 0 || age_ms < o->worker->config->upload_s * 1000;
}

static void on_job(void *arg, const struct job *job, const struct error *e)
{
    struct orphans *o = arg;

    o->is_asking = false;
    if (e && e->code == ERROR_STOPPED)
        return;
    o->is_gone = e && e->code == ERROR_NOT_FOUND;
    o->is_needed = e ? !o->is_gone : job->state != JOB_SUCCEEDED && job->state != JOB_CANCELLED;
    go_on(o);
}

/* Returns false when the answer of Redis is to be waited for. */
static bool judge(struct orphans *o, const struct blob_item *item)
{
    struct job_id id;
    struct error e;

    if (!payload_job(item->name, &id))
        return true; /* somebody else's */
    if (strcmp(id.text, o->id.text) != 0) {
        o->id = id;
        o->is_asking = queue_get(o->worker->queue, &id, on_job, o, &e);
        if (!o->is_asking)
            end_round(o);
        return false;
    }
    if (!o->is_needed && !(o->is_gone && is_young(o, item))) {
        o->removed++;
        disposal_add(o->worker->disposal, item->name);
    }
    return true;
}

static void on_listed(void *arg, const struct blob_page *page, const struct error *e)
{
    struct orphans *o = arg;

    o->listing = NULL;
    if (e) {
        log_debug(&log_context, "the sweep ends early: %s", e->text);
        end_round(o);
        return;
    }
    free(o->items);
    o->items = mem_array(page->count + 1, sizeof(*o->items));
    memcpy(o->items, page->items, page->count * sizeof(*o->items));
    o->count = page->count;
    o->at = 0;
    snprintf(o->marker, sizeof(o->marker), "%s", page->next);
    if (!*o->marker)
        o->folder++;
    go_on(o);
}

static void list(struct orphans *o)
{
    char prefix[32];

    snprintf(prefix, sizeof(prefix), "payloads/%02x/", (unsigned)o->folder);
    o->listing = blob_list(o->worker->store, prefix, o->marker, PAGE, on_listed, o);
}

static void go_on(struct orphans *o)
{
    for (; o->at < o->count; o->at++)
        if (!judge(o, &o->items[o->at]))
            return; /* the same one again when it is known */
    o->count = 0;
    if (o->worker->is_draining || o->folder >= FOLDERS)
        end_round(o);
    else
        list(o);
}

/* ---- rounds ---- */

static void on_chosen(void *arg, bool is_chosen, const struct error *e)
{
    struct orphans *o = arg;

    o->is_asking = false;
    if (e || !is_chosen || o->worker->is_draining)
        return;
    o->folder = 0;
    *o->marker = '\0';
    *o->id.text = '\0';
    go_on(o);
}

static void sweep(void *arg)
{
    struct orphans *o = arg;
    int64_t period_s = o->worker->config->sweep_s;
    struct error e;

    timer_start(&o->next, period_s * 1000);
    if (o->is_asking || o->listing || o->folder < FOLDERS || !blob_health_is_up(o->worker->store_health))
        return;
    o->is_asking = queue_choose_sweeper(o->worker->queue, o->worker->id, period_s, on_chosen, o, &e);
}

struct orphans *orphans_new(struct worker *w)
{
    struct orphans *o = mem_zalloc(sizeof(*o));

    o->worker = w;
    o->folder = FOLDERS;
    timer_init(&o->next, w->loop, sweep, o);
    return o;
}

struct orphans *orphans_free(struct orphans *o)
{
    if (!o)
        return NULL;
    timer_stop(&o->next);
    if (o->listing)
        blob_cancel(o->listing);
    free(o->items);
    free(o);
    return NULL;
}

void orphans_begin(struct orphans *o)
{
    if (!timer_is_running(&o->next))
        timer_start(&o->next, o->worker->config->sweep_s * 1000);
}
