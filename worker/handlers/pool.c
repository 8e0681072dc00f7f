#include "worker/handlers/pool.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum { SIZE_MAX_PROCESSES = 1024, JOBS_MAX = 1000000000, RSS_MAX_MB = 1 << 24, IDLE_MAX_S = 86400 };

static struct pool *pool_of(const struct pool_run *r)
{
    return r->run.handler->settings;
}

/* ---- what goes to the process ---- */

static void append_job(struct pool_run *r)
{
    const struct run_input *input = &r->run.input;
    AUTO_BUF struct buf json = BUF(OUT_PIECE_BYTES);
    char deadline[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_unix_ms() + input->timeout_ms, deadline);
    buf_printf(&json, "{\"attempt\":%d,\"length\":%zu", input->attempt, input->payload_length);
    json_write_member(&json, "id", input->job_id);
    json_write_member(&json, "type", input->type);
    json_write_member(&json, "queue", input->queue);
    json_write_member(&json, "deadline", deadline);
    if (input->owner && *input->owner)
        json_write_member(&json, "owner", input->owner);
    if (input->traceparent && *input->traceparent)
        json_write_member(&json, "traceparent", input->traceparent);
    if (input->metadata) {
        buf_append_text(&json, ",\"metadata\":");
        json_write_value(&json, input->metadata);
    }
    buf_append_char(&json, '}');
    frame_append(&r->out, 'J', json.data, json.length);
}

static void append_end(struct pool_run *r)
{
    frame_append(&r->out, 'E', "", 0);
    r->is_whole = true;
}

/* The next piece of a whole payload. */
static void append_piece(struct pool_run *r)
{
    const struct run_input *input = &r->run.input;
    size_t rest = input->payload_length - r->sent;
    size_t n = rest < OUT_PIECE_BYTES ? rest : OUT_PIECE_BYTES;

    if (n)
        frame_append(&r->out, 'D', (const char *)input->payload + r->sent, n);
    r->sent += n;
    if (r->sent == input->payload_length)
        append_end(r);
}

/* There is room again. */
void pool_run_go_on(struct pool_run *r)
{
    servant_flush(r->servant);
    while (!r->run.input.is_streamed && !r->is_whole && !r->out.length) {
        append_piece(r);
        servant_flush(r->servant);
    }
    if (!r->out.length && r->is_short) {
        r->is_short = false;
        r->run.events->on_hungry(r->run.arg);
    }
}

static bool takes_no_more(const struct pool_run *r)
{
    return r->error.code != ERROR_OK || (!r->servant && !r->is_waiting);
}

static size_t feed(struct run *run, const void *data, size_t length)
{
    struct pool_run *r = (struct pool_run *)run;
    size_t taken = 0;

    if (takes_no_more(r))
        return length;
    while (taken < length && r->servant && !r->out.length) {
        size_t n = length - taken < OUT_PIECE_BYTES ? length - taken : OUT_PIECE_BYTES;

        frame_append(&r->out, 'D', (const char *)data + taken, n);
        taken += n;
        servant_flush(r->servant);
    }
    r->is_short = taken < length;
    return taken;
}

static void feed_end(struct run *run)
{
    struct pool_run *r = (struct pool_run *)run;

    if (takes_no_more(r))
        return;
    append_end(r);
    if (r->servant)
        servant_flush(r->servant);
}

/* ---- who waits for whom ---- */

static void begin(struct pool_run *r, struct servant *s)
{
    struct buf early = r->out; /* the end of an empty streamed payload, when it came before the servant did */

    buf_init(&r->out, OUT_MAX_BYTES);
    append_job(r);
    buf_append(&r->out, early.data, early.length);
    buf_release(&early);
    if (!r->run.input.is_streamed)
        append_piece(r);
    run_begin(&r->run);
    servant_serve(s, r);
    if (!r->is_whole || r->is_short)
        servant_go_on_later(s);
}

/* Returns false when it has to wait. One whose servant cannot be started ends with the reason. */
static bool find_servant(struct pool_run *r)
{
    struct pool *p = pool_of(r);
    struct servant *s = servant_find_idle(p);

    if (!s && p->servant_count >= p->size)
        return false;
    if (!s)
        s = servant_start(p, &r->run.input, handler_loop(r->run.handler), &r->error);
    if (s)
        begin(r, s);
    else
        run_defer(&r->run);
    return true;
}

