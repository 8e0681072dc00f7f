#include "common/blob/helper.h"
#include "common/base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

TAILQ_HEAD(jobs, helper_job);

struct helper {
    struct loop *loop;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct jobs waiting;
    struct jobs ended;
    struct helper_job *running;
    bool is_stopping;
};

static void *work(void *arg)
{
    struct helper *h = arg;
    const uint64_t one = 1;
    ssize_t n;

    pthread_mutex_lock(&h->lock);
    while (!h->is_stopping) {
        struct helper_job *job = TAILQ_FIRST(&h->waiting);

        if (!job) {
            pthread_cond_wait(&h->more, &h->lock);
            continue;
        }
        TAILQ_REMOVE(&h->waiting, job, link);
        h->running = job;
        pthread_mutex_unlock(&h->lock);
        job->run(job);
        pthread_mutex_lock(&h->lock);
        h->running = NULL;
        TAILQ_INSERT_TAIL(&h->ended, job, link);
        n = write(h->wake_fd, &one, sizeof(one));
        (void)n; /* it fails only when the counter is full, and then the loop is awake already */
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static struct helper_job *take_ended(struct helper *h)
{
    struct helper_job *job;

    pthread_mutex_lock(&h->lock);
    job = TAILQ_FIRST(&h->ended);
    if (job)
        TAILQ_REMOVE(&h->ended, job, link);
    pthread_mutex_unlock(&h->lock);
    return job;
}

static void on_wake(evutil_socket_t fd, short UNUSED(what), void *arg)
{
    struct helper_job *job;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n; /* nothing to read: the list is looked at all the same */
    while ((job = take_ended(arg))) {
        if (job->is_dropped)
            job->release(job);
        else
            job->done(job);
    }
}

struct helper *helper_new(struct loop *loop)
{
    struct helper *h = mem_zalloc(sizeof(*h));

    h->loop = loop;
    h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    h->wake =
        h->wake_fd < 0 ? NULL : event_new(loop_base(loop), h->wake_fd, EV_READ | EV_PERSIST, on_wake, h);
    if (!h->wake || event_add(h->wake, NULL) < 0)
        abort(); /* no descriptors or memory at the start: mem.h's policy */
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->more, NULL);
    TAILQ_INIT(&h->waiting);
    TAILQ_INIT(&h->ended);
    return h;
}

/* Signals are for the loop's thread. */
static void begin(struct helper *h)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&h->thread, NULL, work, h))
        abort(); /* no memory: mem.h's policy */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    h->has_thread = true;
}

void helper_start(struct helper *h, struct helper_job *job)
{
    job->is_dropped = false;
    pthread_mutex_lock(&h->lock);
    TAILQ_INSERT_TAIL(&h->waiting, job, link);
    pthread_cond_signal(&h->more);
    pthread_mutex_unlock(&h->lock);
    if (!h->has_thread)
        begin(h);
}

static bool is_waiting(const struct helper *h, const struct helper_job *job)
{
    const struct helper_job *other;

    TAILQ_FOREACH(other, &h->waiting, link)
    if (other == job)
        return true;
    return false;
}

void helper_drop(struct helper *h, struct helper_job *job)
{
    bool was_waiting;

    pthread_mutex_lock(&h->lock);
    was_waiting = is_waiting(h, job);
    if (was_waiting)
        TAILQ_REMOVE(&h->waiting, job, link);
    pthread_mutex_unlock(&h->lock);
    if (was_waiting)
        job->release(job);
    else
        job->is_dropped = true; /* only this thread looks at it */
}

static void release_all(struct jobs *jobs)
{
    struct helper_job *job;

    while ((job = TAILQ_FIRST(jobs))) {
        TAILQ_REMOVE(jobs, job, link);
        job->release(job);
    }
}

struct helper *helper_free(struct helper *h)
{
    if (!h)
        return NULL;
    pthread_mutex_lock(&h->lock);
    h->is_stopping = true;
    pthread_cond_signal(&h->more);
    pthread_mutex_unlock(&h->lock);
    if (h->has_thread)
        pthread_join(h->thread, NULL);
    release_all(&h->waiting);
    release_all(&h->ended);
    event_free(h->wake);
    close(h->wake_fd);
    pthread_cond_destroy(&h->more);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}
