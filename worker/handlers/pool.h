/*
 * pool: long-lived processes of one program, one job at a time each, over the protocol of frames.h. Only the
 * files of the kind include this.
 *
 *     pool.c       the kind: its settings, its runs, who waits for whom
 *     servant.c    one process: it serves a run, or is idle, or is leaving
 *
 *     servant:  start ──▶ BUSY ⇄ IDLE ──▶ LEAVING ──▶ gone      (gone from each, when it dies or is killed)
 */
#ifndef JOBGATE_POOL_H
#define JOBGATE_POOL_H

#include <sys/queue.h>

#include "worker/handlers/frames.h"
#include "worker/handlers/program.h"
#include "worker/handlers/progress.h"

struct servant;
struct pool_run;

/* What the file says, and what there is. */
struct pool {
    struct program program;
    char *type; /* for the log */
    int size;
    int64_t max_jobs;
    int64_t max_rss_mb;
    int64_t idle_s;
    int servant_count;              /* leaving ones are not counted */
    TAILQ_HEAD(, servant) servants; /* all */
    TAILQ_HEAD(, servant) idle;     /* the one that was used last comes first */
    TAILQ_HEAD(, pool_run) waiting; /* for a servant; oldest first */
};

struct pool_run {
    struct run run;
    struct servant *servant; /* NULL while it waits */
    bool is_waiting;
    struct buf out;   /* to be written: frames, up to OUT_MAX_BYTES */
    size_t out_sent;  /* of it */
    size_t sent;      /* bytes of a whole payload that went into out */
    bool is_short;    /* a piece that was fed was not taken whole */
    bool is_whole;    /* the payload's end went into out */
    struct buf held;  /* what came and the receiver did not take, and what came behind that */
    size_t held_data; /* so much of it is the result's, the rest is still to be parsed */
    struct timer resumed;
    struct progress progress;
    struct error error; /* ERROR_OK: none */
    int64_t start_ms;
    struct run_usage usage;
    TAILQ_ENTRY(pool_run) link;
};

enum { OUT_PIECE_BYTES = 65536, OUT_MAX_BYTES = 4 * OUT_PIECE_BYTES };

/* ---- pool.c ---- */

/* Gives idle servants, or new ones, to those who wait. */
void pool_dispatch(struct pool *p);

/* There is room in the servant's stdin again. */
void pool_run_go_on(struct pool_run *r);

/* The run's servant has let go of it, whatever is in r->error: tells the receiver. The log is taken over. */
void pool_run_end(struct pool_run *r, struct buf *log);

/* ---- servant.c ---- */

/* Starts one, idle. Fails as process_launch. */
struct servant *servant_start(
    struct pool *p, const struct run_input *input, struct loop *loop, struct error *e) MUST_CHECK;

/* An idle one that lives, NULL when there is none. */
struct servant *servant_find_idle(struct pool *p);

/* Begins to serve: r->out holds what there is to write. */
void servant_serve(struct servant *s, struct pool_run *r);

/* Writes what is in r->out. */
void servant_flush(struct servant *s);

/* Has the loop call pool_run_go_on as soon as there is room. */
void servant_go_on_later(struct servant *s);

/* The receiver would take more: arg is the run. */
loop_callback servant_on_resumed;

/* r->error is set: the process is killed, and pool_run_end comes when it is dead. */
void servant_kill(struct servant *s);

/* SIGTERM. */
void servant_ask(struct servant *s);

/* Kills an idle or leaving one and waits for it: it is gone when this returns. */
void servant_end_now(struct servant *s);

#endif
