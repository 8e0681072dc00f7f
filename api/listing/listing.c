/*
 * GET /v1/jobs: the jobs of a queue in one state, a page at a time.
 *
 * A page is put together from windows: a few ids, then what Redis holds of them, without payloads. What a
 * filter leaves out costs a look; after so many looks a page is given as it is, with a cursor to go on from.
 */
#include "api/api.h"
#include "api/jobs.h"
#include "api/listing/cursor.h"
#include "api/query.h"
#include "api/routes.h"
#include "common/base/mem.h"

enum {
    PAGE_PRESET = 50,
    PAGE_MAX = 200,
    WINDOW_MAX = 200,
    LOOKS_MAX = 2000,
    ROUNDS_MAX = 40,
    BODY_MAX = 64 << 20,
};

/* States whose jobs stand in a place of their own. Those that are running stand in their workers' lists. */
static const struct row {
    const char *name;
    enum job_state state;
    enum place place;
} states[] = {
    {"queued", JOB_QUEUED, PLACE_READY},
    {"scheduled", JOB_SCHEDULED, PLACE_SCHEDULED},
    {"dead", JOB_DEAD, PLACE_DEAD},
    {"running", JOB_RUNNING, PLACE_READY},
};

struct filters {
    char type[NAME_SIZE];   /* "" = every */
    char owner[OWNER_SIZE]; /* likewise */
    int64_t after_ms;       /* created at or after */
    int64_t before_ms;      /* created before */
};

struct listing {
    struct exchange *exchange;
    struct shard shard;
    const struct row *row;
    struct filters filters;
    int64_t limit;
    char list[HASH_TEXT_SIZE]; /* what makes this list */
    struct cursor seen;        /* the last that was looked at */
    bool has_seen;
    bool is_end;
    struct buf body;
    int64_t written;
    int looks;
    int rounds;
    struct page_entry *window;
    size_t window_count;
    char (*workers)[WORKER_ID_SIZE]; /* of running jobs, by name, those that are to come */
    size_t worker_count;
    size_t worker_at;
};

static void free_listing(struct listing *l)
{
    buf_release(&l->body);
    free(l->window);
    free(l->workers);
    free(l);
}

static void refuse(struct listing *l, const struct error *e)
{
    exchange_problem(l->exchange, e, NULL);
    free_listing(l);
}

static void reply(struct listing *l)
{
    struct exchange *x = l->exchange;
    char cursor[CURSOR_SIZE];

    buf_append_char(&l->body, ']');
    if (!l->is_end && l->has_seen) {
        cursor_write(&l->seen, l->list, cursor);
        buf_printf(&l->body, ",\"cursor\":\"%s\"", cursor);
    }
    buf_append_text(&l->body, "}\n");
    exchange_add_header(x, "Cache-Control", "no-store");
    exchange_reply(x, 200, "application/json", l->body.data, l->body.length);
    free_listing(l);
}

/* ---- what is in a window ---- */

static bool is_wanted(const struct listing *l, const struct job *job)
{
    const struct filters *f = &l->filters;

    return job->state == l->row->state && (!*f->type || strcmp(f->type, job->spec.type) == 0) &&
           (!*f->owner || strcmp(f->owner, job->spec.owner) == 0) && job->id.created_ms >= f->after_ms &&
           job->id.created_ms < f->before_ms &&
           caller_may_see(l->exchange->caller, job->spec.owner, job->id.shard.queue);
}

static void write_job(struct listing *l, const struct job_id *id, const struct record_text *record)
{
    struct job job;
    struct error e;

    if (!record->text || !record_decode_peeked(id, record->text, record->length, &job, &e))
        return;
    if (is_wanted(l, &job)) {
        if (l->written++)
            buf_append_char(&l->body, ',');
        jobs_write(l->exchange, &job, &l->body);
    }
    job_release(&job);
}

static void next_window(struct listing *l);
static void next_worker(struct listing *l);

