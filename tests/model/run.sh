#!/bin/bash
# Lets spin search the model of the claim protocol (claim.pml), and then models with a mistake in each, which it must find.
# Ends with "counts <passed> <failed>" for tests/run.sh.
#
#   tests/model/run.sh          what `make test` runs: about a minute on two slow cores, 1 GB for each of them
#   tests/model/run.sh full     with wider bounds too: some minutes and 3 GB
#   tests/model/run.sh one ROW  one row, named by its first word; a counterexample is printed step by step
set -u
cd "$(dirname "$0")" || exit 1

# name | what is expected: right, endless (no execution may be), or the claim that the mistake breaks | bounds and mistake
rows() {
    cat <<'ROWS'
two_jobs            |right    |JOBS=2 FAULTS=1 LOSSES=0
lost_answers        |right    |JOBS=1 FAULTS=1 LOSSES=2
two_faults          |right    |JOBS=1 FAULTS=2 LOSSES=0
two_upkeeps         |right    |JOBS=1 FAULTS=1 LOSSES=1 UPKEEPS=2
late_requests       |right    |JOBS=1 FAULTS=1 LOSSES=1 LATE=1
every_job_ends      |endless  |JOBS=1 FAULTS=1 LOSSES=1
reap_unchecked      |HOLDS    |JOBS=1 FAULTS=1 LOSSES=0 BUG_REAP_UNCHECKED
reap_forgets        |END      |JOBS=1 FAULTS=1 LOSSES=0 BUG_REAP_FORGETS
reap_tells_not      |OVERLAP  |JOBS=2 FAULTS=1 LOSSES=0 BUG_REAP_TELLS_NOT
never_swept         |END      |JOBS=1 FAULTS=1 LOSSES=0 BUG_NEVER_SWEPT
start_unregistered  |LEASED   |JOBS=1 FAULTS=1 LOSSES=0 BUG_START_UNREGISTERED
start_unlisted      |LEASED   |JOBS=1 FAULTS=1 LOSSES=1 LATE=1 BUG_START_UNLISTED
number_used_again   |STALE    |JOBS=1 FAULTS=1 LOSSES=1 LATE=1 BUG_NUMBER_USED_AGAIN
settle_unchecked    |STALE    |JOBS=1 FAULTS=1 LOSSES=0 BUG_SETTLE_UNCHECKED
stale_settle_removes|NOWHERE  |JOBS=1 FAULTS=1 LOSSES=0 BUG_STALE_SETTLE_REMOVES
pop_then_record     |NOWHERE  |JOBS=1 FAULTS=1 LOSSES=0 BUG_POP_THEN_RECORD
promote_unchecked   |TWICE    |JOBS=1 FAULTS=0 LOSSES=0 UPKEEPS=2 BUG_PROMOTE_UNCHECKED
blob_overwritten    |BLOB     |JOBS=1 FAULTS=1 LOSSES=0 BUG_BLOB_OVERWRITTEN
own_result_reported |BLOB     |JOBS=1 FAULTS=1 LOSSES=0 BUG_OWN_RESULT_REPORTED
ROWS
    [ "${1:-}" != full ] || cat <<'ROWS'
two_faults_and_loss |right    |JOBS=1 FAULTS=2 LOSSES=1
two_jobs_and_loss   |right    |JOBS=2 FAULTS=0 LOSSES=1
ROWS
}

# Reads a row into name, expected, bounds and definitions, and turns claim.pml into ./pan.
build() {
    local definition
    local kind=-DSAFETY
    local effort=-O0 # a mistake is found at once: compiling takes longer
    IFS='|' read -r name expected bounds <<<"$1"
    name=${name%% *} expected=${expected%% *}
    definitions=()
    for definition in $bounds; do
        definitions+=("-D$definition")
    done
    [ "$expected" != endless ] || kind=-DNP
    [[ $expected != right && $expected != endless ]] || effort=-O2
    spin -a "${definitions[@]}" claim.pml && "${CC:-gcc}" "$effort" -w "$kind" -DNOREDUCE -DNOFAIR -DMEMLIM=7800 -o pan pan.c
}

# A search that was cut short counts as none.
search() {
    local -a options=(-m1000000 -w24)
    [ "$expected" != endless ] || options+=(-l)
    ./pan "${options[@]}"
    ! grep -qE 'max search depth|out of memory' pan.log && grep -q 'errors: [01]$' pan.log
}

# The claim that was found broken: the word in the comment behind its assert; nothing when all hold.
broken_claim() {
    local line
    grep -q 'errors: 0$' pan.log && return
    grep -q 'non-progress cycle' pan.log && echo ENDLESS && return
    line=$(spin -t "${definitions[@]}" claim.pml 2>&1 | sed -n 's/.*claim.pml:\([0-9]*\), Error: assertion violated.*/\1/p')
    sed -n "${line:-1}s:.*/\* \([A-Z]*\) \*/.*:\1:p" claim.pml
}

print_trail() {
    spin -t -p -w "${definitions[@]}" claim.pml 2>&1 | grep -E 'proc +[0-9]+ \((Worker|Upkeep|World)' |
        grep -v 'valid end state' | awk '$1 != step { print substr($0, 1, 160) } { step = $1 }'
}

check_row() {
    local name expected bounds states directory
    local found=
    local start=$SECONDS
    local verdict=FAILED
    local -a definitions
    directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-model.XXXXXX") || return 1
    cp claim.pml "$directory" && cd "$directory" || return 1
    if build "$1" >pan.log 2>&1 && search >pan.log 2>&1; then
        found=$(broken_claim)
        states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
        case $expected in
        right | endless) [ -n "$found" ] || verdict=ok ;;
        *) [ "$found" != "$expected" ] || verdict="ok, $found was found broken" ;;
        esac
        echo "model: $name: $verdict ($states states, $((SECONDS - start)) s: $bounds)"
    else
        echo "model: $name: FAILED, it could not be searched:"
        tail -n 20 pan.log
    fi
    if [ "$verdict" = FAILED ] || [ -n "${MODEL_TRAIL:+$found}" ]; then
        echo "expected: $expected, found broken: ${found:-nothing}"
        print_trail
    fi
    cd / && rm -rf "$directory"
    [ "$verdict" != FAILED ]
}

case ${1:-} in
row) # for ourselves
    if check_row "$2"; then
        echo ok >>"$3"
    else
        echo bad >>"$3"
    fi
    ;;
one)
    row=$(rows full | grep "^${2:?which row?} *|") || exit 1
    MODEL_TRAIL=1 check_row "$row"
    ;;
*)
    results=$(mktemp) || exit 1
    rows "${1:-}" | tr '\n' '\0' | xargs -0 -P "$(nproc)" -I '{}' "$PWD/run.sh" row '{}' "$results"
    good=$(grep -c ok "$results")
    bad=$(grep -c bad "$results")
    rm -f "$results"
    echo "counts $good $bad"
    [ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
    ;;
esac
