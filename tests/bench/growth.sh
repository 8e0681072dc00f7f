#!/bin/bash
# Measures how the cost of the queue's verbs grows with the jobs that wait and with the workers that are registered:
# docs/benchmarks.md says what the rows mean. run.sh makes it a part of its table; alone it prints its own, after
# `make bench-programs`. It judges no speed: the exit status is 0 unless something could not be measured, or jobs were lost.
#
#   GROWTH_JOBS="1000 100000 2000000"  how many jobs wait; each in a redis-server of its own. About 450 bytes of memory each
#   GROWTH_WORKERS="1 100 1000"        how many workers are registered
#   GROWTH_ROUNDS=5                    interleaved rounds; each figure is the median. 0 leaves all of this out
set -euo pipefail
if [ "$0" = "${BASH_SOURCE[0]}" ]; then
    # shellcheck source=tests/bench/tools.sh
    . "$(dirname "$0")/tools.sh"
fi

read -ra growth_jobs <<<"${GROWTH_JOBS:-1000 100000 2000000}"
read -ra growth_workers <<<"${GROWTH_WORKERS:-1 100 1000}"
growth_rounds=${GROWTH_ROUNDS:-5}
WORKER_ROUNDS=3 # in each round, for they are short

# note_growth SIZE PROGRAM REDIS_PORT REDIS_PID: the program's figures, each as NAME.SIZE.
note_growth() {
    local size=$1 figures name value
    shift
    figures=$("$bench/$1" "$2" "$3" "$size") || die "$1 with $size failed"
    while read -r name value; do
        note "$name.$size" "$value"
    done <<<"$figures"
}

# ---- jobs ----

growth_memory() {
    local one kib=0
    for one in "${growth_jobs[@]}"; do
        kib=$((kib + one * 450 / 1024))
    done
    [ "$kib" -lt "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" ] ||
        die "GROWTH_JOBS takes $((kib / 1024)) MiB of memory, and that much is not available"
}

# Beside the jobs there are only the keys of the shard: no record is left over, and none is missing.
check_growth() {
    local stat=() others
    mapfile -t stat < <(redis hmget 'jobgate:{default.0}:stats' submitted started succeeded)
    others=$(($(redis dbsize) - $1))
    if [ "$(redis llen 'jobgate:{default.0}:ready')" != "$1" ] || [ "$others" -lt 0 ] || [ "$others" -gt 8 ]; then
        die "of $1 jobs $(redis llen 'jobgate:{default.0}:ready') wait, and $others keys are there besides"
    fi
    if [ $((stat[0] - stat[2])) -ne "$1" ] || [ "${stat[1]}" != "${stat[2]}" ]; then
        die "of ${stat[0]} jobs ${stat[1]} were started, ${stat[2]} succeeded, and $1 wait"
    fi
    [ "$(redis exists 'jobgate:{default.0}:dead' 'jobgate:{default.0}:scheduled')" = 0 ] || die 'jobs are where none should be'
}

# Servers of all sizes stand side by side, so that the rounds can be interleaved.
measure_job_growth() {
    local redis_port redis_pid i round
    local ports=() pids=()
    growth_memory
    for i in "${!growth_jobs[@]}"; do
        start_redis
        ports[i]=$redis_port
        pids[i]=$redis_pid
        echo "bench: ${growth_jobs[i]} jobs are put into a queue" >&2
        "$bench/load" "$redis_port" "${growth_jobs[i]}" 200
    done
    for round in $(seq "$growth_rounds"); do
        echo "bench: growth with jobs, round $round of $growth_rounds" >&2
        for i in "${!growth_jobs[@]}"; do
            note_growth "${growth_jobs[i]}" job_growth "${ports[i]}" "${pids[i]}"
        done
    done
    for i in "${!growth_jobs[@]}"; do
        redis_port=${ports[i]}
        check_growth "${growth_jobs[i]}"
    done
    stop "${pids[@]}"
}

# ---- workers ----

measure_worker_growth() {
    local redis_port redis_pid one
    start_redis
    echo "bench: growth with workers" >&2
    for _ in $(seq $((growth_rounds * WORKER_ROUNDS))); do
        for one in "${growth_workers[@]}"; do
            redis flushall >/dev/null
            note_growth "$one" worker_growth "$redis_port" "$redis_pid"
            note "overview_redis_each.$one" "$(per_job "$(tail -n 1 "$directory/overview_redis.$one.figure")" "$one")"
            note "overview_cpu_each.$one" "$(per_job "$(tail -n 1 "$directory/overview_cpu.$one.figure")" "$one")"
        done
    done
    stop "$redis_pid"
}