static void on_records(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct listing *l = arg;

    if (e) {
        refuse(l, e);
        return;
    }
    for (size_t i = 0; i < l->window_count && i < count && l->written < l->limit; i++) {
        write_job(l, &l->window[i].id, &records[i]);
        l->seen.entry = l->window[i];
        l->has_seen = true;
        l->looks++;
    }
    next_window(l);
}

static void look_at(struct listing *l, struct page_entry *window, size_t count)
{
    struct job_id ids[WINDOW_MAX];
    struct error e;

    free(l->window);
    l->window = window;
    l->window_count = count;
    for (size_t i = 0; i < count; i++)
        ids[i] = window[i].id;
    if (!queue_peek(l->exchange->api->queue, ids, count, on_records, l, &e))
        refuse(l, &e);
}

static void on_page(void *arg, const struct page_entry *entries, size_t count, const struct error *e)
{
    struct listing *l = arg;

    if (e) {
        refuse(l, e);
    } else if (count == 0) {
        l->is_end = true;
        reply(l);
    } else {
        look_at(l, mem_dup(entries, count * sizeof(*entries)), count);
    }
}

/* As many as the page wants, unless most of them may be left out. */
static size_t window_size(const struct listing *l)
{
    const struct filters *f = &l->filters;
    bool has_filter = *f->type || *f->owner || f->after_ms > 0 || f->before_ms < INT64_MAX;

    return has_filter ? WINDOW_MAX : (size_t)(l->limit - l->written);
}

static void next_window(struct listing *l)
{
    const struct api *a = l->exchange->api;
    struct error e;

    if (l->written >= l->limit || l->looks >= LOOKS_MAX || l->rounds++ >= ROUNDS_MAX)
        reply(l);
    else if (l->row->state == JOB_RUNNING)
        next_worker(l);
    else if (!queue_page(a->queue, &l->shard, l->row->place, l->has_seen ? &l->seen.entry : NULL,
                 window_size(l), on_page, l, &e))
        refuse(l, &e);
}

/* ---- running jobs: worker by worker, in the order of their names, each one's by their ids ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct page_entry *)a)->id.text, ((const struct page_entry *)b)->id.text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void on_taken(void *arg, const struct page_entry *entries, size_t count, const struct error *e)
{
    struct listing *l = arg;
    const char *worker = l->workers[l->worker_at];
    struct page_entry *window;
    size_t from = 0;

    if (e) {
        refuse(l, e);
        return;
    }
    window = mem_dup(entries, (count + 1) * sizeof(*entries));
    qsort(window, count, sizeof(*window), by_id);
    if (l->has_seen && strcmp(l->seen.worker, worker) == 0)
        while (from < count && strcmp(window[from].id.text, l->seen.entry.id.text) <= 0)
            from++;
    memmove(window, window + from, (count - from) * sizeof(*window));
    count -= from;
    if (count == 0) {
        free(window);
        l->worker_at++;
        next_worker(l); /* one that holds nothing costs no round: there are 1000 at the most */
        return;
    }
    snprintf(l->seen.worker, WORKER_ID_SIZE, "%s", worker);
    look_at(l, window, count < WINDOW_MAX ? count : WINDOW_MAX);
}

static void next_worker(struct listing *l)
{
    struct error e;

    if (l->worker_at == l->worker_count) {
        l->is_end = true;
        reply(l);
    } else if (!queue_page_taken(
                   l->exchange->api->queue, &l->shard, l->workers[l->worker_at], on_taken, l, &e)) {
        refuse(l, &e);
    }
}

static void on_overview(void *arg, const struct queue_overview *overview, const struct error *e)
{
    struct listing *l = arg;

    if (e) {
        refuse(l, e);
        return;
    }
    l->workers = mem_array(overview->worker_count + 1, sizeof(*l->workers));
    for (size_t i = 0; i < overview->worker_count; i++)
        if (!l->has_seen || strcmp(overview->workers[i].name, l->seen.worker) >= 0)
            snprintf(l->workers[l->worker_count++], WORKER_ID_SIZE, "%s", overview->workers[i].name);
    qsort(l->workers, l->worker_count, sizeof(*l->workers), by_name);
    next_window(l);
}

