#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

void queue_on_stray(struct queue *q, queue_stray_found *found, void *arg)
{
    q->stray_found = found;
    q->stray_arg = arg;
}

struct guard *queue_guard(struct queue *q, const struct shard *shard, const struct key *key, bool is_sorted)
{
    struct guard *g = mem_alloc(sizeof(*g));

    *g = (struct guard){.queue = q, .shard = *shard, .key = *key, .is_sorted = is_sorted};
    return g;
}

/* When it cannot be sent, whoever reads the place next finds it again. */
static void remove_stray(const struct guard *g, const char *text, size_t length)
{
    struct queue *q = g->queue;
    struct error e;
    bool is_sent;

    redis_request_begin(&q->request, g->is_sorted ? 3 : 4);
    redis_request_add_text(&q->request, g->is_sorted ? "ZREM" : "LREM");
    queue_add_key(q, &g->key);
    if (!g->is_sorted)
        redis_request_add_text(&q->request, "0");
    redis_request_add(&q->request, text, length);
    is_sent = redis_send(q->redis, &q->request, 0, NULL, NULL, &e);
    if (is_sent && q->stray_found)
        q->stray_found(q->stray_arg, &g->shard, text, length);
}

static bool is_of(const struct job_id *id, const struct shard *shard)
{
    return id->shard.number == shard->number && strcmp(id->shard.queue, shard->queue) == 0;
}

bool queue_read_id(const struct guard *g, const redisReply *text, struct job_id *id)
{
    struct error e;

    if (text->type != REDIS_REPLY_STRING)
        return false;
    if (strlen(text->str) == (size_t)text->len && id_parse(text->str, id, &e) && (!g || is_of(id, &g->shard)))
        return true;
    if (g)
        remove_stray(g, text->str, (size_t)text->len);
    return false;
}

struct job_id *queue_read_ids(const struct guard *g, const redisReply *reply, size_t from, size_t *count)
{
    struct job_id *ids = mem_array(reply->elements + 1, sizeof(*ids));

    *count = 0;
    for (size_t i = from; i < reply->elements; i++)
        if (queue_read_id(g, reply->element[i], &ids[*count]))
            ++*count;
    return ids;
}
