/*
 * loop: one event loop (libevent), its timers, signals and deferred calls. One thread owns it; only
 * loop_call_from_thread may be called from another.
 */
#ifndef JOBGATE_LOOP_H
#define JOBGATE_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/base.h"

struct loop;

typedef void loop_callback(void *arg);

/* Returns a loop that the caller releases with loop_free, or NULL when the kernel refuses one. Log lines of
 * this thread are from now on gathered and written once a turn. */
struct loop *loop_new(void);
struct loop *loop_free(struct loop *l); /* takes NULL; returns NULL */

/* For the libraries that attach to it: evhttp, hiredis, curl. Borrowed. */
struct event_base *loop_base(struct loop *l);

/* For a loop that another thread made: from now on it belongs to this thread, and so do its log lines. */
void loop_adopt(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Calls callback in this loop's thread, soon; the one function that any thread may call. */
void loop_call_from_thread(struct loop *l, loop_callback *callback, void *arg);

/* Calls callback once, after the present callback returned. */
void loop_call_later(struct loop *l, loop_callback *callback, void *arg);

/* Calls callback at each arrival of the signal, in the loop (so anything may be done in it). */
void loop_on_signal(struct loop *l, int signal_number, loop_callback *callback, void *arg);

/* Where watch.c keeps what the watches of this loop share; NULL at first. */
struct watcher;
struct watcher **loop_watcher(struct loop *l);

/* A timer, embedded in the object it belongs to. One shot: start it again for the next. */
struct timer {
    struct event event;
    loop_callback *callback;
    void *arg;
};

void timer_init(struct timer *t, struct loop *l, loop_callback *callback, void *arg);
void timer_start(struct timer *t, int64_t delay_ms); /* starting again moves it */
void timer_stop(struct timer *t);                    /* harmless when it is not running */
bool timer_is_running(const struct timer *t);

#endif