/* ---- the request ---- */

static bool read_state(const char *name, const struct row **out, struct error *e)
{
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        if (strcmp(states[i].name, name) == 0) {
            *out = &states[i];
            return true;
        }
    return error_set(e, ERROR_INVALID,
        "state is to be one of queued, scheduled, running and dead: what succeeded or was cancelled stands "
        "in no "
        "list, and is found by its id");
}

/* An admin may look for anybody's jobs, others only for their own. */
static bool read_owner(
    const struct evkeyvalq *query, const struct caller *caller, char out[OWNER_SIZE], struct error *e)
{
    const char *owner = query->tqh_first ? evhttp_find_header(query, "owner") : NULL;

    if (!owner)
        return true;
    if (!owner_is_valid(owner, strlen(owner)))
        return error_set(e, ERROR_INVALID, "owner is none: 1 to 64 of A-Z a-z 0-9 . _ -");
    if (!(caller->scopes & SCOPE_ADMIN) && strcmp(owner, caller->owner) != 0)
        return error_set(e, ERROR_FORBIDDEN, "the jobs of other owners are listed for the scope admin alone");
    snprintf(out, OWNER_SIZE, "%s", owner);
    return true;
}

static void name_list(struct listing *l)
{
    const struct filters *f = &l->filters;

    hash_text(
        (const struct hash_part[]){{l->shard.queue, strlen(l->shard.queue)},
            {l->row->name, strlen(l->row->name)}, {f->type, strlen(f->type)}, {f->owner, strlen(f->owner)},
            {&f->after_ms, sizeof(f->after_ms)}, {&f->before_ms, sizeof(f->before_ms)}, {NULL, 0}},
        l->list);
}

static bool read_cursor(struct listing *l, const struct evkeyvalq *query, struct error *e)
{
    const char *text = query->tqh_first ? evhttp_find_header(query, "cursor") : NULL;

    name_list(l);
    l->has_seen = text != NULL;
    return !text || cursor_read(text, &l->shard, l->list, &l->seen, e);
}

static bool read_request(struct listing *l, struct error *e)
{
    static const char *const known[] = {
        "queue", "state", "type", "owner", "created_after", "created_before", "limit", "cursor", NULL};
    struct filters *f = &l->filters;
    struct evkeyvalq query;
    char state[NAME_SIZE];
    bool is_right;

    if (!query_read(l->exchange, known, &query, e))
        return false;
    is_right =
        query_name(&query, "queue", "default", l->shard.queue, e) &&
        query_name(&query, "state", "queued", state, e) && read_state(state, &l->row, e) &&
        query_name(&query, "type", "", f->type, e) && read_owner(&query, l->exchange->caller, f->owner, e) &&
        query_time(&query, "created_after", 0, &f->after_ms, e) &&
        query_time(&query, "created_before", INT64_MAX, &f->before_ms, e) &&
        query_int(&query, "limit", PAGE_PRESET, 1, PAGE_MAX, &l->limit, e) && read_cursor(l, &query, e);
    query_release(&query);
    return is_right && caller_may_use_queue(l->exchange->caller, l->shard.queue, e);
}

void jobs_list(struct exchange *x)
{
    struct listing *l = mem_zalloc(sizeof(*l));
    struct error e;

    l->exchange = x;
    buf_init(&l->body, BODY_MAX);
    if (!read_request(l, &e)) {
        refuse(l, &e);
        return;
    }
    buf_append_text(&l->body, "{\"jobs\":[");
    if (l->row->state != JOB_RUNNING)
        next_window(l);
    else if (!queue_overview(x->api->queue, &l->shard, on_overview, l, &e))
        refuse(l, &e);
}
