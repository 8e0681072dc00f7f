#include "common/net/loop.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

/* A call asked for by another thread. */
struct posted {
    loop_callback *callback;
    void *arg;
    struct posted *next;
};

struct watched_signal {
    struct event *event;
    loop_callback *callback;
    void *arg;
    struct watched_signal *next;
};

/* A call for later; freeing the loop lets it go uncalled. */
struct later {
    loop_callback *callback;
    void *arg;
    LIST_ENTRY(later) link;
};

struct loop {
    struct event_base *base;
    struct event *flush; /* made active when a log line waits */
    struct event *wake;
    int wake_fd;
    struct watched_signal *signals;
    pthread_mutex_t posted_lock; /* guards `posted`, the only thing that another thread touches */
    struct posted *posted;
    LIST_HEAD(, later) laters;
    struct watcher *watcher; /* watch.c's */
};

static void on_flush(evutil_socket_t UNUSED(fd), short UNUSED(what), void *UNUSED(arg))
{
    log_flush();
}

static void ask_for_flush(void *l)
{
    event_active(((struct loop *)l)->flush, EV_TIMEOUT, 0);
}

static struct posted *take_posted(struct loop *l)
{
    struct posted *newest_first;
    struct posted *in_order = NULL;

    pthread_mutex_lock(&l->posted_lock);
    newest_first = l->posted;
    l->posted = NULL;
    pthread_mutex_unlock(&l->posted_lock);
    while (newest_first) {
        struct posted *next = newest_first->next;

        newest_first->next = in_order;
        in_order = newest_first;
        newest_first = next;
    }
    return in_order;
}

static void on_wake(evutil_socket_t fd, short UNUSED(what), void *arg)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    struct posted *call = n == sizeof(count) ? take_posted(arg) : NULL;

    while (call) {
        struct posted *next = call->next;

        call->callback(call->arg);
        free(call);
        call = next;
    }
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    return base;
}

struct loop *loop_new(void)
{
    struct loop *l = mem_zalloc(sizeof(*l));

    pthread_mutex_init(&l->posted_lock, NULL);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->base = new_base();
    if (!l->base || l->wake_fd < 0)
        return loop_free(l);
    l->flush = event_new(l->base, -1, 0, on_flush, l);
    l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    if (!l->flush || !l->wake || event_add(l->wake, NULL) < 0)
        return loop_free(l);
    loop_adopt(l);
    return l;
}

void loop_adopt(struct loop *l)
{
    log_set_flush_hook(ask_for_flush, l);
}

struct loop *loop_free(struct loop *l)
{
    if (!l)
        return NULL;
    log_set_flush_hook(NULL, NULL);
    log_flush();
    while (l->signals) {
        struct watched_signal *next = l->signals->next;

        event_free(l->signals->event);
        free(l->signals);
        l->signals = next;
    }
    for (struct posted *call = take_posted(l); call;) {
        struct posted *next = call->next;

        free(call);
        call = next;
    }
    while (!LIST_EMPTY(&l->laters)) {
        struct later *call = LIST_FIRST(&l->laters);

        LIST_REMOVE(call, link);
        free(call);
    }
    if (l->flush)
        event_free(l->flush);
    if (l->wake)
        event_free(l->wake);
    if (l->base)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->posted_lock);
    free(l);
    return NULL;
}

struct watcher **loop_watcher(struct loop *l)
{
    return &l->watcher;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

void loop_run(struct loop *l)
{
    event_base_dispatch(l->base);
    log_flush();
}

void loop_stop(struct loop *l)
{
    event_base_loopbreak(l->base);
}

void loop_call_from_thread(struct loop *l, loop_callback *callback, void *arg)
{
    struct posted *call = mem_zalloc(sizeof(*call));
    uint64_t one = 1;
    ssize_t n;

    call->callback = callback;
    call->arg = arg;
    pthread_mutex_lock(&l->posted_lock);
    call->next = l->posted;
    l->posted = call;
    pthread_mutex_unlock(&l->posted_lock);
    n = write(l->wake_fd, &one, sizeof(one));
    (void)n; /* it fails only when the counter is full, and then the loop is awake already */
}

static void on_later(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    struct later call = *(struct later *)arg;

    LIST_REMOVE((struct later *)arg, link);
    free(arg);
    call.callback(call.arg);
}

void loop_call_later(struct loop *l, loop_callback *callback, void *arg)
{
    struct later *call = mem_zalloc(sizeof(*call));
    static const struct timeval at_once = {0, 0};

    call->callback = callback;
    call->arg = arg;
    LIST_INSERT_HEAD(&l->laters, call, link);
    if (event_base_once(l->base, -1, EV_TIMEOUT, on_later, call, &at_once) < 0)
        abort(); /* out of memory: mem.h's policy */
}

static void on_signal(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    const struct watched_signal *s = arg;

    s->callback(s->arg);
}

void loop_on_signal(struct loop *l, int signal_number, loop_callback *callback, void *arg)
{
    struct watched_signal *s = mem_zalloc(sizeof(*s));

    s->callback = callback;
    s->arg = arg;
    s->event = evsignal_new(l->base, signal_number, on_signal, s);
    s->next = l->signals;
    l->signals = s;
    if (!s->event || event_add(s->event, NULL) < 0)
        abort();
}

static void on_timer(evutil_socket_t UNUSED(fd), short UNUSED(what), void *arg)
{
    const struct timer *t = arg;

    t->callback(t->arg);
}

void timer_init(struct timer *t, struct loop *l, loop_callback *callback, void *arg)
{
    t->callback = callback;
    t->arg = arg;
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
}

void timer_start(struct timer *t, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};

    event_add(&t->event, &delay);
}

void timer_stop(struct timer *t)
{
    if (event_initialized(&t->event))
        event_del(&t->event);
}

bool timer_is_running(const struct timer *t)
{
    return event_initialized(&t->event) && event_pending(&t->event, EV_TIMEOUT, NULL);
}
