#include "worker/idset.h"
#include "common/base/mem.h"

enum { FIRST_SIZE = 1024 };

/* FNV-1a; never 0. */
static uint64_t hash(const char *id)
{
    uint64_t h = 14695981039346656037u;

    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 1099511628211u;
    return h ? h : 1;
}

/* The slot of h, or the free one where it would go. */
static uint64_t *find(const struct idset *s, uint64_t h)
{
    size_t at = (size_t)h & (s->size - 1);

    while (s->slots[at] && s->slots[at] != h)
        at = (at + 1) & (s->size - 1);
    return &s->slots[at];
}

static void grow(struct idset *s)
{
    struct idset bigger = {.size = s->size ? s->size * 2 : FIRST_SIZE, .count = s->count};

    bigger.slots = mem_array(bigger.size, sizeof(*bigger.slots));
    for (size_t i = 0; i < s->size; i++)
        if (s->slots[i])
            *find(&bigger, s->slots[i]) = s->slots[i];
    free(s->slots);
    *s = bigger;
}

bool idset_add(struct idset *s, const char *id)
{
    uint64_t h = hash(id);
    uint64_t *slot;

    if (s->count * 2 >= s->size)
        grow(s);
    slot = find(s, h);
    if (*slot)
        return false;
    *slot = h;
    s->count++;
    return true;
}

bool idset_has(const struct idset *s, const char *id)
{
    return s->size && *find(s, hash(id)) != 0;
}

void idset_release(struct idset *s)
{
    free(s->slots);
    *s = (struct idset){0};
}
