/*
 * store: what a kind of blob store provides to blob.c. Private to common/blob.
 */
#ifndef JOBGATE_BLOB_STORE_H
#define JOBGATE_BLOB_STORE_H

#include "common/blob/blob.h"

#include <openssl/evp.h>
#include <sys/queue.h>

/* What can be done with an operation that is under way. */
struct blob_op_kind {
    void (*cancel)(struct blob_op *op); /* ends and releases it */
    void (*resume)(struct blob_op *op); /* NULL for what never pauses */
};

/* The functions of blob.h, which says what they do. free and cancel_upload take no NULL. */
struct blob_store_kind {
    void (*free)(struct blob_store *s); /* all operations and uploads have ended */
    void (*url)(const struct blob_store *s, const char *name, char *out, size_t size);
    struct blob_op *(*put)(struct blob_store *s, const char *name, const struct blob_content *content,
        blob_put_done *done, void *arg);
    struct blob_op *(*head)(struct blob_store *s, const char *name, blob_put_done *done, void *arg);
    struct blob_op *(*get)(struct blob_store *s, const char *name, const struct blob_range *range,
        const struct blob_reader *reader, void *arg);
    struct blob_op *(*list)(struct blob_store *s, const char *prefix, const char *marker, int max,
        blob_list_done *done, void *arg);
    bool (*can_link)(const struct blob_store *s);
    struct blob_op *(*link)(
        struct blob_store *s, const char *name, int64_t seconds, blob_link_done *done, void *arg);
    struct blob_op *(*delete)(struct blob_store *s, const char *name, blob_check_done *done, void *arg);
    struct blob_op *(*set_tier)(
        struct blob_store *s, const char *name, const char *tier, blob_check_done *done, void *arg);
    struct blob_op *(*check)(struct blob_store *s, blob_check_done *done, void *arg);
    struct blob_upload *(*open_upload)(
        struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg);
    size_t (*write)(struct blob_upload *u, const void *data, size_t length);
    void (*commit)(
        struct blob_upload *u, const struct blob_content_head *head, blob_put_done *done, void *arg);
    void (*cancel_upload)(struct blob_upload *u);
};

/* The first members of a kind's own structs. */
struct blob_op {
    const struct blob_op_kind *kind;
    LIST_ENTRY(blob_op) link; /* in the store's ops */
};
struct blob_upload {
    struct blob_store *store;
    char name[BLOB_NAME_SIZE];
    blob_upload_room *on_room;
    void *arg;
    EVP_MD_CTX *md5_running;
    char md5[BLOB_MD5_SIZE]; /* from the commit on */
    int64_t size;
    struct error failure; /* ERROR_OK while there is none */
    LIST_ENTRY(blob_upload) link;
};
struct blob_store {
    const struct blob_store_kind *kind;
    LIST_HEAD(blob_ops, blob_op) ops;
    LIST_HEAD(blob_uploads, blob_upload) uploads;
};

/* Fill and join, remove and free, the first member of a kind's own struct (`size` bytes, zeroed). */
void *blob_op_new(struct blob_store *s, const struct blob_op_kind *kind, size_t size);
void blob_op_free(struct blob_op *op);
void *blob_upload_new(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg, size_t size);
void blob_upload_free(struct blob_upload *u);

/* Accounts for bytes that were taken; and writes the MD5 of all of them. Fails: INTERNAL, when OpenSSL has no
 * MD5 (FIPS). */
void blob_upload_taken(struct blob_upload *u, const void *data, size_t length);
bool blob_upload_finish_md5(struct blob_upload *u, struct error *e) MUST_CHECK;

struct azure_account;

/* Opens a container. Takes the content of account (wiped by blob_store_free). */
struct blob_store *azure_store_open(
    struct loop *loop, const struct config *config, const struct azure_account *account);

/* Opens a directory, an absolute path. */
struct blob_store *directory_store_open(struct loop *loop, const char *path);

/* Whether a name is a relative path of [A-Za-z0-9._/-] without "." and ".." in it: a name may come out of a
 * record that somebody else wrote. */
bool blob_name_is_valid(const char *name);

/* The head of content. */
static inline struct blob_content_head blob_content_head_of(const struct blob_content *content)
{
    return (struct blob_content_head){content->content_type, content->meta, content->meta_count};
}

/* What writing makes, but for the etag. */
void blob_head_properties(
    const struct blob_content_head *head, int64_t size, const char *md5, struct blob_properties *out);

/* Whether p's jobid and attempt are those of head: its own blob, from a try whose answer got lost. */
bool blob_head_is_own(const struct blob_content_head *head, const struct blob_properties *p);

/* Says that p's blob is somebody else's. */
void blob_explain_rival(const char *name, const struct blob_properties *p, struct error *e);

/* Whether the type and the metadata are what a header can carry. Fails: INVALID. */
bool blob_head_check(const struct blob_content_head *head, struct error *e) MUST_CHECK;

/* Copies a text from outside into a property, "" when text is NULL. */
void blob_property_set(char *out, size_t size, const char *text);

/* Fills the properties that are metadata. find gives the value of a name, NULL when there is none. */
typedef const char *blob_meta_find(const void *arg, const char *name);
void blob_properties_set_meta(struct blob_properties *out, blob_meta_find *find, const void *arg);

#endif
