#!/bin/bash
# Builds the fuzz targets with clang (FUZZ_CC) and runs each for JOBGATE_FUZZ_SECONDS (2) and ends with "counts <passed> <failed>", for
# tests/run.sh. JOBGATE_FUZZ_TARGETS ("json record") chooses some. What a target learns is kept in build/fuzz/corpus for its
# next run; it begins with that and with corpus/<target> beside this file.
set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=${JOBGATE_FUZZ_SECONDS:-2}
programs=build/fuzz/fuzz
passed=0
failed=0
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT

env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -j"$(nproc)" VARIANT=fuzz CC="${FUZZ_CC:-clang}" fuzz-programs \
    >"$directory/log" 2>&1 || { tail -n 30 "$directory/log"; echo 'fuzz: the targets cannot be built'; exit 1; }

# Sources, so that one without its program counts.
targets=${JOBGATE_FUZZ_TARGETS:-$(for file in tests/fuzz/*.c; do basename "$file" .c; done)}

tell_failure() {
    local target=$1
    local found
    echo "fuzz: $target: FAILED"
    grep -vE '^(INFO|#[0-9])' "$directory/log" | head -60
    for found in "$directory/$target"-*; do
        [ -s "$found" ] || continue
        echo "the input, in base64, for: base64 -d >input; $programs/$target input"
        head -c 65536 "$found" | base64 -w 0
        echo
    done
}

run_target() {
    local target=$1
    local learned=build/fuzz/corpus/$target
    local seeds=tests/fuzz/corpus/$target
    local runs
    mkdir -p "$learned" "$seeds"
    # The signals of the sanitizers are theirs alone; an input that takes 10 s or 1 GiB is a finding too.
    ASAN_OPTIONS=detect_leaks=1 "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
        -print_final_stats=1 -artifact_prefix="$directory/$target-" "$learned" "$seeds" >"$directory/log" 2>&1 || return 1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$directory/log")
    [ "${runs:-0}" -gt 0 ] && echo "fuzz: $target: ok, $runs inputs"
}

for target in $targets; do
    if run_target "$target"; then
        passed=$((passed + 1))
    else
        tell_failure "$target"
        failed=$((failed + 1))
    fi
done
echo "counts $passed $failed"
[ "$failed" -eq 0 ]
