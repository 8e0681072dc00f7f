#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/handlers/pool.h"
#include "worker/handlers/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRAGGLER_MS = 1000, LEAVE_MS = 5000, WORDS_MAX = 160, MEGABYTE = 1 << 20 };

enum servant_state { IDLE, BUSY, LEAVING };

struct servant {
    struct process process;
    struct pool *pool;
    enum servant_state state;
    bool has_exited;
    bool is_out_of_step; /* it wrote more than its answer */
    siginfo_t how;
    struct pool_run *run; /* while BUSY */
    struct frame_reader reader;
    struct excerpt log; /* of the run */
    int64_t job_count;
    struct timer
        timer; /* IDLE: idle_s; LEAVING: until it is killed; BUSY: stdout or the process ended alone */
    TAILQ_ENTRY(servant) link;
    TAILQ_ENTRY(servant) idle_link;
};

static const struct log_context context = {.component = "pool"};

static void free_servant(struct servant *s)
{
    struct buf rest;

    TAILQ_REMOVE(&s->pool->servants, s, link);
    timer_stop(&s->timer);
    excerpt_finish(&s->log, &rest);
    buf_release(&rest);
    frame_reader_release(&s->reader);
    process_release(&s->process);
    free(s);
}

static void leave_idle(struct servant *s)
{
    TAILQ_REMOVE(&s->pool->idle, s, idle_link);
    timer_stop(&s->timer);
}

static void count_out(struct servant *s)
{
    s->pool->servant_count--;
}

/* It has ended its last job: the end of stdin asks it to go. */
static void retire(struct servant *s)
{
    s->state = LEAVING;
    count_out(s);
    end_close(&s->process.in);
    end_close(&s->process.out);
    timer_start(&s->timer, LEAVE_MS);
}

static bool is_used_up(const struct servant *s)
{
    const struct pool *p = s->pool;
    struct proc proc;

    if (p->max_jobs && s->job_count >= p->max_jobs)
        return true;
    if (!p->max_rss_mb || !proc_read(s->process.group, &proc) ||
        proc.memory_bytes <= p->max_rss_mb * MEGABYTE)
        return false;
    log_info(&context, "process %d of type %s uses %lld MB: it is replaced (max_rss_mb is %lld)",
        (int)s->process.group, p->type, (long long)(proc.memory_bytes / MEGABYTE), (long long)p->max_rss_mb);
    return true;
}

static void become_idle(struct servant *s)
{
    s->state = IDLE;
    TAILQ_INSERT_HEAD(&s->pool->idle, s, idle_link);
    timer_start(&s->timer, s->pool->idle_s * 1000);
}

/* It is dead, and all that it wrote was read: the job did not end. */
static void judge(struct servant *s, const struct buf *log)
{
    struct error why;

    if (process_judge(&s->process, &s->how, log, &why))
        error_set(&why, ERROR_HANDLER_BROKEN, "exit status 0");
    error_set(&s->run->error, s->how.si_code == CLD_EXITED ? ERROR_HANDLER_BROKEN : why.code,
        "its process ended before the job did: %s", why.text);
}

static void measure(const struct servant *s)
{
    struct run_usage *usage = &s->run->usage;
    const struct watched *w = &s->process.watched;

    usage->wall_ms = clock_steady_ms() - s->run->start_ms;
    usage->cpu_ms = w->cpu_ms > w->cpu_before_ms ? w->cpu_ms - w->cpu_before_ms : 0;
    usage->peak_memory_bytes = w->peak_bytes;
}

