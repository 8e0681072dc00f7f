#include "tests/support/redis_server.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <check.h>
#include <signal.h>

enum { START_MS = 10000, STOP_MS = 10000, START_TRIES = 5, OPTIONS_MAX = 48 };

struct redis_server {
    struct process *process; /* NULL while it is down */
    int port;
    char directory[PROCESS_PATH_SIZE];
    char setting[64];
    const char *options[OPTIONS_MAX]; /* the words are borrowed */
    redisContext *connection;         /* NULL until the first command and after each end of the server */
};

static void hang_up(struct redis_server *s)
{
    if (s->connection)
        redisFree(s->connection);
    s->connection = NULL;
}

static bool answers_ping(const struct redis_server *s)
{
    redisContext *connection = redisConnect("127.0.0.1", s->port);
    redisReply *reply = connection && !connection->err ? redisCommand(connection, "PING") : NULL;
    bool is_up = reply && reply->type == REDIS_REPLY_STATUS;

    if (reply)
        freeReplyObject(reply);
    if (connection)
        redisFree(connection);
    return is_up;
}

/* Returns false when the program ended at once: the port was taken in the meantime. */
static bool run_server(struct redis_server *s)
{
    const char *argv[OPTIONS_MAX] = {"redis-server", "--port", NULL, "--bind", "127.0.0.1", "--dir",
        s->directory, "--save", "", "--appendonly", "no", "--daemonize", "no", "--set-proc-title", "no"};
    int64_t deadline_ms = clock_steady_ms() + START_MS;
    char port[8];
    size_t count = 0;

    snprintf(port, sizeof(port), "%d", s->port);
    argv[2] = port;
    while (argv[count])
        count++;
    for (const char *const *option = s->options; *option; option++) {
        ck_assert_int_lt(count, OPTIONS_MAX - 1);
        argv[count++] = *option;
    }
    s->process = process_start(argv, NULL);
    while (!answers_ping(s)) {
        if (process_has_ended(s->process, 0))
            return false;
        ck_assert_msg(wait_until(deadline_ms), "redis-server does not answer after %d ms", START_MS);
    }
    return !process_has_ended(s->process, 0);
}

struct redis_server *redis_server_start(const char *const *options)
{
    struct redis_server *s = mem_zalloc(sizeof(*s));

    directory_make(s->directory);
    for (size_t i = 0; options && options[i]; i++) {
        ck_assert_uint_lt(i, OPTIONS_MAX - 1);
        s->options[i] = options[i];
    }
    for (int try = 1;; try++) {
        AUTO(free) char *said = NULL;

        s->port = port_find_free();
        if (run_server(s))
            break;
        said = process_output(s->process);
        s->process = process_free(s->process);
        ck_assert_msg(
            try < START_TRIES && strstr(said, "in use"), "redis-server ended at its start:\n%s", said);
    }
    snprintf(s->setting, sizeof(s->setting), "REDIS_URL=redis://127.0.0.1:%d", s->port);
    return s;
}

struct redis_server *redis_server_free(struct redis_server *s)
{
    if (!s)
        return NULL;
    hang_up(s);
    process_free(s->process);
    directory_remove(s->directory);
    free(s);
    return NULL;
}

int redis_server_port(const struct redis_server *s)
{
    return s->port;
}

const char *redis_server_setting(const struct redis_server *s)
{
    return s->setting;
}

const char *redis_server_url(const struct redis_server *s)
{
    return s->setting + strlen("REDIS_URL=");
}

static void end_by(struct redis_server *s, int signal_number)
{
    hang_up(s);
    process_signal(s->process, signal_number);
    process_wait(s->process, STOP_MS);
    s->process = process_free(s->process);
}

void redis_server_stop(struct redis_server *s)
{
    end_by(s, SIGTERM);
}

void redis_server_kill(struct redis_server *s)
{
    end_by(s, SIGKILL);
}

void redis_server_restart(struct redis_server *s)
{
    if (!run_server(s)) {
        AUTO(free) char *said = process_output(s->process);

        ck_abort_msg("redis-server did not come back on port %d:\n%s", s->port, said);
    }
}

void redis_server_pause(struct redis_server *s)
{
    process_signal(s->process, SIGSTOP);
}

void redis_server_resume(struct redis_server *s)
{
    process_signal(s->process, SIGCONT);
}

static redisReply *ask(struct redis_server *s, const char *format, va_list args)
{
    redisReply *reply;

    if (!s->connection)
        s->connection = redisConnect("127.0.0.1", s->port);
    ck_assert_msg(s->connection && !s->connection->err, "cannot connect to redis-server");
    reply = redisvCommand(s->connection, format, args);
    ck_assert_msg(reply != NULL, "%s: %s", format, s->connection->errstr);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
    return reply;
}

redisReply *redis_server_command(struct redis_server *s, const char *format, ...)
{
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = ask(s, format, args);
    va_end(args);
    return reply;
}

long long redis_server_integer(struct redis_server *s, const char *format, ...)
{
    redisReply *reply;
    long long value;
    va_list args;

    va_start(args, format);
    reply = ask(s, format, args);
    va_end(args);
    ck_assert_msg(reply->type == REDIS_REPLY_INTEGER, "%s answers with no integer", format);
    value = reply->integer;
    freeReplyObject(reply);
    return value;
}

char *redis_server_text(struct redis_server *s, const char *format, ...)
{
    redisReply *reply;
    char *text = NULL;
    va_list args;

    va_start(args, format);
    reply = ask(s, format, args);
    va_end(args);
    if (reply->type != REDIS_REPLY_NIL) {
        ck_assert_msg(reply->str != NULL, "%s answers with no string", format);
        text = strndup(reply->str, reply->len);
    }
    freeReplyObject(reply);
    return text;
}
