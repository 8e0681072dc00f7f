#include "common/blob/blob.h"
#include "common/azure/account.h"
#include "common/base/mem.h"
#include "common/blob/store.h"

#include <ctype.h>
#include <event2/http.h>
#include <openssl/evp.h>
#include <strings.h>

#define DEFAULT_URL "file:///var/lib/jobgate/blobs"

enum { PATH_SIZE = 2048 };

/* Writes the path of file:///path. */
static bool parse_file_url(const char *url, char out[PATH_SIZE], struct error *e)
{
    const char *path = url + strlen("file://");
    size_t length = 0;
    char *decoded;

    if (strncmp(path, "localhost/", strlen("localhost/")) == 0)
        path += strlen("localhost");
    if (*path != '/')
        return error_set(e, ERROR_INVALID,
            "BLOB_URL: \"%.80s\" does not name an absolute directory: it reads like "
            "file:///var/lib/jobgate/blobs, with "
            "three slashes",
            url);
    decoded = evhttp_uridecode(path, 0, &length);
    if (!decoded || strlen(decoded) != length || length >= PATH_SIZE) {
        free(decoded);
        return error_set(
            e, ERROR_INVALID, "BLOB_URL: the path holds a NUL or is longer than %d bytes", PATH_SIZE - 1);
    }
    while (length > 1 && decoded[length - 1] == '/')
        decoded[--length] = '\0';
    snprintf(out, PATH_SIZE, "%s", decoded);
    free(decoded);
    return true;
}

static bool is_file_url(const char *url)
{
    return strncasecmp(url, "file://", strlen("file://")) == 0;
}

/* Reads the settings: either *path is filled, or it is left empty and *account is. */
static bool read_settings(
    const struct config *config, char path[PATH_SIZE], struct azure_account *account, struct error *e)
{
    const char *url = config->blob_url;

    path[0] = '\0';
    if (*url && *config->blob_connection_string)
        return error_set(
            e, ERROR_INVALID, "BLOB_URL: is set, and AZURE_STORAGE_CONNECTION_STRING too: keep one");
    if (!*url && !*config->blob_connection_string && !*config->storage_account)
        url = DEFAULT_URL;
    if (is_file_url(url))
        return parse_file_url(url, path, e);
    return azure_account_from_config(account, config, e);
}

bool blob_settings_check(const struct config *config, struct error *e)
{
    struct azure_account account = {0};
    char path[PATH_SIZE];
    bool is_right = read_settings(config, path, &account, e);

    azure_account_release(&account);
    return is_right;
}

struct blob_store *blob_store_open(struct loop *loop, const struct config *config, struct error *e)
{
    struct azure_account account = {0};
    struct blob_store *s = NULL;
    char path[PATH_SIZE];

    if (read_settings(config, path, &account, e))
        s = *path ? directory_store_open(loop, path) : azure_store_open(loop, config, &account);
    azure_account_release(&account);
    return s;
}

struct blob_store *blob_store_free(struct blob_store *s)
{
    if (!s)
        return NULL;
    while (!LIST_EMPTY(&s->uploads))
        blob_upload_cancel(LIST_FIRST(&s->uploads));
    while (!LIST_EMPTY(&s->ops))
        blob_cancel(LIST_FIRST(&s->ops));
    s->kind->free(s);
    return NULL;
}

void blob_url(const struct blob_store *s, const char *name, char *out, size_t size)
{
    s->kind->url(s, name, out, size);
}

