/*
 * put_ours COUNT BYTES AT_ONCE: uploads so many blobs with jobgate's client to the store of the environment
 * and prints uploads per second, CPU µs per upload and the peak of resident memory in MiB. With AT_ONCE=1 and
 * a size beyond a block it is one long stream.
 */
#include <sys/resource.h>

#include "common/base/config.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/blob/blob.h"
#include "tests/bench/bench.h"

enum { PIECE = 65536 };

static struct loop *loop;
static struct blob_store *store;
static long long count;
static long long size;
static long long begun;
static long long ended;
static char piece[PIECE];
static struct id_generator ids;

struct put {
    struct blob_upload *upload;
    char name[BLOB_NAME_SIZE];
    char id[ULID_SIZE];
    struct blob_meta meta[5];
    struct blob_content_head head;
    long long left;
};

static void begin(struct put *p);

static void on_done(void *arg, const struct blob_properties *p, const struct error *e)
{
    struct put *put = arg;

    if (e)
        die("an upload failed: %s", e->text);
    if (p->size != size)
        die("an upload has %lld bytes", (long long)p->size);
    put->upload = blob_upload_cancel(put->upload);
    if (++ended == count)
        loop_stop(loop);
    else if (begun < count)
        begin(put);
}

static void write_more(void *arg)
{
    struct put *put = arg;

    while (put->left > 0) {
        size_t length = put->left < PIECE ? (size_t)put->left : PIECE;
        size_t taken = blob_upload_write(put->upload, piece, length);

        put->left -= (long long)taken;
        if (taken < length)
            return;
    }
    blob_upload_commit(put->upload, &put->head, on_done, put);
}

static void begin(struct put *put)
{
    begun++;
    id_generate_ulid(&ids, put->id);
    snprintf(put->name, sizeof(put->name), "results/ab/default/default.0.%s", put->id);
    put->meta[0] = (struct blob_meta){"jobid", put->id};
    put->meta[1] = (struct blob_meta){"attempt", "1"};
    put->meta[2] = (struct blob_meta){"type", "echo"};
    put->meta[3] = (struct blob_meta){"queue", "default"};
    put->meta[4] = (struct blob_meta){"worker", "host.01KA2B3C4D5E6F7G8H9JKMNPQR"};
    put->head = (struct blob_content_head){"application/json", put->meta, ARRAY_LENGTH(put->meta)};
    put->left = size;
    put->upload = blob_upload_open(store, put->name, write_more, put);
    write_more(put);
}

static double cpu_of_this(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double peak_mib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void on_check(void *UNUSED(arg), const struct error *e)
{
    if (e)
        die("the store cannot be used: %s", e->text);
    loop_stop(loop);
}

static void open_store(void)
{
    static struct config config;
    AUTO_BUF struct buf mistakes = BUF(65536);
    struct error e;

    if (!config_load(&config, FOR_WORKER, config_from_environment, NULL, &mistakes))
        die("%s", mistakes.data);
    loop = loop_new();
    store = blob_store_open(loop, &config, &e);
    if (!store)
        die("%s", e.text);
    blob_check(store, on_check, NULL);
    loop_run(loop);
}

int main(int argc, char **argv)
{
    long long at_once;
    struct put *puts;
    double cpu_before;
    int64_t started_us;

    if (argc != 4)
        die("usage: put_ours COUNT BYTES AT_ONCE");
    count = argument_number(argv[1], 1, 100000000);
    size = argument_number(argv[2], 0, 1LL << 40);
    at_once = argument_number(argv[3], 1, 4096);
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)(i * 31 >> 3);
    open_store();
    puts = mem_array((size_t)at_once, sizeof(*puts));
    cpu_before = cpu_of_this();
    started_us = clock_steady_us();
    for (long long i = 0; i < at_once && begun < count; i++)
        begin(&puts[i]);
    loop_run(loop);
    printf("%.1f %.2f %.2f\n", (double)count * 1e6 / (double)(clock_steady_us() - started_us),
        (cpu_of_this() - cpu_before) / (double)count, peak_mib());
    return 0;
}
