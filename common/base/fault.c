#include "common/base/fault.h"

#include <signal.h>
#include <unistd.h>

enum { PASSAGES_MAX = 1000000 };

enum fault_point fault_armed;
static long passages_left;
static int signal_to_raise;

static const char *const texts[] = {"",
#define POINT(name, text) text,
    FAULT_POINTS(POINT)
#undef POINT
};

const char *fault_point_text(enum fault_point point)
{
    return texts[point];
}

static enum fault_point find(const char *text, size_t length)
{
    for (enum fault_point point = FAULT_NONE + 1; point < FAULT_POINT_COUNT; point++)
        if (strlen(texts[point]) == length && memcmp(texts[point], text, length) == 0)
            return point;
    return FAULT_NONE;
}

bool fault_arm(const char *text, struct error *e)
{
    enum fault_point point;
    size_t length;
    long passages;
    char *end;
    bool is_kill;

    if (!text || !*text)
        return true;
    length = strcspn(text, ":");
    point = find(text, length);
    passages = text[length] ? strtol(text + length + 1, &end, 10) : 0;
    if (point == FAULT_NONE)
        return error_set(e, ERROR_INVALID,
            "JOBGATE_FAULT=%.100s: there is no such point; common/base/fault.h names them all", text);
    if (passages < 1 || passages > PASSAGES_MAX || *end != ':')
        return error_set(e, ERROR_INVALID,
            "JOBGATE_FAULT=%.100s: behind the point come :<n>:kill or :<n>:stop, with n from 1 to %d", text,
            PASSAGES_MAX);
    is_kill = strcmp(end, ":kill") == 0;
    if (!is_kill && strcmp(end, ":stop") != 0)
        return error_set(e, ERROR_INVALID, "JOBGATE_FAULT=%.100s: the action is kill or stop, not \"%.40s\"",
            text, end + 1);
    signal_to_raise = is_kill ? SIGKILL : SIGSTOP;
    passages_left = passages;
    fault_armed = point;
    return true;
}

void fault_pass(void)
{
    if (--passages_left > 0)
        return;
    fault_armed = FAULT_NONE;
    kill(getpid(), signal_to_raise); /* the process, not the thread */
}
