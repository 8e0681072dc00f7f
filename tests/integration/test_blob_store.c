/*
 * The blob store's interface on a directory and on Azurite: what is written in pieces is read back whole or
 * in part, listed and removed. In this process, without the programs.
 */
#include <check.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/blob/store.h"
#include "tests/support/azurite.h"
#include "tests/support/process.h"

Suite *blob_store_suite(void);

#define NAME "results/ab/default/default.0.X"
#define RIVAL "default.0.X"

enum { ON_DIRECTORY, ON_AZURITE, STORES, BLOCK = BLOB_BLOCK_BYTES };

static struct azurite *azurite;
static char directory[PROCESS_PATH_SIZE];
static struct loop *l;
static struct config config;
static struct blob_store *store;

/* How one operation ended, copied. */
static int ends;
static struct error error; /* ERROR_OK: well */
static struct blob_properties properties;
static EVP_MD_CTX *md5;
static int64_t got_bytes;
static struct blob_page page;
static struct blob_item items[BLOB_PAGE_MAX];
static char next[512];

/* ---- the store ---- */

static const char *lookup(void *arg, const char *name)
{
    const char *setting = arg;
    size_t length = strlen(name);

    if (strncmp(setting, name, length) == 0 && setting[length] == '=')
        return setting + length + 1;
    return strcmp(name, "HANDLERS_FILE") == 0 ? "/x" : NULL;
}

static void keep_end(const struct error *e)
{
    ends++;
    error = e ? *e : (struct error){0};
    loop_stop(l);
}

static void run(void)
{
    ends = 0;
    loop_run(l);
    ck_assert_int_eq(ends, 1);
}

static void run_well(void)
{
    run();
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
}

static void on_end(void *UNUSED(arg), const struct error *e)
{
    keep_end(e);
}

static void open_store(int kind)
{
    AUTO_BUF struct buf mistakes = BUF(4096);
    char setting[PROCESS_PATH_SIZE + 64];
    struct error e;

    if (kind == ON_AZURITE)
        azurite = azurite_start();
    else
        directory_make(directory);
    snprintf(setting, sizeof(setting), "BLOB_URL=file://%s/blobs", directory);
    ck_assert_msg(config_load(&config, FOR_WORKER, lookup,
                      kind == ON_AZURITE ? (void *)azurite_setting(azurite) : setting, &mistakes),
        "%s", mistakes.data);
    l = loop_new();
    store = blob_store_open(l, &config, &e);
    ck_assert_msg(store != NULL, "%s", e.text);
    blob_check(store, on_end, NULL);
    run_well();
}

static void open_it(void)
{
    md5 = EVP_MD_CTX_new();
}

static void close_it(void)
{
    store = blob_store_free(store);
    config_release(&config);
    l = loop_free(l);
    azurite = azurite_free(azurite);
    if (*directory)
        directory_remove(directory);
    *directory = '\0';
    EVP_MD_CTX_free(md5);
}

/* ---- the content: a byte for each place, so that a block in the wrong place shows ---- */

static unsigned char byte_at(int64_t offset)
{
    uint64_t x = (uint64_t)offset * 0x9E3779B97F4A7C15u;

    return (unsigned char)(x >> 56 ^ x >> 17);
}

static void fill(unsigned char *out, int64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = byte_at(offset + (int64_t)i);
}

static void md5_of(int64_t length, char out[BLOB_MD5_SIZE])
{
    unsigned char *all = mem_alloc(length ? (size_t)length : 1);
    struct error e;

    fill(all, 0, (size_t)length);
    ck_assert(blob_md5(all, (size_t)length, out, &e));
    free(all);
}

/* ---- uploads ---- */

struct writer {
    struct blob_upload *upload;
    int64_t left;
    int64_t offset;
    size_t piece;
    const char *attempt;
    int rooms; /* how often on_room came */
};

static const struct blob_meta meta_of[] = {
    {"jobid", RIVAL}, {"attempt", "1"}, {"owner", "ann"}, {"expires", "2030-01-01T00:00:00.000Z"}};
