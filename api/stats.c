#include "api/stats.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"

enum { TEXT_MAX = STATS_TEXT_MAX - 4096 }; /* the rest is for what stands around it */

void stats_init(struct stats *s)
{
    *s = (struct stats){.queues = BUF(TEXT_MAX), .list = BUF(TEXT_MAX)};
}

void stats_release(struct stats *s)
{
    buf_release(&s->queues);
    buf_release(&s->list);
    free(s->workers);
    s->workers = NULL;
}

static void add_worker(struct stats *s, const struct worker_overview *w)
{
    for (size_t i = 0; i < s->worker_count; i++)
        if (strcmp(s->workers[i].name, w->name) == 0) {
            s->workers[i].running += w->running;
            if (s->workers[i].seen_ms < w->seen_ms)
                s->workers[i].seen_ms = w->seen_ms;
            return;
        }
    s->workers = mem_realloc(s->workers, (s->worker_count + 1) * sizeof(*s->workers));
    s->workers[s->worker_count++] = *w;
}

static void write_member(struct buf *out, const char *name, int64_t value)
{
    buf_printf(out, ",\"%s\":%lld", name, (long long)value);
}

static void write_seconds(struct buf *out, const char *name, int64_t ms)
{
    buf_printf(out, ",\"%s\":%.3f", name, (double)ms / 1e3);
}

static int64_t slots_of(const struct worker_overview *workers, size_t count)
{
    int64_t slots = 0;

    for (size_t i = 0; i < count; i++)
        slots += workers[i].slots;
    return slots;
}

/* What waits in a paused queue needs no worker. */
static int64_t demand_of(const struct queue_overview *o)
{
    return o->running + (o->is_paused ? 0 : o->waiting);
}

void stats_write_queue(const struct queue_overview *o, struct buf *out)
{
    buf_printf(out, "{\"name\":\"%s\",\"paused\":%s", o->shard.queue, o->is_paused ? "true" : "false");
    write_member(out, "waiting", o->waiting);
    write_member(out, "scheduled", o->scheduled);
    write_member(out, "running", o->running);
    write_member(out, "dead", o->dead);
    write_member(out, "demand", demand_of(o));
    write_seconds(out, "oldest_age_s", o->oldest_ms);
    write_member(out, "workers", (int64_t)o->worker_count);
    write_member(out, "slots", slots_of(o->workers, o->worker_count));
    buf_append_text(out, ",\"totals\":{");
#define COUNTER(name) buf_printf(out, "\"" #name "\":%lld,", (long long)o->name##_total);
    QUEUE_COUNTERS(COUNTER)
#undef COUNTER
    out->data[out->length - 1] = '}'; /* in place of the last comma */
    buf_append_char(out, '}');
}

void stats_add(struct stats *s, const struct queue_overview *o)
{
    s->waiting += o->waiting;
    s->demand += demand_of(o);
    s->scheduled += o->scheduled;
    s->running += o->running;
    s->dead += o->dead;
    s->oldest_ms = o->oldest_ms > s->oldest_ms ? o->oldest_ms : s->oldest_ms;
    for (size_t i = 0; i < o->worker_count; i++)
        add_worker(s, &o->workers[i]);
    buf_printf(&s->queues, "%s\"%s\":", s->queues.length ? "," : "", o->shard.queue);
    stats_write_queue(o, &s->queues);
    if (s->list.length)
        buf_append_char(&s->list, ',');
    stats_write_queue(o, &s->list);
}

void stats_write(const struct stats *s, struct buf *out)
{
    buf_printf(out, "{\"waiting\":%lld", (long long)s->waiting);
    write_member(out, "scheduled", s->scheduled);
    write_member(out, "running", s->running);
    write_member(out, "dead", s->dead);
    write_member(out, "demand", s->demand);
    write_seconds(out, "oldest_age_s", s->oldest_ms);
    write_member(out, "workers", (int64_t)s->worker_count);
    write_member(out, "slots", slots_of(s->workers, s->worker_count));
    buf_printf(out, ",\"queues\":{%s}}\n", s->queues.data);
}

void stats_write_queues(const struct stats *s, struct buf *out)
{
    buf_printf(out, "{\"queues\":[%s]}\n", s->list.data);
}

void stats_write_workers(const struct stats *s, struct buf *out)
{
    char seen[CLOCK_RFC3339_SIZE];

    buf_append_text(out, "{\"workers\":[");
    for (size_t i = 0; i < s->worker_count; i++) {
        const struct worker_overview *w = &s->workers[i];

        buf_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        json_write_string(out, w->name, strlen(w->name));
        write_member(out, "slots", w->slots);
        write_member(out, "running", w->running);
        if (w->seen_ms) { /* 0: its jobs are being given to others */
            clock_format_rfc3339(w->seen_ms, seen);
            json_write_member(out, "last_heartbeat_at", seen);
        }
        buf_append_char(out, '}');
    }
    buf_append_text(out, "]}\n");
}
