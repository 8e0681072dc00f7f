#include "common/base/config.h"
#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>

enum kind { KIND_INT, KIND_TEXT, KIND_SECRET, KIND_CHOICE };

enum { SECRET_FILE_MAX = 65536, CHOICE_SIZE = 32 };

static const struct row {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *preset;
    int64_t min;
    int64_t max;
    const char *unit; /* of a CHOICE: the choices with | between */
    enum config_for program;
    const char *help;
} rows[] = {
#define CONFIG(field, env, kind, preset, min, max, unit, program, help)                                      \
    {env, KIND_##kind, offsetof(struct config, field), preset, min, max, unit, program, help},
#include "common/base/config.def"
#undef CONFIG
};

static int64_t *int_field(const struct config *config, const struct row *row)
{
    return (int64_t *)((char *)config + row->offset);
}

static char **text_field(const struct config *config, const struct row *row)
{
    return (char **)((char *)config + row->offset);
}

static int *choice_field(const struct config *config, const struct row *row)
{
    return (int *)((char *)config + row->offset);
}

void config_mistake(struct buf *mistakes, const char *name, const char *why)
{
    buf_printf(mistakes, "%s: %s\n", name, why);
}

bool config_is_secret(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].kind == KIND_SECRET && strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

static bool parse_int(struct config *config, const struct row *row, const char *value, struct buf *mistakes)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (!strchr("-0123456789", value[0]) || end == value || *end || errno || number < row->min ||
        number > row->max) {
        buf_printf(mistakes, "%s: \"%.64s\" is not a whole number from %" PRId64 " to %" PRId64 " (%s)\n",
            row->name, value, row->min, row->max, row->unit);
        return false;
    }
    *int_field(config, row) = number;
    return true;
}

/* The n-th of the choices, "" behind the last. */
static void choice_at(const struct row *row, int n, char out[CHOICE_SIZE])
{
    const char *at = row->unit;
    size_t length;

    while (n-- && at)
        at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
    length = at ? strcspn(at, "|") : 0;
    snprintf(out, CHOICE_SIZE, "%.*s", (int)length, at ? at : "");
}

static bool parse_choice(
    struct config *config, const struct row *row, const char *value, struct buf *mistakes)
{
    char choice[CHOICE_SIZE];

    for (int n = 0; choice_at(row, n, choice), *choice; n++)
        if (strcmp(choice, value) == 0) {
            *choice_field(config, row) = n;
            return true;
        }
    buf_printf(mistakes, "%s: \"%.64s\" is none of %s\n", row->name, value, row->unit);
    return false;
}

/* Whether a text may be the value of row; what is wrong with it is written to why. */
static bool check_text(const struct row *row, const char *value, char *why, size_t size)
{
    size_t length = strlen(value);

    if ((int64_t)length < row->min || (int64_t)length > row->max) {
        snprintf(why, size, "has %zu bytes where %" PRId64 " to %" PRId64 " are allowed", length, row->min,
            row->max);
        return false;
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) {
            snprintf(why, size, "holds a control character at byte %zu", i + 1);
            return false;
        }
    return true;
}

static bool parse_text(struct config *config, const struct row *row, const char *value, struct buf *mistakes)
{
    char why[128];

    if (!*value && row->min > 0 && !*row->preset) {
        buf_printf(mistakes, "%s: is not set, and there is no default: %s\n", row->name, row->help);
        return false;
    }
    if (!check_text(row, value, why, sizeof(why))) {
        config_mistake(mistakes, row->name, why);
        return false;
    }
    *text_field(config, row) = mem_strdup(value);
    return true;
}

void config_secret_free(char *value)
{
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

/* Returns what the file holds without its last newlines (config_secret_free), or NULL. */
static char *read_secret_file(const char *name, const char *path, struct error *e)
{
    FILE *file = fopen(path, "re");
    char *text = mem_zalloc(SECRET_FILE_MAX + 1);
    size_t length;

    if (file)
        setvbuf(file, NULL, _IONBF, 0); /* leaves no copy in a buffer */
    length = file ? fread(text, 1, SECRET_FILE_MAX, file) : 0;
    if (!file || ferror(file) || length == SECRET_FILE_MAX || strlen(text) != length) {
        error_set(e, ERROR_INVALID, "%s_FILE: %.150s: %s", name, path,
            !file || ferror(file) ? strerror(errno) : "is larger than 65535 bytes or holds a NUL byte");
        explicit_bzero(text, SECRET_FILE_MAX);
        free(text);
        text = NULL;
    } else {
        while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
            text[--length] = '\0';
    }
    if (file)
        fclose(file);
    return text;
}

static bool load_secret(
    struct config *config, const struct row *row, config_lookup *lookup, void *arg, struct buf *mistakes)
{
    const char *value = lookup(arg, row->name);
    char file_name[64];
    const char *path;
    char *text;
    bool is_right;
    struct error e;

    snprintf(file_name, sizeof(file_name), "%s_FILE", row->name);
    path = lookup(arg, file_name);
    if (!path || !*path)
        return parse_text(config, row, value && *value ? value : row->preset, mistakes);
    if (value && *value) {
        buf_printf(mistakes, "%s: is set, and %s too: keep one\n", row->name, file_name);
        return false;
    }
    text = read_secret_file(row->name, path, &e);
    if (!text)
        buf_printf(mistakes, "%s\n", e.text);
    is_right = text && parse_text(config, row, text, mistakes);
    if (is_right)
        config->files[row - rows] = mem_strdup(path);
    config_secret_free(text);
    return is_right;
}

static const struct row *secret_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].kind == KIND_SECRET && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    assert(!"the name of a secret setting");
    return rows;
}

