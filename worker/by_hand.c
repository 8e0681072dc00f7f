#include "worker/by_hand.h"
#include "common/base/config.h"
#include "common/base/log.h"
#include "worker/handlers/handler.h"
#include "worker/handlers/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536, GATHERED_MAX_BYTES = 1 << 28, MISTAKES_MAX = 1 << 20 };

/* One run by hand. */
struct hand {
    struct loop *loop;
    const struct handler *handler;
    struct run *run;
    struct run_input input;
    int fd;            /* what is fed */
    struct buf piece;  /* what was read and not taken yet, or the whole payload */
    size_t piece_sent; /* of it */
    size_t fed;
    bool is_done;
    bool is_deaf; /* nobody reads stdout any more */
    struct error error;
};

/* ---- the payload ---- */

static bool read_piece(struct hand *h)
{
    char *room;
    ssize_t n;

    buf_reset(&h->piece);
    h->piece_sent = 0;
    room = buf_reserve(&h->piece, PIECE_BYTES);
    n = read(h->fd, room, PIECE_BYTES);
    if (n > 0)
        buf_added(&h->piece, (size_t)n);
    return n > 0;
}

static void feed(struct hand *h)
{
    while (h->fed < h->input.payload_length) {
        size_t left = h->piece.length - h->piece_sent;
        size_t taken;

        if (left > h->input.payload_length - h->fed)
            left = h->input.payload_length - h->fed; /* the file grew */
        if (!left && !read_piece(h)) {
            run_kill(h->run, ERROR_INTERNAL); /* it shrank, or cannot be read */
            return;
        }
        if (!left)
            continue;
        taken = run_feed(h->run, h->piece.data + h->piece_sent, left);
        h->piece_sent += taken;
        h->fed += taken;
        if (taken < left)
            return;
    }
    run_feed_end(h->run);
}

static bool gather(struct hand *h)
{
    char chunk[PIECE_BYTES];
    ssize_t n;

    buf_init(&h->piece, GATHERED_MAX_BYTES);
    while ((n = read(h->fd, chunk, sizeof(chunk))) > 0)
        if (!buf_append(&h->piece, chunk, (size_t)n))
            break;
    if (n)
        fprintf(stderr, "jobgate-worker: the payload: %s\n",
            n < 0 ? strerror(errno) : "more than 256 MiB: give it as a file, with --payload");
    h->input.payload = h->piece.data;
    h->input.payload_length = h->piece.length;
    return n == 0;
}

/* A file is fed as a stream, as a large payload is in a worker; from a pipe all is read first. */
static bool open_payload(struct hand *h, const char *path)
{
    struct stat about;

    h->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (h->fd < 0 || fstat(h->fd, &about) < 0) {
        fprintf(stderr, "jobgate-worker: %s: %s\n", path ? path : "stdin", strerror(errno));
        return false;
    }
    if (!S_ISREG(about.st_mode))
        return gather(h);
    buf_init(&h->piece, 2 * PIECE_BYTES);
    h->input.is_streamed = true;
    h->input.payload_length = (size_t)about.st_size;
    return true;
}

/* ---- what the run tells ---- */

static size_t on_output(void *arg, const void *data, size_t length)
{
    struct hand *h = arg;
    const char *at = data;
    size_t left = length;

    while (left && !h->is_deaf) {
        ssize_t n = write(STDOUT_FILENO, at, left);

        if (n < 0 && errno != EINTR)
            h->is_deaf = true;
        if (n > 0) {
            at += n;
            left -= (size_t)n;
        }
    }
    return length;
}

static void on_progress(void *UNUSED(arg), const struct run_progress *progress)
{
    fprintf(stderr, "progress:");
    if (progress->fraction >= 0)
        fprintf(stderr, " %.1f %%", progress->fraction * 100);
    fprintf(stderr, " %s%s%s\n", progress->message, *progress->content_type ? " content type " : "",
        progress->content_type);
}

static void on_hungry(void *arg)
{
    feed(arg);
}

static void print_log(const struct buf *log)
{
    if (!log->length)
        return;
    fprintf(stderr, "log:\n");
    fwrite(log->data, 1, log->length, stderr);
    if (log->data[log->length - 1] != '\n')
        fputc('\n', stderr);
}

static void on_done(void *arg, struct run_outcome *outcome)
{
    struct hand *h = arg;

    print_log(&outcome->log);
    if (outcome->error)
        fprintf(
            stderr, "%s: %s: %s\n", h->input.type, error_name(outcome->error->code), outcome->error->text);
    else
        fprintf(stderr, "%s: succeeded: %llu bytes, %s\n", h->input.type,
            (unsigned long long)outcome->result_bytes, outcome->content_type);
    fprintf(stderr, "time %.3f s, CPU %.3f s, peak memory %.1f MB\n", (double)outcome->usage.wall_ms / 1e3,
        (double)outcome->usage.cpu_ms / 1e3, (double)outcome->usage.peak_memory_bytes / 1048576);
    if (outcome->retry_after_ms)
        fprintf(stderr, "it asks to be tried again in %.1f s\n", (double)outcome->retry_after_ms / 1e3);
    h->error = outcome->error ? *outcome->error : (struct error){0};
    h->is_done = true;
    loop_stop(h->loop);
}

