/*
 * scene: what most integration tests begin with: a private Redis, a directory, a handlers file, and the two
 * programs as soon as the test starts them. What goes wrong fails the test.
 */
#ifndef JOBGATE_TESTS_SCENE_H
#define JOBGATE_TESTS_SCENE_H

#include "tests/support/azurite.h"
#include "tests/support/jobgate.h"
#include "tests/support/redis_server.h"

enum { SCENE_SETTING_SIZE = PROCESS_PATH_SIZE + 512 };

struct scene {
    struct redis_server *redis;
    struct azurite *azurite;               /* NULL: the directory store */
    struct jobgate *api;                   /* NULL until it is started */
    struct jobgate *worker;                /* likewise */
    char directory[PROCESS_PATH_SIZE];     /* of this test alone; blobs are in blobs/ */
    char handlers[PROCESS_PATH_SIZE + 32]; /* settings, "NAME=value" */
    char store[SCENE_SETTING_SIZE];
};

/* Starts Redis and writes a handlers file with the types that every scene has:
 *     echo, sleep, fail, sha256   the builtins
 *     cat                         a program that gives back its payload (text/plain)
 *     sh                          a shell whose payload is its script, in the scene's directory; it gets PATH
 * and D, the directory missing, plain              a program that is not there, a file that is not executable
 * The store is the directory. */
void scene_open(struct scene *s);

/* The same on Azurite. */
void scene_open_on_azurite(struct scene *s);

/* Kills and removes everything. */
void scene_close(struct scene *s);

/* Starts a program with Redis, store and handlers of the scene; settings (NULL behind the last, or NULL) go
 * before those, and the first of two counts. It is ready when this returns. Borrowed from s. */
struct jobgate *scene_start_api(struct scene *s, const char *const *settings);
struct jobgate *scene_start_worker(struct scene *s, const char *const *settings);

/* The same, without waiting until it is ready; a further one of the kind, which the caller frees. */
struct jobgate *scene_new_api(struct scene *s, const char *const *settings);
struct jobgate *scene_new_worker(struct scene *s, const char *const *settings);

/* Submits a script for the type `sh` with further options ("&timeout_s=1", or ""). Returns the job's id
 * (free()). */
char *scene_submit_script(struct scene *s, const char *options, const char *script);

/* Waits for the job's end and asserts that it is dead with this error code and with `words` in the message.
 */
void scene_expect_dead(struct scene *s, const char *id, const char *code, const char *words);

/* Waits for the job's end and asserts that it succeeded and that this is its result. */
void scene_expect_result(struct scene *s, const char *id, const void *data, size_t length);

/* Files of the scene's directory, by their names: makes an empty one; waits until one is there; reads one
 * whole (free()), NULL when there is none; counts its lines, 0 when there is none; waits until it has so
 * many. */
void scene_touch(const struct scene *s, const char *name);
void scene_wait_file(const struct scene *s, const char *name);
char *scene_read(const struct scene *s, const char *name, size_t *length);
size_t scene_count_lines(const struct scene *s, const char *name);
void scene_wait_lines(const struct scene *s, const char *name, size_t count);

/* How many lines of what a program wrote so far hold both texts. */
size_t scene_count_log(const struct jobgate *g, const char *first, const char *second);

/* Asks for /readyz and returns it (json_decref), whatever its status. */
json_t *scene_readiness(const struct jobgate *g);

/* Asserts that reply is a problem (RFC 9457) with this status and code, and returns it (json_decref). */
json_t *scene_problem(const struct http_reply *reply, int status, const char *code);

#endif
