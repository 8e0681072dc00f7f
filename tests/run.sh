#!/bin/bash
# Runs the test programs named on the command line and ends with the line "N passed, N failed".
# What they start gets JOBGATE_TEST_RUN in its environment and makes its files under TMPDIR; whatever of both is left at
# the end counts as a failure, unless a failed test explains it: its clean-up did not run.
set -u

if [ "${JOBGATE_VARIANT:-}" = asan ]; then
    export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-3}"
fi
passed=0
failed=0
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-test.XXXXXX") || exit 1

left_processes() {
    grep -lzsxF "JOBGATE_TEST_RUN=$directory" /proc/[0-9]*/environ | cut -d/ -f3
}

clean_up() {
    local left
    left=$(left_processes)
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$left" ] || kill -KILL $left 2>/dev/null
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$directory/files" "$directory/record"
export JOBGATE_RECORD="${JOBGATE_RECORD-$directory/record}" # what the api answered: tests/contract/run.sh

for program in "$@"; do
    TMPDIR=$directory/files JOBGATE_TEST_RUN=$directory "$program" 2>&1 | tee "$directory/output" |
        grep -a --line-buffered -v '^counts '
    counts=$(grep -a '^counts ' "$directory/output" | tail -n 1)
    if [ -n "$counts" ]; then
        read -r _ good bad <<<"$counts"
        passed=$((passed + good))
        failed=$((failed + bad))
    else
        echo "$program ended before it had counted its tests"
        failed=$((failed + 1))
    fi
done

for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(left_processes)" ] || break
    sleep 0.2
done
left=$(left_processes | while read -r pid; do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done)
[ -n "$left" ] || left=$(find "$directory/files" -mindepth 1)
if [ -n "$left" ] && [ "$failed" -eq 0 ]; then
    printf 'The tests left behind:\n%s\n' "$left"
    failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