static struct blob_meta meta[ARRAY_LENGTH(meta_of)];
static struct blob_content_head head = {"text/plain", meta, ARRAY_LENGTH(meta)};

static void on_put(void *UNUSED(arg), const struct blob_properties *p, const struct error *e)
{
    properties = p ? *p : (struct blob_properties){.size = -2};
    keep_end(e);
}

static void write_more(struct writer *w)
{
    unsigned char piece[65536];

    while (w->left > 0) {
        size_t length = (int64_t)w->piece < w->left ? w->piece : (size_t)w->left;
        size_t n;

        fill(piece, w->offset, length);
        n = blob_upload_write(w->upload, piece, length);
        w->offset += (int64_t)n;
        w->left -= (int64_t)n;
        if (n < length)
            return;
    }
    memcpy(meta, meta_of, sizeof(meta));
    meta[1].value = w->attempt;
    blob_upload_commit(w->upload, &head, on_put, w);
}

static void on_room(void *arg)
{
    struct writer *w = arg;

    w->rooms++;
    write_more(w);
}

static void begin(struct writer *w, const char *name, int64_t length, size_t piece)
{
    *w = (struct writer){.left = length, .piece = piece, .attempt = "1"};
    w->upload = blob_upload_open(store, name, on_room, w);
}

static void upload(const char *name, int64_t length, size_t piece)
{
    struct writer w;

    /* Azurite may take another's blocks that wait for their commit for a blob: like the worker, ask again. */
    for (int tries = 1;; tries++) {
        begin(&w, name, length, piece);
        write_more(&w);
        run();
        if (error.code != ERROR_STORE_AWAY || tries == 5)
            break;
        blob_upload_cancel(w.upload);
    }
    ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
    ck_assert_int_eq(blob_upload_size(w.upload), length);
    ck_assert_str_eq(blob_upload_md5(w.upload), properties.md5);
    blob_upload_cancel(w.upload);
}

/* ---- reading ---- */

static int64_t read_from;

static void on_head(void *UNUSED(arg), const struct blob_properties *p)
{
    properties = *p;
}

static bool on_data(void *UNUSED(arg), const void *data, size_t length)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < length; i++)
        ck_assert_int_eq(bytes[i], byte_at(read_from + got_bytes + (int64_t)i));
    EVP_DigestUpdate(md5, data, length);
    got_bytes += (int64_t)length;
    return true;
}

static const struct blob_reader reader = {on_head, on_data, on_end};

static void read_range(const char *name, const struct blob_range *range)
{
    got_bytes = 0;
    read_from = range ? range->offset : 0;
    properties = (struct blob_properties){.size = -2};
    EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    blob_get(store, name, range, &reader, NULL);
    run();
}

static const struct {
    int64_t length;
    size_t piece;
} sizes[] = {
    {0, 1},
    {1, 1},
    {1024, 1024},
    {65536, 4096},
    {65537, 65536},
    {BLOCK - 1, 65536},
    {BLOCK, 65536},
    {BLOCK + 1, 65536},
    {2 * BLOCK, 65536},
    {3 * BLOCK + 12345, 33333},
};

static void write_and_read(int kind)
{
    char expected[BLOB_MD5_SIZE];
    char name[64];

    open_store(kind);
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        snprintf(name, sizeof(name), "results/ab/default/x%zu", i);
        md5_of(sizes[i].length, expected);
        upload(name, sizes[i].length, sizes[i].piece);
        ck_assert_int_eq(properties.size, sizes[i].length);
        ck_assert_str_eq(properties.md5, expected);
        read_range(name, NULL);
        ck_assert_msg(error.code == ERROR_OK, "%s", error.text);
        ck_assert_int_eq(got_bytes, sizes[i].length);
        ck_assert_int_eq(properties.size, sizes[i].length);
        ck_assert_str_eq(properties.md5, expected);
        ck_assert_str_eq(properties.content_type, "text/plain");
        ck_assert_str_eq(properties.job_id, RIVAL);
        ck_assert_str_eq(properties.owner, "ann");
        ck_assert_str_eq(properties.expires, "2030-01-01T00:00:00.000Z");
        ck_assert_int_gt(properties.modified_ms, 0);
    }
}

