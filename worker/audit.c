#include "worker/audit.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/idset.h"

enum {
    PAGE = 256,
    SUSPECTS_MAX = 64,       /* in one audit; the next one finds the others */
    SUSPECT_AGAIN_MS = 1000, /* what was on its way has arrived by then */
};

/* What is read page by page. */
static const struct {
    enum place place;
    bool is_list; /* else a sorted set, whose members stand in no list */
} shelves[] = {{PLACE_READY, true}, {PLACE_HELD, true}, {PLACE_SCHEDULED, false}, {PLACE_DEAD, false}};

enum { SHELVES = ARRAY_LENGTH(shelves) };

struct audit {
    struct worker *worker;
    const struct shard *shard;
    struct timer next;
    struct timer again;
    bool is_active;
    struct worker_overview *workers;
    size_t worker_count;
    size_t list;   /* which of `shelves`, and behind them of the workers' lists, is being read */
    size_t offset; /* in it */
    uint64_t cursor;
    struct idset listed; /* every id that stands in a list */
    struct job_id page[PAGE * 4];
    size_t page_count;
    struct job_id suspects[SUSPECTS_MAX];
    size_t suspect_count;
    size_t at; /* the suspect that is being looked at */
    size_t misplaced;
};

static void read_list(struct audit *a);
static void scan(struct audit *a);
static void examine(struct audit *a);

static void set_misplaced(struct audit *a)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "queue=\"%s\"", a->shard->queue);
    series_set(metrics_series(a->worker->metrics, METRIC_MISPLACED, labels), (double)a->misplaced);
}

/* The end of an audit, whole or broken off. */
static void finish(struct audit *a, bool is_whole)
{
    if (is_whole) {
        set_misplaced(a);
        metrics_add(a->worker->metrics, METRIC_AUDITS, 1);
    }
    idset_release(&a->listed);
    free(a->workers);
    a->workers = NULL;
    a->worker_count = a->suspect_count = 0;
    if (a->is_active)
        timer_start(&a->next, a->worker->config->audit_s * 1000);
}

static void suspect(struct audit *a, const struct job_id *id)
{
    for (size_t i = 0; i < a->suspect_count; i++)
        if (strcmp(a->suspects[i].text, id->text) == 0)
            return;
    if (a->suspect_count < SUSPECTS_MAX)
        a->suspects[a->suspect_count++] = *id;
}

/* ---- suspects ---- */

/* What lives stands in one place; a cancelled one may still be in the list from which no claim has dropped
 * it. */
static bool is_in_order(char state, int64_t places)
{
    if (state && strchr("qsrd", state))
        return places == 1;
    return places <= (state == job_state_letter(JOB_CANCELLED));
}

static void on_places_counted(void *arg, char state, int64_t places, const struct error *e)
{
    struct audit *a = arg;
    const struct job_id *id = &a->suspects[a->at];
    struct log_context context = {.component = "audit", .job_id = id->text};
    bool is_right = is_in_order(state, places); /* a cancelled one may still be listed */

    if (e) {
        finish(a, false);
        return;
    }
    if (!is_right) {
        a->misplaced++;
        log_error(&context,
            "the job stands in %lld places (its record's state: %s): this is a bug of jobgate, or "
            "somebody changed Redis by hand",
            (long long)places, state ? (char[]){state, '\0'} : "no record");
    }
    a->at++;
    examine(a);
}

static void examine(struct audit *a)
{
    struct error e;

    if (a->at == a->suspect_count)
        finish(a, true);
    else if (!queue_count_places(a->worker->queue, &a->suspects[a->at], a->workers, a->worker_count,
                 on_places_counted, a, &e))
        finish(a, false);
}

static void on_again(void *arg)
{
    examine(arg);
}

/* ---- records ---- */

static void on_records_located(void *arg, const enum whereabouts *where, size_t count, const struct error *e)
{
    struct audit *a = arg;

    if (e) {
        finish(a, false);
        return;
    }
    for (size_t i = 0; i < count && i < a->page_count; i++)
        if (where[i] == WHERE_STRAY || (where[i] == WHERE_LISTED && !idset_has(&a->listed, a->page[i].text)))
            suspect(a, &a->page[i]);
    if (a->cursor)
        scan(a);
    else
        timer_start(&a->again, SUSPECT_AGAIN_MS);
}

