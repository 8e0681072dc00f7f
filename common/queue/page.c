#include "common/queue/page.h"
#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

enum { TAKEN_MAX = 8192 }; /* ids; a worker runs 4096 at the most */

static int64_t read_number(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER  ? reply->integer
           : reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10)
                                               : 0;
}

static bool read_id(const redisReply *reply, struct page_entry *out)
{
    struct error e;

    return reply->type == REDIS_REPLY_STRING && id_parse(reply->str, &out->id, &e);
}

static void on_list(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct page_entry *entries;
    size_t count = 0;
    int64_t first;

    free(arg);
    if (e) {
        p.done.paged(p.arg, NULL, 0, e);
        return;
    }
    entries = mem_array(reply->elements + 1, sizeof(*entries));
    first = reply->elements ? read_number(reply->element[0]) : 0;
    for (size_t i = 1; i < reply->elements; i++)
        if (read_id(reply->element[i], &entries[count]))
            entries[count++].at = first + (int64_t)i - 1;
    p.done.paged(p.arg, entries, count, NULL);
    free(entries);
}

static void on_sorted(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct page_entry *entries;
    size_t count = 0;

    free(arg);
    if (e) {
        p.done.paged(p.arg, NULL, 0, e);
        return;
    }
    entries = mem_array(reply->elements / 2 + 1, sizeof(*entries));
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (read_id(reply->element[i], &entries[count]))
            entries[count++].at = read_number(reply->element[i + 1]);
    p.done.paged(p.arg, entries, count, NULL);
    free(entries);
}

bool queue_page(struct queue *q, const struct shard *shard, enum place place, const struct page_entry *after,
    size_t count, queue_paged *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    bool is_list = place == PLACE_READY || place == PLACE_HELD;

    p->done.paged = done;
    if (is_list) {
        redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PAGE_LIST], 3, 3);
        ADD_KEYS(q, shard, key_ready, key_held, key_stats);
    } else {
        redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PAGE_SORTED], 1, 4);
        ADD_KEYS(q, shard, place == PLACE_DEAD ? key_dead : key_scheduled);
    }
    redis_request_add_text(&q->request, after ? after->id.text : "");
    redis_request_add_int(&q->request, after ? after->at : 0);
    redis_request_add_int(&q->request, (int64_t)count);
    if (!is_list)
        redis_request_add_int(&q->request, place == PLACE_DEAD);
    return queue_send(q, 0, is_list ? on_list : on_sorted, p, e);
}

static void on_taken(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct page_entry *entries;
    size_t count = 0;

    free(arg);
    if (e) {
        p.done.paged(p.arg, NULL, 0, e);
        return;
    }
    entries = mem_array(reply->elements + 1, sizeof(*entries));
    for (size_t i = 0; i < reply->elements; i++)
        count += read_id(reply->element[i], &entries[count]);
    p.done.paged(p.arg, entries, count, NULL);
    free(entries);
}

bool queue_page_taken(struct queue *q, const struct shard *shard, const char *worker, queue_paged *done,
    void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.paged = done;
    redis_request_begin(&q->request, 4);
    redis_request_add_text(&q->request, "LRANGE");
    queue_add_taken(q, shard, worker);
    redis_request_add_int(&q->request, 0);
    redis_request_add_int(&q->request, TAKEN_MAX - 1);
    return queue_send(q, 0, on_taken, p, e);
}