START_TEST(what_is_uploaded_is_read_back)
{
    write_and_read(_i);
}
END_TEST

static const struct {
    int64_t offset;
    int64_t length;
    int64_t expected; /* bytes; -1: BAD_RANGE */
} ranges[] = {
    {0, -1, 100000},
    {0, 1, 1},
    {99999, -1, 1},
    {99999, 1000, 1},
    {50000, 25000, 25000},
    {100000, -1, -1},
    {123456, 1, -1},
};

START_TEST(a_range_is_read)
{
    char etag[BLOB_ETAG_SIZE];

    open_store(_i);
    upload(NAME, 100000, 65536);
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        read_range(NAME, &(struct blob_range){ranges[i].offset, ranges[i].length, ""});
        ck_assert_msg(
            error.code == (ranges[i].expected < 0 ? ERROR_BAD_RANGE : ERROR_OK), "%zu: %s", i, error.text);
        ck_assert_int_eq(got_bytes, ranges[i].expected < 0 ? 0 : ranges[i].expected);
        ck_assert_int_eq(properties.size, ranges[i].expected < 0 ? -2 : 100000);
    }
    read_range(NAME, &(struct blob_range){0, 10, ""});
    snprintf(etag, sizeof(etag), "%s", properties.etag);
    read_range(NAME, &(struct blob_range){5, 10, etag});
    ck_assert_int_eq(error.code, ERROR_OK);
    ck_assert_int_eq(got_bytes, 10);
    read_range(NAME, &(struct blob_range){5, 10, "\"another\""});
    ck_assert_int_eq(error.code, ERROR_CHANGED);
    ck_assert_int_eq(properties.size, -2);
    read_range("results/ab/default/none", &(struct blob_range){5, 10, ""});
    ck_assert_int_eq(error.code, ERROR_NOT_FOUND);
}
END_TEST

/* Two attempts write the same name at the same time. */
START_TEST(the_first_commit_wins)
{
    static const int64_t lengths[][2] = {
        {1000, 1000}, {1000, 2 * BLOCK}, {2 * BLOCK, 1000}, {2 * BLOCK, 3 * BLOCK}};

    open_store(_i);
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        struct writer second;
        unsigned char data[65536];
        char name[64];
        int64_t done = 0;

        snprintf(name, sizeof(name), "results/ab/default/r%zu", i);
        begin(&second, name, 0, 65536);
        second.attempt = "2";
        while (done < lengths[i][1]) { /* all of it, as the store takes it */
            size_t n = (size_t)(lengths[i][1] - done < 65536 ? lengths[i][1] - done : 65536);

            fill(data, done, n);
            n = blob_upload_write(second.upload, data, n);
            done += (int64_t)n;
            if (n == 0)
                event_base_loop(loop_base(l), EVLOOP_ONCE);
        }
        upload(name, lengths[i][0], 65536);
        ck_assert_int_eq(properties.attempt, 1);
        write_more(&second);
        run();
        ck_assert_msg(error.code == ERROR_EXISTS, "%zu: %s", i, error.text);
        ck_assert_int_eq(properties.attempt, 1);
        ck_assert_int_eq(properties.size, lengths[i][0]);
        blob_upload_cancel(second.upload);
        read_range(name, NULL);
        ck_assert_int_eq(got_bytes, lengths[i][0]);
    }
}
END_TEST

/* The same attempt finds its own blob, as after an answer that got lost. */
START_TEST(ones_own_blob_counts_as_written)
{
    open_store(_i);
    upload(NAME, 3 * BLOCK, 65536);
    upload(NAME, 3 * BLOCK, 65536);
    ck_assert_int_eq(properties.size, 3 * BLOCK);
}
END_TEST

/* ---- lists ---- */

