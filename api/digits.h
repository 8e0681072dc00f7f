/*
 * digits: numbers in texts of fixed size, many times faster than snprintf: for what each answer has.
 */
#ifndef JOBGATE_DIGITS_H
#define JOBGATE_DIGITS_H

#include "common/base/base.h"

enum { DIGITS_SIZE = 20 };

/* Writes value, which is not negative, in up to DIGITS_SIZE digits; no NUL. Returns where the next byte goes.
 */
static inline char *digits_write(char *at, int64_t value)
{
    char reversed[DIGITS_SIZE];
    size_t count = 0;

    do
        reversed[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        *at++ = reversed[--count];
    return at;
}

/* Writes µs as milliseconds with three decimals, and a NUL. out has DIGITS_SIZE + 5 bytes. */
static inline void digits_write_ms(char *out, int64_t us)
{
    char *at = digits_write(out, us / 1000);

    *at++ = '.';
    *at++ = (char)('0' + us / 100 % 10);
    *at++ = (char)('0' + us / 10 % 10);
    *at++ = (char)('0' + us % 10);
    *at = '\0';
}

#endif
