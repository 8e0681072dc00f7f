#include "tests/chaos/submitters.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/http.h"

#include <check.h>
#include <pthread.h>
#include <unistd.h>

enum { THREADS_MAX = 16, TIMEOUT_MS = 2500, AGAIN_MS = 100, URL = 512, CANCEL_PERCENT = 3 };

struct submitter {
    struct submitters *all;
    pthread_t thread;
    size_t number;
    unsigned random;
    bool has_failed; /* something that had to be acknowledged was not */
};

struct submitters {
    const char *url;
    const char *const *queues;
    int pause_ms;
    unsigned seed;
    struct submitter threads[THREADS_MAX];
    size_t thread_count;
    pthread_mutex_t lock; /* for all below */
    bool is_stopping;
    int64_t deadline_ms; /* of repeating, while is_stopping */
    struct entry *ledger;
    size_t count;
    size_t unanswered_count;
    size_t repeated_count;
};

static unsigned draw(struct submitter *t, unsigned below)
{
    assert(below > 0);
    t->random = t->random * 1103515245 + 12345;
    return (t->random >> 16) % below;
}

static bool is_stopping(struct submitters *s)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    return is;
}

static bool may_repeat(struct submitters *s)
{
    bool may;

    pthread_mutex_lock(&s->lock);
    may = !s->is_stopping || clock_steady_ms() < s->deadline_ms;
    s->repeated_count += may;
    pthread_mutex_unlock(&s->lock);
    return may;
}

static void count_unanswered(struct submitters *s)
{
    pthread_mutex_lock(&s->lock);
    s->unanswered_count++;
    pthread_mutex_unlock(&s->lock);
}

static void enter(struct submitters *s, const struct entry *entry)
{
    pthread_mutex_lock(&s->lock);
    s->ledger = mem_realloc(s->ledger, (s->count + 1) * sizeof(*s->ledger));
    s->ledger[s->count++] = *entry;
    pthread_mutex_unlock(&s->lock);
}

/* ---- one job ---- */

static void make_order(struct submitter *t, size_t n, struct order *order)
{
    static const enum mode modes[] = {MODE_WELL, MODE_WELL, MODE_WELL, MODE_WELL, MODE_WELL, MODE_WELL,
        MODE_FAIL, MODE_CRASH, MODE_TALK, MODE_TALK};

    snprintf(order->name, sizeof(order->name), "%u-%zu-%zu", t->all->seed, t->number, n);
    order->ms = draw(t, 10) ? (int)draw(t, 60) : (int)draw(t, 3000);
    order->mode = modes[draw(t, ARRAY_LENGTH(modes))];
    order->bytes = draw(t, 10) ? draw(t, 200) : draw(t, ANSWER_MAX);
}

/* Returns whether it was acknowledged; the id is then filled in. */
static bool submit(const struct submitters *s, const char *queue, int delay_s, struct entry *entry)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(json) json_t *job = NULL;
    const char *headers[] = {"Content-Type: text/plain", NULL, NULL};
    char payload[PAYLOAD_SIZE];
    char key[128];
    char url[URL];
    const char *id;
    struct error e;

    order_write(&entry->order, payload);
    snprintf(url, sizeof(url), "%s/v1/jobs?type=work&queue=%s&delay_s=%d", s->url, queue, delay_s);
    snprintf(key, sizeof(key), "Idempotency-Key: \"%s\"", entry->order.name);
    if (entry->has_key)
        headers[1] = key;
    http_ask(&(struct http_ask){.method = "POST",
                 .url = url,
                 .headers = headers,
                 .body = payload,
                 .body_length = strlen(payload),
                 .timeout_ms = TIMEOUT_MS},
        &reply);
    if (reply.status != 202 && reply.status != 200)
        return false;
    job = json_parse(reply.body.data, reply.body.length, &e);
    id = json_string_value(json_object_get(job, "id"));
    if (!id)
        return false;
    snprintf(entry->id, sizeof(entry->id), "%s", id);
    return true;
}

static void cancel(const struct submitters *s, struct entry *entry)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s", s->url, entry->id);
    http_ask(&(struct http_ask){.method = "DELETE", .url = url, .timeout_ms = TIMEOUT_MS}, &reply);
    entry->was_cancel_tried = true;
    entry->was_cancelled = reply.status / 100 == 2 && strstr(reply.body.data, "\"state\":\"cancelled\"");
}

static void submit_one(struct submitter *t, size_t n)
{
    struct submitters *s = t->all;
    struct entry entry = {.has_key = t->number % 2 == 0};
    size_t queue_count = 0;
    const char *queue;
    int delay_s;
    bool is_acknowledged;

    make_order(t, n, &entry.order);
    while (s->queues[queue_count])
        queue_count++;
    queue = s->queues[draw(t, (unsigned)queue_count)];
    delay_s = draw(t, 10) ? 0 : 1;
    while (!(is_acknowledged = submit(s, queue, delay_s, &entry))) {
        count_unanswered(s);
        if (!entry.has_key || !may_repeat(s))
            break;
        usleep(AGAIN_MS * 1000);
    }
    t->has_failed |= entry.has_key && !is_acknowledged;
    if (is_acknowledged && draw(t, 100) < CANCEL_PERCENT)
        cancel(s, &entry);
    if (is_acknowledged)
        enter(s, &entry);
}

/* ---- all ---- */

static void *submit_all(void *arg)
{
    struct submitter *t = arg;

    for (size_t n = 0; !is_stopping(t->all); n++) {
        submit_one(t, n);
        usleep(draw(t, 2 * (unsigned)t->all->pause_ms + 1) * 1000);
    }
    return NULL;
}

struct submitters *submitters_start(
    const char *url, const char *const *queues, size_t count, int pause_ms, unsigned seed)
{
    struct submitters *s = mem_zalloc(sizeof(*s));

    ck_assert_uint_le(count, THREADS_MAX);
    *s = (struct submitters){
        .url = url, .queues = queues, .pause_ms = pause_ms, .seed = seed, .thread_count = count};
    pthread_mutex_init(&s->lock, NULL);
    for (size_t i = 0; i < count; i++) {
        s->threads[i] = (struct submitter){.all = s, .number = i, .random = seed + 7919 * (unsigned)i};
        ck_assert_int_eq(pthread_create(&s->threads[i].thread, NULL, submit_all, &s->threads[i]), 0);
    }
    return s;
}

bool submitters_stop(struct submitters *s, int patience_ms)
{
    bool has_failed = false;

    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    s->deadline_ms = clock_steady_ms() + patience_ms;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->thread_count; i++) {
        pthread_join(s->threads[i].thread, NULL);
        has_failed |= s->threads[i].has_failed;
    }
    return !has_failed;
}

const struct entry *submitters_ledger(const struct submitters *s, size_t *count)
{
    *count = s->count;
    return s->ledger;
}

size_t submitters_unanswered(const struct submitters *s, size_t *repeated)
{
    *repeated = s->repeated_count;
    return s->unanswered_count;
}

struct submitters *submitters_free(struct submitters *s)
{
    if (!s)
        return NULL;
    pthread_mutex_destroy(&s->lock);
    free(s->ledger);
    free(s);
    return NULL;
}
