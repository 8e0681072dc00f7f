/*
 * POST /v1/jobs/batch: many submissions in one request, and a verdict on each.
 *
 * Items are read a few in each turn of the loop, so that others are served meanwhile. Those that are queued
 * at once are gathered for each queue and sent a thousand at a time; those that are scheduled or have a
 * unique_key are sent each by itself, many in one turn (single.c). Reading waits while enough is under way.
 */
#include "api/batch/batch.h"
#include "api/admission.h"
#include "api/api.h"
#include "api/batch/single.h"
#include "api/payloads.h"
#include "api/jobs.h"
#include "api/routes.h"
#include "common/base/mem.h"

enum {
    ITEMS_MAX = 10000,
    SLICE_ITEMS = 64,     /* read in one turn */
    SLICE_BYTES = 262144, /* or so many bytes, whichever comes first */
    COUNT_SLICE = 2000,   /* items that are only counted in one turn */
    UNDER_WAY_MAX = 3000, /* items that are sent and not answered */
    ANSWER_MAX = 16 << 20,
    CLAIM_MARGIN_S = 3600, /* that a batch's key is remembered longer than those of its parts */
};

/* ---- life ---- */

static void free_batch(struct batch *b)
{
    timer_stop(&b->work);
    while (b->lanes) {
        struct lane *next = b->lanes->next;

        if (b->lanes->open) {
            submit_batch_release(&b->lanes->open->jobs);
            free(b->lanes->open);
        }
        free(b->lanes);
        b->lanes = next;
    }
    verdicts_free(b->verdicts);
    free(b);
}

static void refuse_all(struct batch *b, const struct error *e)
{
    struct exchange *x = b->exchange;

    jobs_log_failure(x, "a batch", e);
    x->on_gone = NULL;
    free_batch(b);
    exchange_problem(x, e, NULL);
}

static void reply(struct batch *b)
{
    AUTO_BUF struct buf body = BUF(ANSWER_MAX);
    struct exchange *x = b->exchange;
    size_t accepted = verdicts_accepted(b->verdicts, b->count);
    bool is_whole = accepted == b->count;

    verdicts_write(b->verdicts, b->count, &body);
    metrics_add(x->api->metrics, METRIC_JOBS_SUBMITTED, (double)accepted);
    x->on_gone = NULL;
    free_batch(b);
    exchange_add_header(x, "Cache-Control", "no-store");
    exchange_reply(x, is_whole ? 202 : 207, "application/json", body.data, body.length);
}

static void on_durable(void *arg, const struct error *e)
{
    struct batch *b = arg;

    if (e)
        verdicts_refuse_accepted(b->verdicts, b->count, e);
    reply(b);
}

/* The server ends now; everything that was sent has been answered. */
static void on_stopping(struct exchange *x)
{
    struct error e;

    error_set(&e, ERROR_STOPPED, "the server is stopping: repeat with the same Idempotency-Key");
    refuse_all(x->user, &e);
}

static void go_on(struct batch *b)
{
    if (b->is_read && b->under_way == 0 && !b->is_ending) {
        b->is_ending = true;
        if (b->exchange->api->durability)
            durability_wait(b->exchange->api->durability, on_durable, b);
        else /* the process ends, and all was refused */
            on_durable(b, NULL);
    } else if (!b->is_read && b->under_way < UNDER_WAY_MAX && !timer_is_running(&b->work)) {
        timer_start(&b->work, 0);
    }
}

void batch_done(struct batch *b, size_t count)
{
    b->under_way -= count;
    go_on(b);
}

/* ---- chunks ---- */

static void refuse_chunk(struct chunk *c, size_t from, const struct error *e)
{
    for (size_t i = from; i < c->jobs.count; i++)
        verdicts_refuse(c->batch->verdicts, c->items[i], e, NULL);
}

static void accept_chunk(struct chunk *c, size_t count)
{
    for (size_t i = 0; i < count && i < c->jobs.count; i++)
        verdicts_accept(c->batch->verdicts, c->items[i]);
}

static void free_chunk(struct chunk *c)
{
    struct batch *b = c->batch;
    size_t count = c->jobs.count;

    submit_batch_release(&c->jobs);
    free(c);
    batch_done(b, count);
}

