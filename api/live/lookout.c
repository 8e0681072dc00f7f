#include "api/live/lookout.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/redis/redis.h"

enum {
    BUCKETS = 4096,
    PEEK_MAX = 128,    /* jobs that one request reads */
    LOOKS_MAX = 1024,  /* jobs that are looked at to find so many of one shard */
    READS_MAX = 8,     /* requests under way at once */
    TICK_MS = 500,     /* of the safety net */
    SAFE_TICKS = 30,   /* in so many it comes round */
    BLIND_TICKS = 4,   /* the same while a subscription does not stand */
    LINGER_TICKS = 60, /* how long a channel without waiters is kept: often there are some again */
};

/* ABSENT -> ASKED -> LIVE -> LEAVING -> ABSENT; all ABSENT when the connection is lost. */
enum channel_state { ABSENT, ASKED, LIVE, LEAVING };

/* The events of one shard. */
struct channel {
    struct shard shard;
    struct key name;
    enum channel_state state;
    size_t watched_count;
    int idle_ticks;
    struct channel *next;
};

/* A job that somebody waits for. */
struct watched {
    struct job_id id;
    struct channel *channel;
    uint64_t version;   /* hash of what was read last; 0 = nothing was */
    bool is_dirty;      /* to be read; it stands in the list of those */
    bool is_being_told; /* not to be released now */
    struct watcher *watchers;
    struct watched *next;       /* in its bucket */
    struct watched *next_dirty; /* may outlive it in no case: it is taken out before it goes */
    struct watched *previous_dirty;
};

struct lookout {
    struct loop *loop;
    const struct config *config;
    struct queue *queue;
    struct redis *subscriber;
    struct metrics *metrics;
    struct watched **buckets;
    size_t watcher_count;
    size_t watcher_max;
    struct channel *channels;
    struct watched *dirty; /* the first to be read; new ones go to the end */
    struct watched *last_dirty;
    size_t reads;  /* under way */
    size_t cursor; /* of the safety net: the next bucket */
    struct timer flush;
    struct timer tick;
    bool is_draining;
    bool has_complained;
};

/* Jobs that one request reads; they are looked up again when the answer comes. */
struct peek {
    struct lookout *lookout;
    size_t count;
    struct job_id ids[PEEK_MAX];
};

static const struct log_context log_context = {.component = "lookout"};

/* ---- the table of jobs ---- */

/* FNV-1a. Source: draft-eastlake-fnv, 64 bits. */
static uint64_t hash_bytes(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash | 1; /* 0 means none */
}

static struct watched **bucket_of(struct lookout *w, const char *id, size_t length)
{
    return &w->buckets[hash_bytes(id, length) / 2 % BUCKETS];
}

static struct watched *find_watched(struct lookout *w, const char *id, size_t length)
{
    for (struct watched *j = *bucket_of(w, id, length); j; j = j->next)
        if (strncmp(j->id.text, id, length) == 0 && j->id.text[length] == '\0')
            return j;
    return NULL;
}

/* ---- what is to be read ---- */

static void schedule_flush(struct lookout *w, int64_t delay_ms)
{
    if (!timer_is_running(&w->flush))
        timer_start(&w->flush, delay_ms);
}

static void mark_dirty(struct lookout *w, struct watched *j)
{
    if (j->is_dirty)
        return;
    j->is_dirty = true;
    j->next_dirty = NULL;
    j->previous_dirty = w->last_dirty;
    if (w->last_dirty)
        w->last_dirty->next_dirty = j;
    else
        w->dirty = j;
    w->last_dirty = j;
}

static void clear_dirty(struct lookout *w, struct watched *j)
{
    if (!j->is_dirty)
        return;
    j->is_dirty = false;
    if (j->previous_dirty)
        j->previous_dirty->next_dirty = j->next_dirty;
    else
        w->dirty = j->next_dirty;
    if (j->next_dirty)
        j->next_dirty->previous_dirty = j->previous_dirty;
    else
        w->last_dirty = j->previous_dirty;
}