const char *config_secret_value(const struct config *config, const char *name)
{
    return *text_field(config, secret_row(name));
}

const char *config_secret_file(const struct config *config, const char *name)
{
    return config->files[secret_row(name) - rows];
}

bool config_secret_read(const struct config *config, const char *name, char **value, struct error *e)
{
    const struct row *row = secret_row(name);
    const char *path = config->files[row - rows];
    char *text = read_secret_file(name, path, e);
    char why[128] = "is empty";
    bool is_right = text && *text && check_text(row, text, why, sizeof(why));

    if (is_right)
        *value = text;
    else if (text)
        error_set(e, ERROR_INVALID, "%s_FILE: %.150s: %s", name, path, why);
    if (!is_right)
        config_secret_free(text);
    return is_right;
}

static bool load_row(
    struct config *config, const struct row *row, config_lookup *lookup, void *arg, struct buf *mistakes)
{
    const char *value = lookup(arg, row->name);

    if (!value || !*value)
        value = row->preset;
    switch (row->kind) {
    case KIND_INT:
        return parse_int(config, row, value, mistakes);
    case KIND_CHOICE:
        return parse_choice(config, row, value, mistakes);
    case KIND_SECRET:
        return load_secret(config, row, lookup, arg, mistakes);
    default:
        return parse_text(config, row, value, mistakes);
    }
}

static bool is_text(const struct row *row)
{
    return row->kind == KIND_TEXT || row->kind == KIND_SECRET;
}

bool config_load(
    struct config *config, enum config_for program, config_lookup *lookup, void *arg, struct buf *mistakes)
{
    bool is_right = true;

    *config = (struct config){.program = program};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if ((rows[i].program & program) && !load_row(config, &rows[i], lookup, arg, mistakes))
            is_right = false;
        if (is_text(&rows[i]) && !*text_field(config, &rows[i]))
            *text_field(config, &rows[i]) = mem_strdup("");
    }
    return is_right;
}

const char *config_from_environment(void *UNUSED(arg), const char *name)
{
    return getenv(name);
}

void config_forget_environment(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char *value = rows[i].kind == KIND_SECRET ? getenv(rows[i].name) : NULL;

        if (value)
            explicit_bzero(value, strlen(value));
    }
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (is_text(&rows[i])) {
            config_secret_free(*text_field(config, &rows[i]));
            *text_field(config, &rows[i]) = NULL;
            free(config->files[i]);
            config->files[i] = NULL;
        }
}

void config_print(const struct config *config, struct buf *out)
{
    char choice[CHOICE_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];

        if (!(row->program & config->program))
            continue;
        buf_printf(out, "%s=", row->name);
        if (row->kind == KIND_INT)
            buf_append_int(out, *int_field(config, row));
        else if (row->kind == KIND_CHOICE)
            choice_at(row, *choice_field(config, row), choice), buf_append_text(out, choice);
        else if (row->kind == KIND_SECRET)
            buf_append_text(out, **text_field(config, row) ? "***" : "");
        else
            buf_append_text(out, *text_field(config, row));
        buf_append_char(out, '\n');
    }
}

static void describe_bounds(const struct row *row, struct buf *out)
{
    if (row->kind == KIND_INT)
        buf_printf(out, "%" PRId64 " to %" PRId64 " %s", row->min, row->max, row->unit);
    else
        buf_append_text(out, row->unit);
}

void config_help(enum config_for program, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (!(rows[i].program & program))
            continue;
        buf_printf(out, "  %s (", rows[i].name);
        describe_bounds(&rows[i], out);
        buf_printf(out, "%s%s)\n      %s%s\n", *rows[i].preset ? "; default " : "", rows[i].preset,
            rows[i].help,
            rows[i].kind == KIND_SECRET ? ". A secret: put _FILE behind the name to read it from a file"
                                        : "");
    }
}

static void append_table_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            buf_append_text(out, "\\|");
        else
            buf_append_char(out, *text);
}

void config_markdown(struct buf *out)
{
    static const char *const programs[] = {"", "api", "worker", "both"};

    buf_append_text(out,
        "# Configuration\n\n"
        "<!-- Made by `make docs` from common/base/config.def: do not edit. -->\n\n"
        "Both programs are configured by environment variables. A wrong value stops the start, and every "
        "mistake is listed. `--check-config` only checks, `--print-config` shows what is in force (secrets "
        "masked), `--help` prints this table. For a secret, `NAME_FILE` names a file that holds it; a new "
        "value in "
        "that file is taken over without a restart ([azure.md](azure.md#secrets)).\n\n"
        "| name | used by | default | bounds | what it does |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF struct buf bounds = BUF(1024);

        describe_bounds(&rows[i], &bounds);
        buf_printf(out, "| `%s`%s | %s | %s%s%s | ", rows[i].name,
            rows[i].kind == KIND_SECRET ? " (secret)" : "", programs[rows[i].program],
            *rows[i].preset ? "`" : "", rows[i].preset, *rows[i].preset ? "`" : "");
        append_table_text(out, bounds.data);
        buf_append_text(out, " | ");
        append_table_text(out, rows[i].help);
        buf_append_text(out, " |\n");
    }
}
