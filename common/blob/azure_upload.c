#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/blob/azure_priv.h"

#include <sys/random.h>

/*
 * A block's id is "<nonce>-<number>", 16 and 7 characters, in base64: of one length within the blob, as the
 * service wants it, and of nobody else, so that two attempts that write at the same time can't mix theirs.
 * Source: Azure Storage REST, "Put Block" and "Put Block List".
 */
enum {
    STAGING_MAX = 4, /* blocks of one upload under way at a time */
    BLOCKS_MAX = 50000,
    REFUSALS_MAX = 3,
    REFUSED_FIRST_MS = 1000,
    REFUSED_LONGEST_MS = 10000,
    NONCE_SIZE = 17,
    ID_SIZE = 33,
    LIST_ENTRY_BYTES = 64,
};

/* A block on its way to the store. */
struct staged {
    struct azure_upload *upload;
    struct block block;
    char id[ID_SIZE];
    char md5[BLOB_MD5_SIZE];
    struct azure_request *request; /* NULL while `again` runs */
    struct timer again;
    int refusals;
    TAILQ_ENTRY(staged) link;
};

struct azure_upload {
    struct blob_upload base;
    char nonce[NONCE_SIZE];
    struct block block; /* being filled */
    EVP_MD_CTX *md5_block;
    TAILQ_HEAD(, staged) staging;
    int staging_count;
    int blocks;   /* that were sent, or are being sent */
    bool is_full; /* a write came up short: on_room is owed */
    bool is_committing;
    struct timer room;
    /* The commit. */
    struct blob_content_head head;
    blob_put_done *done;
    void *done_arg;
    struct buf list;
    struct azure_write *write;
    struct timer failing;
    struct error error;
};

static void stage(struct staged *b);
static void write_blob(struct azure_upload *u);

static struct azure_upload *upload_of(struct blob_upload *base)
{
    return (struct azure_upload *)base;
}

static struct azure_store *store_of(const struct azure_upload *u)
{
    return azure_of(u->base.store);
}

/* ---- telling the writer ---- */

static void on_room_due(void *arg)
{
    struct azure_upload *u = arg;

    if (!u->is_full)
        return;
    u->is_full = false;
    if (u->base.on_room)
        u->base.on_room(u->base.arg);
}

/* Buffers were given back: whoever waits for some may try again. */
static void tell_waiting(struct azure_store *s)
{
    struct blob_upload *base;

    LIST_FOREACH(base, &s->base.uploads, link)
    {
        struct azure_upload *u = upload_of(base);

        if (u->is_full)
            timer_start(&u->room, 0);
    }
}

static void finish_commit(struct azure_upload *u, const struct blob_properties *p, const struct error *e)
{
    u->is_committing = false;
    u->done(u->done_arg, p, e);
}

static void on_failing(void *arg)
{
    struct azure_upload *u = arg;

    finish_commit(u, NULL, u->base.failure.code ? &u->base.failure : &u->error);
}

/* ---- blocks ---- */

static void free_staged(struct staged *b)
{
    struct azure_upload *u = b->upload;

    if (b->request)
        azure_cancel(b->request);
    timer_stop(&b->again);
    block_release(&b->block, &store_of(u)->budget);
    TAILQ_REMOVE(&u->staging, b, link);
    u->staging_count--;
    free(b);
}

static void drop_blocks(struct azure_upload *u)
{
    for (struct staged *b = TAILQ_FIRST(&u->staging), *next; b; b = next) {
        next = TAILQ_NEXT(b, link);
        free_staged(b);
    }
    block_release(&u->block, &store_of(u)->budget);
}

/* The upload can't succeed any more. */
static void fail_for_good(struct azure_upload *u, const struct error *e)
{
    u->base.failure = *e;
    drop_blocks(u);
    tell_waiting(store_of(u));
    u->is_full = !u->is_committing;
    timer_start(u->is_committing ? &u->failing : &u->room, 0);
}

/* What is refused may be allowed in a while: a role that is being assigned, a container that is made at the
 * next check. Only what is refused several times, while there is an answer, is refused for good. */
