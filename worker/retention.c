#include "worker/retention.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum {
    PERIOD_MIN_S = 5,
    PERIOD_MAX_S = 3600,
    AT_ONCE = 16, /* blobs of a page that are being asked about or removed */
    PAGE_PAUSE_MS = 20,
    BUCKETS = 256, /* the hh of names; WHOLE comes before them */
    WHOLE = -1,
};

static const char *const folders[] = {"results", "logs", "status"};

/* An expired blob of the page. */
struct expired {
    struct retention *retention;
    char name[BLOB_NAME_SIZE];
    struct blob_op *removing;
};

struct retention {
    struct worker *worker;
    struct timer next; /* a round, or a page of it */
    bool is_in_round;
    bool is_broken; /* Redis or the store is away: the round ends */
    size_t folder;
    int bucket;
    char *marker;
    struct blob_op *listing;
    struct expired *page;
    size_t count;
    size_t at; /* the first that was not begun */
    size_t busy;
    int64_t removed; /* in this round */
};

static const struct log_context log_context = {.component = "retention"};

int64_t retention_period_s(int64_t retention_s)
{
    int64_t period_s = retention_s / 10;

    if (period_s < PERIOD_MIN_S)
        return PERIOD_MIN_S;
    return period_s < PERIOD_MAX_S ? period_s : PERIOD_MAX_S;
}

bool retention_job_of(const char *name, struct job_id *out)
{
    char text[JOB_ID_SIZE];
    struct error e;
    size_t length;

    for (int i = 0; i < 3; i++) { /* <folder>/<hh>/<queue>/ */
        name = strchr(name, '/');
        if (!name)
            return false;
        name++;
    }
    length = strcspn(name, "/");
    if (length >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)length, name);
    return id_parse(text, out, &e);
}

bool retention_is_over(const struct blob_properties *p, int64_t retention_s, int64_t now_ms)
{
    int64_t expires_ms;

    if (*p->expires && clock_parse_rfc3339(p->expires, &expires_ms))
        return expires_ms < now_ms;
    return p->modified_ms > 0 && p->modified_ms + retention_s * 1000 < now_ms;
}

/* ---- rounds ---- */

static void read_page(struct retention *r);

static void wait_for_next(struct retention *r)
{
    int64_t period_ms = retention_period_s(r->worker->config->retention_s) * 1000;

    timer_start(&r->next, period_ms);
}

static void end_round(struct retention *r)
{
    if (r->removed)
        log_info(&log_context, "removed %lld expired blobs", (long long)r->removed);
    r->is_in_round = false;
    wait_for_next(r);
}

/* A folder is read in one piece if it is small, else bucket by bucket: a directory is walked anew for each
 * page of its list. */
static void go_on(struct retention *r)
{
    bool is_at_end = !r->marker || !*r->marker;

    if (r->is_broken) {
        end_round(r);
        return;
    }
    if (r->bucket == WHOLE && !is_at_end) {
        r->bucket = 0;
        free(r->marker);
        r->marker = NULL;
    } else if (is_at_end && r->bucket != WHOLE && r->bucket < BUCKETS - 1) {
        r->bucket++;
    } else if (is_at_end) {
        r->bucket = WHOLE;
        if (++r->folder == ARRAY_LENGTH(folders)) {
            end_round(r);
            return;
        }
    }
    timer_start(&r->next, PAGE_PAUSE_MS);
}

/* ---- a page ---- */

static void pump(struct retention *r);

static void end_one(struct expired *x)
{
    struct retention *r = x->retention;

    r->busy--;
    pump(r);
}

static void on_removed(void *arg, const struct error *e)
{
    struct expired *x = arg;
    struct retention *r = x->retention;

    x->removing = NULL;
    if (e && e->code == ERROR_STORE_AWAY)
        r->is_broken = true;
    if (e) {
        log_warn(&log_context, "%s has expired and cannot be removed: %s", x->name, e->text);
    } else {
        r->removed++;
        metrics_add(r->worker->metrics, METRIC_BLOBS_EXPIRED, 1);
    }
    end_one(x);
}