static void mark_all(struct lookout *w, const struct channel *only)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct watched *j = w->buckets[i]; j; j = j->next)
            if (!only || j->channel == only)
                mark_dirty(w, j);
    schedule_flush(w, 0);
}

/* ---- channels ---- */

static void subscribe(struct lookout *w, struct channel *c)
{
    struct error e;

    if (c->state == ABSENT && w->subscriber && redis_subscribe(w->subscriber, c->name.text, &e))
        c->state = ASKED; /* else the connection asks for all when it is ready */
}

static struct channel *find_channel(struct lookout *w, const char *name)
{
    for (struct channel *c = w->channels; c; c = c->next)
        if (strcmp(c->name.text, name) == 0)
            return c;
    return NULL;
}

static struct channel *get_channel(struct lookout *w, const struct shard *shard)
{
    struct channel *c;
    struct key name;

    key_events(shard, &name);
    c = find_channel(w, name.text);
    if (!c) {
        c = mem_zalloc(sizeof(*c));
        c->shard = *shard;
        c->name = name;
        c->next = w->channels;
        w->channels = c;
    }
    c->idle_ticks = 0;
    subscribe(w, c);
    return c;
}

/* Forgets channels that nobody has needed for a while. */
static void prune_channels(struct lookout *w)
{
    struct error e;

    for (struct channel **at = &w->channels; *at;) {
        struct channel *c = *at;

        if (c->watched_count == 0 && ++c->idle_ticks > LINGER_TICKS) {
            if (c->state == ABSENT) {
                *at = c->next;
                free(c);
                continue;
            }
            if (c->state == LIVE && redis_unsubscribe(w->subscriber, c->name.text, &e))
                c->state = LEAVING;
        }
        at = &c->next;
    }
}

/* ---- what Redis says ---- */

static void on_subscriber_ready(void *arg)
{
    struct lookout *w = arg;

    for (struct channel *c = w->channels; c; c = c->next)
        subscribe(w, c);
}

static void on_subscriber_lost(void *arg)
{
    struct lookout *w = arg;

    for (struct channel *c = w->channels; c; c = c->next)
        c->state = ABSENT;
    if (w->has_complained || strncmp(redis_describe(w->subscriber), "NOPERM", 6) != 0)
        return;
    w->has_complained = true;
    log_error(&log_context,
        "redis refuses the subscription, so those who wait for a job hear of changes up to 2 s late: allow "
        "its "
        "user the channels (&jobgate:*): %s",
        redis_describe(w->subscriber));
}

static void on_subscribed(void *arg, const char *name)
{
    struct lookout *w = arg;
    struct channel *c = find_channel(w, name);

    if (!c)
        return;
    c->state = LIVE;
    mark_all(w, c); /* what happened before is not told */
}

static void on_unsubscribed(void *arg, const char *name)
{
    struct lookout *w = arg;
    struct channel *c = find_channel(w, name);

    if (!c)
        return;
    c->state = ABSENT;
    if (c->watched_count > 0)
        subscribe(w, c);
}

static void on_message(void *arg, const char *UNUSED(channel), const char *text, size_t length)
{
    struct lookout *w = arg;
    const char *end = text + length;

    while (text < end) {
        const char *blank = memchr(text, ' ', (size_t)(end - text));
        size_t id_length = (size_t)((blank ? blank : end) - text);
        struct watched *j = find_watched(w, text, id_length);

        if (j) {
            mark_dirty(w, j);
            schedule_flush(w, 0);
        }
        text += id_length + 1;
    }
}

static const struct redis_subscriber subscriber = {on_message, on_subscribed, on_unsubscribed};

static void open_subscriber(struct lookout *w)
{
    struct redis_url url;
    struct redis_options options = {
        .url = &url,
        .config = w->config,
        .component = "lookout",
        .is_secondary = true,
        .timeout_ms = w->config->redis_timeout_ms,
        .on_ready = on_subscriber_ready,
        .on_lost = on_subscriber_lost,
        .subscriber = &subscriber,
        .arg = w,
    };
    struct error e;

    if (w->subscriber || !redis_url_parse(w->config->redis_url, &url, &e))
        return; /* it was parsed at the start, and was right */
    w->subscriber = redis_new(w->loop, &options);
    redis_url_wipe(&url);
}

