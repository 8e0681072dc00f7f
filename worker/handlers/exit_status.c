#include "worker/handlers/exit_status.h"

#include <signal.h>
#include <sysexits.h>

enum { LINE_SIZE = 161 };

/* The last line that is not blank, as text: cut at the end of a character, control characters as spaces. */
static void copy_last_line(const struct buf *log, char out[LINE_SIZE])
{
    size_t end = log->length;
    size_t start;
    size_t length;

    while (end && (unsigned char)log->data[end - 1] <= ' ')
        end--;
    for (start = end; start && log->data[start - 1] != '\n';)
        start--;
    length = end - start;
    if (length > LINE_SIZE - 1) {
        length = LINE_SIZE - 1;
        while (length && ((unsigned char)log->data[start + length] & 0xc0) == 0x80)
            length--;
    }
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)log->data[start + i] < ' ' ? ' ' : log->data[start + i];
    out[length] = '\0';
}

static bool judge_exit(int status, const char *line, struct error *e)
{
    enum error_code code = status == EX_DATAERR    ? ERROR_BAD_PAYLOAD
                           : status == EX_TEMPFAIL ? ERROR_TRY_LATER
                                                   : ERROR_HANDLER_FAILED;

    if (status == 0)
        return true;
    return error_set(e, code, "exit status %d%s%s", status, *line ? ": " : "", line);
}

static bool judge_signal(int number, const char *line, struct error *e)
{
    const char *name = sigabbrev_np(number);
    const char *hint =
        number == SIGKILL ? " (by the kernel, when memory ran out, or by another process)" : "";

    if (!name)
        return error_set(e, ERROR_HANDLER_KILLED, "killed by signal %d%s%s", number, *line ? ": " : "", line);
    return error_set(e, ERROR_HANDLER_KILLED, "killed by SIG%s%s%s%s", name, hint, *line ? ": " : "", line);
}

bool exit_status_judge(int code, int status, const struct buf *log, struct error *e)
{
    char line[LINE_SIZE];

    copy_last_line(log, line);
    return code == CLD_EXITED ? judge_exit(status, line, e) : judge_signal(status, line, e);
}
