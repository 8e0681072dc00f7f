#include "common/queue/queue_priv.h"
#include "common/base/mem.h"

static void on_settled(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    enum settle_verdict *verdicts;

    free(arg);
    if (e) {
        p.done.settled(p.arg, NULL, 0, e);
        return;
    }
    verdicts = mem_array(reply->elements + 1, sizeof(*verdicts));
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->integer > SETTLE_STALE && reply->element[i]->integer < SETTLE_VERDICT_COUNT)
            verdicts[i] = (enum settle_verdict)reply->element[i]->integer;
    p.done.settled(p.arg, verdicts, reply->elements, NULL);
    free(verdicts);
}

static void add_settlement(struct queue *q, const struct settlement *s)
{
    char ending = (char)s->ending;

    redis_request_add_text(&q->request, s->id->text);
    redis_request_add_int(&q->request, s->attempt);
    redis_request_add(&q->request, &ending, 1);
    redis_request_add(&q->request, s->status, s->status_length);
    redis_request_add(&q->request, s->inline_result, s->inline_length);
    redis_request_add_int(&q->request, s->limit);
    redis_request_add_int(&q->request, s->delay_ms);
    redis_request_add_int(&q->request, s->retention_s);
}

bool queue_settle(struct queue *q, const struct shard *shard, const char *worker,
    const struct settlement *settlements, size_t count, queue_settled *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.settled = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SETTLE], 4 + count, 1 + 8 * count);
    queue_add_taken(q, shard, worker);
    ADD_KEYS(q, shard, key_stats, key_dead, key_scheduled);
    for (size_t i = 0; i < count; i++)
        queue_add_job_keys(q, settlements[i].id, 1);
    redis_request_add_text(&q->request, worker);
    for (size_t i = 0; i < count; i++)
        add_settlement(q, &settlements[i]);
    return queue_send(q, 0, on_settled, p, e);
}
