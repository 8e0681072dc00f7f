/*
 * fault: a seam for the tests that kill or freeze a worker at each step of a job's way.
 *
 * JOBGATE_FAULT="<point>:<n>:kill" in a worker's environment makes the n-th passage of that point raise
 * SIGKILL on the process itself, "stop" SIGSTOP; it happens once. Without it a point is one branch that is
 * never taken. It is no setting: nobody but a test has a use for it, so docs/configuration.md does not know
 * it.
 *
 * At "….sent" a command was handed over: it leaves at the end of the loop's turn, so a worker that is killed
 * there has not sent it, and one that is frozen there sends it late. At "….answered" the answer has come, and
 * nothing was done with it yet. Points of answers that may be empty (wait, take, silent, due) are passed by
 * the others alone.
 */
#ifndef JOBGATE_FAULT_H
#define JOBGATE_FAULT_H

#include "common/base/base.h"
#include "common/base/error.h"

#define FAULT_POINTS(POINT)                                                                                  \
    POINT(WAIT_SENT, "wait.sent")                                                                            \
    POINT(WAIT_ANSWERED, "wait.answered")                                                                    \
    POINT(TAKE_SENT, "take.sent")                                                                            \
    POINT(TAKE_ANSWERED, "take.answered")                                                                    \
    POINT(START_SENT, "start.sent")                                                                          \
    POINT(START_ANSWERED, "start.answered")                                                                  \
    POINT(LOOK_SENT, "look.sent")                                                                            \
    POINT(LOOK_ANSWERED, "look.answered")                                                                    \
    POINT(RUN_STARTED, "run.started")                                                                        \
    POINT(RUN_ENDED, "run.ended")                                                                            \
    POINT(PAYLOAD_SENT, "payload.sent")                                                                      \
    POINT(PAYLOAD_ANSWERED, "payload.answered")                                                              \
    POINT(STREAM_OPENED, "stream.opened")                                                                    \
    POINT(PROGRESS_SENT, "progress.sent")                                                                    \
    POINT(LOG_SENT, "log.sent")                                                                              \
    POINT(LOG_ANSWERED, "log.answered")                                                                      \
    POINT(STORE_SENT, "store.sent")                                                                          \
    POINT(STORE_ANSWERED, "store.answered")                                                                  \
    POINT(SETTLE_SENT, "settle.sent")                                                                        \
    POINT(SETTLE_ANSWERED, "settle.answered")                                                                \
    POINT(DISPOSE_SENT, "dispose.sent")                                                                      \
    POINT(DISPOSE_ANSWERED, "dispose.answered")                                                              \
    POINT(REMOVE_SENT, "remove.sent")                                                                        \
    POINT(REMOVE_ANSWERED, "remove.answered")                                                                \
    POINT(COMPARE_SENT, "compare.sent")                                                                      \
    POINT(COMPARE_ANSWERED, "compare.answered")                                                              \
    POINT(GIVE_BACK_SENT, "give_back.sent")                                                                  \
    POINT(GIVE_BACK_ANSWERED, "give_back.answered")                                                          \
    POINT(LEAVE_SENT, "leave.sent")                                                                          \
    POINT(LEAVE_ANSWERED, "leave.answered")                                                                  \
    POINT(RENEW_SENT, "renew.sent")                                                                          \
    POINT(RENEW_ANSWERED, "renew.answered")                                                                  \
    POINT(SILENT_SENT, "silent.sent")                                                                        \
    POINT(SILENT_ANSWERED, "silent.answered")                                                                \
    POINT(LIST_SENT, "list.sent")                                                                            \
    POINT(LIST_ANSWERED, "list.answered")                                                                    \
    POINT(REAP_SENT, "reap.sent")                                                                            \
    POINT(REAP_ANSWERED, "reap.answered")                                                                    \
    POINT(DUE_SENT, "due.sent")                                                                              \
    POINT(DUE_ANSWERED, "due.answered")                                                                      \
    POINT(PROMOTE_SENT, "promote.sent")                                                                      \
    POINT(PROMOTE_ANSWERED, "promote.answered")

enum fault_point {
    FAULT_NONE,
#define POINT(name, text) FAULT_##name,
    FAULT_POINTS(POINT)
#undef POINT
        FAULT_POINT_COUNT
};

/* What stands in JOBGATE_FAULT before the first colon; "" for FAULT_NONE. */
const char *fault_point_text(enum fault_point point);

/* Arms the fault that text describes; none when it is NULL or empty. Fails: INVALID, with what would be
 * right. */
bool fault_arm(const char *text, struct error *e) MUST_CHECK;

/* ---- for fault_point alone ---- */

extern enum fault_point fault_armed;
void fault_pass(void);

static inline void fault_point(enum fault_point point)
{
    if (__builtin_expect(fault_armed == point, 0))
        fault_pass();
}

#endif
