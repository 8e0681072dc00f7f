/*
 * blob: the store interface. Where results lie: an Azure container, or a directory.
 *
 * Names are relative paths of [A-Za-z0-9._/-], made by blob_name, never by a caller. Each operation ends
 * exactly once through its callback, never from inside the call that started it; cancelled operations do not
 * call back. A store tries transient errors again by itself, a few times within `deadline_ms` of its
 * settings; what it then reports as retryable (STORE_AWAY, TIMEOUT) is for its user to try again later, what
 * is not (STORE_REFUSED, with the store's own words) is for the operator.
 *
 * After many failures in a row a store stops asking (its circuit is open): operations then fail at once with
 * STORE_AWAY, uploads wait, and one request at a time tries whether it is back, every 1 to 10 s.
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
    BLOB_OWNER_SIZE = 65,
    BLOB_STATE_SIZE = 16,
    BLOB_TIME_SIZE = 32,
    BLOB_WORKER_SIZE = 288,
    BLOB_LINK_SIZE = 2048,
    BLOB_META_MAX = 16,
    BLOB_META_BYTES_MAX = 8000,         /* names and values of one blob: the service takes 8 KiB */
    BLOB_BLOCK_BYTES = 4 * 1024 * 1024, /* what an upload gathers before it sends, at the most */
    BLOB_PAGE_MAX = 1000                /* blobs in one page of a list, at the most */
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
    int64_t modified_ms;       /* Unix time of the last write; 0 when the store did not say */
    /* Metadata, by its name there; "" or 0 when there is none. */
    char job_id[JOB_ID_SIZE];     /* jobid */
    int attempt;                  /* attempt */
    char owner[BLOB_OWNER_SIZE];  /* owner */
    char type[NAME_SIZE];         /* type */
    char state[BLOB_STATE_SIZE];  /* state */
    char created[BLOB_TIME_SIZE]; /* created, started, finished, expires: RFC 3339 */
    char started[BLOB_TIME_SIZE];
    char finished[BLOB_TIME_SIZE];
    char expires[BLOB_TIME_SIZE];  /* when upkeep may remove it; without it, RETENTION_S after modified_ms */
    char worker[BLOB_WORKER_SIZE]; /* worker */
};

/* What is known of a blob beside its bytes. Everything is borrowed. Of the metadata, jobid and attempt tell
 * one's own blob from a rival's; a result carries jobid, owner, type, queue, attempt, state, created,
 * started, finished, expires and worker. */
struct blob_content_head {
    const char *content_type;
    const struct blob_meta *meta;
    size_t meta_count;
};

/* What is written in one piece. Everything is borrowed until the callback. */
struct blob_content {
    const void *data;
    size_t length;
    const char *content_type;
    const struct blob_meta *meta;
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

/* The MD5 of data in base64. Fails: INTERNAL, when OpenSSL has no MD5 (FIPS). */
bool blob_md5(const void *data, size_t length, char out[BLOB_MD5_SIZE], struct error *e) MUST_CHECK;

/* Writes the name `<folder>/<hh>/<queue>/<id>`; hh is two hex digits of a hash of the id, because sequential
 * names heat one partition of the store. */
void blob_name(const char *folder, const struct job_id *id, char out[BLOB_NAME_SIZE]);

/* The MD5 of data in base64. Fails: INTERNAL, when OpenSSL has no MD5 (FIPS). */
bool blob_md5(const void *data, size_t length, char out[BLOB_MD5_SIZE], struct error *e) MUST_CHECK;

/* Writes a blob unless one of that name exists (If-None-Match: *). A blob of the same jobid and attempt that
 * is already there counts as written: it is our own, from a try whose answer got lost. e: NULL = written;
 * EXISTS = somebody else's is there (properties are then its); else see above. properties: of what the store
 * now holds; NULL when e is neither NULL nor EXISTS. */
typedef void blob_put_done(void *arg, const struct blob_properties *properties, const struct error *e);
struct blob_op *blob_put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg);

/* ---- writing as a stream ----
 *
 * Up to BLOB_BLOCK_BYTES are gathered. What never exceeds them is written by one request, at the commit; what
 * does is staged in blocks, several under way at a time, and the commit makes them the blob. Nothing is seen
 * under the name before the commit. All uploads of a store share one budget of buffers, so that memory is
 * bounded whatever their number and length.
 */
struct blob_upload;

/* Tells that blob_upload_write takes more, or that the upload has failed. Never called from inside a call of
 * blob_upload_*. */
typedef void blob_upload_room(void *arg);

/* Begins an upload; never fails by itself: what is wrong is told by blob_upload_failure and the commit. The
 * caller ends it with blob_upload_cancel. Nothing is sent for one that stays empty. */
struct blob_upload *blob_upload_open(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg);

