/* GET /v1/jobs/{id}/events: what becomes of a job, as server-sent events, until it has ended.
 * Source: HTML Standard, section "Server-sent events". */
#include "api/api.h"
#include "api/jobs.h"
#include "api/live/etag.h"
#include "api/live/lookout.h"
#include "api/routes.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

enum {
    HEARTBEAT_MS = 15000,
    EVENT_MAX = 80000,
    BACKLOG_MAX =
        16384,     /* bytes that a reader may leave: it is told the newest state when it has taken them */
    STUCK_MAX = 4, /* heartbeats that it has for that */
};

#define EVENT_STREAM "text/event-stream"

struct stream {
    struct exchange *exchange;
    struct watcher watcher;
    struct timer heartbeat;
    struct job_id id;
    char sent[ETAG_SIZE]; /* what the caller has; "" = nothing */
    enum job_state state; /* and of it */
    int attempt;
    bool has_sent; /* on this connection */
    int stuck;     /* heartbeats that found it full */
};

static void end(struct stream *s, bool is_whole)
{
    struct exchange *x = s->exchange;

    lookout_stop(&s->watcher);
    timer_stop(&s->heartbeat);
    x->on_gone = NULL;
    exchange_end_stream(x, is_whole);
    free(s);
}

static void on_gone(struct exchange *x)
{
    end(x->user, true); /* chunked, so that its end is an end all the same */
}

static void on_drained(struct exchange *UNUSED(x))
{
}

static void say(struct stream *s, const struct buf *text)
{
    exchange_stream(s->exchange, text->data, text->length, on_drained);
}

/* The tag without what only HTTP wants around it. */
static void write_event_id(const char *etag, struct buf *out)
{
    buf_append(out, etag + 3, strlen(etag) - 4);
}

static void write_event(struct stream *s, const struct job *job, const struct buf *resource)
{
    AUTO_BUF struct buf text = BUF(EVENT_MAX);
    bool is_progress = s->has_sent && s->state == job->state && s->attempt == job->attempt;

    buf_append_text(&text, "id: ");
    write_event_id(s->sent, &text);
    buf_append_text(&text, is_progress ? "\nevent: progress\ndata: " : "\nevent: state\ndata: ");
    buf_append(&text, resource->data, resource->length); /* ends with the line */
    buf_append_char(&text, '\n');
    say(s, &text);
    s->has_sent = true;
    s->state = job->state;
    s->attempt = job->attempt;
}

/* Sends the job unless the caller has it like this. Returns false when it cannot take it now. */
static bool send_job(struct stream *s, const struct job *job)
{
    AUTO_BUF struct buf resource = BUF(EVENT_MAX / 2);
    char etag[ETAG_SIZE];

    jobs_write(s->exchange, job, &resource);
    etag_write(resource.data, resource.length, etag);
    if (strcmp(etag, s->sent) == 0)
        return true;
    if (exchange_backlog(s->exchange) > BACKLOG_MAX)
        return false;
    memcpy(s->sent, etag, sizeof(etag));
    write_event(s, job, &resource);
    return true;
}

static void say_gone(struct stream *s, const struct error *e)
{
    AUTO_BUF struct buf text = BUF(EVENT_MAX);

    buf_printf(&text, "event: gone\ndata: {\"code\":\"%s\"}\n\n", error_name(e->code));
    say(s, &text);
    end(s, true);
}

static void on_told(void *arg, const struct job *job, const struct error *e)
{
    struct stream *s = arg;
    bool is_last = lookout_is_draining(s->watcher.lookout) || e;

    if (e && (e->code == ERROR_NOT_FOUND || e->code == ERROR_BAD_RECORD)) {
        say_gone(s, e);
        return;
    }
    if (job && !send_job(s, job))
        s->stuck += s->stuck == 0;
    else if (job)
        is_last |= job_state_is_final(job->state);
    if (is_last)
        end(s, true);
}

static bool tell_again(struct stream *s)
{
    struct error e;

    lookout_stop(&s->watcher);
    return lookout_start(s->exchange->api->lookout, &s->watcher, &s->id, on_told, s, &e);
}

/* A comment, so that whoever stands between does not take the stream for dead. */
static void on_heartbeat(void *arg)
{
    struct stream *s = arg;
    AUTO_BUF struct buf text = BUF(16);
    bool is_full = exchange_backlog(s->exchange) > 0;

    if (is_full && ++s->stuck > STUCK_MAX) {
        end(s, false);
        return;
    }
    if (!is_full && s->stuck > 0) {
        s->stuck = 0;
        if (!tell_again(s)) { /* tells it the newest state */
            end(s, true);
            return;
        }
    }
    if (!is_full) {
        buf_append_text(&text, ":\n\n");
        say(s, &text);
    }
    timer_start(&s->heartbeat, HEARTBEAT_MS);
}

/* What the caller has seen before, as it says: the whole tag of it, or "". */
static void read_last_event_id(const struct exchange *x, char out[ETAG_SIZE])
{
    const char *id = exchange_header(x, "Last-Event-ID");

    *out = '\0';
    if (id && strlen(id) == HASH_TEXT_SIZE - 1)
        snprintf(out, ETAG_SIZE, "W/\"%s\"", id);
}

static void open_stream(struct exchange *x, const struct job *job)
{
    struct stream *s = mem_zalloc(sizeof(*s));
    struct error e;

    s->exchange = x;
    s->id = job->id;
    read_last_event_id(x, s->sent);
    if (!lookout_start(x->api->lookout, &s->watcher, &job->id, on_told, s, &e)) {
        free(s);
        exchange_problem(x, &e, NULL);
        return;
    }
    x->user = s;
    x->on_gone = on_gone;
    exchange_add_header(x, "X-Accel-Buffering", "no"); /* nginx would gather events */
    exchange_begin_stream(x, 200, EVENT_STREAM, -1);
    send_job(s, job);
    if (!s->has_sent) { /* it knows how the job stands; that it is connected it does not */
        AUTO_BUF struct buf text = BUF(16);

        buf_append_text(&text, ":\n\n");
        say(s, &text);
    }
    timer_init(&s->heartbeat, x->api->loop, on_heartbeat, s);
    timer_start(&s->heartbeat, HEARTBEAT_MS);
    if (job_state_is_final(job->state))
        end(s, true);
}

static void on_got(struct exchange *x, const struct job *job, const struct error *e)
{
    char seen[ETAG_SIZE];
    char now[ETAG_SIZE];

    if (e) {
        exchange_problem(x, e, NULL);
        return;
    }
    exchange_add_header(x, "Cache-Control", "no-store");
    read_last_event_id(x, seen);
    jobs_etag(x, job, now);
    if (job_state_is_final(job->state) && strcmp(seen, now) == 0)
        exchange_reply(x, 204, EVENT_STREAM, "", 0); /* tells an EventSource not to come back */
    else if (exchange_is_head(x))
        exchange_reply(x, 200, EVENT_STREAM, "", 0);
    else
        open_stream(x, job);
}

void events_show(struct exchange *x)
{
    jobs_get(x, on_got);
}