/* ---- telling ---- */

static void release_watched(struct lookout *w, struct watched *j)
{
    struct watched **at = bucket_of(w, j->id.text, strlen(j->id.text));

    if (j->watchers || j->is_being_told)
        return;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    clear_dirty(w, j);
    j->channel->watched_count--;
    free(j);
}

/* only_fresh: those who were told before know it already. */
static void tell(
    struct lookout *w, struct watched *j, bool only_fresh, const struct job *job, const struct error *e)
{
    struct watcher *next;

    j->is_being_told = true;
    for (struct watcher *me = j->watchers; me; me = next) {
        next = me->next;
        if (only_fresh && !me->is_fresh)
            continue;
        me->is_fresh = false;
        me->told(me->arg, job, e);
    }
    j->is_being_told = false;
    release_watched(w, j);
}

static void tell_read(struct lookout *w, struct watched *j, const struct record_text *record)
{
    uint64_t version = record->text ? hash_bytes(record->text, record->length) : 0;
    bool is_same = version && version == j->version && !w->is_draining;
    struct error failure;
    struct job job;

    j->version = version;
    if (!record->text) {
        error_set(&failure, ERROR_NOT_FOUND, QUEUE_NO_SUCH_JOB);
        tell(w, j, false, NULL, &failure);
    } else if (record_decode_peeked(&j->id, record->text, record->length, &job, &failure)) {
        tell(w, j, is_same, &job, NULL);
        job_release(&job);
    } else {
        tell(w, j, is_same, NULL, &failure);
    }
}

static void tell_stopped(struct lookout *w, struct watched *j)
{
    struct error e;

    error_set(&e, ERROR_STOPPED, "the server is stopping: ask again");
    tell(w, j, false, NULL, &e);
}

/* ---- reading ---- */

static void on_peeked(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    struct peek *p = arg;
    struct lookout *w = p->lookout;

    w->reads--;
    for (size_t i = 0; i < p->count; i++) {
        struct watched *j = find_watched(w, p->ids[i].text, strlen(p->ids[i].text));

        if (!j)
            continue;
        if (!e && i < count)
            tell_read(w, j, &records[i]);
        else if (w->is_draining)
            tell_stopped(w, j);
        else
            mark_dirty(w, j); /* the safety net reads it again, when Redis is back */
    }
    free(p);
    if (!e && w->dirty)
        schedule_flush(w, 0);
}

/* Takes the first that is to be read, and others of its shard. */
static struct peek *gather(struct lookout *w)
{
    struct peek *p = mem_alloc(sizeof(*p));
    const struct channel *channel = w->dirty->channel;
    size_t looked_at = 0;
    struct watched *next;

    p->lookout = w;
    p->count = 0;
    for (struct watched *j = w->dirty; j && p->count < PEEK_MAX && looked_at < LOOKS_MAX; j = next) {
        next = j->next_dirty;
        looked_at++;
        if (j->channel != channel)
            continue;
        clear_dirty(w, j);
        p->ids[p->count++] = j->id;
    }
    return p;
}

static void flush(void *arg)
{
    struct lookout *w = arg;
    struct error e;

    while (w->dirty && w->reads < READS_MAX) {
        struct peek *p = gather(w);

        w->reads++;
        if (!queue_peek(w->queue, p->ids, p->count, on_peeked, p, &e)) {
            on_peeked(p, NULL, 0, &e);
            return;
        }
    }
}

/* ---- the safety net ---- */

