#include "worker/handlers/environment.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <unistd.h>

enum { TEXT_MAX_BYTES = 8 << 20 }; /* more than the kernel lets any program have, execve(2) */

/* Names that are inherited; one that ends with '_' stands for all that begin so. */
static const char *const inherited[] = {"PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR"};

static bool is_inherited(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LENGTH(inherited); i++) {
        size_t length = strlen(inherited[i]);

        if (strncmp(variable, inherited[i], length) == 0 &&
            (variable[length] == '=' || inherited[i][length - 1] == '_'))
            return true;
    }
    return false;
}

static void append(struct buf *text, const char *name, const char *value)
{
    buf_append_text(text, name);
    buf_append(text, value, strlen(value) + 1);
}

static void append_job(struct buf *text, const struct run_input *input)
{
    char deadline[CLOCK_RFC3339_SIZE];
    char attempt[16];

    clock_format_rfc3339(clock_unix_ms() + input->timeout_ms, deadline);
    snprintf(attempt, sizeof(attempt), "%d", input->attempt);
    append(text, "JOBGATE_JOB_ID=", input->job_id);
    append(text, "JOBGATE_TYPE=", input->type);
    append(text, "JOBGATE_QUEUE=", input->queue);
    append(text, "JOBGATE_ATTEMPT=", attempt);
    append(text, "JOBGATE_DEADLINE=", deadline);
}

/* `text` holds variables, each with its NUL: their pointers, and behind those a copy of the text. */
static char **make_vector(const struct buf *text)
{
    size_t count = 0;
    char **vector;
    char *at;

    for (size_t i = 0; i < text->length; i++)
        count += text->data[i] == '\0';
    vector = mem_alloc((count + 1) * sizeof(*vector) + text->length);
    at = memcpy(vector + count + 1, text->data, text->length);
    for (size_t i = 0; i < count; i++) {
        vector[i] = at;
        at += strlen(at) + 1;
    }
    vector[count] = NULL;
    return vector;
}

char **environment_new(const struct run_input *input)
{
    AUTO_BUF struct buf text = BUF(TEXT_MAX_BYTES);

    append_job(&text, input);
    for (char **variable = environ; variable && *variable; variable++)
        if (is_inherited(*variable))
            append(&text, *variable, "");
    return make_vector(&text);
}