static void stage_later(struct staged *b, const struct azure_outcome *o)
{
    bool is_refused = o->error->code == ERROR_STORE_REFUSED || o->error->code == ERROR_INVALID;
    struct log_context context = {.component = "blob"};
    int64_t wait_ms = REFUSED_FIRST_MS;

    if (is_refused && ++b->refusals >= REFUSALS_MAX) {
        fail_for_good(b->upload, o->error);
        return;
    }
    for (int i = 1; i < b->refusals; i++)
        wait_ms *= 2;
    log_warn(&context, "a block is tried again in %lld ms: %s", (long long)wait_ms, o->error->text);
    timer_start(&b->again, wait_ms < REFUSED_LONGEST_MS ? wait_ms : REFUSED_LONGEST_MS);
}

static void on_staged(void *arg, const struct azure_outcome *o)
{
    struct staged *b = arg;
    struct azure_upload *u = b->upload;

    b->request = NULL;
    if (o->error) {
        stage_later(b, o);
        return;
    }
    free_staged(b);
    tell_waiting(store_of(u));
    if (u->is_committing && TAILQ_EMPTY(&u->staging))
        write_blob(u);
}

static void add_block_lines(void *arg, struct azure_lines *lines)
{
    const struct staged *b = arg;

    azure_line(lines, "Content-MD5: %s", b->md5);
}

static void stage(struct staged *b)
{
    char query[128];
    char id[3 * ID_SIZE];
    size_t used = 0;
    struct azure_ask ask = {.method = "PUT",
        .name = b->upload->base.name,
        .query = query,
        .status = 201,
        .add_lines = add_block_lines,
        .body = b->block.data,
        .length = b->block.length,
        .retries = AZURE_TRIES_ENDLESS};

    for (const char *c = b->id; *c; c++)
        used += (size_t)snprintf(id + used, sizeof(id) - used,
            *c == '+'   ? "%%2B"
            : *c == '/' ? "%%2F"
            : *c == '=' ? "%%3D"
                        : "%c",
            *c);
    snprintf(query, sizeof(query), "comp=block&blockid=%s", id);
    b->request = azure_send(&store_of(b->upload)->client, &ask, on_staged, b);
}

static void on_again(void *arg)
{
    stage(arg);
}

static void block_id(const struct azure_upload *u, int number, char out[ID_SIZE])
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%s-%07d", u->nonce, number);

    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, length);
}

static void finish_md5(EVP_MD_CTX *running, char out[BLOB_MD5_SIZE])
{
    unsigned char md5[EVP_MAX_MD_SIZE];

    if (!EVP_DigestFinal_ex(running, md5, NULL))
        abort(); /* it was begun: out of memory, mem.h's policy */
    EVP_EncodeBlock((unsigned char *)out, md5, 16);
}

/* Sends the block that was being filled. */
static void send_block(struct azure_upload *u)
{
    struct staged *b = mem_zalloc(sizeof(*b));

    b->upload = u;
    b->block = u->block;
    u->block = (struct block){0};
    timer_init(&b->again, store_of(u)->client.loop, on_again, b);
    /* The MD5 of the first block is that of the whole so far. */
    if (u->blocks == 0)
        EVP_MD_CTX_copy_ex(u->md5_block, u->base.md5_running);
    finish_md5(u->md5_block, b->md5);
    block_id(u, u->blocks++, b->id);
    TAILQ_INSERT_TAIL(&u->staging, b, link);
    u->staging_count++;
    stage(b);
}

/* ---- writing ---- */

/* Makes room for a byte at least; false when it is to be waited for. A block that can't grow because others
 * use the budget up is sent as it is, if none of this upload is under way that would give room. */
static bool make_room(struct azure_upload *u, size_t wanted)
{
    struct azure_store *s = store_of(u);

    if (u->block.length < u->block.size)
        return true;
    if (u->blocks > 0 && u->block.size == 0)
        wanted = BLOB_BLOCK_BYTES;
    else
        wanted += u->block.length;
    if (block_grow(&u->block, &s->budget, wanted))
        return true;
    if (u->staging_count >= (u->block.size == BLOB_BLOCK_BYTES ? STAGING_MAX : 1))
        return false;
    if (u->blocks == BLOCKS_MAX) {
        struct error e;

        error_set(&e, ERROR_TOO_BIG, "a blob has at most %d blocks", BLOCKS_MAX);
        fail_for_good(u, &e);
        return false;
    }
    send_block(u);
    return block_grow(&u->block, &s->budget, BLOB_BLOCK_BYTES);
}