/* Lets go of the run, which ends. What is left of the servant goes on, or is gone. */
static void let_go(struct servant *s, bool is_complete)
{
    struct pool_run *r = s->run;
    struct pool *p = s->pool;
    struct buf log;

    end_read_rest(&s->process.err, &s->log);
    excerpt_finish(&s->log, &log);
    if (!is_complete && r->error.code == ERROR_OK)
        judge(s, &log);
    measure(s);
    timer_stop(&s->timer);
    s->run = NULL;
    r->servant = NULL;
    s->job_count++;
    if (s->has_exited) {
        count_out(s);
        free_servant(s);
    } else if (!r->is_whole || r->out.length || s->is_out_of_step || is_used_up(s)) {
        retire(s); /* one that answers before it has read all is out of step, too */
    } else {
        become_idle(s);
    }
    pool_dispatch(p);
    pool_run_end(r, &log);
}

/* ---- what comes ---- */

/* An answer names its job, so that one that came too late, or twice, is never taken for another's. */
static bool names_job(struct pool_run *r, const char *id, size_t length)
{
    const char *mine = r->run.input.job_id;

    if (id && length == strlen(mine) && memcmp(id, mine, length) == 0)
        return true;
    error_set(&r->error, ERROR_HANDLER_BROKEN,
        "it broke the protocol: it ended job \"%.*s\", which is not this one",
        id ? (int)(length < 64 ? length : 64) : 0, id ? id : "");
    return false;
}

/* The codes that a program may give its failure. Returns false when it broke the protocol. */
static bool take_failure(struct pool_run *r, const char *text, size_t length)
{
    struct error e;
    AUTO(json) json_t *failure = json_parse(text, length, &e);
    const json_t *id = json_object_get(failure, "id");
    const char *message = json_string_value(json_object_get(failure, "message"));
    const char *name = json_string_value(json_object_get(failure, "code"));
    enum error_code code = name ? error_from_name(name) : ERROR_HANDLER_FAILED;

    if (!failure) {
        error_set(&r->error, ERROR_HANDLER_BROKEN, "it broke the protocol: an F frame that is not JSON: %s",
            e.text);
        return false;
    }
    if (!names_job(r, json_string_value(id), json_string_length(id)))
        return false;
    if (code != ERROR_HANDLER_FAILED && code != ERROR_BAD_PAYLOAD && code != ERROR_TRY_LATER)
        error_set(&r->error, ERROR_HANDLER_FAILED,
            "it failed with the code %.64s, which is none of handler_failed, bad_payload, try_later", name);
    else
        error_set(&r->error, code, "%s", message && *message ? message : "it did not say why");
    return true;
}

/* What the receiver does not take is kept with all that came behind it. Returns whether to go on. */
static bool pass_on(struct servant *s, const char *data, size_t length, const char *rest, size_t rest_length)
{
    struct pool_run *r = s->run;
    size_t taken;

    if (!run_output(&r->run, data, length, &taken, &r->error)) {
        servant_kill(s);
        return false;
    }
    if (r->error.code != ERROR_OK) /* the receiver ended it, and so the servant */
        return false;
    if (taken == length)
        return true;
    buf_append(&r->held, data + taken, length - taken);
    r->held_data = length - taken;
    buf_append(&r->held, rest, rest_length);
    if (s->process.out.fd >= 0)
        event_del(&s->process.out.event);
    return false;
}

/* Parses what came. Returns false when the run is over, or paused. */
static bool take(struct servant *s, const char *at, size_t rest)
{
    struct pool_run *r = s->run;
    const char *data;
    size_t length;

    while (true)
        switch (frame_next(&s->reader, &at, &rest, &data, &length, &r->error)) {
        case FRAME_NEED:
            return true;
        case FRAME_DATA:
            if (!pass_on(s, data, length, at, rest))
                return false;
            break;
        case FRAME_PROGRESS:
            progress_add_line(&r->progress, &r->run, data, length);
            progress_tell(&r->progress, &r->run);
            if (r->error.code != ERROR_OK)
                return false;
            break;
        case FRAME_FAILED:
            s->is_out_of_step = rest > 0;
            if (take_failure(r, data, length))
                let_go(s, true);
            else
                servant_kill(s);
            return false;
        case FRAME_END:
            s->is_out_of_step = rest > 0;
            if (names_job(r, data, length))
                let_go(s, true);
            else
                servant_kill(s);
            return false;
        case FRAME_BROKEN:
            servant_kill(s);
            return false;
        }
}

