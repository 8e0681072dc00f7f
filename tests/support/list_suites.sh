#!/bin/sh
# Prints the C table of the suites of the test files named on the command line; test_<x>.c exports <x>_suite.
set -eu

echo '#include "tests/support/suites.h"'
names=
for file in "$@"; do
    name=$(basename "$file" .c)
    names="$names ${name#test_}_suite"
done
for name in $names; do
    echo "Suite *$name(void);"
done
echo 'suite_maker *const suites[] = {'
for name in $names; do
    echo "    $name,"
done
echo '    NULL};'