/* They were accepted before, under these ids. */
static void repeat_chunk(struct chunk *c, const struct submit_batch_result *result)
{
    char id[JOB_ID_SIZE];

    for (size_t i = 0; i < c->jobs.count && i < result->ulid_count; i++) {
        snprintf(id, sizeof(id), "%s.%u.%.26s", c->jobs.shard.queue, c->jobs.shard.number,
            result->ulids + i * (ULID_SIZE - 1));
        verdicts_set_id(c->batch->verdicts, c->items[i], id);
    }
    accept_chunk(c, result->ulid_count);
}

static void on_chunk(void *arg, const struct submit_batch_result *result, const struct error *e)
{
    struct chunk *c = arg;
    const struct config *config = c->batch->exchange->api->config;
    struct error refused;

    if (e) {
        refuse_chunk(c, 0, e);
    } else if (result->verdict == SUBMIT_REPEATED) {
        repeat_chunk(c, result);
    } else if (result->verdict == SUBMIT_MISMATCH) {
        error_set(&refused, ERROR_KEY_REUSED, "this Idempotency-Key came with another request before");
        refuse_chunk(c, 0, &refused);
    } else if (result->verdict == SUBMIT_TAKEN) {
        error_set(&refused, ERROR_REDIS_BUSY, "an id was taken, by chance: ask again");
        refuse_chunk(c, 0, &refused);
    } else {
        error_set(&refused, ERROR_QUEUE_FULL, "%lld jobs wait in queue %s, as many as may (QUEUE_DEPTH_MAX)",
            (long long)config->queue_depth_max, c->jobs.shard.queue);
        accept_chunk(c, result->accepted);
        refuse_chunk(c, result->accepted, &refused);
    }
    free_chunk(c);
}

static void send_chunk(struct chunk *c)
{
    const struct batch *b = c->batch;
    const struct api *a = b->exchange->api;
    struct submit_batch_terms terms = {
        .depth_max = a->config->queue_depth_max,
        .idempotency = b->idempotency.is_given ? c->key : NULL,
        .fingerprint = b->idempotency.fingerprint,
        .idempotency_s = a->config->idempotency_s,
    };
    struct error e;

    if (backpressure_admits(a->backpressure, &e) &&
        queue_submit_batch(durability_queue(a->durability), &c->jobs, &terms, on_chunk, c, &e))
        return;
    refuse_chunk(c, 0, &e);
    free_chunk(c);
}

/* ---- lanes: a queue each ---- */

static void on_registered(void *arg, bool is_known, const struct error *e)
{
    struct lane *l = arg;
    struct batch *b = l->batch;
    struct chunk *waiting = l->waiting;
    struct single *singles = l->singles;

    l->waiting = NULL;
    l->singles = NULL;
    l->is_known = !e && is_known;
    l->is_asking = false;
    if (l->is_known)
        queue_register_add(b->exchange->api->known, l->shard.queue);
    else if (!e)
        error_set(&l->failure, ERROR_INVALID, "queue %s would be one more than there may be (QUEUES_MAX)",
            l->shard.queue);
    else
        l->failure = *e;
    b->under_way++; /* what ends below must not end the batch yet */
    while (waiting) {
        struct chunk *next = waiting->next;

        if (l->is_known) {
            send_chunk(waiting);
        } else {
            refuse_chunk(waiting, 0, &l->failure);
            free_chunk(waiting);
        }
        waiting = next;
    }
    single_start_all(singles, l->is_known ? NULL : &l->failure);
    batch_done(b, 2); /* that one, and the registration */
}

static struct lane *find_lane(struct batch *b, const char *queue)
{
    const struct api *a = b->exchange->api;
    struct lane *l;

    for (struct lane **at = &b->lanes; *at; at = &(*at)->next)
        if (strcmp((*at)->shard.queue, queue) == 0) { /* to the front: the next item is likely of it too */
            l = *at;
            *at = l->next;
            l->next = b->lanes;
            b->lanes = l;
            return l;
        }
    l = mem_zalloc(sizeof(*l));
    l->batch = b;
    snprintf(l->shard.queue, NAME_SIZE, "%s", queue);
    l->is_known = queue_register_knows(a->known, queue);
    l->next = b->lanes;
    b->lanes = l;
    if (!l->is_known) {
        l->is_asking = queue_register(a->queue, queue, a->config->queues_max, on_registered, l, &l->failure);
        b->under_way += l->is_asking;
    }
    return l;
}