void blob_name(const char *folder, const struct job_id *id, char out[BLOB_NAME_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    int length;

    if (!EVP_Digest(id->text, strlen(id->text), hash, NULL, EVP_sha256(), NULL))
        abort(); /* every OpenSSL has SHA-256: it is out of memory, mem.h's policy */
    length = snprintf(out, BLOB_NAME_SIZE, "%s/%02x/%s/%s", folder, hash[0], id->shard.queue, id->text);
    assert(length < BLOB_NAME_SIZE);
}

struct blob_op *blob_put(struct blob_store *s, const char *name, const struct blob_content *content,
    blob_put_done *done, void *arg)
{
    return s->kind->put(s, name, content, done, arg);
}

struct blob_op *blob_head(struct blob_store *s, const char *name, blob_put_done *done, void *arg)
{
    return s->kind->head(s, name, done, arg);
}

struct blob_op *blob_get(struct blob_store *s, const char *name, const struct blob_range *range,
    const struct blob_reader *reader, void *arg)
{
    return s->kind->get(s, name, range, reader, arg);
}

void blob_resume(struct blob_op *op)
{
    if (op->kind->resume)
        op->kind->resume(op);
}

struct blob_op *blob_list(
    struct blob_store *s, const char *prefix, const char *marker, int max, blob_list_done *done, void *arg)
{
    return s->kind->list(s, prefix, marker, max, done, arg);
}

bool blob_can_link(const struct blob_store *s)
{
    return s->kind->can_link(s);
}

struct blob_op *blob_link(
    struct blob_store *s, const char *name, int64_t seconds, blob_link_done *done, void *arg)
{
    return s->kind->link(s, name, seconds, done, arg);
}

struct blob_op *blob_delete(struct blob_store *s, const char *name, blob_check_done *done, void *arg)
{
    return s->kind->delete (s, name, done, arg);
}

struct blob_op *blob_set_tier(
    struct blob_store *s, const char *name, const char *tier, blob_check_done *done, void *arg)
{
    return s->kind->set_tier(s, name, tier, done, arg);
}

struct blob_op *blob_check(struct blob_store *s, blob_check_done *done, void *arg)
{
    return s->kind->check(s, done, arg);
}

void blob_cancel(struct blob_op *op)
{
    op->kind->cancel(op);
}

void *blob_op_new(struct blob_store *s, const struct blob_op_kind *kind, size_t size)
{
    struct blob_op *op = mem_zalloc(size);

    op->kind = kind;
    LIST_INSERT_HEAD(&s->ops, op, link);
    return op;
}

void blob_op_free(struct blob_op *op)
{
    LIST_REMOVE(op, link);
    free(op);
}

bool blob_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    const char *at = name;

    if (length == 0 || length >= BLOB_NAME_SIZE)
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._/-", *c))
            return false;
    for (;;) {
        size_t segment = strcspn(at, "/");

        if (segment == 0 || (segment == 1 && at[0] == '.') || (segment == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        if (!at[segment])
            return true;
        at += segment + 1;
    }
}

void blob_property_set(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

/* An attempt number; 0 when text is none. */
static int parse_attempt(const char *text)
{
    char *end;
    long attempt;

    if (!text || !isdigit((unsigned char)*text))
        return 0;
    attempt = strtol(text, &end, 10);
    return *end || attempt > INT32_MAX ? 0 : (int)attempt;
}

void blob_properties_set_meta(struct blob_properties *out, blob_meta_find *find, const void *arg)
{
    const struct {
        const char *name;
        char *at;
        size_t size;
    } texts[] = {
        {"jobid", out->job_id, sizeof(out->job_id)},
        {"owner", out->owner, sizeof(out->owner)},
        {"type", out->type, sizeof(out->type)},
        {"state", out->state, sizeof(out->state)},
        {"created", out->created, sizeof(out->created)},
        {"started", out->started, sizeof(out->started)},
        {"finished", out->finished, sizeof(out->finished)},
        {"expires", out->expires, sizeof(out->expires)},
        {"worker", out->worker, sizeof(out->worker)},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        blob_property_set(texts[i].at, texts[i].size, find(arg, texts[i].name));
    out->attempt = parse_attempt(find(arg, "attempt"));
}

static const char *find_meta(const void *arg, const char *name)
{
    const struct blob_content_head *head = arg;

    for (size_t i = 0; i < head->meta_count; i++)
        if (strcmp(head->meta[i].name, name) == 0)
            return head->meta[i].value;
    return NULL;
}

void blob_head_properties(
    const struct blob_content_head *head, int64_t size, const char *md5, struct blob_properties *out)
{
    *out = (struct blob_properties){.size = size};
    blob_property_set(out->content_type, sizeof(out->content_type), head->content_type);
    blob_property_set(out->md5, sizeof(out->md5), md5);
    blob_properties_set_meta(out, find_meta, head);
}

bool blob_head_is_own(const struct blob_content_head *head, const struct blob_properties *p)
{
    const char *job_id = find_meta(head, "jobid");

    return job_id && *job_id && strcmp(p->job_id, job_id) == 0 &&
           p->attempt == parse_attempt(find_meta(head, "attempt"));
}

void blob_explain_rival(const char *name, const struct blob_properties *p, struct error *e)
{
    error_set(e, ERROR_EXISTS, "%.160s exists already, written by %.80s", name,
        *p->job_id ? p->job_id : "somebody else");
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static bool is_meta_name(const char *name)
{
    return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

bool blob_head_check(const struct blob_content_head *head, struct error *e)
{
    size_t bytes = 0;

    if (head->meta_count > BLOB_META_MAX)
        return error_set(e, ERROR_INVALID, "a blob can have %d pairs of metadata, not %zu", BLOB_META_MAX,
            head->meta_count);
    if (!*head->content_type || !is_printable(head->content_type))
        return error_set(e, ERROR_INVALID, "the content type of a blob is to be printable ASCII");
    for (size_t i = 0; i < head->meta_count; i++) {
        const struct blob_meta *m = &head->meta[i];

        if (!is_meta_name(m->name) || !is_printable(m->value))
            return error_set(e, ERROR_INVALID,
                "the metadata \"%.40s\" of a blob is to have a name of [a-z_]+ and a value of printable "
                "ASCII",
                m->name);
        bytes += strlen(m->name) + strlen(m->value);
    }
    if (bytes > BLOB_META_BYTES_MAX)
        return error_set(
            e, ERROR_INVALID, "the metadata of a blob has %zu bytes: %d fit", bytes, BLOB_META_BYTES_MAX);
    return true;
}

bool blob_md5(const void *data, size_t length, char out[BLOB_MD5_SIZE], struct error *e)
{
    unsigned char md5[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(length ? data : "", length, md5, NULL, EVP_md5(), NULL))
        return error_set(e, ERROR_INTERNAL, "OpenSSL has no MD5 here (FIPS mode?), which Content-MD5 takes");
    EVP_EncodeBlock((unsigned char *)out, md5, 16);
    return true;
}
