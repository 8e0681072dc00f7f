#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/handlers/excerpt.h"
#include "worker/handlers/kind.h"
#include "worker/handlers/program.h"
#include "worker/handlers/progress.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* A process per job: payload on stdin, result from stdout, stderr kept as the log, progress on descriptor 3.
 * What the receiver does not take of the result stays in the pipe, but for one chunk.
 *
 *     start ──▶ running ──leader exits──▶ its group is killed ──stdout ends, or STRAGGLER_MS──▶ end
 *       │          └─a limit, too much output, run_kill: the group is killed, stdout is closed──▲ (when the
 *       └─cannot be started──▶ deferred ──▶ end                                           leader exited)
 */

enum {
    STRAGGLER_MS = 1000 /* how long a process that left the group may hold stdout open behind its leader */
};

struct command_run {
    struct run run;
    struct process process;
    size_t sent;     /* bytes of a whole payload */
    struct buf held; /* output that the receiver did not take; stdout is not read meanwhile */
    struct excerpt log;
    struct progress progress;
    struct timer resumed;      /* the receiver would take more */
    struct countdown straggle; /* behind the leader's exit: the wait for the end of stdout */
    struct error error;        /* the first reason why it ends early; ERROR_OK: none */
    siginfo_t how;             /* it exited */
    int64_t start_ms;
    int64_t cpu_ms;
    int64_t peak_bytes;
};

static const struct program *program_of(const struct run *r)
{
    return r->handler->settings;
}

/* ---- progress ---- */

/* Returns whether the run goes on: the receiver may have ended it. */
static bool read_progress(struct command_run *c)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = end_read(&c->process.note, chunk);

    if (n > 0)
        progress_add(&c->progress, &c->run, chunk, (size_t)n);
    progress_tell(&c->progress, &c->run);
    return c->error.code == ERROR_OK;
}

static void on_note(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    read_progress(arg);
}

/* ---- the end ---- */

static void end(struct command_run *c)
{
    struct run_outcome outcome = {.usage = {.wall_ms = clock_steady_ms() - c->start_ms,
                                      .cpu_ms = c->cpu_ms,
                                      .peak_memory_bytes = c->peak_bytes}};

    if (c->error.code == ERROR_OK && !read_progress(c) && c->run.is_deferred)
        return; /* the receiver ended it while it was told; finish comes */
    end_read_rest(&c->process.err, &c->log);
    excerpt_finish(&c->log, &outcome.log);
    if (c->error.code != ERROR_OK || !process_judge(&c->process, &c->how, &outcome.log, &c->error))
        outcome.error = &c->error;
    progress_complain(&c->progress, &outcome.log);
    progress_release(&c->progress);
    countdown_stop(&c->straggle);
    timer_stop(&c->resumed);
    process_release(&c->process);
    buf_release(&c->held);
    run_end(&c->run, &outcome);
}

static void end_if_complete(struct command_run *c)
{
    if (!c->process.group && c->process.out.fd < 0 && !c->held.length && !c->run.is_deferred)
        end(c);
}

/* Ends it early: c->error is set. What it still writes is of no interest; its exit is waited for. */
static void stop(struct command_run *c)
{
    end_close(&c->process.in);
    end_close(&c->process.out);
    buf_reset(&c->held);
    countdown_stop(&c->straggle);
    if (c->process.group)
        watched_kill(&c->process.watched, SIGKILL);
    else
        run_defer(&c->run);
}

/* The first reason stays. */
static void kill_run(struct run *r, enum error_code reason)
{
    struct command_run *c = (struct command_run *)r;

    if (r->is_deferred)
        return;
    if (c->error.code == ERROR_OK)
        run_set_killed(r, reason, &c->error);
    stop(c);
}

static void on_over(void *arg, const struct error *why)
{
    struct command_run *c = arg;

    if (c->error.code == ERROR_OK)
        c->error = *why;
    stop(c);
}

