#include "common/base/mem.h"
#include "worker/handlers/children.h"
#include "worker/handlers/environment.h"
#include "worker/handlers/excerpt.h"
#include "worker/handlers/exit_status.h"
#include "worker/handlers/kind.h"
#include "worker/handlers/spawn.h"
#include "worker/handlers/warden.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process per job: payload on stdin, result from stdout, stderr kept as the log. What the receiver does not
 * take of the result stays in the pipe, but for one chunk.
 *
 *     start ──▶ running ──leader exits──▶ its group is killed ──stdout ends, or STRAGGLER_MS──▶ end
 *       │          └─time limit, too much output, run_kill: the group is killed, stdout is closed──▲ (when
 * the leader exited) └─cannot be started──▶ deferred ──▶ end
 */

enum {
    ARGUMENTS_MAX = 64,
    CHUNK_BYTES = 65536, /* what one callback moves at most, so that the other jobs get their turn; a pipe
                            holds as much */
    STRAGGLER_MS = 1000, /* how long a process that left the group may hold stdout open behind its leader */
    LAST_LOG_CHUNKS =
        16, /* what is still read from stderr at the end, when such a process may write for ever */
};

struct command {
    char **arguments;
    char *path; /* NULL: it was not found in PATH when the file was loaded; looked up again at each start */
};

/* The worker's end of one of the program's pipes. */
struct end {
    int fd; /* -1 = closed */
    struct event event;
};

struct command_run {
    struct run run;
    struct child child;
    pid_t group; /* 0 = the leader has exited, or never started */
    struct end in;
    struct end out;
    struct end err;
    size_t sent;     /* bytes of the payload */
    struct buf held; /* output that the receiver did not take; stdout is not read meanwhile */
    struct excerpt log;
    struct timer resumed;      /* the receiver would take more */
    struct countdown straggle; /* behind the leader's exit: the wait for the end of stdout */
    struct error error;        /* the first reason why it ends early; ERROR_OK: none */
    int exit_code;             /* si_code and si_status of waitid */
    int exit_status;
};

static void close_end(struct end *end)
{
    if (end->fd < 0)
        return;
    if (event_initialized(&end->event))
        event_del(&end->event);
    close(end->fd);
    end->fd = -1;
}

/* Moves one chunk at most; false at the end of the stream. */
static ssize_t read_chunk(struct end *end, char chunk[CHUNK_BYTES])
{
    ssize_t n;

    do
        n = read(end->fd, chunk, CHUNK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        close_end(end);
    return n;
}

static void read_last_of_log(struct command_run *c)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = 1;

    for (int i = 0; i < LAST_LOG_CHUNKS && c->err.fd >= 0 && n > 0; i++) {
        n = read_chunk(&c->err, chunk);
        if (n > 0)
            excerpt_add(&c->log, chunk, (size_t)n);
    }
}

static void end(struct command_run *c)
{
    struct run_outcome outcome = {.error = NULL};

    read_last_of_log(c);
    excerpt_finish(&c->log, &outcome.log);
    if (c->error.code != ERROR_OK ||
        !exit_status_judge(c->exit_code, c->exit_status, &outcome.log, &c->error))
        outcome.error = &c->error;
    countdown_stop(&c->straggle);
    timer_stop(&c->resumed);
    close_end(&c->in);
    close_end(&c->out);
    close_end(&c->err);
    buf_release(&c->held);
    run_end(&c->run, &outcome);
}

static void end_if_complete(struct command_run *c)
{
    if (!c->group && c->out.fd < 0 && !c->held.length)
        end(c);
}

static void kill_group(const struct command_run *c)
{
    kill(-c->group, SIGKILL);
}

