#!/bin/bash
# shellcheck disable=SC2154 # tools.sh, which is sourced before, sets `directory`, `bench` and `rounds`
# Measures what the worker adds to handlers, beside the least that starts a program or sends a job through a pipe:
# docs/benchmarks.md says what the rows mean. A part of run.sh, which sources it behind tools.sh, and a script of its own.
#
#   HANDLER_ROUNDS=5    interleaved rounds
#   HANDLER_JOBS=2000   processes that are started in each; ten times as many jobs for a pool, 500 times for a builtin
handler_jobs=${HANDLER_JOBS:-2000}
handler_rounds=${HANDLER_ROUNDS:-5}

write_handlers() {
    # The page's own client, as the tests take it.
    awk '/^```python$/ && !n { n = 1; next } /^```$/ && n { exit } n' docs/handlers.md >"$directory/jobgate_pool.py"
    printf 'import jobgate_pool\njobgate_pool.serve(lambda job, payload: payload)\n' >"$directory/echo.py"
    jq -n --arg echo "$(realpath "$bench/pool_echo")" --arg py "$directory/echo.py" '{types: {
        builtin: {kind: "builtin", builtin: "echo"},
        c: {kind: "pool", command: [$echo], size: 2},
        python: {kind: "pool", command: ["/usr/bin/python3", $py], size: 2},
        true: {kind: "command", command: ["/bin/true"]},
        shell: {kind: "command", command: ["/bin/sh", "-c", ":"]}}}' >"$directory/bench_handlers.json"
}

# note_run NAME JOBS "SECONDS CPU"
note_run() {
    local seconds=${3% *} cpu=${3#* }
    note "$1.rate" "$(per_job "$2" "$seconds")"
    note "$1.cpu" "$(per_job "$cpu" "$2")"
}

# measure_handler TYPE COUNT WIDTH BARE...: the bare program first, then the worker's handler.
measure_handler() {
    local type=$1 count=$2 width=$3 kind=$4 figures
    shift 4
    figures=$("$bench/bare_run" "$kind" "$count" "$width" "$@") || die "the limit of $type could not be measured"
    note_run "bare_$type" "$count" "$figures"
    figures=$("$bench/run_jobs" "$directory/bench_handlers.json" "$type" "$count" "$width" | tail -n 1) ||
        die "$type could not be measured"
    note_run "handler_$type" "$count" "$figures"
}

measure_handlers() {
    local round
    write_handlers
    for round in $(seq "$handler_rounds"); do
        echo "bench: handlers, round $round of $handler_rounds" >&2
        measure_handler builtin $((handler_jobs * 500)) 16 turn
        measure_handler c $((handler_jobs * 10)) 2 pipe "$bench/pool_echo"
        measure_handler python $((handler_jobs * 10)) 2 pipe /usr/bin/python3 "$directory/echo.py"
        measure_handler true "$handler_jobs" 4 spawn /bin/true
        measure_handler shell "$handler_jobs" 4 spawn /bin/sh -c :
    done
}

# handler_rows WHAT TYPE [GOAL]
handler_rows() {
    line "  $1: jobs/s" "$(printf %.0f "$(median "handler_$2.rate")")" "$(printf %.0f "$(median "bare_$2.rate")")" \
        "$(printf %.2f "$(ratio "handler_$2.rate" "bare_$2.rate")")" "${3:-}" \
        "$([ -z "${3:-}" ] || is_reached "$(ratio "handler_$2.rate" "bare_$2.rate")" "$3")"
    line "  $1: CPU µs/job" "$(printf %.1f "$(median "handler_$2.cpu")")" "$(printf %.1f "$(median "bare_$2.cpu")")" \
        "$(printf %.2f "$(ratio "handler_$2.cpu" "bare_$2.cpu")")" '' ''
}

print_handlers() {
    line "handlers ($handler_rounds rounds)" '' '' '' '' ''
    handler_rows 'builtin echo, 16 at once' builtin
    handler_rows 'pool of 2, C echo' c '>=0.7'
    handler_rows 'pool of 2, Python echo' python '>=0.7'
    handler_rows 'command /bin/true, 4 at once' true '>=0.7'
    handler_rows 'command sh -c :, 4 at once' shell '>=0.7'
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    # shellcheck source=tests/bench/tools.sh
    . "$(dirname "$0")/tools.sh"
    measure_handlers
    line 'what' 'measured' 'limit' 'ratio' 'goal' 'reached'
    print_handlers
fi
