#!/bin/bash
# Everything there is to check, for `make check-all`: about an hour on two cores, and root for the last step. Each step runs,
# whatever became of those before it. Ends with how each went and the line "N passed, N failed", which counts the steps.
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL # the steps have makes of their own

passed=0
failed=0
summary=
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

step() {
    local name=$1
    local start=$SECONDS
    local outcome counts
    shift
    printf '\n== %s ==\n' "$name"
    "$@" 2>&1 | tee "$output"
    if [ "${PIPESTATUS[0]}" -eq 0 ]; then
        outcome=ok
        passed=$((passed + 1))
    else
        outcome=FAILED
        failed=$((failed + 1))
    fi
    counts=$(grep -xE '[0-9]+ passed, [0-9]+ failed' "$output" | tail -n 1)
    summary+="$name: $outcome ($((SECONDS - start)) s)${counts:+: $counts}"$'\n'
}

step 'lint' make lint
step 'test' make test
step 'test with sanitizers' make VARIANT=asan test
step 'chaos for five minutes' make chaos SECONDS=300
step 'rollouts' make rollout
step 'load as in the reports' make load
step 'pages in a browser' make browser
step 'images' make image
step 'bench' make bench
step 'bare systems' tests/bare/run.sh

printf '\n%s' "$summary"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
