#include "tests/support/depot.h"
#include "common/base/mem.h"
#include "tests/support/settings.h"

#include <check.h>

enum { PIECE = 65536, COMMITS_MAX = 50 };

struct depot {
    struct config config;
    struct loop *loop;
    struct blob_store *store;
    struct depot_end *end; /* of the call under way */
    struct blob_upload *upload;
    int64_t offset;
    int64_t total;
    char attempt[12];
    int commits;
    char *link;
    struct blob_meta meta[3];
    struct blob_content_head head;
};

static void finish(struct depot *d, const struct error *e)
{
    d->end->error = e ? *e : (struct error){0};
    loop_stop(d->loop);
}

static void on_check(void *arg, const struct error *e)
{
    finish(arg, e);
}

struct depot *depot_new(const char *const *settings)
{
    struct depot *d = mem_zalloc(sizeof(*d));
    struct error e;

    settings_load(&d->config, settings);
    d->loop = loop_new();
    d->store = blob_store_open(d->loop, &d->config, &e);
    ck_assert_msg(d->store != NULL, "%s", e.text);
    return d;
}

struct depot *depot_open(const char *const *settings)
{
    struct depot *d = depot_new(settings);
    struct depot_end end = {0};

    d->end = &end;
    blob_check(d->store, on_check, d);
    loop_run(d->loop);
    ck_assert_msg(end.error.code == ERROR_OK, "%s", end.error.text);
    return d;
}

struct depot *depot_free(struct depot *d)
{
    if (!d)
        return NULL;
    blob_store_free(d->store);
    loop_free(d->loop);
    config_release(&d->config);
    free(d);
    return NULL;
}

struct blob_store *depot_store(struct depot *d)
{
    return d->store;
}

struct loop *depot_loop(struct depot *d)
{
    return d->loop;
}

static unsigned char byte_at(int64_t offset)
{
    uint64_t x = (uint64_t)offset * 0x9E3779B97F4A7C15u;

    return (unsigned char)(x >> 56 ^ x >> 17);
}

void depot_fill(void *out, int64_t offset, size_t length)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(offset + (int64_t)i);
}

/* ---- writing ---- */

static void begin(struct depot *d, const char *attempt, struct depot_end *end)
{
    *end = (struct depot_end){.properties = {.size = -2}};
    d->end = end;
    snprintf(d->attempt, sizeof(d->attempt), "%s", attempt);
    d->meta[0] = (struct blob_meta){"jobid", "default.0.X"};
    d->meta[1] = (struct blob_meta){"attempt", d->attempt};
    d->meta[2] = (struct blob_meta){"owner", "ann"};
    d->head = (struct blob_content_head){"text/plain", d->meta, ARRAY_LENGTH(d->meta)};
}

static void on_put(void *arg, const struct blob_properties *p, const struct error *e)
{
    struct depot *d = arg;

    if (p)
        d->end->properties = *p;
    finish(d, e);
}

void depot_put(struct depot *d, const char *name, int64_t length, const char *attempt, struct depot_end *end)
{
    char *data = mem_alloc(length ? (size_t)length : 1);
    struct blob_content content;

    begin(d, attempt, end);
    depot_fill(data, 0, (size_t)length);
    content = (struct blob_content){data, (size_t)length, "text/plain", d->meta, ARRAY_LENGTH(d->meta)};
    blob_put(d->store, name, &content, on_put, d);
    loop_run(d->loop);
    free(data);
}

static void on_committed(void *arg, const struct blob_properties *p, const struct error *e)
{
    struct depot *d = arg;

    if (e && e->code != ERROR_EXISTS && !blob_upload_failure(d->upload) && ++d->commits < COMMITS_MAX) {
        blob_upload_commit(d->upload, &d->head, on_committed, d);
        return;
    }
    on_put(d, p, e);
}

static void write_more(void *arg)
{
    struct depot *d = arg;
    char piece[PIECE];

    while (d->offset < d->total) {
        size_t length = d->total - d->offset < PIECE ? (size_t)(d->total - d->offset) : PIECE;
        size_t taken;

        depot_fill(piece, d->offset, length);
        taken = blob_upload_write(d->upload, piece, length);
        d->offset += (int64_t)taken;
        if (taken < length)
            return;
    }
    blob_upload_commit(d->upload, &d->head, on_committed, d);
}

void depot_upload(
    struct depot *d, const char *name, int64_t length, const char *attempt, struct depot_end *end)
{
    begin(d, attempt, end);
    d->offset = 0;
    d->total = length;
    d->commits = 0;
    d->upload = blob_upload_open(d->store, name, write_more, d);
    write_more(d);
    loop_run(d->loop);
    d->upload = blob_upload_cancel(d->upload);
}

/* ---- reading ---- */

static void on_head(void *arg, const struct blob_properties *p)
{
    ((struct depot *)arg)->end->properties = *p;
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct depot_end *end = ((struct depot *)arg)->end;
    const unsigned char *bytes = data;

    for (size_t i = 0; i < length; i++)
        end->is_right &= bytes[i] == byte_at(end->length + (int64_t)i);
    end->length += (int64_t)length;
    return true;
}

void depot_read(struct depot *d, const char *name, struct depot_end *end)
{
    static const struct blob_reader reader = {on_head, on_data, on_check};

    begin(d, "1", end);
    end->is_right = true;
    blob_get(d->store, name, NULL, &reader, d);
    loop_run(d->loop);
}

static void on_link(void *arg, const char *url, const struct error *e)
{
    struct depot *d = arg;

    d->link = url ? mem_strdup(url) : NULL;
    finish(d, e);
}

char *depot_link(struct depot *d, const char *name)
{
    struct depot_end end;

    begin(d, "1", &end);
    blob_link(d->store, name, 300, on_link, d);
    loop_run(d->loop);
    ck_assert_msg(end.error.code == ERROR_OK, "%s", end.error.text);
    return d->link;
}
