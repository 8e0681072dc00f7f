#include "worker/handlers/program.h"
#include "common/base/config.h"
#include "common/base/mem.h"
#include "worker/handlers/environment.h"
#include "worker/handlers/exit_status.h"
#include "worker/handlers/proc.h"
#include "worker/handlers/spawn.h"
#include "worker/handlers/warden.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ARGUMENTS_MAX = 64,
    VARIABLES_MAX = 64,
    VARIABLE_MAX_BYTES = 4096,
    DIRECTORY_MAX = 1024,
    LAST_LOG_CHUNKS = 16, /* what is still read from stderr at the end, when somebody may write for ever */
    MEGABYTE = 1 << 20,
};

/* ---- the handlers file ---- */

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

static bool is_variable_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    return length && length <= 128 && !name[length] && !(*name >= '0' && *name <= '9');
}

/* The worker's secrets are not for handlers, not even by the file's own will: it is often written by others
 * than those who keep the secrets. */
static void parse_inherited(struct program *p, struct spec *s)
{
    struct spec list;

    if (!json_object_get(s->object, "inherit"))
        return;
    p->inherited = spec_texts(s, "inherit", 1, VARIABLES_MAX);
    spec_enter(&list, s, "inherit", NULL);
    for (size_t i = 0; p->inherited && p->inherited[i]; i++) {
        char index[24];

        snprintf(index, sizeof(index), "%zu", i);
        if (!is_variable_name(p->inherited[i]))
            spec_mistake(&list, index, "must be the name of an environment variable");
        else if (config_is_secret(p->inherited[i]))
            spec_mistake(&list, index, "is a secret of the worker: no handler may inherit it");
    }
}

static void parse_fixed(struct program *p, struct spec *s)
{
    const json_t *object = json_object_get(s->object, "environment");
    AUTO_BUF struct buf text = BUF(2 * VARIABLES_MAX * VARIABLE_MAX_BYTES);
    AUTO(json) json_t *list = json_array();
    const char *name;
    const json_t *value;
    struct spec pairs;

    if (!object)
        return;
    if (!json_is_object(object) || json_object_size(object) > VARIABLES_MAX) {
        spec_mistake(s, "environment", "must be an object of up to %d texts", VARIABLES_MAX);
        return;
    }
    spec_enter(&pairs, s, "environment", object);
    json_object_foreach((json_t *)object, name, value)
    {
        if (!is_variable_name(name))
            spec_mistake(&pairs, name, "is not the name of an environment variable");
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) ||
            json_string_length(value) > VARIABLE_MAX_BYTES)
            spec_mistake(&pairs, name, "must be a text of up to %d bytes without NUL", VARIABLE_MAX_BYTES);
        buf_reset(&text);
        buf_printf(&text, "%s=%s", name, json_is_string(value) ? json_string_value(value) : "");
        json_array_append_new(list, json_stringn(text.data, text.length));
    }
    p->fixed = spec_copy_texts(list);
}

static void parse_directory(struct program *p, struct spec *s)
{
    const char *directory = spec_text(s, "directory", false, DIRECTORY_MAX);

    if (!directory)
        return;
    if (*directory != '/')
        spec_mistake(s, "directory", "must be an absolute path");
    p->directory = mem_strdup(directory);
}

void program_parse(struct program *p, struct spec *s)
{
    struct spec list;
    const char *name;

    limits_parse(s, &p->limits);
    parse_inherited(p, s);
    parse_fixed(p, s);
    parse_directory(p, s);
    p->arguments = spec_texts(s, "command", 1, ARGUMENTS_MAX);
    if (!p->arguments)
        return;
    name = p->arguments[0];
    spec_enter(&list, s, "command", NULL);
    if (!*name || (*name != '/' && strchr(name, '/')))
        spec_mistake(&list, "0", "must be an absolute path, or a name that is looked up in PATH");
    else
        p->path = look_up(name);
}

void program_release(struct program *p)
{
    free(p->arguments);
    free(p->path);
    free(p->inherited);
    free(p->fixed);
    free(p->directory);
}

static bool set_missing(const struct program *p, struct error *e)
{
    return error_set(
        e, ERROR_HANDLER_START, "%.120s: there is no such program in the worker's PATH", p->arguments[0]);
}

