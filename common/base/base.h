/*
 * base: what every source file includes first. Attributes, a few macros, and the string functions that nobody
 * may call.
 */
#ifndef JOBGATE_BASE_H
#define JOBGATE_BASE_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifdef NDEBUG
#error "asserts guard invariants and stay in release builds: do not define NDEBUG"
#endif

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define UNUSED(name) name __attribute__((unused))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A local of pointer type that is released when it leaves its scope: AUTO(json) json_t *doc = …; each type
 * that can be used so defines `static inline void auto_<name>(T **p)`. */
#define AUTO(name) __attribute__((cleanup(auto_##name)))

static inline void auto_free(void *p)
{
    free(*(void **)p);
}

/* Unbounded or locale-dependent: there is always a bounded one (buf, snprintf, strtoll with its checks). */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gets

#endif