static void close_chunk(struct lane *l)
{
    struct chunk *c = l->open;

    if (!c)
        return;
    l->open = NULL;
    l->batch->under_way += c->jobs.count;
    if (l->is_known) {
        send_chunk(c);
    } else if (l->is_asking) {
        struct chunk **last = &l->waiting; /* they are sent in their order */

        while (*last)
            last = &(*last)->next;
        *last = c;
    } else {
        refuse_chunk(c, 0, &l->failure);
        free_chunk(c);
    }
}

static void open_chunk(struct lane *l)
{
    struct batch *b = l->batch;
    int64_t number = l->chunks++;

    l->open = mem_zalloc(sizeof(*l->open));
    l->open->batch = b;
    submit_batch_init(&l->open->jobs, &l->shard);
    if (b->idempotency.is_given)
        hash_text((const struct hash_part[]){{b->idempotency.key, strlen(b->idempotency.key)}, {"chunk", 5},
                      {&number, sizeof(number)}, {NULL, 0}},
            l->open->key);
}

static void add_to_chunk(struct lane *l, size_t item, const struct submission *s, const struct job_id *id)
{
    struct batch *b = l->batch;
    struct error e;

    if (!l->open)
        open_chunk(l);
    if (!submit_batch_add(&l->open->jobs, id, &s->spec, s->payload, s->payload_length, &e)) {
        verdicts_refuse(b->verdicts, item, &e, NULL);
        return;
    }
    l->open->items[l->open->jobs.count - 1] = (uint32_t)item;
    if (l->open->jobs.count == SUBMIT_BATCH_MAX)
        close_chunk(l);
}

/* ---- items ---- */

static void place_item(struct batch *b, size_t item, struct submission *s)
{
    struct lane *l = find_lane(b, s->queue);
    struct job_id id;
    struct error e;

    if (!*s->payload_ref || !id_parse(s->payload_ref, &id, &e))
        id_generate(&b->exchange->api->ids, &l->shard, &id);
    verdicts_set_id(b->verdicts, item, id.text);
    if (!*s->unique_key && !s->schedule.not_before_ms && !s->schedule.delay_ms &&
        !payload_is_stored(b->exchange->api, s)) {
        add_to_chunk(l, item, s, &id);
        submission_release(s);
        return;
    }
    b->under_way++;
    if (l->is_known || !l->is_asking)
        single_start(single_new(b, item, s, &id), l->is_known ? NULL : &l->failure);
    else
        single_add(&l->singles, single_new(b, item, s, &id));
}

static void read_item(struct batch *b, size_t item, const struct json_span *text)
{
    struct complaints complaints;
    struct submission s;
    char prefix[16];
    struct error e;

    snprintf(prefix, sizeof(prefix), "/%zu", item);
    complaints_init(&complaints);
    complaints.prefix = prefix;
    if (!submission_from_json(text->text, text->length, &s, &complaints, &e)) {
        verdicts_refuse(b->verdicts, item, &e, complaints.text.data);
    } else if (!admission_check(b->exchange, &s, &complaints, &e) || !intake_admit(b->exchange, &s, &e)) {
        verdicts_refuse(b->verdicts, item, &e, complaints.text.data);
        submission_release(&s);
    } else {
        place_item(b, item, &s);
    }
    complaints_release(&complaints);
}

static void end_reading(struct batch *b)
{
    b->is_read = true;
    for (struct lane *l = b->lanes; l; l = l->next)
        close_chunk(l);
}

