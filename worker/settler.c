#include "worker/settler.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { BATCH_MAX = 256, RETRY_MS = 1000 };

struct settler {
    struct consumer *consumer;
    struct attempt
        *waiting; /* oldest first, as Redis finds them fastest; linked through attempt_settler_link */
    struct attempt **waiting_end;
    struct batch *sent;
    struct timer flush;
};

/* Attempts whose settlement is under way. */
struct batch {
    struct settler *settler; /* NULL when it no longer cares */
    size_t count;
    struct batch *next;
    struct attempt *attempts[BATCH_MAX];
};

static void unlink_batch(struct batch *b)
{
    struct batch **at = &b->settler->sent;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
}

static void append(struct settler *s, struct attempt *a)
{
    *attempt_settler_link(a) = NULL;
    *s->waiting_end = a;
    s->waiting_end = attempt_settler_link(a);
}

static void put_back(struct settler *s, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        append(s, b->attempts[i]);
    }
}

static void on_settled(void *arg, const enum settle_verdict *verdicts, size_t count, const struct error *e)
{
    struct batch *b = arg;
    struct settler *s = b->settler;
    struct log_context context = {.component = "settler"};

    fault_point(FAULT_SETTLE_ANSWERED);
    if (s)
        unlink_batch(b);
    if (s && e) {
        put_back(s, b);
        if (e->code != ERROR_REDIS_AWAY && e->code != ERROR_STOPPED)
            log_error(&context, "redis refused to settle %zu jobs of %s; it is tried again: %s", b->count,
                consumer_shard(s->consumer)->queue, e->text);
        timer_start(&s->flush, RETRY_MS);
    } else if (s) {
        for (size_t i = 0; i < b->count; i++)
            attempt_on_settled(b->attempts[i], i < count ? verdicts[i] : SETTLE_STALE);
    }
    free(b);
}

static struct batch *take_batch(struct settler *s)
{
    struct batch *b = mem_alloc(sizeof(*b));

    b->settler = s;
    b->count = 0;
    while (s->waiting && b->count < BATCH_MAX) {
        struct attempt *a = s->waiting;

        s->waiting = *attempt_settler_link(a);
        if (!s->waiting)
            s->waiting_end = &s->waiting;
        b->attempts[b->count++] = a;
    }
    b->next = s->sent;
    s->sent = b;
    return b;
}

static bool send_batch(struct settler *s)
{
    struct batch *b = take_batch(s);
    struct settlement settlements[BATCH_MAX];
    const struct worker *w = consumer_worker(s->consumer);
    struct error e;

    for (size_t i = 0; i < b->count; i++)
        attempt_settlement(b->attempts[i], &settlements[i]);
    if (queue_settle(w->queue, consumer_shard(s->consumer), consumer_name(s->consumer), settlements, b->count,
            on_settled, b, &e)) {
        fault_point(FAULT_SETTLE_SENT);
        return true;
    }
    unlink_batch(b);
    put_back(s, b);
    free(b);
    return false; /* settler_resume comes when Redis does */
}

static void flush(void *arg)
{
    struct settler *s = arg;

    while (s->waiting && send_batch(s))
        continue;
}

struct settler *settler_new(struct consumer *c)
{
    struct settler *s = mem_zalloc(sizeof(*s));

    s->consumer = c;
    s->waiting_end = &s->waiting;
    timer_init(&s->flush, consumer_worker(c)->loop, flush, s);
    return s;
}

struct settler *settler_free(struct settler *s)
{
    if (s) {
        settler_abandon(s);
        timer_stop(&s->flush);
    }
    free(s);
    return NULL;
}

void settler_add(struct settler *s, struct attempt *a)
{
    append(s, a);
    if (!timer_is_running(&s->flush))
        timer_start(&s->flush, 0);
}

void settler_resume(struct settler *s)
{
    if (s->waiting)
        timer_start(&s->flush, 0);
}

void settler_abandon(struct settler *s)
{
    s->waiting = NULL;
    s->waiting_end = &s->waiting;
    while (s->sent) {
        struct batch *b = s->sent;

        s->sent = b->next;
        b->settler = NULL;
    }
}
