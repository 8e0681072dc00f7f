/*
 * load: fills the queue `default` with jobs of the type `echo`, pipelined, through the same code as the
 * api's.
 *
 *     load REDIS_PORT JOBS PAYLOAD_BYTES
 *
 * The payload is a JSON string of that many bytes, with its quotes. Prints nothing; exit status 0 says that
 * Redis has accepted all of them.
 */
#include "common/base/mem.h"
#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/bench/bench.h"

enum { WINDOW = 1024, TIMEOUT_MS = 10000 };

struct load {
    struct loop *loop;
    struct redis *redis;
    struct queue *queue;
    struct id_generator ids;
    struct job_spec spec;
    char *payload;
    size_t payload_length;
    long long left;
    long long pending;
};

static void fill(void *arg);

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct load *l = arg;

    if (e || result->verdict != SUBMIT_ACCEPTED)
        die("a job was not accepted: %s", e ? e->text : "see enum submit_verdict");
    l->pending--;
    if (l->left && l->pending <= WINDOW / 2)
        fill(l);
    else if (!l->left && !l->pending)
        loop_stop(l->loop);
}

static void fill(void *arg)
{
    struct load *l = arg;
    struct shard shard = {.queue = "default"};
    struct job_schedule at_once = {0};
    struct job_id id;
    struct submit submit = {
        .id = &id,
        .spec = &l->spec,
        .schedule = &at_once,
        .payload = l->payload,
        .payload_length = l->payload_length,
        .depth_max = INT32_MAX,
    };
    struct error e;

    for (; l->left && l->pending < WINDOW; l->left--, l->pending++) {
        id_generate(&l->ids, &shard, &id);
        if (!queue_submit(l->queue, &submit, on_submitted, l, &e))
            die("%s", e.text);
    }
}

static void make_payload(struct load *l, size_t length)
{
    l->payload = mem_alloc(length);
    l->payload_length = length;
    memset(l->payload, 'x', length);
    l->payload[0] = l->payload[length - 1] = '"';
}

static void run(struct load *l, unsigned port)
{
    struct redis_url url = {0};
    char text[64];
    struct error e;
    struct redis_options options = {
        .url = &url,
        .component = "load",
        .timeout_ms = TIMEOUT_MS,
        .scripts = queue_scripts,
        .script_count = SCRIPT_COUNT,
        .on_ready = fill,
        .arg = l,
    };

    snprintf(text, sizeof(text), "redis://127.0.0.1:%u", port);
    l->loop = loop_new();
    if (!l->loop || !redis_url_parse(text, &url, &e))
        die("no loop, or %s is no URL", text);
    l->redis = redis_new(l->loop, &options);
    l->queue = queue_new(l->redis);
    loop_run(l->loop);
    redis_free(l->redis);
    queue_free(l->queue);
    loop_free(l->loop);
}

int main(int argc, char **argv)
{
    struct load l = {.spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON}};

    if (argc != 4)
        die("load REDIS_PORT JOBS PAYLOAD_BYTES");
    l.left = argument_number(argv[2], 1, 100000000);
    make_payload(&l, (size_t)argument_number(argv[3], 2, 1 << 20));
    run(&l, (unsigned)argument_number(argv[1], 1, 65535));
    free(l.payload);
    return 0;
}
