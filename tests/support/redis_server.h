/*
 * redis_server: a private redis-server for one test, on 127.0.0.1, in a directory of its own, keeping nothing
 * on disk unless its options say so.
 */
#ifndef JOBGATE_TESTS_REDIS_SERVER_H
#define JOBGATE_TESTS_REDIS_SERVER_H

#include <hiredis/hiredis.h>

#include "tests/support/process.h"

struct redis_server;

/* Starts one and waits until it answers. options: further words of its command line ("--maxmemory", "4mb",
 * NULL), or NULL; the words themselves are kept for redis_server_restart. Returns a server that
 * redis_server_free ends and releases. */
struct redis_server *redis_server_start(const char *const *options);

/* Takes NULL; returns NULL. */
struct redis_server *redis_server_free(struct redis_server *s);

int redis_server_port(const struct redis_server *s);

/* "redis://127.0.0.1:<port>", and the same as a setting, "REDIS_URL=…". Borrowed. */
const char *redis_server_url(const struct redis_server *s);
const char *redis_server_setting(const struct redis_server *s);

/* Ends it: stop lets it save what its options tell it to, kill does not. */
void redis_server_stop(struct redis_server *s);
void redis_server_kill(struct redis_server *s);

/* Starts it again after one of these, on the same port, in the same directory, with the same options. */
void redis_server_restart(struct redis_server *s);

/* Freezes it, so that connections stay and nothing answers; and lets it go on. */
void redis_server_pause(struct redis_server *s);
void redis_server_resume(struct redis_server *s);

/* Sends one command (redisCommand's format) and returns its reply (freeReplyObject). An error reply fails the
 * test. */
redisReply *redis_server_command(struct redis_server *s, const char *format, ...);

/* The same for one that answers with an integer, or with a string, or nothing (free()). */
long long redis_server_integer(struct redis_server *s, const char *format, ...);
char *redis_server_text(struct redis_server *s, const char *format, ...);

#endif
