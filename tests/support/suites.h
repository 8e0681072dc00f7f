/*
 * suites: the table that the Makefile makes of the test files' names (list_suites.sh). Both test programs
 * have one.
 */
#ifndef JOBGATE_TESTS_SUITES_H
#define JOBGATE_TESTS_SUITES_H

#include <check.h>
#include <stddef.h>

typedef Suite *suite_maker(void);

extern suite_maker *const suites[]; /* NULL behind the last */

#endif
