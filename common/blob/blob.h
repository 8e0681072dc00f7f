/*
 * blob: the store interface. Where results lie: an Azure container, or a directory.
 *
 * Names are relative paths of [A-Za-z0-9._/-], made by blob_name, never by a caller. Each operation ends
 * exactly once through its callback, never from inside the call that started it; cancelled operations do not
 * call back. A store tries transient errors again by itself, a few times within `deadline_ms` of its
 * settings; what it then reports as retryable (STORE_AWAY, TIMEOUT) is for its user to try again later, what
 * is not (STORE_REFUSED, with the store's own words) is for the operator.
 */
#ifndef JOBGATE_BLOB_H
#define JOBGATE_BLOB_H

#include "common/base/base.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/net/loop.h"

enum {
    BLOB_NAME_SIZE = 256,
    BLOB_TYPE_SIZE = 128,
    BLOB_MD5_SIZE = 25,
    BLOB_ETAG_SIZE = 64,
    BLOB_META_MAX = 16
};

/* A pair of a blob's metadata. Names match [a-z_]+, values are printable ASCII. Borrowed. */
struct blob_meta {
    const char *name;
    const char *value;
};

/* What a store knows of a blob. Plain data. */
struct blob_properties {
    int64_t size; /* bytes; -1 when the store did not say */
    char content_type[BLOB_TYPE_SIZE];
    char md5[BLOB_MD5_SIZE];   /* base64; "" when the store has none */
    char etag[BLOB_ETAG_SIZE]; /* with its quotes; "" when the store has none */
    char job_id[JOB_ID_SIZE];  /* metadata jobid; "" when there is none */
    int attempt;               /* metadata attempt; 0 when there is none */
};

/* What is written. Everything is borrowed until the callback. */
struct blob_content {
    const void *data;
    size_t length;
    const char *content_type;
    const struct blob_meta *meta; /* jobid and attempt among them: they tell one's own blob from a rival's */
    size_t meta_count;
};

struct blob_store;
struct blob_op;

/* Opens the store that the configuration names (file:///var/lib/jobgate/blobs when it names none). Returns
 * one that blob_store_free releases. No I/O is done and nothing has to be reachable. loop and config are kept
 * as references. Fails: INVALID, naming the setting that is wrong and what would be right. */
struct blob_store *blob_store_open(
    struct loop *loop, const struct config *config, struct error *e) MUST_CHECK;

/* Ends all operations without calling back. Not from inside a callback. Takes NULL; returns NULL. */
struct blob_store *blob_store_free(struct blob_store *s);

/* Whether blob_store_open would open. Fails as it does. */
bool blob_settings_check(const struct config *config, struct error *e) MUST_CHECK;

/* The URL of a blob, without credentials, for people: appended to nothing, written whole. */
void blob_url(const struct blob_store *s, const char *name, char *out, size_t size);

/* Writes the name `<folder>/<hh>/<queue>/<id>`; hh is two hex digits of a hash of the id, because sequential
 * names heat one partition of the store. */
void blob_name(const char *folder, const struct job_id *id, char out[BLOB_NAME_SIZE]);

/* Writes a blob unless one of that name exists (If-None-Match: *). A blob of the same jobid and attempt that
 * is already there counts as written: it is our own, from a try whose answer got lost. e: NULL = written;
 * EXISTS = somebody else's is there (properties are then its); else see above. properties: of what the store
 * now holds; NULL when e is neither NULL nor EXISTS. */
typedef void blob_put_done(void *arg, const struct blob_properties *properties, const struct error *e);
struct blob_op *blob_put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg);

/* Looks at a blob without reading it. e: NULL = it is there, NOT_FOUND, else see above. properties: NULL with
 * an e. */
struct blob_op *blob_head(struct blob_store *s, const char *name, blob_put_done *done, void *arg);

/* Reads a blob as a stream: on_head once, on_data for each piece, done at the end. on_data returning false
 * pauses until blob_resume (the same bytes then come again). done's e: NOT_FOUND when there is no such blob;
 * on_head is not called then. */
struct blob_reader {
    void (*on_head)(void *arg, const struct blob_properties *properties);
    bool (*on_data)(void *arg, const void *data, size_t length);
    void (*on_done)(void *arg, const struct error *e);
};
struct blob_op *blob_get(struct blob_store *s, const char *name, const struct blob_reader *reader, void *arg);
void blob_resume(struct blob_op *op);

/* Looks whether the store can be used, and makes its container or directory when it is missing. It tries
 * once: who asks wants to know how things stand now. */
typedef void blob_check_done(void *arg, const struct error *e);
struct blob_op *blob_check(struct blob_store *s, blob_check_done *done, void *arg);

/* Removes a blob. One that is not there counts as removed. */
struct blob_op *blob_delete(struct blob_store *s, const char *name, blob_check_done *done, void *arg);

/* Ends an operation; its callback is not called. Not from inside one of its callbacks. */
void blob_cancel(struct blob_op *op);

#endif