static void tick(void *arg)
{
    struct lookout *w = arg;
    bool is_blind = false;
    size_t share;

    prune_channels(w);
    if (w->channels)
        timer_start(&w->tick, TICK_MS);
    for (const struct channel *c = w->channels; c; c = c->next)
        is_blind |= c->watched_count > 0 && c->state != LIVE;
    share = BUCKETS / (is_blind ? BLIND_TICKS : SAFE_TICKS) + 1;
    for (size_t i = 0; i < share; i++) {
        for (struct watched *j = w->buckets[w->cursor]; j; j = j->next)
            mark_dirty(w, j);
        w->cursor = (w->cursor + 1) % BUCKETS;
    }
    if (w->dirty)
        schedule_flush(w, 0);
}

/* ---- waiting ---- */

static struct watched *get_watched(struct lookout *w, const struct job_id *id)
{
    size_t length = strlen(id->text);
    struct watched *j = find_watched(w, id->text, length);
    struct watched **bucket;

    if (j)
        return j;
    j = mem_zalloc(sizeof(*j));
    j->id = *id;
    j->channel = get_channel(w, &id->shard);
    j->channel->watched_count++;
    bucket = bucket_of(w, id->text, length);
    j->next = *bucket;
    *bucket = j;
    return j;
}

bool lookout_start(struct lookout *w, struct watcher *me, const struct job_id *id, lookout_told *told,
    void *arg, struct error *e)
{
    struct watched *j;

    if (w->watcher_count >= w->watcher_max)
        return error_set(e, ERROR_TOO_MANY_WAITERS,
            "%zu callers wait for jobs here, as many as may (WAITERS_MAX): ask again later, without waiting",
            w->watcher_count);
    open_subscriber(w);
    j = get_watched(w, id);
    *me = (struct watcher){.lookout = w, .watched = j, .told = told, .arg = arg, .is_fresh = true};
    me->next = j->watchers;
    if (me->next)
        me->next->previous = me;
    j->watchers = me;
    w->watcher_count++;
    metrics_set(w->metrics, METRIC_WAITERS, (double)w->watcher_count);
    if (j->channel->state == LIVE || w->is_draining) { /* else it is read when the subscription stands */
        mark_dirty(w, j);
        schedule_flush(w, 0);
    }
    if (!timer_is_running(&w->tick))
        timer_start(&w->tick, TICK_MS);
    return true;
}

void lookout_stop(struct watcher *me)
{
    struct lookout *w = me->lookout;
    struct watched *j = me->watched;

    if (!w)
        return;
    if (me->previous)
        me->previous->next = me->next;
    else
        j->watchers = me->next;
    if (me->next)
        me->next->previous = me->previous;
    me->lookout = NULL;
    w->watcher_count--;
    metrics_set(w->metrics, METRIC_WAITERS, (double)w->watcher_count);
    release_watched(w, j);
}

void lookout_drain(struct lookout *w)
{
    w->is_draining = true;
    mark_all(w, NULL);
}

bool lookout_is_draining(const struct lookout *w)
{
    return w->is_draining;
}

/* ---- life ---- */

struct lookout *lookout_new(
    struct loop *l, const struct config *config, struct queue *q, struct metrics *metrics)
{
    struct lookout *w = mem_zalloc(sizeof(*w));

    w->loop = l;
    w->config = config;
    w->queue = q;
    w->metrics = metrics;
    w->watcher_max = (size_t)((config->waiters_max + config->api_loops - 1) / config->api_loops);
    w->buckets = mem_array(BUCKETS, sizeof(struct watched *));
    metrics_set(metrics, METRIC_WAITERS, 0);
    timer_init(&w->flush, l, flush, w);
    timer_init(&w->tick, l, tick, w);
    return w;
}

struct lookout *lookout_free(struct lookout *w)
{
    if (!w)
        return NULL;
    assert(w->watcher_count == 0);
    timer_stop(&w->flush);
    timer_stop(&w->tick);
    if (w->subscriber)
        redis_free(w->subscriber);
    while (w->channels) {
        struct channel *next = w->channels->next;

        free(w->channels);
        w->channels = next;
    }
    free(w->buckets);
    free(w);
    return NULL;
}