static void on_straggling(void *arg)
{
    struct command_run *c = arg;

    end_close(&c->process.out);
    end_if_complete(c);
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

static int64_t milliseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

/* The rest of the group is killed while the leader's id is still taken; then their ends of stdout are closed
 * too. */
static void on_exited(void *arg, const siginfo_t *how, const struct rusage *used)
{
    struct command_run *c = arg;
    int64_t cpu_ms = milliseconds(used->ru_utime) + milliseconds(used->ru_stime);
    int64_t peak_bytes = (int64_t)used->ru_maxrss * 1024;
    const struct watched *w = &c->process.watched;

    c->cpu_ms = cpu_ms > w->cpu_ms ? cpu_ms : w->cpu_ms;
    c->peak_bytes = peak_bytes > w->peak_bytes ? peak_bytes : w->peak_bytes;
    c->how = *how;
    process_has_exited(&c->process);
    countdown_stop(&c->run.limit);
    countdown_start(&c->straggle, STRAGGLER_MS);
    end_if_complete(c);
}

/* ---- output ---- */

/* Hands a piece over. Returns false when that ended or paused the stream. */
static bool pass_on(struct command_run *c, const char *data, size_t length)
{
    size_t taken;

    if (!run_output(&c->run, data, length, &taken, &c->error))
        stop(c);
    if (c->error.code != ERROR_OK) /* also when the receiver killed it */
        return false;
    if (taken < length) {
        buf_append(&c->held, data + taken, length - taken);
        event_del(&c->process.out.event);
        countdown_suspend(&c->straggle);
    }
    return taken == length;
}

/* What it said of the content type before it wrote anything is known before that is handed over. */
static void on_output(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct command_run *c = arg;
    char chunk[CHUNK_BYTES];
    ssize_t n;

    if (!c->run.result_bytes && !c->progress.line_count && !read_progress(c))
        return;
    n = end_read(&c->process.out, chunk);
    if (n <= 0 || pass_on(c, chunk, (size_t)n))
        end_if_complete(c);
}

/* Offers what was held again, and then reads on. */
static void on_resumed(void *arg)
{
    struct command_run *c = arg;
    struct buf held = c->held;

    if (!held.length)
        return;
    buf_init(&c->held, CHUNK_BYTES);
    countdown_resume(&c->straggle);
    if (pass_on(c, held.data, held.length))
        event_add(&c->process.out.event, NULL);
    buf_release(&held);
}

static void resume(struct run *r)
{
    struct command_run *c = (struct command_run *)r;

    if (c->held.length)
        timer_start(&c->resumed, 0);
}

static void on_log(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct command_run *c = arg;
    char chunk[CHUNK_BYTES];
    ssize_t n = end_read(&c->process.err, chunk);

    if (n > 0)
        excerpt_add(&c->log, chunk, (size_t)n);
}

/* ---- input ---- */

/* A program that does not read its payload, or not all of it, has its reasons: its exit status tells. */
static void send_payload(struct command_run *c)
{
    const struct run_input *input = &c->run.input;
    size_t rest = input->payload_length - c->sent;
    ssize_t n = rest ? write(c->process.in.fd, (const char *)input->payload + c->sent, rest) : 0;

    if (n > 0)
        c->sent += (size_t)n;
    if (c->sent == input->payload_length || (n < 0 && errno != EAGAIN && errno != EINTR))
        end_close(&c->process.in);
}

/* A fed one is written straight through: the event tells only that there is room again. */
static void on_input(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct command_run *c = arg;

    if (!c->run.input.is_streamed) {
        send_payload(c);
        return;
    }
    event_del(&c->process.in.event);
    c->run.events->on_hungry(c->run.arg);
}

static size_t feed(struct run *r, const void *data, size_t length)
{
    struct command_run *c = (struct command_run *)r;
    ssize_t n;

    if (c->process.in.fd < 0 || !c->process.group)
        return length;
    do
        n = write(c->process.in.fd, data, length);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        end_close(&c->process.in);
        return length;
    }
    if (n < (ssize_t)length)
        event_add(&c->process.in.event, NULL);
    return n < 0 ? 0 : (size_t)n;
}

static void feed_end(struct run *r)
{
    end_close(&((struct command_run *)r)->process.in);
}

/* ---- the start ---- */

/* What fits into the pipe is sent before the program starts: a small payload costs no event. */
static bool launch(struct command_run *c, struct error *e)
{
    struct process *p = &c->process;

    if (!process_open(p, true, e))
        return false;
    if (!c->run.input.is_streamed)
        send_payload(c);
    if (!process_launch(p, &c->run.input, true, on_exited, on_over, c, e))
        return false;
    end_watch(&p->in, p->loop, EV_WRITE, on_input, c, !c->run.input.is_streamed);
    end_watch(&p->out, p->loop, EV_READ, on_output, c, true);
    end_watch(&p->err, p->loop, EV_READ, on_log, c, true);
    end_watch(&p->note, p->loop, EV_READ, on_note, c, true);
    return true;
}

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    struct command_run *c = run_new(sizeof(*c), h, input, events, arg, on_limit);

    process_init(&c->process, program_of(&c->run), handler_loop(h));
    buf_init(&c->held, CHUNK_BYTES);
    excerpt_init(&c->log);
    progress_init(&c->progress);
    timer_init(&c->resumed, handler_loop(h), on_resumed, c);
    countdown_init(&c->straggle, handler_loop(h), on_straggling, c);
    c->start_ms = clock_steady_ms();
    run_begin(&c->run);
    if (!launch(c, &c->error))
        run_defer(&c->run);
    return &c->run;
}

static void ask(struct run *r)
{
    const struct command_run *c = (struct command_run *)r;

    if (c->process.group)
        watched_kill(&c->process.watched, SIGTERM);
}

static void finish(struct run *r)
{
    end((struct command_run *)r);
}

/* ---- the handlers file ---- */

static const char *const fields[] = {PROGRAM_FIELDS, NULL};

static void *parse(struct spec *s, const char **UNUSED(content_type))
{
    struct program *program = mem_zalloc(sizeof(*program));

    program_parse(program, s);
    return program;
}

static void release(void *settings)
{
    if (settings)
        program_release(settings);
    free(settings);
}

static bool check(const struct handler *h, struct error *e)
{
    return program_check(h->settings, e);
}

const struct kind kind_command = {
    .name = "command",
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