static void take(struct azure_upload *u, const char *data, size_t length)
{
    if (u->block.length == 0 && u->blocks > 0)
        EVP_DigestInit_ex(u->md5_block, EVP_md5(), NULL);
    memcpy(u->block.data + u->block.length, data, length);
    u->block.length += length;
    blob_upload_taken(&u->base, data, length);
    if (u->blocks > 0)
        EVP_DigestUpdate(u->md5_block, data, length);
}

size_t azure_upload_write(struct blob_upload *base, const void *data, size_t length)
{
    struct azure_upload *u = upload_of(base);
    size_t taken = 0;

    assert(!u->is_committing && !*u->base.md5);
    while (taken < length && make_room(u, length - taken)) {
        size_t room = u->block.size - u->block.length;
        size_t n = length - taken < room ? length - taken : room;

        take(u, (const char *)data + taken, n);
        taken += n;
    }
    if (u->base.failure.code)
        return length;
    u->is_full = taken < length;
    return taken;
}

/* ---- the commit ---- */

static void on_written(
    void *arg, const struct blob_properties *properties, const struct error *e, bool is_lost)
{
    struct azure_upload *u = arg;

    u->write = NULL;
    if (is_lost)
        u->base.failure = *e;
    finish_commit(u, properties, e);
}

static void write_list(struct azure_upload *u)
{
    char id[ID_SIZE];

    buf_reset(&u->list);
    buf_append_text(&u->list, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (int i = 0; i < u->blocks; i++) {
        block_id(u, i, id);
        buf_append_text(&u->list, "<Latest>");
        buf_append_text(&u->list, id);
        buf_append_text(&u->list, "</Latest>");
    }
    buf_append_text(&u->list, "</BlockList>");
}

/* All blocks are staged, or there were none. */
static void write_blob(struct azure_upload *u)
{
    struct azure_write_ask ask = {.name = u->base.name,
        .head = u->head,
        .body = u->block.data ? u->block.data : "",
        .length = u->block.length,
        .size = u->base.size,
        .md5 = u->base.md5};

    if (u->blocks) {
        write_list(u);
        ask.is_block_list = true;
        ask.body = u->list.data;
        ask.length = u->list.length;
    }
    u->write = azure_write_start(&store_of(u)->client, &ask, on_written, u);
}

void azure_upload_commit(
    struct blob_upload *base, const struct blob_content_head *head, blob_put_done *done, void *arg)
{
    struct azure_upload *u = upload_of(base);

    assert(!u->is_committing);
    u->is_committing = true;
    u->is_full = false;
    u->head = *head;
    u->done = done;
    u->done_arg = arg;
    if (base->failure.code || !blob_head_check(head, &u->error) || !blob_upload_finish_md5(base, &u->error)) {
        timer_start(&u->failing, 0);
        return;
    }
    if (u->blocks && u->block.length)
        send_block(u);
    if (TAILQ_EMPTY(&u->staging))
        write_blob(u);
}

/* ---- life ---- */

void azure_upload_cancel(struct blob_upload *base)
{
    struct azure_upload *u = upload_of(base);
    struct azure_store *s = store_of(u);

    if (u->write)
        azure_write_cancel(u->write);
    drop_blocks(u);
    timer_stop(&u->room);
    timer_stop(&u->failing);
    buf_release(&u->list);
    EVP_MD_CTX_free(u->md5_block);
    blob_upload_free(base);
    tell_waiting(s);
}

struct blob_upload *azure_open_upload(
    struct blob_store *s, const char *name, blob_upload_room *on_room, void *arg)
{
    struct azure_upload *u = blob_upload_new(s, name, on_room, arg, sizeof(*u));
    struct loop *loop = azure_client_of(s)->loop;
    uint64_t nonce = 0;

    if (getrandom(&nonce, sizeof(nonce), 0) < 0)
        nonce = (uint64_t)clock_steady_us() ^ (uint64_t)(uintptr_t)u;
    snprintf(u->nonce, sizeof(u->nonce), "%016llx", (unsigned long long)nonce);
    u->md5_block = EVP_MD_CTX_new();
    if (!u->md5_block)
        abort(); /* out of memory: mem.h's policy */
    TAILQ_INIT(&u->staging);
    buf_init(&u->list, (size_t)BLOCKS_MAX * LIST_ENTRY_BYTES + 128);
    timer_init(&u->room, loop, on_room_due, u);
    timer_init(&u->failing, loop, on_failing, u);
    return &u->base;
}