static const struct run_events run_events = {
    .on_output = on_output, .on_progress = on_progress, .on_hungry = on_hungry, .on_done = on_done};

static void on_signal(void *arg)
{
    struct hand *h = arg;

    if (!h->is_done)
        run_kill(h->run, ERROR_STOPPED);
}

static int exit_status_of(const struct hand *h)
{
    switch (h->error.code) {
    case ERROR_OK:
        return h->is_deaf ? EX_IOERR : EX_OK;
    case ERROR_BAD_PAYLOAD:
        return EX_DATAERR;
    case ERROR_TRY_LATER:
        return EX_TEMPFAIL;
    default:
        return 1;
    }
}

static int run(struct hand *h)
{
    loop_on_signal(h->loop, SIGINT, on_signal, h);
    loop_on_signal(h->loop, SIGTERM, on_signal, h);
    h->run = run_start(h->handler, &h->input, &run_events, h);
    if (h->input.is_streamed)
        feed(h);
    loop_run(h->loop);
    return exit_status_of(h);
}

/* ---- what is asked ---- */

static struct handlers *load(struct loop *loop, const struct config *config)
{
    AUTO_BUF struct buf mistakes = BUF(MISTAKES_MAX);
    struct handlers *handlers = handlers_load(loop, config, config->handlers_file, &mistakes);

    if (!handlers)
        fprintf(stderr, "jobgate-worker: HANDLERS_FILE: %s:\n%s", config->handlers_file, mistakes.data);
    return handlers;
}

static void name_types(const struct handlers *handlers, const char *wrong)
{
    const char *type;

    fprintf(stderr, "jobgate-worker: there is no type %s; there are:", wrong);
    for (size_t i = 0; (type = handlers_type_at(handlers, i)); i++)
        fprintf(stderr, "%s %s", i ? "," : "", type);
    fprintf(stderr, "\n");
}

static int run_type(struct loop *loop, const struct config *config, const struct handlers *handlers,
    const char *type, const char *path)
{
    struct hand h = {
        .loop = loop,
        .handler = handlers_find(handlers, type),
        .input =
            {
                .job_id = "by-hand",
                .type = type,
                .queue = "by-hand",
                .attempt = 1,
                .max_result_bytes = (size_t)config->max_result,
            },
    };
    int status;

    if (!h.handler) {
        name_types(handlers, type);
        return EX_USAGE;
    }
    status = open_payload(&h, path) ? run(&h) : EX_NOINPUT;
    buf_release(&h.piece);
    return status;
}

static int check(const struct handlers *handlers)
{
    const char *type;
    int status = EX_OK;

    for (size_t i = 0; (type = handlers_type_at(handlers, i)); i++) {
        const struct handler *h = handlers_find(handlers, type);
        struct error e;

        if (handler_check(h, &e)) {
            printf("%s: %s: right\n", type, handler_kind_name(h));
        } else {
            printf("%s: %s: WRONG: %s\n", type, handler_kind_name(h), e.text);
            status = EX_CONFIG;
        }
    }
    return status;
}

/* Without a type, checks. */
static int with_handlers(const struct config *config, const char *type, const char *path)
{
    struct loop *loop = loop_new();
    struct handlers *handlers = loop ? load(loop, config) : NULL;
    int status = EX_CONFIG;

    if (handlers)
        status = type ? run_type(loop, config, handlers, type, path) : check(handlers);
    handlers_free(handlers);
    loop_free(loop);
    return status;
}

static int with_config(const char *type, const char *path)
{
    AUTO_BUF struct buf mistakes = BUF(MISTAKES_MAX);
    struct config config;
    struct error e;
    int status = EX_CONFIG;

    if (!config_load(&config, FOR_WORKER, config_from_environment, NULL, &mistakes)) {
        fprintf(stderr, "jobgate-worker: the configuration is wrong:\n%s", mistakes.data);
    } else if (!warden_start(&e)) {
        fprintf(stderr, "jobgate-worker: %s\n", e.text);
        status = EX_OSERR;
    } else {
        status = with_handlers(&config, type, path);
        warden_stop();
    }
    config_release(&config);
    return status;
}

static bool is_mine(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--run", 5) == 0 || strncmp(argv[i], "--payload", 9) == 0 ||
            strcmp(argv[i], "--check-handlers") == 0)
            return true;
    return false;
}

bool by_hand(int argc, char **argv, int *status)
{
    static const struct option options[] = {
        {"run", required_argument, NULL, 'r'},
        {"payload", required_argument, NULL, 'p'},
        {"check-handlers", no_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    const char *type = NULL;
    const char *path = NULL;
    bool is_check = false;
    bool is_wrong = false;
    int option;

    if (!is_mine(argc, argv))
        return false;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        type = option == 'r' ? optarg : type;
        path = option == 'p' ? optarg : path;
        is_check |= option == 'c';
        is_wrong |= option == '?';
    }
    if (is_wrong || optind < argc || (type != NULL) == is_check || (path && !type)) {
        fprintf(stderr, "Usage: %s\n", BY_HAND_USAGE);
        *status = EX_USAGE;
        return true;
    }
    signal(SIGPIPE, SIG_IGN);
    log_set_service("jobgate-worker");
    log_set_output(STDERR_FILENO, false);
    *status = with_config(type, path);
    return true;
}
