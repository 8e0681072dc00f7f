#include "tests/support/stage.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { LIMIT_MS = 60000 };

void stage_write(const struct stage *s, const char *name, const char *text, mode_t mode)
{
    char path[PROCESS_PATH_SIZE + 64];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", s->directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

void stage_write_block(const struct stage *s, const char *name, const char *language, int n)
{
    FILE *page = fopen("docs/handlers.md", "re");
    AUTO_BUF struct buf block = BUF(1 << 16);
    char fence[64];
    char line[4096];

    ck_assert_msg(page != NULL, "docs/handlers.md: the tests run at the top of the tree");
    snprintf(fence, sizeof(fence), "```%s\n", language);
    while (fgets(line, sizeof(line), page))
        if (strcmp(line, fence) == 0 && n-- == 0)
            while (fgets(line, sizeof(line), page) && strcmp(line, "```\n") != 0)
                buf_append_text(&block, line);
    fclose(page);
    ck_assert_uint_gt(block.length, 0);
    stage_write(s, name, block.data, 0600);
}

static void append_types(struct buf *text, const struct stage *s, const char *types)
{
    const char *place;

    buf_append_text(text, "{\"types\": {");
    while ((place = strstr(types, "%s"))) {
        buf_append(text, types, (size_t)(place - types));
        buf_append_text(text, s->directory);
        types = place + 2;
    }
    buf_append_text(text, types);
    buf_append_text(text, "}}");
}

void stage_open(struct stage *s, const char *types)
{
    AUTO_BUF struct buf text = BUF(1 << 20);
    AUTO_BUF struct buf mistakes = BUF(1 << 16);
    char path[PROCESS_PATH_SIZE + 64];

    signal(SIGPIPE, SIG_IGN);
    directory_make(s->directory);
    append_types(&text, s, types);
    stage_write(s, "handlers.json", text.data, 0600);
    snprintf(path, sizeof(path), "%s/handlers.json", s->directory);
    s->loop = loop_new();
    ck_assert_ptr_nonnull(s->loop);
    s->handlers = handlers_load(s->loop, s->config, path, &mistakes);
    ck_assert_msg(s->handlers != NULL, "%s", mistakes.data);
}

void stage_close(struct stage *s)
{
    s->handlers = handlers_free(s->handlers);
    s->loop = loop_free(s->loop);
    directory_remove(s->directory);
}

struct run_input stage_input(const char *type, const char *payload)
{
    return (struct run_input){
        .job_id = "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR",
        .type = type,
        .queue = "default",
        .attempt = 1,
        .payload = payload,
        .payload_length = strlen(payload),
        .timeout_ms = LIMIT_MS,
        .max_result_bytes = 16 << 20,
    };
}

static void move(struct buf *from, struct buf *to)
{
    buf_init(to, SIZE_MAX / 2);
    buf_append(to, from->data, from->length);
}

static void on_done(void *arg, struct run_outcome *outcome)
{
    struct ended *ended = arg;

    ended->count++;
    ended->error = outcome->error ? *outcome->error : (struct error){0};
    move(&outcome->result, &ended->result);
    move(&outcome->log, &ended->log);
    snprintf(ended->content_type, sizeof(ended->content_type), "%s", outcome->content_type);
    ended->retry_after_ms = outcome->retry_after_ms;
}

static const struct run_events ended_events = {.on_done = on_done};

struct run *stage_start(struct stage *s, const struct run_input *input, struct ended *ended)
{
    const struct handler *h = handlers_find(s->handlers, input->type);
    struct run *r;

    ck_assert_ptr_nonnull(h);
    *ended = (struct ended){.stage = s, .result = BUF(0), .log = BUF(0)};
    r = run_start(h, input, &ended_events, ended);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(ended->count, 0);
    return r;
}

void stage_wait(struct stage *s, const int *count, int wanted)
{
    static const struct timeval turn = {.tv_usec = 20000};
    int64_t deadline_ms = clock_steady_ms() + LIMIT_MS;

    while (*count < wanted) {
        ck_assert_msg(clock_steady_ms() < deadline_ms, "%d of %d runs ended in a minute", *count, wanted);
        event_base_loopexit(loop_base(s->loop), &turn);
        event_base_loop(loop_base(s->loop), EVLOOP_ONCE);
    }
}

void stage_run(struct stage *s, const struct run_input *input, struct ended *ended)
{
    stage_start(s, input, ended);
    stage_wait(s, &ended->count, 1);
    for (int i = 0; i < 5; i++)
        event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
    ck_assert_int_eq(ended->count, 1);
}

void ended_release(struct ended *ended)
{
    buf_release(&ended->result);
    buf_release(&ended->log);
}

bool process_lives(pid_t pid)
{
    char path[64];
    char text[256] = "";
    FILE *file;
    const char *state;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    state = strrchr(text, ')');
    return state && state[1] && !strchr("ZX", state[2]);
}

void process_wait_gone(pid_t pid)
{
    int64_t deadline_ms = clock_steady_ms() + LIMIT_MS / 2;

    while (process_lives(pid))
        ck_assert_msg(wait_until(deadline_ms), "process %d still lives", (int)pid);
}
