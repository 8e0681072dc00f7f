#include "api/gate/limiter.h"
#include "api/digits.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

enum { LEASE_MS = 1000, LEASE_PART_MS = 100, BLIND_MS = 200 };

/* A request that waits for its token. */
struct waiting {
    limiter_taken *done;
    void *arg;
    struct waiting *next;
};

struct bucket {
    struct limiter *limiter;
    char name[OWNER_SIZE];
    struct rate rate;
    char policy[RATE_TEXT_SIZE];
    int64_t tokens;         /* taken out of Redis and not spent yet */
    int64_t ends_ms;        /* when they are lost */
    int64_t left;           /* in Redis, as far as is known */
    int64_t empty_until_ms; /* until then there is none */
    int64_t blind_until_ms; /* until then everybody passes: Redis did not answer */
    bool is_asking;
    struct waiting *first;
    struct waiting **last;
    int64_t waiting_count;
    struct bucket *next;
};

struct limiter {
    struct queue *queue;
    struct bucket *buckets;
};

struct limiter *limiter_new(struct queue *q)
{
    struct limiter *l = mem_zalloc(sizeof(*l));

    l->queue = q;
    return l;
}

static void free_bucket(struct bucket *b)
{
    struct waiting *next;

    for (struct waiting *w = b->first; w; w = next) {
        next = w->next;
        free(w);
    }
    free(b);
}

struct limiter *limiter_free(struct limiter *l)
{
    struct bucket *next;

    for (struct bucket *b = l ? l->buckets : NULL; b; b = next) {
        next = b->next;
        free_bucket(b);
    }
    free(l);
    return NULL;
}

static void set_rate(struct bucket *b, const struct rate *rate)
{
    b->rate = *rate;
    snprintf(b->policy, sizeof(b->policy), "\"key\";q=%lld;w=%lld", (long long)rate->burst,
        (long long)(rate->period_ms / 1000));
}

void limiter_attach(struct limiter *l, struct caller *c)
{
    struct bucket *b = l->buckets;

    if (!c->rate.burst)
        return;
    while (b && strcmp(b->name, c->name) != 0)
        b = b->next;
    if (!b) {
        b = mem_zalloc(sizeof(*b));
        b->limiter = l;
        memcpy(b->name, c->name, sizeof(b->name));
        b->last = &b->first;
        b->left = c->rate.burst;
        b->next = l->buckets;
        l->buckets = b;
    }
    set_rate(b, &c->rate);
    c->bucket = b;
}

/* ---- taking ---- */

static void on_leased(void *arg, const struct rate_lease *lease, const struct error *e);

/* Asks for as many as wait, or for what a tenth of a second brings. */
static void ask(struct bucket *b)
{
    static const struct rate_lease nothing = {0};
    int64_t wanted = b->rate.burst * LEASE_PART_MS / b->rate.period_ms;
    struct error e;

    if (wanted < b->waiting_count)
        wanted = b->waiting_count;
    b->is_asking = queue_lease_tokens(b->limiter->queue, b->name, b->rate.burst, b->rate.period_ms,
        wanted < b->rate.burst ? wanted : b->rate.burst, on_leased, b, &e);
    if (!b->is_asking)
        on_leased(b, &nothing, &e);
}

/* The first that waits gets its answer. */
static void answer_first(struct bucket *b, int64_t retry_ms)
{
    struct waiting w = *b->first;

    free(b->first);
    b->first = w.next;
    if (!b->first)
        b->last = &b->first;
    b->waiting_count--;
    w.done(w.arg, retry_ms);
}

static int64_t answer_to(const struct bucket *b, int64_t now_ms)
{
    return b->empty_until_ms > now_ms ? b->empty_until_ms - now_ms : 0;
}

/* Each callback may bring further ones that wait: those get what is left, or ask anew. */
static void serve(struct bucket *b)
{
    int64_t now_ms = clock_steady_ms();

    while (b->first && (b->tokens > 0 || b->blind_until_ms > now_ms)) {
        if (b->tokens > 0)
            b->tokens--;
        answer_first(b, 0);
    }
    while (b->first && b->empty_until_ms > now_ms)
        answer_first(b, answer_to(b, now_ms));
    if (b->first && !b->is_asking)
        ask(b);
}

static void on_leased(void *arg, const struct rate_lease *lease, const struct error *e)
{
    struct bucket *b = arg;
    int64_t now_ms = clock_steady_ms();

    b->is_asking = false;
    if (e) {
        b->blind_until_ms = now_ms + BLIND_MS;
    } else {
        b->tokens += lease->granted;
        b->left = lease->left;
        b->ends_ms = now_ms + LEASE_MS;
        if (lease->wait_ms > 0)
            b->empty_until_ms = now_ms + lease->wait_ms;
    }
    serve(b);
}

static void wait_for_token(struct bucket *b, limiter_taken *done, void *arg)
{
    struct waiting *w = mem_alloc(sizeof(*w));

    *w = (struct waiting){done, arg, NULL};
    *b->last = w;
    b->last = &w->next;
    b->waiting_count++;
    if (!b->is_asking)
        ask(b);
}

void limiter_take(struct limiter *UNUSED(l), const struct caller *c, limiter_taken *done, void *arg)
{
    struct bucket *b = c->bucket;
    int64_t now_ms;

    if (!b) {
        done(arg, 0);
        return;
    }
    now_ms = clock_steady_ms();
    if (b->tokens > 0 && now_ms >= b->ends_ms)
        b->tokens = 0;
    if (b->tokens > 0) {
        b->tokens--;
        done(arg, 0);
    } else if (b->blind_until_ms > now_ms) {
        done(arg, 0);
    } else if (b->empty_until_ms > now_ms) {
        done(arg, answer_to(b, now_ms));
    } else {
        wait_for_token(b, done, arg);
    }
}

const char *limiter_policy(const struct caller *c)
{
    return c->bucket->policy;
}

void limiter_describe(const struct caller *c, char out[RATE_TEXT_SIZE])
{
    const struct bucket *b = c->bucket;
    int64_t left = b->left + b->tokens;
    int64_t full_ms = (b->rate.burst - left) * b->rate.period_ms / b->rate.burst;

    char *at = out;

    if (left < 0 || full_ms < 0) /* the rate is another one since */
        left = full_ms = 0;
    memcpy(at, "\"key\";r=", 8);
    at = digits_write(at + 8, left);
    memcpy(at, ";t=", 3);
    *digits_write(at + 3, (full_ms + 999) / 1000) = '\0';
}
