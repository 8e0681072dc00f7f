#include "api/queue_register.h"
#include "common/base/id.h"
#include "common/base/mem.h"

struct queue_register {
    char (*names)[NAME_SIZE];
    size_t count;
};

struct queue_register *queue_register_new(void)
{
    return mem_zalloc(sizeof(struct queue_register));
}

struct queue_register *queue_register_free(struct queue_register *r)
{
    if (r)
        free(r->names);
    free(r);
    return NULL;
}

bool queue_register_knows(const struct queue_register *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->names[i], name) == 0)
            return true;
    return false;
}

void queue_register_add(struct queue_register *r, const char *name)
{
    if (queue_register_knows(r, name))
        return;
    r->names = mem_realloc(r->names, (r->count + 1) * sizeof(*r->names));
    snprintf(r->names[r->count++], NAME_SIZE, "%s", name);
}

void queue_register_forget(struct queue_register *r)
{
    r->count = 0;
}