static void on_scanned(
    void *arg, const struct job_id *ids, size_t count, uint64_t cursor, const struct error *e)
{
    struct audit *a = arg;
    struct error failure;

    if (e) {
        finish(a, false);
        return;
    }
    a->cursor = cursor;
    a->page_count = count < ARRAY_LENGTH(a->page) ? count : ARRAY_LENGTH(a->page);
    if (a->page_count)
        memcpy(a->page, ids, a->page_count * sizeof(*ids));
    if (!queue_locate(a->worker->queue, a->shard, a->page, a->page_count, on_records_located, a, &failure))
        finish(a, false);
}

static void scan(struct audit *a)
{
    struct error e;

    if (!queue_scan(a->worker->queue, a->shard, a->cursor, on_scanned, a, &e))
        finish(a, false);
}

/* ---- lists ---- */

static void next_list(struct audit *a)
{
    a->list++;
    a->offset = 0;
    read_list(a);
}

/* Whether an id stands rightly in the list that is being read. */
static bool belongs(struct audit *a, enum whereabouts where, const char *id)
{
    bool is_sorted = a->list < SHELVES && !shelves[a->list].is_list;

    if (is_sorted)
        return where == WHERE_PLACED;
    return idset_add(&a->listed, id) && (where == WHERE_LISTED || where == WHERE_CANCELLED);
}

static void on_listed_located(void *arg, const enum whereabouts *where, size_t count, const struct error *e)
{
    struct audit *a = arg;

    if (e) {
        finish(a, false);
        return;
    }
    for (size_t i = 0; i < count && i < a->page_count; i++)
        if (!belongs(a, where[i], a->page[i].text))
            suspect(a, &a->page[i]);
    a->offset += PAGE;
    if (a->list < SHELVES && a->page_count == PAGE)
        read_list(a);
    else
        next_list(a);
}

static void on_listed(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct audit *a = arg;
    struct error failure;

    a->page_count = count < ARRAY_LENGTH(a->page) ? count : ARRAY_LENGTH(a->page);
    if (e) {
        finish(a, false);
        return;
    }
    if (count == 0) {
        next_list(a);
        return;
    }
    memcpy(a->page, ids, a->page_count * sizeof(*ids));
    if (!queue_locate(a->worker->queue, a->shard, a->page, a->page_count, on_listed_located, a, &failure))
        finish(a, false);
}

/* A worker's list is short, and comes in one piece. */
static void read_list(struct audit *a)
{
    struct queue *q = a->worker->queue;
    struct error e;
    bool is_sent;

    if (a->list == a->worker_count + SHELVES) {
        a->cursor = 0;
        scan(a);
        return;
    }
    if (a->list < SHELVES)
        is_sent = queue_list(q, a->shard, shelves[a->list].place, a->offset, PAGE, on_listed, a, &e);
    else
        is_sent = queue_list_taken(q, a->shard, a->workers[a->list - SHELVES].name, on_listed, a, &e);
    if (!is_sent)
        finish(a, false);
}

/* ---- the beginning ---- */

static void on_overview(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct audit *a = arg;

    if (e) {
        finish(a, false);
        return;
    }
    a->worker_count = overview->worker_count;
    a->workers = mem_dup(overview->workers, overview->worker_count * sizeof(*a->workers));
    a->list = a->offset = a->at = a->misplaced = 0;
    read_list(a);
}

static void on_chosen(void *arg, bool is_chosen, const struct error *UNUSED(e))
{
    struct audit *a = arg;
    struct error failure;

    if (!is_chosen || !queue_overview(a->worker->queue, a->shard, on_overview, a, &failure))
        finish(a, false);
}

static void begin(void *arg)
{
    struct audit *a = arg;
    struct error e;

    if (!queue_choose_auditor(
            a->worker->queue, a->shard, a->worker->id, a->worker->config->audit_s, on_chosen, a, &e))
        finish(a, false);
}

struct audit *audit_new(struct worker *w, const struct shard *shard)
{
    struct audit *a = mem_zalloc(sizeof(*a));

    a->worker = w;
    a->shard = shard;
    timer_init(&a->next, w->loop, begin, a);
    timer_init(&a->again, w->loop, on_again, a);
    set_misplaced(a);
    return a;
}

struct audit *audit_free(struct audit *a)
{
    if (!a)
        return NULL;
    audit_end(a);
    idset_release(&a->listed);
    free(a->workers);
    free(a);
    return NULL;
}

void audit_begin(struct audit *a)
{
    a->is_active = true;
    timer_start(&a->next, a->worker->config->audit_s * 1000);
}

void audit_end(struct audit *a)
{
    a->is_active = false;
    timer_stop(&a->next);
    if (timer_is_running(&a->again)) {
        timer_stop(&a->again);
        finish(a, false);
    }
}