static void work(void *arg)
{
    struct batch *b = arg;
    size_t until = b->splitter.at + SLICE_BYTES;
    struct json_span item;
    struct error e;

    b->under_way++; /* so that nothing in here ends it */
    for (int i = 0; i < SLICE_ITEMS && b->splitter.at < until && b->under_way < UNDER_WAY_MAX; i++) {
        if (splitter_next(&b->splitter, &item, &e) != SPLIT_ITEM) { /* it was gone through before: the end */
            end_reading(b);
            break;
        }
        read_item(b, b->splitter.count - 1, &item);
    }
    batch_done(b, 1);
}

/* ---- the whole ---- */

static void start_reading(struct batch *b)
{
    timer_init(&b->work, b->exchange->api->loop, work, b);
    b->verdicts = verdicts_new(b->count);
    splitter_init(&b->splitter, b->body, b->length, b->splitter.is_lines);
    go_on(b);
}

static void on_claimed(void *arg, bool is_same, const struct error *e)
{
    struct batch *b = arg;
    struct error reused;

    if (e) {
        refuse_all(b, e);
    } else if (!is_same) {
        error_set(&reused, ERROR_KEY_REUSED,
            "this Idempotency-Key came with another request before: use a new key for a new request");
        refuse_all(b, &reused);
    } else {
        start_reading(b);
    }
}

static void claim(struct batch *b)
{
    const struct api *a = b->exchange->api;
    struct error e;

    if (!b->idempotency.is_given)
        start_reading(b);
    else if (!queue_claim_batch(durability_queue(a->durability), b->idempotency.key,
                 b->idempotency.fingerprint, a->config->idempotency_s + CLAIM_MARGIN_S, on_claimed, b, &e))
        refuse_all(b, &e);
}

/* Looks whether the body is a batch at all, before anything of it is accepted. */
static void count_items(void *arg)
{
    struct batch *b = arg;
    size_t until = b->splitter.at + SLICE_BYTES * 4;
    struct json_span item;
    struct error e;
    enum split split = SPLIT_ITEM;

    for (int i = 0; i < COUNT_SLICE && b->splitter.at < until && split == SPLIT_ITEM; i++)
        split = splitter_next(&b->splitter, &item, &e);
    b->count = b->splitter.count;
    if (b->count > ITEMS_MAX) {
        error_set(&e, ERROR_TOO_BIG, "a batch has at most %d items: send the rest in another one", ITEMS_MAX);
        split = SPLIT_BROKEN;
    }
    if (split == SPLIT_BROKEN)
        refuse_all(b, &e);
    else if (split == SPLIT_END)
        claim(b);
    else
        timer_start(&b->work, 0);
}

static bool has_type(const char *content_type, const char *wanted)
{
    size_t length = strlen(wanted);

    return content_type && evutil_ascii_strncasecmp(content_type, wanted, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ');
}

static bool read_form(struct batch *b, struct error *e)
{
    const char *type = exchange_header(b->exchange, "Content-Type");
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(b->exchange->request));
    bool is_lines = has_type(type, "application/x-ndjson") || has_type(type, "application/ndjson") ||
                    has_type(type, "application/jsonl");

    if (query && *query)
        return error_set(e, ERROR_BAD_REQUEST, "a batch has no query: each job has its options in itself");
    if (!is_lines && !has_type(type, CONTENT_TYPE_JSON))
        return error_set(e, ERROR_INVALID,
            "Content-Type is to be application/json (an array of jobs) or application/x-ndjson (a job per "
            "line)");
    b->body = exchange_body(b->exchange, &b->length);
    splitter_init(&b->splitter, b->body, b->length, is_lines);
    return true;
}

/* What would refuse every item refuses the whole. */
static bool can_begin(const struct api *a, struct error *e)
{
    if (!redis_is_ready(a->redis))
        return error_set(e, ERROR_REDIS_AWAY, "redis does not answer: %s", redis_describe(a->redis));
    return backpressure_admits(a->backpressure, e);
}

void batch_create(struct exchange *x)
{
    struct batch *b = mem_zalloc(sizeof(*b));
    struct error e;

    b->exchange = x;
    x->user = b;
    x->on_gone = on_stopping;
    timer_init(&b->work, x->api->loop, count_items, b);
    if (!read_form(b, &e) || !intake_read_key(x, &b->idempotency, &e) || !can_begin(x->api, &e))
        refuse_all(b, &e);
    else
        count_items(b);
}
