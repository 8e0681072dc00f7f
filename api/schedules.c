/* /v1/schedules: what workers submit again and again. A schedule belongs to whoever wrote it. */
#include "api/admission.h"
#include "api/api.h"
#include "api/jobs.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/schedule_form.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/queue/schedules.h"

enum { PAGE_PRESET = 20, PAGE_MAX = 50, RESOURCE_MAX = SCHEDULE_TEXT_MAX + 4096 };

#define NO_SUCH "there is no such schedule"

/* One request on its way. */
struct request {
    struct exchange *exchange;
    char key[SCHEDULE_KEY_SIZE];
    const char *name; /* in key */
    struct schedule_form form;
    struct buf text;
    struct buf record;
    enum schedule_verdict verdict;
    size_t limit;
};

static void end(struct request *r)
{
    schedule_form_release(&r->form);
    buf_release(&r->text);
    buf_release(&r->record);
    free(r);
}

static void fail(struct request *r, const struct error *e)
{
    jobs_log_failure(r->exchange, "a schedule", e);
    exchange_problem(r->exchange, e, NULL);
    end(r);
}

/* ---- whose ---- */

/* Whose schedules are meant: the caller's, or those of the owner whom an admin names. Fails: INVALID,
 * FORBIDDEN. */
static bool read_owner(
    const struct exchange *x, const struct evkeyvalq *query, char out[OWNER_SIZE], struct error *e)
{
    const char *owner = query->tqh_first ? evhttp_find_header(query, "owner") : NULL;

    if (!owner || strcmp(owner, x->caller->owner) == 0) {
        memcpy(out, x->caller->owner, OWNER_SIZE);
        return true;
    }
    if (!owner_is_valid(owner, strlen(owner)))
        return error_set(e, ERROR_INVALID, "owner is not 1 to 64 of A-Z a-z 0-9 . _ -");
    snprintf(out, OWNER_SIZE, "%s", owner);
    return caller_has_scope(x->caller, SCOPE_ADMIN, e);
}

static bool read_name(struct request *r, const char *const *known, struct evkeyvalq *query, struct error *e)
{
    char owner[OWNER_SIZE];
    const char *name = r->exchange->parameter;
    bool is_right;

    if (!name_is_valid(name, strlen(name)))
        return error_set(
            e, ERROR_NOT_FOUND, "a schedule's name is 1 to 63 of a-z 0-9 _ -, the first a letter or digit");
    if (!query_read(r->exchange, known, query, e))
        return false;
    is_right = read_owner(r->exchange, query, owner, e);
    query_release(query);
    if (is_right) {
        snprintf(r->key, sizeof(r->key), "%s/%.63s", owner, name);
        r->name = strchr(r->key, '/') + 1;
    }
    return is_right;
}

static struct request *begin(struct exchange *x)
{
    static const char *const known[] = {"owner", NULL};
    struct request *r = mem_zalloc(sizeof(*r));
    struct evkeyvalq query;
    struct error e;

    r->exchange = x;
    buf_init(&r->text, RESOURCE_MAX);
    buf_init(&r->record, RESOURCE_MAX);
    if (read_name(r, known, &query, &e))
        return r;
    fail(r, &e);
    return NULL;
}

/* ---- showing ---- */

/* The text is an object; what Redis adds comes before its brace. */
static void write_resource(const struct schedule *s, struct buf *out)
{
    char time[CLOCK_RFC3339_SIZE];

    buf_append(out, s->text, s->text_length ? s->text_length - 1 : 0);
    if (s->due_ms > 0) {
        clock_format_rfc3339(s->due_ms, time);
        buf_printf(out, ",\"next_at\":\"%s\"", time);
    }
    if (*s->last)
        buf_printf(out, ",\"last\":%s", s->last);
    buf_append_char(out, '}');
}

static void reply(struct request *r, int status, const struct buf *body)
{
    exchange_add_header(r->exchange, "Cache-Control", "no-store");
    exchange_reply(r->exchange, status, "application/json", body->data, body->length);
    end(r);
}

static void on_got(void *arg, const struct schedule *schedules, size_t count, const struct error *e)
{
    struct request *r = arg;
    AUTO_BUF struct buf body = BUF(RESOURCE_MAX);
    struct error missing;

    if (!e && count == 0) {
        error_set(&missing, ERROR_NOT_FOUND, NO_SUCH);
        e = &missing;
    }
    if (e) {
        fail(r, e);
        return;
    }
    write_resource(&schedules[0], &body);
    buf_append_char(&body, '\n');
    reply(r, r->verdict == SCHEDULE_CREATED ? 201 : 200, &body);
}

void schedules_show(struct exchange *x)
{
    struct request *r = begin(x);
    struct error e;

    if (!r)
        return;
    r->verdict = SCHEDULE_REPLACED;
    if (!schedules_get(x->api->queue, r->key, on_got, r, &e))
        fail(r, &e);
}

/* ---- writing ---- */

static void on_put(void *arg, enum schedule_verdict verdict, const struct error *e)
{
    struct request *r = arg;
    struct exchange *x = r->exchange;
    char location[NAME_SIZE + 32];
    struct error failure;

    if (!e && verdict == SCHEDULE_FULL) {
        error_set(&failure, ERROR_INVALID, "there are %lld schedules, as many as may be (SCHEDULES_MAX)",
            (long long)x->api->config->schedules_max);
        e = &failure;
    }
    if (e) {
        fail(r, e);
        return;
    }
    r->verdict = verdict;
    if (verdict == SCHEDULE_CREATED) {
        snprintf(location, sizeof(location), "/v1/schedules/%s", r->name);
        exchange_add_header(x, "Location", location);
    }
    if (!schedules_get(x->api->queue, r->key, on_got, r, &failure))
        fail(r, &failure);
}