bool program_check(const struct program *p, struct error *e)
{
    AUTO(free) char *path = look_up(p->arguments[0]);
    struct stat about;

    if (!path)
        return set_missing(p, e);
    if (stat(path, &about) < 0)
        return error_set(e, ERROR_HANDLER_START, "%.120s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode) || access(path, X_OK) < 0)
        return error_set(e, ERROR_HANDLER_START, "%.120s: it cannot be executed: chmod +x", path);
    if (p->directory &&
        (stat(p->directory, &about) < 0 || !S_ISDIR(about.st_mode) || access(p->directory, X_OK) < 0))
        return error_set(e, ERROR_HANDLER_START, "its directory %.120s cannot be entered", p->directory);
    return true;
}

/* ---- pipes ---- */

void end_close(struct end *end)
{
    if (end->fd < 0)
        return;
    if (event_initialized(&end->event))
        event_del(&end->event);
    close(end->fd);
    end->fd = -1;
}

void end_watch(
    struct end *end, struct loop *l, short what, event_callback_fn callback, void *arg, bool is_active)
{
    if (end->fd < 0)
        return;
    event_assign(&end->event, loop_base(l), end->fd, what | EV_PERSIST, callback, arg);
    if (is_active)
        event_add(&end->event, NULL);
}

ssize_t end_read(struct end *end, char chunk[CHUNK_BYTES])
{
    ssize_t n;

    if (end->fd < 0)
        return 0;
    do
        n = read(end->fd, chunk, CHUNK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        end_close(end);
    return n;
}

void end_read_rest(struct end *end, struct excerpt *log)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = 1;

    for (int i = 0; i < LAST_LOG_CHUNKS && n > 0; i++) {
        n = end_read(end, chunk);
        if (n > 0)
            excerpt_add(log, chunk, (size_t)n);
    }
}

/* ---- processes ---- */

void process_init(struct process *p, const struct program *program, struct loop *loop)
{
    *p = (struct process){.program = program, .loop = loop};
    p->in.fd = p->out.fd = p->err.fd = p->note.fd = -1;
    for (size_t i = 0; i < ARRAY_LENGTH(p->programs_ends); i++)
        p->programs_ends[i] = -1;
}

bool process_open(struct process *p, bool has_note, struct error *e)
{
    struct end *const ends[SPAWN_FDS] = {&p->in, &p->out, &p->err, &p->note};

    for (int i = 0; i < (has_note ? SPAWN_FDS : SPAWN_FDS - 1); i++) {
        struct spawn_pipe opened;

        if (!spawn_pipe_open(&opened, i == 0 ? PROGRAM_READS : PROGRAM_WRITES, e))
            return false;
        ends[i]->fd = opened.workers_end;
        p->programs_ends[i] = opened.programs_end;
    }
    return true;
}

static void close_programs_ends(struct process *p)
{
    for (size_t i = 0; i < ARRAY_LENGTH(p->programs_ends); i++) {
        if (p->programs_ends[i] >= 0)
            close(p->programs_ends[i]);
        p->programs_ends[i] = -1;
    }
}

static bool spawn(struct process *p, const struct run_input *input, bool with_job, struct error *e)
{
    const struct program *program = p->program;
    struct environment_rules rules = {program->inherited, program->fixed};
    AUTO(free) char *found = program->path ? NULL : look_up(program->arguments[0]);
    AUTO(free) char **environment = environment_new(&rules, input, with_job, p->directory.path, p->name);
    struct spawn s = {
        .path = program->path ? program->path : found,
        .arguments = program->arguments,
        .environment = environment,
        .directory = program->directory ? program->directory : p->directory.path,
        .cpu_s = with_job ? program->limits.cpu_s : 0, /* one that runs many jobs is watched for each */
        .file_bytes = program->limits.disk_mb * MEGABYTE,
        .open_files = program->limits.open_files,
    };

    memcpy(s.fds, p->programs_ends, sizeof(s.fds));
    return s.path ? spawn_process(&s, &p->group, e) : set_missing(program, e);
}

bool process_launch(struct process *p, const struct run_input *input, bool with_job, child_exited *on_exited,
    void (*on_over)(void *arg, const struct error *why), void *arg, struct error *e)
{
    static uint64_t number;
    bool is_started;

    snprintf(p->name, sizeof(p->name), "%d-%llu", (int)getpid(), (unsigned long long)++number);
    is_started = workdir_take(&p->directory, e) && spawn(p, input, with_job, e);
    close_programs_ends(p);
    if (!is_started)
        return false;
    children_add(&p->child, p->group, on_exited, arg);
    p->watched = (struct watched){
        .group = p->group,
        .directory = p->directory.path,
        .name = p->name,
        .limits = &p->program->limits,
        .on_over = on_over,
        .arg = arg,
    };
    census_add(&p->watched);
    return true;
}

void process_has_exited(struct process *p)
{
    census_remove(&p->watched);
    warden_remove(p->group);
    p->group = 0;
}

void process_release(struct process *p)
{
    assert(!p->group);
    close_programs_ends(p);
    end_close(&p->in);
    end_close(&p->out);
    end_close(&p->err);
    end_close(&p->note);
    workdir_give_back(&p->directory);
}

/* ---- ends ---- */

/* Whether the kernel has killed something for want of memory since this was last asked. */
static bool has_run_out_of_memory(void)
{
    static int64_t known;
    int64_t count = proc_out_of_memory_count();
    bool has_grown = count > known;

    known = count;
    return has_grown;
}

void program_note_memory(void)
{
    has_run_out_of_memory();
}

bool process_judge(const struct process *p, const siginfo_t *how, const struct buf *log, struct error *e)
{
    const struct limits *l = &p->program->limits;

    if (exit_status_judge(how->si_code, how->si_status, log, e))
        return true;
    if (how->si_code == CLD_EXITED)
        return false;
    if (how->si_status == SIGKILL && has_run_out_of_memory())
        return error_set(
            e, ERROR_OUT_OF_MEMORY, "killed by the kernel, because the container's memory ran out");
    if (how->si_status == SIGXCPU && l->cpu_s)
        return error_set(
            e, ERROR_TIMEOUT, "the CPU time limit of %lld s was reached (max_cpu_s)", (long long)l->cpu_s);
    if (how->si_status == SIGXFSZ && l->disk_mb)
        return error_set(e, ERROR_OVER_LIMIT, "it wrote a file larger than %lld MB, the limit (max_disk_mb)",
            (long long)l->disk_mb);
    return false;
}