measure_growth() {
    [ "$growth_rounds" -gt 0 ] || return 0
    measure_job_growth
    measure_worker_growth
}

# ---- the table ----

# growth_line WHAT VALUE... RATIO GOAL REACHED
growth_line() {
    local what=$1 count=$(($# - 4))
    shift
    printf '%s%*s' "$what" $((65 - 11 * count - ${#what} + 11)) ''
    while [ $# -gt 3 ]; do
        printf ' %10s' "$1"
        shift
    done
    printf ' %6s %7s  %s\n' "$@" | sed 's/ *$//'
}

# growth_head WHAT SIZE...
growth_head() {
    local what=$1 one heads=()
    shift
    for one in "$@"; do
        heads+=("$(sed ':again; s/\B[0-9]\{3\}\>/,&/; t again' <<<"$one")")
    done
    growth_line "$what" "${heads[@]}" '' '' ''
}

# growth_row WHAT FORMAT FIGURE BASE GOAL SIZE...: the ratio is that of the last size to the BASE-th, from 0 on.
growth_row() {
    local what=$1 format=$2 figure=$3 base=$4 goal=$5 one value values=()
    shift 5
    for one in "$@"; do
        # shellcheck disable=SC2059 # the format is ours
        values+=("$(printf "$format" "$(median "$figure.$one")")")
    done
    shift "$base"
    value=$(ratio "$figure.${*: -1}" "$figure.$1")
    growth_line "$what" "${values[@]}" "$(printf '%.2f' "$value")" "$goal" \
        "$([ -z "$goal" ] || is_reached "$value" "$goal")"
}

print_growth() {
    local n=${#growth_workers[@]} before_last
    [ "$growth_rounds" -gt 0 ] || return 0
    before_last=$((n > 1 ? n - 2 : 0))
    growth_head "growth with jobs ($growth_rounds rounds); jobs that wait:" "${growth_jobs[@]}"
    growth_row '  submit: Redis µs/job' %.2f submit_redis 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  submit: client CPU µs/job' %.2f submit_cpu 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  submit: median µs' %.0f submit_p50 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  submit: p99 µs' %.0f submit_p99 0 '' "${growth_jobs[@]}"
    growth_row '  claim and settle: Redis µs/job' %.2f claim_redis 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  claim and settle: client CPU µs/job' %.2f claim_cpu 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  claim of 64 jobs: median µs' %.0f claim_p50 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  claim of 64 jobs: p99 µs' %.0f claim_p99 0 '' "${growth_jobs[@]}"
    growth_row '  settlement of 64 jobs: median µs' %.0f settle_p50 0 '<=1.2' "${growth_jobs[@]}"
    growth_row '  settlement of 64 jobs: p99 µs' %.0f settle_p99 0 '' "${growth_jobs[@]}"
    growth_head "growth with workers; registered workers:" "${growth_workers[@]}"
    growth_row '  renew: Redis µs/call' %.2f renew_redis 0 '<=1.2' "${growth_workers[@]}"
    growth_row '  look for silent ones: Redis µs/call' %.2f silent_redis 0 '<=1.2' "${growth_workers[@]}"
    growth_row '  look for due jobs: Redis µs/call' %.2f due_redis 0 '<=1.2' "${growth_workers[@]}"
    growth_row '  overview: Redis µs/call' %.1f overview_redis 0 '' "${growth_workers[@]}"
    growth_row '  overview: Redis µs/worker, to the middle' %.2f overview_redis_each "$before_last" '<=1.2' "${growth_workers[@]}"
    growth_row '  overview: client CPU µs/call' %.1f overview_cpu 0 '' "${growth_workers[@]}"
    growth_row '  overview: client µs/worker, to the middle' %.2f overview_cpu_each "$before_last" '<=1.2' "${growth_workers[@]}"
}

if [ "$0" = "${BASH_SOURCE[0]}" ]; then
    measure_growth
    printf '\n%d cores, medians; %s; ratio: that of the last column to the first, the median of those of the rounds\n\n' \
        "$(nproc)" "$(redis-server --version | cut -d' ' -f1-3)"
    growth_line 'what' '' '' '' 'ratio' 'goal' 'reached'
    print_growth
fi