static void on_idle_words(struct servant *s, ssize_t n)
{
    log_warn(&context, "process %d of type %s %s stdout between two jobs: it is replaced",
        (int)s->process.group, s->pool->type, n > 0 ? "wrote to" : "closed");
    leave_idle(s);
    retire(s);
    watched_kill(&s->process.watched, SIGKILL);
}

static void on_output(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct servant *s = arg;
    char chunk[CHUNK_BYTES];
    ssize_t n = end_read(&s->process.out, chunk);

    if (s->state == IDLE && s->process.out.fd >= 0 && n < 0)
        return;
    if (s->state == IDLE)
        on_idle_words(s, n);
    else if (n > 0)
        take(s, chunk, (size_t)n);
    else if (s->process.out.fd < 0 && s->has_exited)
        let_go(s, false);
    else if (s->process.out.fd < 0)
        timer_start(&s->timer, STRAGGLER_MS); /* it is dying, or only closed it */
}

void servant_on_resumed(void *arg)
{
    struct pool_run *r = arg;
    struct servant *s = r->servant;
    struct buf held = r->held;
    size_t data = r->held_data;

    if (!held.length || !s || r->error.code != ERROR_OK)
        return;
    buf_init(&r->held, CHUNK_BYTES);
    r->held_data = 0;
    if (pass_on(s, held.data, data, held.data + data, held.length - data) &&
        take(s, held.data + data, held.length - data)) {
        if (s->process.out.fd >= 0)
            event_add(&s->process.out.event, NULL);
        if (s->has_exited)
            timer_start(&s->timer, s->process.out.fd >= 0 ? STRAGGLER_MS : 0);
    }
    buf_release(&held);
}

static void on_log(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct servant *s = arg;
    char chunk[CHUNK_BYTES];
    ssize_t n = end_read(&s->process.err, chunk);

    if (n > 0 && s->run)
        excerpt_add(&s->log, chunk, (size_t)n);
    else if (n > 0)
        log_info(&context, "process %d of type %s, between two jobs: %.*s", (int)s->process.group,
            s->pool->type, n > WORDS_MAX ? WORDS_MAX : (int)n, chunk);
}

/* ---- what goes ---- */

