/*
 * store: what a kind of blob store provides to blob.c. Private to common/blob.
 */
#ifndef JOBGATE_BLOB_STORE_H
#define JOBGATE_BLOB_STORE_H

#include "common/blob/blob.h"

/* The functions of blob.h, which says what they do. */
struct blob_store_kind {
    void (*free)(struct blob_store *s);
    void (*url)(const struct blob_store *s, const char *name, char *out, size_t size);
    struct blob_op *(*put)(struct blob_store *s, const char *name, const struct blob_content *content,
        blob_put_done *done, void *arg);
    struct blob_op *(*head)(struct blob_store *s, const char *name, blob_put_done *done, void *arg);
    struct blob_op *(*get)(
        struct blob_store *s, const char *name, const struct blob_reader *reader, void *arg);
    struct blob_op *(*delete)(struct blob_store *s, const char *name, blob_check_done *done, void *arg);
    struct blob_op *(*check)(struct blob_store *s, blob_check_done *done, void *arg);
    void (*resume)(struct blob_op *op);
    void (*cancel)(struct blob_op *op);
};

/* The first members of a kind's own structs. */
struct blob_store {
    const struct blob_store_kind *kind;
};
struct blob_op {
    const struct blob_store_kind *kind;
};

struct azure_account;

/* Opens a container. Takes the content of account (wiped by blob_store_free). */
struct blob_store *azure_store_open(
    struct loop *loop, const struct config *config, const struct azure_account *account);

/* Opens a directory, an absolute path. */
struct blob_store *directory_store_open(struct loop *loop, const char *path);

/* Whether a name is a relative path of [A-Za-z0-9._/-] without "." and ".." in it: a name may come out of a
 * record that somebody else wrote. */
bool blob_name_is_valid(const char *name);

/* What a put of content makes, but for the etag; md5 is that of its data. */
void blob_content_properties(
    const struct blob_content *content, const char *md5, struct blob_properties *out);

/* Whether p's jobid and attempt are those of content: its own blob, from a try whose answer got lost. */
bool blob_content_is_own(const struct blob_content *content, const struct blob_properties *p);

/* Whether the type and the metadata are what a header can carry. Fails: INVALID. */
bool blob_content_check(const struct blob_content *content, struct error *e) MUST_CHECK;

/* The MD5 of data in base64. Fails: INTERNAL, when OpenSSL has no MD5 (FIPS). */
bool blob_md5(const void *data, size_t length, char out[BLOB_MD5_SIZE], struct error *e) MUST_CHECK;

/* Copies a text from outside into a property, "" when text is NULL, and an attempt number, 0 when it is none.
 */
void blob_property_set(char *out, size_t size, const char *text);
int blob_attempt_parse(const char *text);

#endif
