#include "common/blob/health.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { WELL_MS = 10000, AWAY_FIRST_MS = 1000 };

enum state { UNKNOWN, UP, AWAY };

struct blob_health {
    struct blob_store *store;
    struct metrics *metrics;
    const char *component;
    loop_callback *on_up;
    void *arg;
    struct timer next;
    struct blob_op *checking;
    enum state state;
    int64_t away_ms; /* the wait until the next look while it is away */
    char text[256];
};

static void become_up(struct blob_health *h)
{
    struct log_context context = {.component = h->component};
    bool was_away = h->state == AWAY;

    if (h->state == UP)
        return;
    h->state = UP;
    h->away_ms = AWAY_FIRST_MS;
    snprintf(h->text, sizeof(h->text), "reachable");
    metrics_set(h->metrics, METRIC_STORE_UP, 1);
    if (was_away)
        log_info(&context, "the blob store answers again");
    if (h->on_up)
        h->on_up(h->arg);
}

static void become_away(struct blob_health *h, const struct error *e)
{
    struct log_context context = {.component = h->component};
    bool is_new = h->state != AWAY || strcmp(h->text, e->text) != 0;

    if (h->state != AWAY && !h->checking)
        timer_start(&h->next, h->away_ms); /* an operation met it: the next look must not wait its turn */
    h->state = AWAY;
    metrics_set(h->metrics, METRIC_STORE_UP, 0);
    if (is_new && strncmp(h->text, e->text, 60) != 0) /* a request id at the end is no news */
        log_warn(&context, "the blob store cannot be used: %s; what needs it waits, and it is tried again",
            e->text);
    snprintf(h->text, sizeof(h->text), "%s", e->text);
}

void blob_health_report(struct blob_health *h, const struct error *e)
{
    if (e)
        become_away(h, e);
    else
        become_up(h);
}

static void on_checked(void *arg, const struct error *e)
{
    struct blob_health *h = arg;

    h->checking = NULL;
    blob_health_report(h, e);
    timer_start(&h->next, h->state == UP ? WELL_MS : h->away_ms);
    if (h->state == AWAY)
        h->away_ms = h->away_ms * 2 < WELL_MS ? h->away_ms * 2 : WELL_MS;
}

static void check_now(void *arg)
{
    struct blob_health *h = arg;

    h->checking = blob_check(h->store, on_checked, h);
}

struct blob_health *blob_health_new(struct loop *l, struct blob_store *store, struct metrics *metrics,
    const char *component, loop_callback *on_up, void *arg)
{
    struct blob_health *h = mem_zalloc(sizeof(*h));

    *h = (struct blob_health){.store = store,
        .metrics = metrics,
        .component = component,
        .on_up = on_up,
        .arg = arg,
        .away_ms = AWAY_FIRST_MS};
    snprintf(h->text, sizeof(h->text), "not asked yet");
    metrics_set(metrics, METRIC_STORE_UP, 0);
    timer_init(&h->next, l, check_now, h);
    timer_start(&h->next, 0);
    return h;
}

struct blob_health *blob_health_free(struct blob_health *h)
{
    if (!h)
        return NULL;
    timer_stop(&h->next);
    if (h->checking)
        blob_cancel(h->checking);
    free(h);
    return NULL;
}

bool blob_health_is_up(const struct blob_health *h)
{
    return h->state == UP;
}

const char *blob_health_describe(const struct blob_health *h)
{
    return h->text;
}
