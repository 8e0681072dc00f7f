/*
 * azure_priv: what the parts of the Azure store know of each other. Private to common/blob.
 */
#ifndef JOBGATE_BLOB_AZURE_PRIV_H
#define JOBGATE_BLOB_AZURE_PRIV_H

#include "common/blob/azure_request.h"
#include "common/blob/blocks.h"

struct azure_store {
    struct blob_store base;
    struct azure_client client;
    struct block_budget budget;
    struct link_keys *keys; /* of azure_link */
};

static inline struct azure_store *azure_of(struct blob_store *s)
{
    return (struct azure_store *)s;
}

static inline struct azure_client *azure_client_of(struct blob_store *s)
{
    return &azure_of(s)->client;
}

/* What the headers of an answer say of a blob. */
void azure_read_properties(const struct http_response *response, struct blob_properties *out);

/* Adds the type and the metadata of a blob that is made. */
void azure_add_content_lines(const struct blob_content_head *head, struct azure_lines *lines);

/* azure_write: makes a blob, with one Put Blob or from blocks that are staged, unless there is one of that
 * name; when there is, it looks whose. */
struct azure_write;

struct azure_write_ask {
    const char *name;              /* copied */
    struct blob_content_head head; /* borrowed, as all below */
    const void *body;              /* the content, or the list of blocks */
    size_t length;
    bool is_block_list;
    int64_t size;    /* of the blob */
    const char *md5; /* of the blob */
};

/* is_lost: the blocks are gone, and no blob is there. */
typedef void azure_write_done(
    void *arg, const struct blob_properties *properties, const struct error *e, bool is_lost);
struct azure_write *azure_write_start(
    struct azure_client *c, const struct azure_write_ask *ask, azure_write_done *done, void *arg);
void azure_write_cancel(struct azure_write *w); /* done is not called */

/* What signs links. */
void azure_keys_open(struct azure_store *s);
void azure_keys_close(struct azure_store *s);

/* The operations of blob.h. */
struct blob_op *azure_put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg);
struct blob_op *azure_head(struct blob_store *s, const char *name, blob_put_done *done, void *arg);
struct blob_op *azure_get(struct blob_store *s, const char *name, const struct blob_range *range,
    const struct blob_reader *reader, void *arg);
struct blob_op *azure_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg);
bool azure_can_link(const struct blob_store *s);
struct blob_op *azure_link(
    struct blob_store *s, const char *name, int64_t seconds, blob_link_done *done, void *arg);
struct blob_op *azure_delete(struct blob_store *s, const char *name, blob_check_done *done, void *arg);
struct blob_op *azure_set_tier(
    struct blob_store *s, const char *name, const char *tier, blob_check_done *done, void *arg);
struct blob_op *azure_check(struct blob_store *s, blob_check_done *done, void *arg);
struct blob_upload *azure_open_upload(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg);
size_t azure_upload_write(struct blob_upload *u, const void *data, size_t length);
void azure_upload_commit(
    struct blob_upload *u, const struct blob_content_head *head, blob_put_done *done, void *arg);
void azure_upload_cancel(struct blob_upload *u);

#endif
