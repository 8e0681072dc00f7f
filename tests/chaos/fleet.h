/*
 * fleet: what the chaos test runs: two apis on one port, three workers, a Redis that keeps all on disk, and a
 * blob store behind a fault_proxy; and what befalls them. What goes wrong beyond what was done to it fails
 * the test.
 */
#ifndef JOBGATE_TESTS_FLEET_H
#define JOBGATE_TESTS_FLEET_H

#include "tests/support/fault_proxy.h"
#include "tests/support/scene.h"

enum { FLEET_APIS = 2, FLEET_WORKERS = 3, FLEET_SIZE = FLEET_APIS + FLEET_WORKERS };

/* What is done to it, how often in a round, and how that is reported. */
#define FLEET_EVENTS(EVENT)                                                                                  \
    EVENT(6, worker_kill, "workers killed")                                                                  \
    EVENT(3, worker_stop, "workers ended by SIGTERM")                                                        \
    EVENT(5, worker_freeze, "workers frozen beyond their lease")                                             \
    EVENT(2, api_kill, "apis killed")                                                                        \
    EVENT(1, api_stop, "apis ended by SIGTERM")                                                              \
    EVENT(2, api_freeze, "apis frozen")                                                                      \
    EVENT(2, redis_kill, "redis killed and restarted")                                                       \
    EVENT(1, redis_freeze, "redis frozen")                                                                   \
    EVENT(6, store_trouble, "times of trouble with the store")

enum fleet_event {
#define EVENT(weight, name, text) EVENT_##name,
    FLEET_EVENTS(EVENT)
#undef EVENT
        EVENT_COUNT
};

/* What the programs said: lines of their logs, by a part of them. */
#define FLEET_WORDS(WORD)                                                                                    \
    WORD(FROM_STORE, "and the job is not run again", "settled from the stored result, without a run")        \
    WORD(WRITTEN_BEFORE, "that one counts", "results that an earlier try had stored meanwhile")              \
    WORD(STALE, "what it made is discarded", "tries that were too late")                                     \
    WORD(CUT, "could not be renewed in time", "leases that could not be renewed")                            \
    WORD(REAPED, "of its jobs of queue", "lists of silent workers given back")                               \
    WORD(RENAMED, "were given to others", "workers that went on under a new name")                           \
    WORD(MISPLACED, "this is a bug of jobgate",                                                              \
        "jobs that an audit under way found in no place or in several")

enum fleet_word {
#define WORD(name, part, text) WORD_##name,
    FLEET_WORDS(WORD)
#undef WORD
        WORD_COUNT
};

struct member {
    struct jobgate *program; /* NULL while it is down */
    enum { MEMBER_RUNS, MEMBER_FROZEN, MEMBER_ENDING, MEMBER_DOWN } state;
    int64_t until_ms; /* steady clock: of FROZEN, of ENDING the latest, of DOWN */
};

struct fleet {
    struct scene scene;
    struct fault_proxy *proxy;
    struct member members[FLEET_SIZE]; /* apis first */
    char api_listen[64];
    char url[64];
    unsigned random;
    bool is_redis_down;
    bool is_redis_frozen;
    int64_t redis_until_ms;
    int64_t store_until_ms;            /* 0 = it is well */
    size_t events[EVENT_COUNT];        /* that took place */
    unsigned events_left[EVENT_COUNT]; /* of this round */
    size_t words[WORD_COUNT];
    size_t harvested_count;
};

extern const char *const fleet_queues[]; /* NULL behind the last */

void fleet_open(struct fleet *f, unsigned seed);
void fleet_close(struct fleet *f);

/* One thing befalls it, by chance. */
void fleet_suffer(struct fleet *f);

/* Brings back what has been away for its time. To be called often. */
void fleet_turn(struct fleet *f);

/* Everything is well again, from now on; returns when all are ready. */
void fleet_heal(struct fleet *f);

/* Waits until the workers have audited their queues since this was called. Returns how many jobs stand in no
 * place or in several. */
size_t fleet_audit(const struct fleet *f);

/* Ends the workers, or the apis, by SIGTERM. */
void fleet_stop(struct fleet *f, bool are_workers);

void fleet_print(struct fleet *f);

/* A number from 0 to below - 1. */
unsigned fleet_draw(struct fleet *f, unsigned below);

#endif
