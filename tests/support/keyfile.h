/*
 * keyfile: a file of API keys for a test, whose keys the test knows.
 */
#ifndef JOBGATE_TESTS_KEYFILE_H
#define JOBGATE_TESTS_KEYFILE_H

#include "api/gate/keyring.h"
#include "tests/support/scene.h"

enum { KEYFILE_MAX = 16 };

struct keyfile {
    char path[PROCESS_PATH_SIZE + 16];
    char setting[PROCESS_PATH_SIZE + 48]; /* "API_KEYS_FILE=…" */
    struct {
        char name[OWNER_SIZE];
        char key[API_KEY_SIZE];
        char hash[API_KEY_HASH_SIZE];
        char members[256];
    } keys[KEYFILE_MAX];
    size_t count;
};

/* An empty one in the scene's directory. */
void keyfile_open(struct keyfile *f, const struct scene *s);

/* Adds a key; scopes are JSON texts ("\"submit\",\"read\""), members further members of the entry, each
 * behind a comma (",\"rate\":\"5/h\""), or "". The file is whole at each moment. Returns the key; borrowed.
 */
const char *keyfile_add(struct keyfile *f, const char *name, const char *scopes, const char *members);

/* Takes a key out again. */
void keyfile_remove(struct keyfile *f, const char *name);

/* Writes other text over the whole file. */
void keyfile_spoil(const struct keyfile *f, const char *text);

/* Asks the api with a key (NULL: without), and a body of JSON or none (NULL), not wanting to wait. */
void keyfile_ask(const struct jobgate *api, const char *key, const char *method, const char *path,
    const char *json, struct http_reply *reply);

#endif