static void on_page(void *UNUSED(arg), const struct blob_page *p, const struct error *e)
{
    page = p ? *p : (struct blob_page){0};
    if (p) {
        memcpy(items, p->items, p->count * sizeof(*items));
        snprintf(next, sizeof(next), "%s", p->next);
    }
    keep_end(e);
}

START_TEST(a_list_is_paged_in_order)
{
    static const char *const names[] = {"logs/ab/q/a/1", "results/aa/q/z", "results/ab/p/a", "results/ab/q/a",
        "results/ab/q/b", "results/ab/q/c", "results/ac/q/a"};
    int seen = 0;

    open_store(_i);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        upload(names[i], (int64_t)i, 100);
    *next = '\0';
    do {
        blob_list(store, "results/ab/", next, 3, on_page, NULL);
        run_well();
        ck_assert_uint_le(page.count, 3);
        for (size_t i = 0; i < page.count; i++) {
            ck_assert_str_eq(items[i].name, names[2 + seen]);
            ck_assert_int_eq(items[i].properties.size, 2 + seen);
            ck_assert_str_eq(items[i].properties.job_id, RIVAL);
            ck_assert_str_eq(items[i].properties.expires, "2030-01-01T00:00:00.000Z");
            ck_assert_int_gt(items[i].properties.modified_ms, 0);
            seen++;
        }
    } while (*next);
    ck_assert_int_eq(seen, 4);
    blob_list(store, "results/zz/", "", BLOB_PAGE_MAX, on_page, NULL);
    run_well();
    ck_assert_uint_eq(page.count, 0);
}
END_TEST

START_TEST(a_removed_blob_is_gone)
{
    open_store(_i);
    upload(NAME, 10, 10);
    blob_set_tier(store, NAME, "Cool", on_end, NULL);
    run_well();
    blob_delete(store, NAME, on_end, NULL);
    run_well();
    blob_delete(store, NAME, on_end, NULL);
    run_well();
    read_range(NAME, NULL);
    ck_assert_int_eq(error.code, ERROR_NOT_FOUND);
    blob_set_tier(store, NAME, "Cool", on_end, NULL);
    run();
    ck_assert_int_eq(error.code, ERROR_NOT_FOUND);
}
END_TEST

/* Cancelled at any moment, an upload leaves no blob and calls nobody. */
START_TEST(a_cancelled_upload_leaves_nothing)
{
    struct writer w;

    open_store(_i);
    begin(&w, NAME, 3 * BLOCK, 65536);
    blob_upload_cancel(w.upload);
    begin(&w, NAME, 3 * BLOCK, 65536);
    w.left = 2 * BLOCK + 5;
    for (unsigned char data[65536]; w.left > 0; w.left -= (int64_t)sizeof(data))
        blob_upload_write(w.upload, data, sizeof(data));
    blob_upload_cancel(w.upload);
    begin(&w, NAME, 100, 65536);
    write_more(&w); /* commits */
    blob_upload_cancel(w.upload);
    blob_list(store, "results/cc/", "", 10, on_page, NULL);
    run_well();
    blob_upload_open(store, NAME, on_room, &w); /* ended with the store */
}
END_TEST

Suite *blob_store_suite(void)
{
    Suite *suite = suite_create("blob_store");
    TCase *tcase = tcase_create("blob_store");

    tcase_add_checked_fixture(tcase, open_it, close_it);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, what_is_uploaded_is_read_back, 0, STORES);
    tcase_add_loop_test(tcase, a_range_is_read, 0, STORES);
    tcase_add_loop_test(tcase, the_first_commit_wins, 0, STORES);
    tcase_add_loop_test(tcase, ones_own_blob_counts_as_written, 0, STORES);
    tcase_add_loop_test(tcase, a_list_is_paged_in_order, 0, STORES);
    tcase_add_loop_test(tcase, a_removed_blob_is_gone, 0, STORES);
    tcase_add_loop_test(tcase, a_cancelled_upload_leaves_nothing, 0, STORES);
    suite_add_tcase(suite, tcase);
    return suite;
}
