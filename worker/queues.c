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

static bool stands_before(const char *list, size_t i, const char *name, size_t length)
{
    for (size_t earlier = 0; earlier < i; earlier++) {
        size_t earlier_length;
        const char *at = stretch_at(list, earlier, &earlier_length);

        if (earlier_length == length && memcmp(at, name, length) == 0)
            return true;
    }
    return false;
}

bool queues_next(const char *list, size_t i, char name[NAME_SIZE], struct error *e)
{
    size_t length;
    const char *at = stretch_at(list, i, &length);

    if (!at)
        return error_set(e, ERROR_OK, "no more");
    if (!name_is_valid(at, length))
        return error_set(e, ERROR_INVALID,
            "\"%.*s\" is not a queue's name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit, commas "
            "between",
            (int)(length < 64 ? length : 64), at);
    if (stands_before(list, i, at, length))
        return error_set(e, ERROR_INVALID, "%.*s stands there twice", (int)length, at);
    memcpy(name, at, length);
    name[length] = '\0';
    return true;
}
