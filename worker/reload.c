#include "worker/reload.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/watch.h"
#include "worker/types.h"

#include <signal.h>

enum { MISTAKES_MAX = 65536 };

struct reload {
    struct worker *worker;
    struct watch *watch;
};

static const struct log_context log_context = {.component = "handlers"};

static void log_mistakes(char *text)
{
    char *at = text;
    const char *line;

    while ((line = strsep(&at, "\n")))
        if (*line)
            log_error(&log_context, "HANDLERS_FILE: %s", line);
    log_error(&log_context, "the handlers file is wrong: it is not taken, and what was there stays");
}

static size_t count_types(const struct handlers *handlers)
{
    size_t count = 0;

    while (handlers_type_at(handlers, count))
        count++;
    return count;
}

/* Returns whether there are others now. The same text is not taken again: the processes of its pools stay. */
static bool load(struct worker *w, bool *is_same)
{
    AUTO_BUF struct buf mistakes = BUF(MISTAKES_MAX);
    struct handlers *fresh = handlers_load(w->loop, w->config, w->config->handlers_file, &mistakes);
    struct handlers *old = w->handlers;

    *is_same = fresh && handlers_are_same(fresh, old);
    if (!fresh) {
        metrics_add(w->metrics, METRIC_HANDLERS_REFUSED, 1);
        log_mistakes(mistakes.data);
        return false;
    }
    w->handlers = *is_same ? old : fresh;
    handlers_free(*is_same ? fresh : old);
    return !*is_same;
}

static void announce(struct worker *w)
{
    metrics_add(w->metrics, METRIC_HANDLERS_LOADED, 1);
    log_info(&log_context, "the handlers file was read anew: %zu types", count_types(w->handlers));
    publisher_tell(w->publisher);
}

static void on_change(void *arg)
{
    const struct reload *r = arg;
    bool is_same;

    if (load(r->worker, &is_same))
        announce(r->worker);
}

/* Who sends it wants to hear what came of it, whatever that is. */
static void on_hangup(void *arg)
{
    const struct reload *r = arg;
    bool is_same;

    if (load(r->worker, &is_same))
        announce(r->worker);
    else if (is_same)
        log_info(&log_context, "the handlers file is the same as before");
}

struct reload *reload_new(struct worker *w)
{
    struct reload *r = mem_zalloc(sizeof(*r));

    r->worker = w;
    r->watch = watch_new(w->loop, w->config->handlers_file, on_change, r);
    loop_on_signal(w->loop, SIGHUP, on_hangup, r);
    return r;
}

struct reload *reload_free(struct reload *r)
{
    if (r)
        watch_free(r->watch);
    free(r);
    return NULL;
}