static void stop_waiting(struct pool_run *r)
{
    if (r->is_waiting)
        TAILQ_REMOVE(&pool_of(r)->waiting, r, link);
    r->is_waiting = false;
}

void pool_dispatch(struct pool *p)
{
    struct pool_run *r;

    while ((r = TAILQ_FIRST(&p->waiting))) {
        stop_waiting(r);
        if (!find_servant(r)) {
            TAILQ_INSERT_HEAD(&p->waiting, r, link);
            r->is_waiting = true;
            return;
        }
    }
}

/* ---- runs ---- */

void pool_run_end(struct pool_run *r, struct buf *log)
{
    struct run_outcome outcome = {
        .error = r->error.code == ERROR_OK ? NULL : &r->error, .log = *log, .usage = r->usage};

    progress_complain(&r->progress, &outcome.log);
    progress_release(&r->progress);
    timer_stop(&r->resumed);
    buf_release(&r->out);
    buf_release(&r->held);
    run_end(&r->run, &outcome);
}

/* The first reason stays. */
static void kill_run(struct run *run, enum error_code reason)
{
    struct pool_run *r = (struct pool_run *)run;

    if (r->error.code == ERROR_OK)
        run_set_killed(run, reason, &r->error);
    stop_waiting(r);
    if (r->servant)
        servant_kill(r->servant);
    else
        run_defer(run);
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    struct pool_run *r = run_new(sizeof(*r), h, input, events, arg, on_limit);
    struct pool *p = pool_of(r);

    buf_init(&r->out, OUT_MAX_BYTES);
    buf_init(&r->held, CHUNK_BYTES);
    progress_init(&r->progress);
    timer_init(&r->resumed, handler_loop(h), servant_on_resumed, r);
    r->start_ms = clock_steady_ms();
    if (TAILQ_EMPTY(&p->waiting) && find_servant(r))
        return &r->run;
    TAILQ_INSERT_TAIL(&p->waiting, r, link);
    r->is_waiting = true;
    return &r->run;
}

static void ask(struct run *run)
{
    struct pool_run *r = (struct pool_run *)run;

    if (r->servant)
        servant_ask(r->servant);
    else
        kill_run(run, ERROR_CANCELLED);
}

static void resume(struct run *run)
{
    struct pool_run *r = (struct pool_run *)run;

    if (r->servant && r->held.length)
        timer_start(&r->resumed, 0);
}

static void finish(struct run *run)
{
    struct buf none = BUF(EXCERPT_MAX_BYTES);

    pool_run_end((struct pool_run *)run, &none);
}

/* ---- the handlers file ---- */

static const char *const fields[] = {PROGRAM_FIELDS, "size", "max_jobs", "max_rss_mb", "idle_s", NULL};

static void *parse(struct spec *s, const char **UNUSED(content_type))
{
    struct pool *p = mem_zalloc(sizeof(*p));

    TAILQ_INIT(&p->servants);
    TAILQ_INIT(&p->idle);
    TAILQ_INIT(&p->waiting);
    program_parse(&p->program, s);
    p->size = (int)spec_int(s, "size", 1, 1, SIZE_MAX_PROCESSES);
    p->max_jobs = spec_int(s, "max_jobs", 0, 1, JOBS_MAX);
    p->max_rss_mb = spec_int(s, "max_rss_mb", 0, 1, RSS_MAX_MB);
    p->idle_s = spec_int(s, "idle_s", 600, 1, IDLE_MAX_S);
    p->type = mem_strdup(strrchr(s->pointer, '/') ? strrchr(s->pointer, '/') + 1 : "");
    return p;
}

/* The last run has ended: what is left is idle, or leaving. */
static void release(void *settings)
{
    struct pool *p = settings;
    struct servant *s;

    if (!p)
        return;
    while ((s = TAILQ_FIRST(&p->servants)))
        servant_end_now(s);
    program_release(&p->program);
    free(p->type);
    free(p);
}

static bool check(const struct handler *h, struct error *e)
{
    return program_check(&((const struct pool *)h->settings)->program, e);
}

const struct kind kind_pool = {
    .name = "pool",
    .fields = fields,
    .parse = parse,
    .release = release,
    .check = check,
    .start = start,
    .kill = kill_run,
    .ask = ask,
    .feed = feed,
    .feed_end = feed_end,
    .resume = resume,
    .finish = finish,
};