static bool put(struct request *r, struct error *e)
{
    struct api *a = r->exchange->api;
    struct schedule s = {.key = r->key,
        .text = r->text.data,
        .text_length = r->text.length,
        .record = r->record.data,
        .record_length = r->record.length};

    return schedules_put(a->queue, &s, r->form.is_paused, a->config->schedules_max, on_put, r, e);
}

static void on_registered(void *arg, bool is_known, const struct error *e)
{
    struct request *r = arg;
    struct error failure;

    if (!e && !is_known) {
        error_set(&failure, ERROR_INVALID,
            "queue %s would be one more than the %lld that there may be (QUEUES_MAX)", r->form.job.queue,
            (long long)r->exchange->api->config->queues_max);
        e = &failure;
    }
    if (e)
        fail(r, e);
    else if (!put(r, &failure))
        fail(r, &failure);
}

/* Text and record of the schedule. The job is its owner's, also when an admin writes it. */
static bool fill(struct request *r, struct error *e)
{
    struct submission *job = &r->form.job;

    snprintf(job->spec.owner, sizeof(job->spec.owner), "%.*s", (int)(r->name - r->key - 1), r->key);
    if (!caller_may_use_queue(r->exchange->caller, job->queue, e) ||
        !caller_may_use_type(r->exchange->caller, job->spec.type, e))
        return false;
    schedule_form_write(&r->form, r->name, job->spec.owner, clock_unix_ms(), &r->text);
    if (r->text.length > SCHEDULE_TEXT_MAX || buf_is_overflown(&r->text))
        return error_set(e, ERROR_TOO_BIG,
            "a schedule may have %d bytes: give the job a reference to its data", (int)SCHEDULE_TEXT_MAX);
    return record_encode_new(&job->spec, job->payload, job->payload_length, &r->record, e);
}

static bool admit(const struct request *r, struct complaints *c, struct error *e)
{
    bool is_admitted;

    c->prefix = "/job";
    is_admitted = admission_check(r->exchange, &r->form.job, c, e);
    c->prefix = "";
    return is_admitted;
}

void schedules_write(struct exchange *x)
{
    struct request *r = begin(x);
    struct complaints complaints;
    size_t length;
    const char *body;
    struct error e;

    if (!r)
        return; /* x is answered, and gone */
    body = exchange_body(x, &length);
    complaints_init(&complaints);
    if (!schedule_form_read(body, length, &r->form, &complaints, &e) || !admit(r, &complaints, &e)) {
        exchange_problem(x, &e, complaints.text.data);
        end(r);
    } else if (!fill(r, &e) || !queue_register(x->api->queue, r->form.job.queue, x->api->config->queues_max,
                                   on_registered, r, &e)) {
        fail(r, &e);
    }
    complaints_release(&complaints);
}

/* ---- deleting ---- */

static void on_deleted(void *arg, size_t count, const struct error *e)
{
    struct request *r = arg;
    struct error missing;

    if (!e && count == 0) {
        error_set(&missing, ERROR_NOT_FOUND, NO_SUCH);
        e = &missing;
    }
    if (e) {
        fail(r, e);
        return;
    }
    exchange_reply(r->exchange, 204, NULL, "", 0);
    end(r);
}

void schedules_remove(struct exchange *x)
{
    struct request *r = begin(x);
    struct error e;

    if (r && !schedules_delete(x->api->queue, r->key, on_deleted, r, &e))
        fail(r, &e);
}

/* ---- listing ---- */

static void on_listed(void *arg, const struct schedule *schedules, size_t count, const struct error *e)
{
    struct request *r = arg;
    AUTO_BUF struct buf body = BUF((size_t)RESOURCE_MAX * (PAGE_MAX + 1));

    if (e) {
        fail(r, e);
        return;
    }
    buf_append_text(&body, "{\"schedules\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(&body, ',');
        write_resource(&schedules[i], &body);
    }
    buf_append_char(&body, ']');
    if (count == r->limit)
        buf_printf(&body, ",\"cursor\":\"%s\"", strchr(schedules[count - 1].key, '/') + 1);
    buf_append_text(&body, "}\n");
    reply(r, 200, &body);
}

/* The prefix of the owner's keys, and the key behind which the page begins. */
static bool read_page(
    struct request *r, char prefix[OWNER_SIZE + 1], char after[SCHEDULE_KEY_SIZE], struct error *e)
{
    static const char *const known[] = {"owner", "limit", "cursor", NULL};
    struct evkeyvalq query;
    char owner[OWNER_SIZE];
    char cursor[NAME_SIZE];
    int64_t limit;
    bool is_right;

    if (!query_read(r->exchange, known, &query, e))
        return false;
    is_right = read_owner(r->exchange, &query, owner, e) && query_name(&query, "cursor", "", cursor, e) &&
               query_int(&query, "limit", PAGE_PRESET, 1, PAGE_MAX, &limit, e);
    query_release(&query);
    if (!is_right)
        return false;
    r->limit = (size_t)limit;
    snprintf(prefix, OWNER_SIZE + 1, "%s/", owner);
    snprintf(after, SCHEDULE_KEY_SIZE, "%s%s", *cursor ? prefix : "", cursor);
    return true;
}

void schedules_index(struct exchange *x)
{
    struct request *r = mem_zalloc(sizeof(*r));
    char prefix[OWNER_SIZE + 1];
    char after[SCHEDULE_KEY_SIZE];
    struct error e;

    r->exchange = x;
    if (!read_page(r, prefix, after, &e) ||
        !schedules_list(x->api->queue, prefix, after, r->limit, on_listed, r, &e))
        fail(r, &e);
}
