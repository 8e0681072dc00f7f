#include "common/base/mem.h"

static void *checked(void *p, size_t size)
{
    if (!p && size) {
        fprintf(stderr, "jobgate: out of memory: %zu bytes were refused\n", size);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size), size);
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size), size);
}

void *mem_array(size_t count, size_t size)
{
    return checked(calloc(count, size), count && size ? size : 0);
}

void *mem_realloc(void *p, size_t size)
{
    return checked(realloc(p, size), size);
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void *mem_dup(const void *data, size_t size)
{
    void *p = mem_alloc(size);

    if (size)
        memcpy(p, data, size);
    return p;
}
