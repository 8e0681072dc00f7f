#include "tests/support/exposition.h"
#include "common/base/mem.h"

#include <check.h>

enum { SEEN_MAX = 4096, NAME_MAX_LENGTH = 128 };

struct exposition {
    char *seen[SEEN_MAX]; /* "# HELP family" and "series{labels}" */
    size_t seen_count;
    char family[NAME_MAX_LENGTH];
    char type[16];       /* "" = its TYPE has not come */
    double bucket_bound; /* of the histogram series under way */
    double bucket_count;
};

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_REST NAME_FIRST "0123456789"

static void see(struct exposition *x, const char *text, size_t length)
{
    char *copy = strndup(text, length);

    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < x->seen_count; i++)
        ck_assert_msg(strcmp(x->seen[i], copy) != 0, "%s stands there twice", copy);
    ck_assert_uint_lt(x->seen_count, SEEN_MAX);
    x->seen[x->seen_count++] = copy;
}

static size_t name_length(const char *text)
{
    size_t length = strspn(text, NAME_REST);

    ck_assert_msg(length > 0 && strspn(text, NAME_FIRST) > 0 && length < NAME_MAX_LENGTH,
        "no name begins at \"%.40s\"", text);
    return length;
}

/* "# HELP name words" begins a family, "# TYPE name type" follows it. */
static void read_comment(struct exposition *x, const char *line)
{
    const char *name = line + strlen("# HELP ");
    size_t length = name_length(name);

    ck_assert_msg(name[length] == ' ' && name[length + 1], "nothing behind the name: %s", line);
    if (strncmp(line, "# HELP ", 7) == 0) {
        see(x, line, strlen("# HELP ") + length);
        snprintf(x->family, sizeof(x->family), "%.*s", (int)length, name);
        x->type[0] = '\0';
        return;
    }
    ck_assert_msg(strncmp(line, "# TYPE ", 7) == 0, "an unknown comment: %s", line);
    ck_assert_msg(strncmp(x->family, name, length) == 0 && !x->family[length] && !*x->type,
        "TYPE does not follow its HELP: %s", line);
    snprintf(x->type, sizeof(x->type), "%s", name + length + 1);
    ck_assert_msg(
        strcmp(x->type, "counter") == 0 || strcmp(x->type, "gauge") == 0 || strcmp(x->type, "histogram") == 0,
        "an unknown type: %s", line);
}

/* Returns what stands behind the value of a label, its quotes passed over. */
static const char *read_label_value(const char *at)
{
    ck_assert_msg(*at == '"', "a label's value has no quotes: %s", at);
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\') {
            at++;
            ck_assert_msg(*at && strchr("\\\"n", *at), "an unknown escape in a label: %s", at);
        }
    ck_assert_msg(*at == '"', "a label's value does not end");
    return at + 1;
}

/* Reads {a="b",c="d"}; *bound is set when the label le is among them. Returns what stands behind. */
static const char *read_labels(const char *at, double *bound)
{
    do {
        size_t length = name_length(++at);

        ck_assert_msg(at[length] == '=', "a label without a value: %s", at);
        if (length == 2 && strncmp(at, "le", 2) == 0)
            *bound = strtod(at + 4, NULL);
        at = read_label_value(at + length + 1);
    } while (*at == ',');
    ck_assert_msg(*at == '}', "labels do not end at \"%s\"", at);
    return at + 1;
}

/* What stands in a sample's name behind that of its histogram. */
static void check_histogram(struct exposition *x, const char *suffix, double bound, double value)
{
    bool is_over = __builtin_isinf(x->bucket_bound);

    if (strcmp(suffix, "_bucket") == 0) {
        if (is_over)
            x->bucket_bound = x->bucket_count = 0;
        ck_assert_msg(
            bound > x->bucket_bound && value >= x->bucket_count, "the buckets of %s do not rise", x->family);
        x->bucket_bound = bound;
        x->bucket_count = value;
    } else if (strcmp(suffix, "_sum") == 0) {
        ck_assert_msg(is_over, "the buckets of %s end before +Inf", x->family);
    } else {
        ck_assert_str_eq(suffix, "_count");
        ck_assert_msg(is_over && value == x->bucket_count, "%s_count is not that of all buckets", x->family);
    }
}

static void read_sample(struct exposition *x, const char *line)
{
    size_t length = name_length(line);
    size_t family = strlen(x->family);
    const char *at = line + length;
    char suffix[NAME_MAX_LENGTH];
    double bound = -1;
    double value;
    char *end;

    if (*at == '{')
        at = read_labels(at, &bound);
    see(x, line, (size_t)(at - line));
    ck_assert_msg(*at == ' ', "no space before the value: %s", line);
    value = strtod(at + 1, &end);
    ck_assert_msg(end > at + 1 && !*end, "no value: %s", line);
    ck_assert_msg(*x->type && length >= family && strncmp(line, x->family, family) == 0, "%s is not among %s",
        line, x->family);
    snprintf(suffix, sizeof(suffix), "%.*s", (int)(length - family), line + family);
    if (strcmp(x->type, "histogram") == 0)
        check_histogram(x, suffix, bound, value);
    else
        ck_assert_str_eq(suffix, "");
    ck_assert_msg(strcmp(x->type, "counter") != 0 || value >= 0, "a counter is below 0: %s", line);
}

void exposition_check(const char *text)
{
    struct exposition *x = mem_zalloc(sizeof(*x));
    char *copy = mem_strdup(text);
    char *rest = copy;

    ck_assert_msg(!*text || text[strlen(text) - 1] == '\n', "the last line does not end");
    for (char *line; (line = strsep(&rest, "\n")) && (rest || *line);)
        if (*line == '#')
            read_comment(x, line);
        else
            read_sample(x, line);
    for (size_t i = 0; i < x->seen_count; i++)
        free(x->seen[i]);
    free(copy);
    free(x);
}

double exposition_value(const char *text, const char *series)
{
    size_t length = strlen(series);

    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, series, length) == 0 && line[length] == ' ')
            return strtod(line + length + 1, NULL);
    return -1;
}

size_t exposition_count(const char *text, const char *family, double *sum)
{
    size_t length = strlen(family);
    size_t count = 0;

    *sum = 0;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, family, length) == 0 && (line[length] == ' ' || line[length] == '{')) {
            count++;
            *sum += strtod(line + length + strcspn(line + length, " \n"), NULL);
        }
    return count;
}