/* Copies what fits of data and returns how much that was. Less than length: on_room comes when more fits.
 * While the store is away no more fits; what was taken is kept and tried again for as long as it takes, with
 * no deadline. Not after the commit. */
size_t blob_upload_write(struct blob_upload *u, const void *data, size_t length);

/* Why the upload cannot succeed any more, NULL while it can: the store refused it for good, or its name is
 * none. From then on all writes are taken and dropped. Borrowed from u. */
const struct error *blob_upload_failure(const struct blob_upload *u);

/* How many bytes were written, and their MD5 in base64, valid from the commit on. */
int64_t blob_upload_size(const struct blob_upload *u);
const char *blob_upload_md5(const struct blob_upload *u);

/* Makes what was written the blob, unless one of that name exists; head is borrowed until done. done and the
 * recognition of one's own blob are those of blob_put. done does not end the upload: after an error other
 * than EXISTS that blob_upload_failure does not give too, all data is still held and the commit may be tried
 * again. */
void blob_upload_commit(
    struct blob_upload *u, const struct blob_content_head *head, blob_put_done *done, void *arg);

/* Ends an upload in any state; its callbacks are not called any more. What was staged and not committed the
 * store drops by itself (Azure: after a week). Allowed inside its callbacks. Takes NULL; returns NULL. */
struct blob_upload *blob_upload_cancel(struct blob_upload *u);

/* ---- reading ---- */

/* Looks at a blob without reading it. e: NULL = it is there, NOT_FOUND, else see above. properties: NULL with
 * an e. */
struct blob_op *blob_head(struct blob_store *s, const char *name, blob_put_done *done, void *arg);

/* What of a blob is read. */
struct blob_range {
    int64_t offset;
    int64_t length;   /* -1 = to the end */
    const char *etag; /* as blob_properties has it; "" = whatever is there. Copied */
};

/* Reads a blob, or a range of it (NULL = all), as a stream: on_head once, on_data for each piece, done at the
 * end. on_head's size is that of the whole blob. on_data returning false pauses until blob_resume (the same
 * bytes then come again). A stream that breaks off is resumed where it stood, if the blob is still the same.
 * done's e: NOT_FOUND when there is no such blob, CHANGED when it has another etag (before on_head, or in the
 * middle), BAD_RANGE when it ends before the range begins; on_head is not called then. */
struct blob_reader {
    void (*on_head)(void *arg, const struct blob_properties *properties);
    bool (*on_data)(void *arg, const void *data, size_t length);
    void (*on_done)(void *arg, const struct error *e);
};
struct blob_op *blob_get(struct blob_store *s, const char *name, const struct blob_range *range,
    const struct blob_reader *reader, void *arg);
void blob_resume(struct blob_op *op);

/* A page of a list, in the order of the names. Borrowed in the callback. */
struct blob_item {
    char name[BLOB_NAME_SIZE];
    struct blob_properties properties;
};
struct blob_page {
    const struct blob_item *items;
    size_t count;
    const char *next; /* the marker of the next page, "" behind the last */
};

/* Lists blobs whose names begin with prefix (that of a folder, with its '/': "results/a0/"), `max` of them at
 * the most (1 to BLOB_PAGE_MAX; a page may hold fewer and yet have a next), from marker on ("" = the first;
 * else what the page before gave as next). */
typedef void blob_list_done(void *arg, const struct blob_page *page, const struct error *e);
struct blob_op *blob_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg);

/* Whether blob_link can give links: not from a directory, nor with a credential that signs none (a SAS). */
bool blob_can_link(const struct blob_store *s);

/* Gives a signed URL that reads this one blob for about so many seconds. e: INVALID when the store gives no
 * links; else as above. The URL is a secret: it is not logged. Borrowed in the callback. */
typedef void blob_link_done(void *arg, const char *url, const struct error *e);
struct blob_op *blob_link(
    struct blob_store *s, const char *name, int64_t seconds, blob_link_done *done, void *arg);

/* ---- the rest ---- */

/* Looks whether the store can be used, and makes its container or directory when it is missing. It tries
 * once: who asks wants to know how things stand now. */
typedef void blob_check_done(void *arg, const struct error *e);
struct blob_op *blob_check(struct blob_store *s, blob_check_done *done, void *arg);

/* Removes a blob. One that is not there counts as removed. */
struct blob_op *blob_delete(struct blob_store *s, const char *name, blob_check_done *done, void *arg);

/* Moves a blob to another access tier ("Hot", "Cool", "Cold"); a directory has but one, and does nothing.
 * e: NOT_FOUND when there is no such blob. */
struct blob_op *blob_set_tier(
    struct blob_store *s, const char *name, const char *tier, blob_check_done *done, void *arg);

/* Ends an operation; its callback is not called. Not from inside one of its callbacks. */
void blob_cancel(struct blob_op *op);

#endif
