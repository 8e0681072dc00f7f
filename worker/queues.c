#include "worker/queues.h"

/* The i-th stretch between commas, without the spaces around it; NULL behind the last. */
static const char *stretch_at(const char *list, size_t i, size_t *length)
{
    while (i-- && list)
        list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL;
    if (!list)
        return NULL;
    list += strspn(list, " ");
    *length = strcspn(list, ",");
    while (*length && list[*length - 1] == ' ')
        --*length;
    return list;
}

enum { WEIGHT_MAX = 1000 };

static size_t name_length(const char *entry, size_t length)
{
    const char *colon = memchr(entry, ':', length);

    return colon ? (size_t)(colon - entry) : length;
}

static bool stands_before(const char *list, size_t i, const char *name, size_t length)
{
    for (size_t earlier = 0; earlier < i; earlier++) {
        size_t earlier_length;
        const char *at = stretch_at(list, earlier, &earlier_length);

        if (name_length(at, earlier_length) == length && memcmp(at, name, length) == 0)
            return true;
    }
    return false;
}

/* The number behind the colon; 1 without one, 0 when it is none. */
static int read_weight(const char *entry, size_t name, size_t length)
{
    int weight = 0;

    if (name == length)
        return 1;
    for (size_t i = name + 1; i < length && weight <= WEIGHT_MAX; i++)
        weight = entry[i] >= '0' && entry[i] <= '9' ? weight * 10 + (entry[i] - '0') : WEIGHT_MAX + 1;
    return weight <= WEIGHT_MAX ? weight : 0;
}

bool queues_next(const char *list, size_t i, struct queue_entry *out, struct error *e)
{
    size_t length;
    const char *at = stretch_at(list, i, &length);
    size_t name = at ? name_length(at, length) : 0;

    if (!at)
        return error_set(e, ERROR_OK, "no more");
    if (!name_is_valid(at, name))
        return error_set(e, ERROR_INVALID,
            "\"%.*s\" is not a queue's name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit, commas "
            "between",
            (int)(name < 64 ? name : 64), at);
    if (!read_weight(at, name, length))
        return error_set(
            e, ERROR_INVALID, "the weight of %.*s is not a whole number from 1 to 1000", (int)name, at);
    if (stands_before(list, i, at, name))
        return error_set(e, ERROR_INVALID, "%.*s stands there twice", (int)name, at);
    memcpy(out->name, at, name);
    out->name[name] = '\0';
    out->weight = read_weight(at, name, length);
    return true;
}