/* A process that does not read has its reasons: its answer, or its end, tells. */
void servant_flush(struct servant *s)
{
    struct pool_run *r = s->run;
    ssize_t n = 0;

    while (r->out_sent < r->out.length && s->process.in.fd >= 0) {
        n = write(s->process.in.fd, r->out.data + r->out_sent, r->out.length - r->out_sent);
        if (n > 0)
            r->out_sent += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    if (n < 0 && errno == EAGAIN) {
        event_add(&s->process.in.event, NULL);
        return;
    }
    if (n < 0)
        end_close(&s->process.in);
    buf_reset(&r->out);
    r->out_sent = 0;
}

static void on_input(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct servant *s = arg;

    event_del(&s->process.in.event);
    if (s->run && s->run->error.code == ERROR_OK)
        pool_run_go_on(s->run);
}

void servant_go_on_later(struct servant *s)
{
    if (s->process.in.fd >= 0)
        event_add(&s->process.in.event, NULL);
}

/* ---- coming and going ---- */

void servant_kill(struct servant *s)
{
    end_close(&s->process.out);
    buf_reset(&s->run->held);
    if (s->has_exited)
        timer_start(&s->timer, 0);
    else
        watched_kill(&s->process.watched, SIGKILL);
}

void servant_ask(struct servant *s)
{
    if (!s->has_exited)
        watched_kill(&s->process.watched, SIGTERM);
}

static void on_timer(void *arg)
{
    struct servant *s = arg;

    if (s->state == IDLE) {
        leave_idle(s);
        retire(s);
    } else if (s->state == LEAVING) {
        watched_kill(&s->process.watched, SIGKILL);
    } else if (s->has_exited) {
        end_close(&s->process.out);
        let_go(s, false);
    } else {
        error_set(
            &s->run->error, ERROR_HANDLER_BROKEN, "it closed stdout in the middle of a job, and lives on");
        servant_kill(s);
    }
}

static void on_over(void *arg, const struct error *why)
{
    struct servant *s = arg;

    if (s->state == BUSY) {
        if (s->run->error.code == ERROR_OK)
            s->run->error = *why;
        servant_kill(s);
        return;
    }
    log_warn(&context, "process %d of type %s, between two jobs: %s", (int)s->process.group, s->pool->type,
        why->text);
    watched_kill(&s->process.watched, SIGKILL);
}

static void on_exited(void *arg, const siginfo_t *how, const struct rusage *UNUSED(used))
{
    struct servant *s = arg;

    s->how = *how;
    s->has_exited = true;
    if (s->state == IDLE)
        log_warn(&context, "process %d of type %s ended between two jobs (%s %d)", (int)s->process.group,
            s->pool->type, how->si_code == CLD_EXITED ? "exit status" : "signal", how->si_status);
    process_has_exited(&s->process);
    if (s->state == IDLE) {
        leave_idle(s);
        count_out(s);
    }
    if (s->state != BUSY) {
        struct pool *p = s->pool;

        free_servant(s);
        pool_dispatch(p); /* one may wait because this one was found dead */
    } else if (s->run->error.code != ERROR_OK || (s->process.out.fd < 0 && !s->run->held.length))
        let_go(s, false);
    else if (!s->run->held.length)
        timer_start(&s->timer, STRAGGLER_MS); /* the end of stdout comes before, unless somebody holds it */
}

struct servant *servant_start(
    struct pool *p, const struct run_input *input, struct loop *loop, struct error *e)
{
    struct servant *s = mem_zalloc(sizeof(*s));

    s->pool = p;
    process_init(&s->process, &p->program, loop);
    frame_reader_init(&s->reader);
    excerpt_init(&s->log);
    timer_init(&s->timer, loop, on_timer, s);
    TAILQ_INSERT_TAIL(&p->servants, s, link);
    if (!process_open(&s->process, false, e) ||
        !process_launch(&s->process, input, false, on_exited, on_over, s, e)) {
        free_servant(s);
        return NULL;
    }
    p->servant_count++;
    end_watch(&s->process.in, loop, EV_WRITE, on_input, s, false);
    end_watch(&s->process.out, loop, EV_READ, on_output, s, true);
    end_watch(&s->process.err, loop, EV_READ, on_log, s, true);
    become_idle(s);
    return s;
}

/* Whether it lives and has said nothing that was not asked: what has happened and was not told yet. */
static bool is_fit(const struct servant *s)
{
    struct pollfd words = {.fd = s->process.out.fd, .events = POLLIN};

    return poll(&words, 1, 0) == 0;
}

struct servant *servant_find_idle(struct pool *p)
{
    struct servant *s;

    TAILQ_FOREACH(s, &p->idle, idle_link)
    {
        if (is_fit(s))
            return s;
    }
    return NULL;
}

void servant_serve(struct servant *s, struct pool_run *r)
{
    leave_idle(s);
    s->state = BUSY;
    s->run = r;
    r->servant = s;
    watched_begin(&s->process.watched);
    servant_flush(s);
}

void servant_end_now(struct servant *s)
{
    assert(s->state != BUSY);
    if (s->state == IDLE)
        leave_idle(s);
    watched_kill(&s->process.watched, SIGKILL);
    children_remove(&s->process.child);
    while (waitpid(s->process.group, NULL, 0) < 0 && errno == EINTR)
        continue;
    process_has_exited(&s->process);
    free_servant(s);
}
