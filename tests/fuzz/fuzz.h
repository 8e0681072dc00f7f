/*
 * fuzz: what every target includes. A target is one file: it defines LLVMFuzzerTestOneInput, which is given
 * bytes of any kind and returns 0. What it checks are the promises of the header that it calls: outputs that
 * stay untouched on failure, texts that are printable, secrets that do not show. Sanitizers see to the rest.
 *
 * corpus/<target>/ holds a few inputs that are worth beginning with.
 */
#ifndef JOBGATE_TESTS_FUZZ_H
#define JOBGATE_TESTS_FUZZ_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy with a NUL behind it, released with free(): the input as a C string ends at its first NUL. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = mem_alloc(size + 1);

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* An error must say something. */
static inline void fuzz_check_error(const struct error *e)
{
    assert(e->code != ERROR_OK && *e->text && memchr(e->text, '\0', sizeof(e->text)));
}

/* Reads every byte, so that one that is not there is noticed. */
static inline void fuzz_touch(const char *text, size_t length)
{
    volatile char last = 0;

    for (size_t i = 0; i < length; i++)
        last = text[i];
    (void)last;
}

#endif
