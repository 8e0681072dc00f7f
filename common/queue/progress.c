#include "common/base/json.h"
#include "common/queue/queue_priv.h"

enum { KEPT_S = 86400, TEXT_MAX = 8192 };

static void write_progress(struct buf *out, int attempt, const struct progress_told *told)
{
    buf_printf(out, "{\"attempt\":%d", attempt);
    if (told->fraction >= 0)
        buf_printf(out, ",\"fraction\":%.4f", told->fraction);
    if (*told->message)
        json_write_member(out, "message", told->message);
    buf_append_char(out, '}');
}

bool queue_progress(struct queue *q, const struct job_id *id, const char *worker, int attempt,
    const struct progress_told *told, struct error *e)
{
    AUTO_BUF struct buf text = BUF(TEXT_MAX);
    struct key key;

    write_progress(&text, attempt, told);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PROGRESS], 2, 5);
    queue_add_job_keys(q, id, 1);
    key_progress(id, &key);
    queue_add_key(q, &key);
    redis_request_add_text(&q->request, id->text);
    redis_request_add_text(&q->request, worker);
    redis_request_add_int(&q->request, attempt);
    redis_request_add(&q->request, text.data, text.length);
    redis_request_add_int(&q->request, KEPT_S);
    return redis_send(q->redis, &q->request, 0, NULL, NULL, e);
}

bool queue_forget_progress(struct queue *q, const struct job_id *id, struct error *e)
{
    struct key key;

    key_progress(id, &key);
    redis_request_begin(&q->request, 2);
    redis_request_add_text(&q->request, "DEL");
    queue_add_key(q, &key);
    return redis_send(q->redis, &q->request, 0, NULL, NULL, e);
}
