#include "worker/handlers/environment.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <unistd.h>

enum { TEXT_MAX_BYTES = 8 << 20 }; /* more than the kernel lets any program have, execve(2) */

/* Names that are inherited; one that ends with '_' stands for all that begin so. */
static const char *const inherited[] = {"PATH", "HOME", "LANG", "LC_", "TZ"};

static bool has_name(const char *variable, const char *name)
{
    size_t length = strlen(name);

    return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static bool is_inherited(const struct environment_rules *rules, const char *variable)
{
    for (size_t i = 0; i < ARRAY_LENGTH(inherited); i++) {
        size_t length = strlen(inherited[i]);

        if (has_name(variable, inherited[i]) ||
            (inherited[i][length - 1] == '_' && strncmp(variable, inherited[i], length) == 0))
            return true;
    }
    for (char *const *name = rules->inherited; name && *name; name++)
        if (has_name(variable, *name))
            return true;
    return false;
}

/* Whether the handlers file sets the variable itself. */
static bool is_fixed(const struct environment_rules *rules, const char *variable)
{
    for (char *const *fixed = rules->fixed; fixed && *fixed; fixed++) {
        size_t length = strcspn(*fixed, "=") + 1;

        if (strncmp(*fixed, variable, length) == 0)
            return true;
    }
    return false;
}

static void append(struct buf *text, const char *name, const char *value)
{
    buf_append_text(text, name);
    buf_append(text, value, strlen(value) + 1);
}

static void append_metadata(struct buf *text, const json_t *metadata)
{
    const char *name;
    const json_t *value;

    json_object_foreach((json_t *)metadata, name, value)
    {
        buf_append_text(text, "JOBGATE_META_");
        buf_append_text(text, name);
        append(text, "=", json_string_value(value) ? json_string_value(value) : "");
    }
}

static void append_job(struct buf *text, const struct run_input *input)
{
    char deadline[CLOCK_RFC3339_SIZE];
    char attempt[16];

    clock_format_rfc3339(clock_unix_ms() + input->timeout_ms, deadline);
    snprintf(attempt, sizeof(attempt), "%d", input->attempt);
    append(text, "JOBGATE_JOB_ID=", input->job_id);
    append(text, "JOBGATE_QUEUE=", input->queue);
    append(text, "JOBGATE_ATTEMPT=", attempt);
    append(text, "JOBGATE_DEADLINE=", deadline);
    if (input->owner && *input->owner)
        append(text, "JOBGATE_OWNER=", input->owner);
    if (input->traceparent && *input->traceparent)
        append(text, "TRACEPARENT=", input->traceparent);
    if (input->metadata)
        append_metadata(text, input->metadata);
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

char **environment_new(const struct environment_rules *rules, const struct run_input *input, bool with_job,
    const char *directory, const char *run)
{
    AUTO_BUF struct buf text = BUF(TEXT_MAX_BYTES);

    append(&text, "JOBGATE_TYPE=", input->type);
    append(&text, "JOBGATE_RUN=", run);
    append(&text, "TMPDIR=", directory);
    if (with_job)
        append_job(&text, input);
    for (char *const *fixed = rules->fixed; fixed && *fixed; fixed++)
        append(&text, *fixed, "");
    for (char **variable = environ; variable && *variable; variable++)
        if (is_inherited(rules, *variable) && !is_fixed(rules, *variable))
            append(&text, *variable, "");
    return make_vector(&text);
}
