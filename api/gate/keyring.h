/*
 * keyring: API keys. A key is "jobgate_" and 256 random bits; its caller alone has it. The file holds SHA-256
 * of keys:
 *
 *     {"keys": [{"name": "shop", "sha256": "<64 hex digits>", "scopes": ["submit", "read"], "owner": "shop",
 *                "rate": "100/s", "queues": ["default"], "types": ["echo"],
 *                "expires_at": "2027-01-31T00:00:00Z"}]}
 *
 * owner is the name where it is absent (so that a key that replaces another sees the jobs of that one); no
 * rate, queues, types, expires_at: no limit. Pure, but for keyring_load.
 */
#ifndef JOBGATE_KEYRING_H
#define JOBGATE_KEYRING_H

#include "api/gate/caller.h"
#include "common/base/buf.h"

#define API_KEY_PREFIX "jobgate_"

enum { API_KEY_SIZE = 56, API_KEY_HASH_SIZE = 65, KEYS_FILE_MAX = 16 << 20 };

struct keyring;

/* Returns a ring that keyring_free releases; NULL when it fails: INVALID or BAD_JSON, with what is wrong and
 * where. */
struct keyring *keyring_parse(const char *text, size_t length, struct error *e) MUST_CHECK;
struct keyring *keyring_load(const char *path, struct error *e) MUST_CHECK;
struct keyring *keyring_free(struct keyring *k); /* takes NULL; returns NULL */

size_t keyring_count(const struct keyring *k);
struct caller *keyring_at(const struct keyring *k, size_t i); /* borrowed */

/* Whose key this is; borrowed. NULL when it is nobody's. Takes as long for a wrong key as for a right one. */
struct caller *keyring_find(const struct keyring *k, const char *key);

/* Makes a key, and what the file is to hold of it. */
void api_key_generate(char key[API_KEY_SIZE], char hash[API_KEY_HASH_SIZE]);

/* The rate of a text such as "100/s", "1000/min" or "5/h". Fails: INVALID, with what would be right. */
bool rate_parse(const char *text, struct rate *out, struct error *e) MUST_CHECK;

/* Reads the whole file. Returns its text (free()), NULL when it fails: INVALID, with the system's word. */
char *keys_file_read(const char *path, size_t *length, struct error *e) MUST_CHECK;

#endif
