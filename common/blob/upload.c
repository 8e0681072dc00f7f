#include "common/base/mem.h"
#include "common/blob/store.h"

struct blob_upload *blob_upload_open(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg)
{
    return s->kind->open_upload(s, name, on_room, arg);
}

size_t blob_upload_write(struct blob_upload *u, const void *data, size_t length)
{
    return u->failure.code ? length : u->store->kind->write(u, data, length);
}

const struct error *blob_upload_failure(const struct blob_upload *u)
{
    return u->failure.code ? &u->failure : NULL;
}

int64_t blob_upload_size(const struct blob_upload *u)
{
    return u->size;
}

const char *blob_upload_md5(const struct blob_upload *u)
{
    return u->md5;
}

void blob_upload_commit(
    struct blob_upload *u, const struct blob_content_head *head, blob_put_done *done, void *arg)
{
    u->store->kind->commit(u, head, done, arg);
}

struct blob_upload *blob_upload_cancel(struct blob_upload *u)
{
    if (u)
        u->store->kind->cancel_upload(u);
    return NULL;
}

void *blob_upload_new(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg, size_t size)
{
    struct blob_upload *u = mem_zalloc(size);

    u->store = s;
    u->on_room = on_room;
    u->arg = arg;
    u->md5_running = EVP_MD_CTX_new();
    if (!u->md5_running)
        abort(); /* out of memory: mem.h's policy */
    snprintf(u->name, sizeof(u->name), "%s", name);
    LIST_INSERT_HEAD(&s->uploads, u, link);
    if (!blob_name_is_valid(name))
        error_set(&u->failure, ERROR_INVALID, "\"%.100s\" is not the name of a blob", name);
    else if (!EVP_DigestInit_ex(u->md5_running, EVP_md5(), NULL))
        error_set(&u->failure, ERROR_INTERNAL,
            "OpenSSL has no MD5 here (FIPS mode?), which the store's checks of integrity take");
    return u;
}

void blob_upload_free(struct blob_upload *u)
{
    LIST_REMOVE(u, link);
    EVP_MD_CTX_free(u->md5_running);
    free(u);
}

void blob_upload_taken(struct blob_upload *u, const void *data, size_t length)
{
    u->size += (int64_t)length;
    EVP_DigestUpdate(u->md5_running, data, length);
}

bool blob_upload_finish_md5(struct blob_upload *u, struct error *e)
{
    unsigned char md5[EVP_MAX_MD_SIZE];

    if (*u->md5)
        return true;
    if (!EVP_DigestFinal_ex(u->md5_running, md5, NULL))
        return error_set(e, ERROR_INTERNAL, "OpenSSL cannot make an MD5");
    EVP_EncodeBlock((unsigned char *)u->md5, md5, 16);
    return true;
}
