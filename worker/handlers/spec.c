#include "worker/handlers/spec.h"
#include "common/base/mem.h"

enum { NAME_SHOWN = 64 }; /* bytes of a name in a pointer: what is longer was no good name anyway */

/* Appends a step of the pointer on one line, whatever the name holds. */
static void append_step(struct buf *pointer, const char *name)
{
    char shown[NAME_SHOWN + 1];
    size_t length = 0;

    for (; length < NAME_SHOWN && name[length]; length++)
        shown[length] = (unsigned char)name[length] < ' ' ? '?' : name[length];
    while (name[length] && length && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    shown[length] = '\0';
    json_write_pointer_step(pointer, shown);
}

void spec_enter(struct spec *s, const struct spec *parent, const char *name, const json_t *object)
{
    AUTO_BUF struct buf pointer = BUF(SPEC_POINTER_SIZE - 1);

    buf_append_text(&pointer, parent->pointer);
    append_step(&pointer, name);
    *s = *parent;
    s->object = object;
    snprintf(s->pointer, sizeof(s->pointer), "%s", pointer.data);
}

void spec_mistake(struct spec *s, const char *field, const char *format, ...)
{
    AUTO_BUF struct buf pointer = BUF(2 * SPEC_POINTER_SIZE);
    char why[512];
    va_list args;

    buf_append_text(&pointer, s->pointer);
    if (field)
        append_step(&pointer, field);
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    buf_printf(s->mistakes, "%s: %s\n", pointer.length ? pointer.data : "(top)", why);
    ++*s->mistake_count;
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static void append_names(struct buf *out, const char *const *list)
{
    for (; list && *list; list++)
        buf_printf(out, "%s%s", out->length ? ", " : "", *list);
}

void spec_refuse_unknown(struct spec *s, const char *const *known, const char *const *more)
{
    AUTO_BUF struct buf names = BUF(384);
    const char *name;
    const json_t *UNUSED(value);

    append_names(&names, known);
    append_names(&names, more);
    json_object_foreach((json_t *)s->object, name, value)
    {
        if (!is_listed(known, name) && !is_listed(more, name))
            spec_mistake(s, name, "is not a known field: it would be one of %s", names.data);
    }
}

int64_t spec_int(struct spec *s, const char *field, int64_t preset, int64_t min, int64_t max)
{
    const json_t *value = json_object_get(s->object, field);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : min - 1;

    if (!value)
        return preset;
    if (number >= min && number <= max)
        return number;
    spec_mistake(s, field, "must be a whole number from %lld to %lld", (long long)min, (long long)max);
    return preset;
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

const char *spec_text(struct spec *s, const char *field, bool is_required, size_t max)
{
    const json_t *value = json_object_get(s->object, field);

    if (is_text(value) && json_string_length(value) >= 1 && json_string_length(value) <= max)
        return json_string_value(value);
    if (value)
        spec_mistake(s, field, "must be a text of 1 to %zu bytes without a NUL character", max);
    else if (is_required)
        spec_mistake(s, field, "is missing: it must be a text of 1 to %zu bytes", max);
    return NULL;
}

/* The pointers and behind them the texts, so that one free() releases all. */
char **spec_copy_texts(const json_t *list)
{
    size_t count = json_array_size(list);
    size_t size = (count + 1) * sizeof(char *);
    char **texts;
    char *at;

    for (size_t i = 0; i < count; i++)
        size += json_string_length(json_array_get(list, i)) + 1;
    texts = mem_zalloc(size);
    at = (char *)(texts + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t length = json_string_length(json_array_get(list, i));

        texts[i] = memcpy(at, json_string_value(json_array_get(list, i)), length);
        at += length + 1;
    }
    return texts;
}

char **spec_texts(struct spec *s, const char *field, size_t min, size_t max)
{
    const json_t *list = json_object_get(s->object, field);
    size_t count = json_array_size(list); /* 0 when it is no array */
    size_t before = *s->mistake_count;
    struct spec items;

    if (!json_is_array(list) || count < min || count > max) {
        spec_mistake(
            s, field, "%s be a list of %zu to %zu texts", list ? "must" : "is missing: it must", min, max);
        return NULL;
    }
    spec_enter(&items, s, field, list);
    for (size_t i = 0; i < count; i++) {
        char index[24];

        snprintf(index, sizeof(index), "%zu", i);
        if (!is_text(json_array_get(list, i)))
            spec_mistake(&items, index, "must be a text without a NUL character");
    }
    return *s->mistake_count == before ? spec_copy_texts(list) : NULL;
}
