#include "common/queue/schedules.h"
#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

static void add_key(struct queue *q, enum schedule_key which)
{
    struct key key;

    key_schedules(which, &key);
    queue_add_key(q, &key);
}

static void add_keys(struct queue *q, const enum schedule_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_key(q, keys[i]);
}
#define ADD_SCHEDULE_KEYS(q, ...)                                                                            \
    add_keys(q, (const enum schedule_key[]){__VA_ARGS__},                                                    \
        sizeof((const enum schedule_key[]){__VA_ARGS__}) / sizeof(enum schedule_key))

/* ---- writing ---- */

static void on_put(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    enum schedule_verdict verdict = SCHEDULE_FULL;

    free(arg);
    if (!e && reply->integer >= SCHEDULE_CREATED && reply->integer <= SCHEDULE_FULL)
        verdict = (enum schedule_verdict)reply->integer;
    p.done.schedule_put(p.arg, verdict, e);
}

bool schedules_put(struct queue *q, const struct schedule *s, bool is_paused, int64_t count_max,
    schedule_put_done *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.schedule_put = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SCHEDULE_PUT], 4, 5);
    ADD_SCHEDULE_KEYS(q, SCHEDULE_NAMES, SCHEDULE_TEXT, SCHEDULE_RECORD, SCHEDULE_DUE);
    redis_request_add_text(&q->request, s->key);
    redis_request_add(&q->request, s->text, s->text_length);
    redis_request_add(&q->request, s->record, s->record_length);
    redis_request_add_int(&q->request, is_paused);
    redis_request_add_int(&q->request, count_max);
    return queue_send(q, 0, on_put, p, e);
}

bool schedules_delete(struct queue *q, const char *key, queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SCHEDULE_DELETE], 5, 1);
    ADD_SCHEDULE_KEYS(q, SCHEDULE_NAMES, SCHEDULE_TEXT, SCHEDULE_RECORD, SCHEDULE_DUE, SCHEDULE_LAST);
    redis_request_add_text(&q->request, key);
    return queue_send(q, 0, queue_on_counted, p, e);
}

bool schedules_advance(struct queue *q, const char *key, int64_t due_ms, int64_t next_ms, const char *last,
    queue_counted *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.counted = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SCHEDULE_ADVANCE], 2, 4);
    ADD_SCHEDULE_KEYS(q, SCHEDULE_DUE, SCHEDULE_LAST);
    redis_request_add_text(&q->request, key);
    redis_request_add_int(&q->request, due_ms);
    redis_request_add_int(&q->request, next_ms);
    redis_request_add_text(&q->request, last ? last : "");
    return queue_send(q, 0, queue_on_counted, p, e);
}

/* ---- reading ---- */

static bool are_texts(const redisReply *row, size_t count)
{
    if (row->type != REDIS_REPLY_ARRAY || row->elements != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (row->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return row->element[0]->len < SCHEDULE_KEY_SIZE;
}

static int64_t read_time(const redisReply *text)
{
    return text->len ? strtoll(text->str, NULL, 10) : -1;
}

static void on_listed(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct schedule *list;
    size_t count = 0;

    free(arg);
    if (e) {
        p.done.schedules_listed(p.arg, NULL, 0, e);
        return;
    }
    list = mem_array(reply->elements + 1, sizeof(*list));
    for (size_t i = 0; i < reply->elements; i++) {
        redisReply *const *row = reply->element[i]->element;

        if (are_texts(reply->element[i], 4))
            list[count++] = (struct schedule){.key = row[0]->str,
                .text = row[1]->str,
                .text_length = row[1]->len,
                .due_ms = read_time(row[2]),
                .last = row[3]->str};
    }
    p.done.schedules_listed(p.arg, list, count, NULL);
    free(list);
}

static bool ask_for_list(struct queue *q, const char *least, const char *greatest, size_t count,
    schedules_listed *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.schedules_listed = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SCHEDULE_LIST], 4, 3);
    ADD_SCHEDULE_KEYS(q, SCHEDULE_NAMES, SCHEDULE_TEXT, SCHEDULE_DUE, SCHEDULE_LAST);
    redis_request_add_text(&q->request, least);
    redis_request_add_text(&q->request, greatest);
    redis_request_add_int(&q->request, (int64_t)count);
    return queue_send(q, 0, on_listed, p, e);
}

bool schedules_get(struct queue *q, const char *key, schedules_listed *done, void *arg, struct error *e)
{
    char bound[SCHEDULE_KEY_SIZE + 1];

    snprintf(bound, sizeof(bound), "[%s", key);
    return ask_for_list(q, bound, bound, 1, done, arg, e);
}

bool schedules_list(struct queue *q, const char *prefix, const char *after, size_t count,
    schedules_listed *done, void *arg, struct error *e)
{
    char least[SCHEDULE_KEY_SIZE + 1];
    char greatest[SCHEDULE_KEY_SIZE + 2];

    snprintf(least, sizeof(least), "%s%s", *after ? "(" : "[", *after ? after : prefix);
    snprintf(greatest, sizeof(greatest), "(%s\x7f", prefix); /* greater than every character of a name */
    return ask_for_list(q, least, greatest, count, done, arg, e);
}

static void on_due(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct schedule *list;
    size_t count = 0;
    int64_t now_ms;
    int64_t next_ms;

    free(arg);
    if (e || reply->elements < 2) {
        p.done.schedules_due(p.arg, NULL, 0, 0, -1, e);
        return;
    }
    now_ms = reply->element[0]->integer;
    next_ms = reply->element[1]->integer;
    list = mem_array(reply->elements, sizeof(*list));
    for (size_t i = 2; i < reply->elements; i++) {
        redisReply *const *row = reply->element[i]->element;

        if (are_texts(reply->element[i], 4))
            list[count++] = (struct schedule){.key = row[0]->str,
                .text = row[1]->str,
                .text_length = row[1]->len,
                .record = row[2]->str,
                .record_length = row[2]->len,
                .due_ms = read_time(row[3]),
                .last = ""};
    }
    p.done.schedules_due(p.arg, list, count, now_ms, next_ms < 0 ? -1 : next_ms - now_ms, NULL);
    free(list);
}

bool schedules_due(struct queue *q, size_t count, schedules_due_found *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);

    p->done.schedules_due = done;
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_SCHEDULE_DUE], 3, 1);
    ADD_SCHEDULE_KEYS(q, SCHEDULE_DUE, SCHEDULE_TEXT, SCHEDULE_RECORD);
    redis_request_add_int(&q->request, (int64_t)count);
    return queue_send(q, 0, on_due, p, e);
}
