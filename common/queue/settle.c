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
        verdicts[i] = reply->element[i]->integer == 1   ? SETTLE_DONE
                      : reply->element[i]->integer == 2 ? SETTLE_REPEATED
                                                        : SETTLE_STALE;
    p.done.settled(p.arg, verdicts, reply->elements, NULL);
    free(verdicts);
}

static void add_settlement(struct queue *q, const struct settlement *s)
{
    char letter = job_state_letter(s->state);

    redis_request_add_text(&q->request, s->id->text);
    redis_request_add_int(&q->request, s->attempt);
    redis_request_add(&q->request, &letter, 1);
    redis_request_add(&q->request, s->status, s->status_length);
    redis_request_add(&q->request, s->inline_result, s->inline_length);
}

bool queue_settle(struct queue *q, const struct shard *shard, const char *worker, int64_t retention_s,
    const struct settlement *settlements, size_t count, queue_settled *done, void *arg, struct error *e)
{
    struct pending *p = mem_alloc(sizeof(*p));
    struct key taken;
    struct key stats;
    struct key dead;

    p->done.settled = done;
    p->arg = arg;
    key_taken(shard, worker, &taken);
    key_stats(shard, &stats);
    key_dead(shard, &dead);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SETTLE], 3 + count, 2 + 5 * count);
    queue_add_key(q, &taken);
    queue_add_key(q, &stats);
    queue_add_key(q, &dead);
    for (size_t i = 0; i < count; i++)
        queue_add_job_keys(q, settlements[i].id, 1);
    redis_request_add_text(&q->request, worker);
    redis_request_add_int(&q->request, retention_s);
    for (size_t i = 0; i < count; i++)
        add_settlement(q, &settlements[i]);
    return queue_send(q, 0, on_settled, p, e);
}