/* Ends it early: c->error is set. What it still writes is of no interest; its exit is waited for. */
static void stop(struct command_run *c)
{
    close_end(&c->in);
    close_end(&c->out);
    buf_reset(&c->held);
    countdown_stop(&c->straggle);
    if (c->group)
        kill_group(c);
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

static void on_straggling(void *arg)
{
    struct command_run *c = arg;

    close_end(&c->out);
    end_if_complete(c);
}

static void on_limit(void *arg)
{
    kill_run(arg, ERROR_TIMEOUT);
}

/* The rest of the group is killed while the leader's id is still taken; then their ends of stdout are closed
 * too. */
static void on_exited(void *arg, const siginfo_t *how)
{
    struct command_run *c = arg;

    kill_group(c);
    warden_remove(c->group);
    c->group = 0;
    c->exit_code = how->si_code;
    c->exit_status = how->si_status;
    countdown_stop(&c->run.limit);
    countdown_start(&c->straggle, STRAGGLER_MS);
    end_if_complete(c);
}

/* Hands a piece over. Returns false when that ended or paused the stream. */
static bool pass_on(struct command_run *c, const char *data, size_t length)
{
    size_t taken;
    struct error e;

    if (!run_output(&c->run, data, length, &taken, &e)) {
        error_set(&c->error, e.code, "it wrote more than %zu bytes to stdout, the limit (MAX_RESULT)",
            c->run.input.max_result_bytes);
        stop(c);
        return false;
    }
    if (c->error.code != ERROR_OK) /* the receiver killed it */
        return false;
    if (taken < length) {
        buf_append(&c->held, data + taken, length - taken);
        event_del(&c->out.event);
        countdown_suspend(&c->straggle);
    }
    return taken == length;
}

static void on_output(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct command_run *c = arg;
    char chunk[CHUNK_BYTES];
    ssize_t n = read_chunk(&c->out, chunk);

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
        event_add(&c->out.event, NULL);
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
    ssize_t n = read_chunk(&c->err, chunk);

    if (n > 0)
        excerpt_add(&c->log, chunk, (size_t)n);
}

/* A program that does not read its payload, or not all of it, has its reasons: its exit status tells. */
static void send_payload(struct command_run *c)
{
    const struct run_input *input = &c->run.input;
    size_t rest = input->is_streamed ? 0 : input->payload_length - c->sent;
    ssize_t n = rest ? write(c->in.fd, (const char *)input->payload + c->sent, rest) : 0;

    if (input->is_streamed)
        return;
    if (n > 0)
        c->sent += (size_t)n;
    if (c->sent == input->payload_length || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_end(&c->in);
}

/* A fed one is written straight through: the event tells only that there is room again. */
static void on_input(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct command_run *c = arg;

    if (!c->run.input.is_streamed) {
        send_payload(c);
        return;
    }
    event_del(&c->in.event);
    c->run.events->on_hungry(c->run.arg);
}

static size_t feed(struct run *r, const void *data, size_t length)
{
    struct command_run *c = (struct command_run *)r;
    ssize_t n;

    if (c->in.fd < 0 || !c->group)
        return length;
    do
        n = write(c->in.fd, data, length);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        close_end(&c->in);
        return length;
    }
    if (n < (ssize_t)length)
        event_add(&c->in.event, NULL);
    return n < 0 ? 0 : (size_t)n;
}

static void feed_end(struct run *r)
{
    close_end(&((struct command_run *)r)->in);
}

static bool open_pipes(struct command_run *c, int programs_ends[SPAWN_FDS], struct error *e)
{
    struct end *const ends[SPAWN_FDS] = {&c->in, &c->out, &c->err};

    for (int i = 0; i < SPAWN_FDS; i++) {
        struct spawn_pipe p;

        if (!spawn_pipe_open(&p, i == 0 ? PROGRAM_READS : PROGRAM_WRITES, e))
            return false;
        ends[i]->fd = p.workers_end;
        programs_ends[i] = p.programs_end;
    }
    return true;
}

static void watch(struct command_run *c, struct end *end, short what, event_callback_fn callback)
{
    if (end->fd < 0)
        return;
    event_assign(
        &end->event, loop_base(handler_loop(c->run.handler)), end->fd, what | EV_PERSIST, callback, c);
    if (end != &c->in || !c->run.input.is_streamed)
        event_add(&end->event, NULL);
}

static bool is_program(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

/* Returns the path of a program, which the caller frees: name itself when it is a path; NULL when PATH has
 * none. */
static char *look_up(const char *name)
{
    const char *directory = getenv("PATH");
    AUTO_BUF struct buf path = BUF(4096);

    if (strchr(name, '/'))
        return mem_strdup(name);
    if (!directory)
        directory = "/usr/local/bin:/usr/bin:/bin";
    while (*directory) {
        size_t length = strcspn(directory, ":");

        buf_reset(&path);
        buf_append(&path, directory, length);
        buf_printf(&path, "/%s", name);
        if (length && !buf_is_overflown(&path) && is_program(path.data))
            return buf_take(&path, NULL);
        directory += length + (directory[length] == ':');
    }
    return NULL;
}

/* Starts the program with these descriptors. */
static bool spawn(struct command_run *c, const int fds[SPAWN_FDS], struct error *e)
{
    const struct command *command = c->run.handler->settings;
    AUTO(free) char *found = command->path ? NULL : look_up(command->arguments[0]);
    AUTO(free) char **environment = environment_new(&c->run.input);
    struct spawn s = {
        .path = command->path ? command->path : found,
        .arguments = command->arguments,
        .environment = environment,
        .fds = {fds[0], fds[1], fds[2]},
    };

    if (!s.path)
        return error_set(e, ERROR_HANDLER_START, "%.120s: there is no such program in the worker's PATH",
            command->arguments[0]);
    return spawn_process(&s, &c->group, e);
}

/* What fits into the pipe is sent before the program starts: a small payload costs no event. */
static bool launch(struct command_run *c, struct error *e)
{
    int fds[SPAWN_FDS] = {-1, -1, -1};
    bool is_started = false;

    if (open_pipes(c, fds, e)) {
        send_payload(c);
        is_started = spawn(c, fds, e);
    }
    for (int i = 0; i < SPAWN_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return is_started;
}

static struct run *start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    struct command_run *c = run_new(sizeof(*c), h, input, events, arg, on_limit);

    c->in.fd = c->out.fd = c->err.fd = -1;
    buf_init(&c->held, CHUNK_BYTES);
    excerpt_init(&c->log);
    timer_init(&c->resumed, handler_loop(h), on_resumed, c);
    countdown_init(&c->straggle, handler_loop(h), on_straggling, c);
    if (!launch(c, &c->error)) {
        run_defer(&c->run);
        return &c->run;
    }
    children_add(&c->child, c->group, on_exited, c);
    watch(c, &c->in, EV_WRITE, on_input);
    watch(c, &c->out, EV_READ, on_output);
    watch(c, &c->err, EV_READ, on_log);
    countdown_start(&c->run.limit, c->run.input.timeout_ms);
    return &c->run;
}

static void ask(struct run *r)
{
    const struct command_run *c = (struct command_run *)r;

    if (c->group)
        kill(-c->group, SIGTERM);
}

static void finish(struct run *r)
{
    end((struct command_run *)r);
}

static const char *const fields[] = {"command", NULL};

static void *parse(struct spec *s, const char **UNUSED(content_type))
{
    struct command *command = mem_zalloc(sizeof(*command));
    const char *name;
    struct spec list;

    command->arguments = spec_texts(s, "command", 1, ARGUMENTS_MAX);
    if (!command->arguments)
        return command;
    name = command->arguments[0];
    spec_enter(&list, s, "command", NULL);
    if (!*name || (*name != '/' && strchr(name, '/')))
        spec_mistake(&list, "0", "must be an absolute path, or a name that is looked up in PATH");
    else
        command->path = look_up(name);
    return command;
}

static void release(void *settings)
{
    struct command *command = settings;

    if (!command)
        return;
    free(command->arguments);
    free(command->path);
    free(command);
}

const struct kind kind_command = {
    .name = "command",
    .fields = fields,
    .parse = parse,
    .release = release,
    .start = start,
    .kill = kill_run,
    .ask = ask,
    .feed = feed,
    .feed_end = feed_end,
    .resume = resume,
    .finish = finish,
};
