#include "common/queue/types.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/queue/queue_priv.h"

struct entry {
    const char *name; /* a key of the text's object */
    json_t *info;     /* borrowed from the text's object */
    json_t *queues;   /* owned */
    int64_t seen_ms;
};

struct type_table {
    json_t **texts; /* what was parsed; owned */
    size_t text_count;
    struct entry *entries; /* by name */
    size_t count;
};

/* ---- the table ---- */

static struct entry *find(const struct type_table *t, const char *name)
{
    size_t low = 0;
    size_t high = t->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, t->entries[middle].name);

        if (order == 0)
            return &t->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool has_text(const json_t *array, const char *text)
{
    size_t i;
    json_t *member;

    json_array_foreach(array, i, member) if (strcmp(json_string_value(member), text) == 0) return true;
    return false;
}

static void add_queues(json_t *to, const json_t *queues)
{
    size_t i;
    json_t *queue;

    json_array_foreach(queues, i, queue)
    {
        const char *name = json_string_value(queue);

        if (name && name_is_valid(name, json_string_length(queue)) && !has_text(to, name))
            json_array_append(to, queue);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Texts come with the newest first, so what stands there already is newer. */
static void add_text(struct type_table *t, json_t *object, int64_t seen_ms)
{
    json_t *types = json_object_get(object, "types");
    const json_t *queues = json_object_get(object, "queues");
    size_t known = t->count;
    const char *name;
    json_t *info;

    t->entries = mem_realloc(t->entries, (known + json_object_size(types) + 1) * sizeof(*t->entries));
    json_object_foreach(types, name, info)
    {
        struct type_table before = {.entries = t->entries, .count = known};
        struct entry *e = find(&before, name);

        if (!json_is_object(info) || !name_is_valid(name, strlen(name)))
            continue;
        if (!e) {
            e = &t->entries[t->count++];
            *e = (struct entry){.name = name, .info = info, .queues = json_array(), .seen_ms = seen_ms};
        }
        add_queues(e->queues, queues);
    }
    qsort(t->entries, t->count, sizeof(*t->entries), by_name);
}

static int newest_first(const void *a, const void *b)
{
    int64_t left = ((const struct published_types *)a)->seen_ms;
    int64_t right = ((const struct published_types *)b)->seen_ms;

    return (left < right) - (left > right);
}

struct type_table *type_table_new(const struct published_types *texts, size_t count)
{
    struct type_table *t = mem_zalloc(sizeof(*t));
    AUTO(free) struct published_types *sorted = mem_array(count + 1, sizeof(*sorted));
    struct error e;

    t->texts = mem_array(count + 1, sizeof(json_t *));
    if (count)
        memcpy(sorted, texts, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), newest_first);
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_parse(sorted[i].text, sorted[i].length, &e);

        if (!object)
            continue;
        t->texts[t->text_count++] = object;
        add_text(t, object, sorted[i].seen_ms);
    }
    return t;
}

struct type_table *type_table_free(struct type_table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->count; i++)
        json_decref(t->entries[i].queues);
    for (size_t i = 0; i < t->text_count; i++)
        json_decref(t->texts[i]);
    free(t->entries);
    free(t->texts);
    free(t);
    return NULL;
}

size_t type_table_count(const struct type_table *t)
{
    return t->count;
}

static struct known_type describe(const struct entry *e)
{
    return (struct known_type){.name = e->name, .info = e->info, .queues = e->queues, .seen_ms = e->seen_ms};
}

struct known_type type_table_at(const struct type_table *t, size_t i)
{
    return describe(&t->entries[i]);
}

bool type_table_find(const struct type_table *t, const char *name, struct known_type *out)
{
    const struct entry *e = find(t, name);

    if (e)
        *out = describe(e);
    return e != NULL;
}

bool known_type_is_served_in(const struct known_type *type, const char *queue)
{
    return has_text(type->queues, queue);
}

int64_t known_type_int(const struct known_type *type, const char *name, int64_t preset)
{
    const json_t *value = json_object_get(type->info, name);

    return json_is_integer(value) ? json_integer_value(value) : preset;
}

/* ---- in Redis ---- */

static void on_published(void *arg, const redisReply *UNUSED(reply), const struct error *e)
{
    struct pending p = *(struct pending *)arg;

    free(arg);
    p.done.types_published(p.arg, e);
}

bool queue_publish_types(
    struct queue *q, const char *text, size_t length, types_published *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.types_published = done;
    key_types(&key);
    redis_request_begin_script(&q->request, &queue_scripts[SCRIPT_PUBLISH_TYPES], 1, 3);
    queue_add_key(q, &key);
    redis_request_add(&q->request, text, length);
    redis_request_add_int(&q->request, TYPES_REMEMBERED_S);
    redis_request_add_int(&q->request, TYPES_TEXTS_MAX);
    return queue_send(q, 0, on_published, p, e);
}

/* The answer is text and score in turns. */
static void on_read(void *arg, const redisReply *reply, const struct error *e)
{
    struct pending p = *(struct pending *)arg;
    struct published_types *texts;
    size_t count = 0;

    free(arg);
    if (e) {
        p.done.types_read(p.arg, NULL, 0, e);
        return;
    }
    texts = mem_array(reply->elements / 2 + 1, sizeof(*texts));
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (reply->element[i]->type == REDIS_REPLY_STRING &&
            reply->element[i + 1]->type == REDIS_REPLY_STRING)
            texts[count++] = (struct published_types){.text = reply->element[i]->str,
                .length = (size_t)reply->element[i]->len,
                .seen_ms = strtoll(reply->element[i + 1]->str, NULL, 10) * 1000};
    p.done.types_read(p.arg, texts, count, NULL);
    free(texts);
}

bool queue_read_types(struct queue *q, types_read *done, void *arg, struct error *e)
{
    struct pending *p = queue_pending(arg);
    struct key key;

    p->done.types_read = done;
    key_types(&key);
    redis_request_begin(&q->request, 5);
    redis_request_add_text(&q->request, "ZRANGE");
    queue_add_key(q, &key);
    redis_request_add_text(&q->request, "0");
    redis_request_add_text(&q->request, "-1");
    redis_request_add_text(&q->request, "WITHSCORES");
    return queue_send(q, 0, on_read, p, e);
}