static void on_asked(void *arg, const struct job *UNUSED(job), const struct error *e)
{
    struct expired *x = arg;

    if (e && e->code == ERROR_NOT_FOUND) {
        x->removing = blob_delete(x->retention->worker->store, x->name, on_removed, x);
        return;
    }
    if (e && e->code != ERROR_BAD_RECORD)
        x->retention->is_broken = true; /* it is not known */
    end_one(x);
}

/* Asks Redis; false when that can't be. */
static bool begin_one(struct expired *x)
{
    struct job_id id;
    struct error e;

    return retention_job_of(x->name, &id) && queue_get(x->retention->worker->queue, &id, on_asked, x, &e);
}

static void pump(struct retention *r)
{
    while (r->busy < AT_ONCE && r->at < r->count && !r->is_broken) {
        struct expired *x = &r->page[r->at++];

        r->busy++;
        if (!begin_one(x)) {
            r->busy--;
            r->is_broken = true;
        }
    }
    if (r->busy == 0)
        go_on(r);
}

static void on_page(void *arg, const struct blob_page *page, const struct error *e)
{
    struct retention *r = arg;
    int64_t now_ms = clock_unix_ms();
    struct job_id id;

    r->listing = NULL;
    r->count = r->at = 0;
    free(r->marker);
    r->marker = e ? NULL : mem_strdup(page->next);
    r->is_broken |= e != NULL;
    for (size_t i = 0; !e && i < page->count; i++) {
        const struct blob_item *item = &page->items[i];

        if (!retention_is_over(&item->properties, r->worker->config->retention_s, now_ms) ||
            !retention_job_of(item->name, &id))
            continue;
        r->page[r->count] = (struct expired){.retention = r};
        snprintf(r->page[r->count].name, BLOB_NAME_SIZE, "%s", item->name);
        r->count++;
    }
    pump(r);
}

static void read_page(struct retention *r)
{
    char prefix[32];

    if (r->bucket == WHOLE)
        snprintf(prefix, sizeof(prefix), "%s/", folders[r->folder]);
    else
        snprintf(prefix, sizeof(prefix), "%s/%02x/", folders[r->folder], (unsigned)r->bucket);
    r->listing = blob_list(r->worker->store, prefix, r->marker ? r->marker : "", BLOB_PAGE_MAX, on_page, r);
}

/* ---- the beginning ---- */

static void on_chosen(void *arg, bool is_chosen, const struct error *UNUSED(e))
{
    struct retention *r = arg;

    if (!is_chosen) {
        wait_for_next(r);
        return;
    }
    r->is_in_round = true;
    r->is_broken = false;
    r->folder = 0;
    r->bucket = WHOLE;
    free(r->marker);
    r->marker = NULL;
    r->removed = 0;
    read_page(r);
}

static void on_next(void *arg)
{
    struct retention *r = arg;
    struct worker *w = r->worker;
    struct error e;

    if (r->is_in_round)
        read_page(r);
    else if (w->is_draining || !blob_health_is_up(w->store_health) ||
             !queue_choose_janitor(
                 w->queue, w->id, retention_period_s(w->config->retention_s), on_chosen, r, &e))
        wait_for_next(r);
}

struct retention *retention_new(struct worker *w)
{
    struct retention *r;

    if (w->config->result_cleanup != RESULT_CLEANUP_WORKER)
        return NULL;
    r = mem_zalloc(sizeof(*r));
    r->worker = w;
    r->page = mem_array(BLOB_PAGE_MAX, sizeof(*r->page));
    timer_init(&r->next, w->loop, on_next, r);
    wait_for_next(r);
    return r;
}

struct retention *retention_free(struct retention *r)
{
    if (!r)
        return NULL;
    timer_stop(&r->next);
    if (r->listing)
        blob_cancel(r->listing);
    for (size_t i = 0; i < r->count; i++)
        if (r->page[i].removing)
            blob_cancel(r->page[i].removing);
    free(r->page);
    free(r->marker);
    free(r);
    return NULL;
}
