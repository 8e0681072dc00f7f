/*
 * scripts: the Lua of the queue protocol, embedded at build time from lua/.
 */
#ifndef JOBGATE_SCRIPTS_H
#define JOBGATE_SCRIPTS_H

#include "common/redis/redis.h"

/*      name       file */
#define QUEUE_SCRIPTS(SCRIPT)                                                                                \
    SCRIPT(SUBMIT, submit)                                                                                   \
    SCRIPT(PAGE_LIST, page_list)                                                                             \
    SCRIPT(PAGE_SORTED, page_sorted)                                                                         \
    SCRIPT(FORGET, forget)                                                                                   \
    SCRIPT(SUBMIT_BATCH, submit_batch)                                                                       \
    SCRIPT(TAKE, take)                                                                                       \
    SCRIPT(START, start)                                                                                     \
    SCRIPT(SETTLE, settle)                                                                                   \
    SCRIPT(GIVE_BACK, give_back)                                                                             \
    SCRIPT(RENEW, renew)                                                                                     \
    SCRIPT(SILENT, silent)                                                                                   \
    SCRIPT(REAP, reap)                                                                                       \
    SCRIPT(DUE, due)                                                                                         \
    SCRIPT(PROMOTE, promote)                                                                                 \
    SCRIPT(CANCEL, cancel)                                                                                   \
    SCRIPT(REPLAY, replay)                                                                                   \
    SCRIPT(PAUSE, pause)                                                                                     \
    SCRIPT(OVERVIEW, overview)                                                                               \
    SCRIPT(LENGTHS, lengths)                                                                                 \
    SCRIPT(RATE, rate)                                                                                       \
    SCRIPT(REGISTER, register)                                                                               \
    SCRIPT(PROGRESS, progress)                                                                               \
    SCRIPT(PUBLISH_TYPES, publish_types)                                                                     \
    SCRIPT(PURGE, purge)                                                                                     \
    SCRIPT(WHERE, where)                                                                                     \
    SCRIPT(COUNT_PLACES, count_places)                                                                       \
    SCRIPT(PEEK, peek)                                                                                       \
    SCRIPT(SCHEDULE_PUT, schedule_put)                                                                       \
    SCRIPT(SCHEDULE_LIST, schedule_list)                                                                     \
    SCRIPT(SCHEDULE_DELETE, schedule_delete)                                                                 \
    SCRIPT(SCHEDULE_DUE, schedule_due)                                                                       \
    SCRIPT(SCHEDULE_ADVANCE, schedule_advance)

enum queue_script {
#define SCRIPT(id, name) SCRIPT_##id,
    QUEUE_SCRIPTS(SCRIPT)
#undef SCRIPT
        SCRIPT_COUNT
};

#define SCRIPT(id, name) extern const char script_##name##_source[], script_##name##_sha1[];
QUEUE_SCRIPTS(SCRIPT)
#undef SCRIPT

/* All of them, indexed by enum queue_script. */
extern const struct script queue_scripts[SCRIPT_COUNT];

#endif
