# shellcheck shell=bash
# What the scripts of this folder share: processes that end with the script, figures, and lines of the table. Sourced.
set -euo pipefail
export LC_ALL=C.UTF-8 # ${#text} is to count characters

# shellcheck disable=SC2034 # used by those who source it
bench=${JOBGATE_BENCH_BIN:-build/release/bench}
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-bench.XXXXXX")
started=()

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

# ---- processes ----

clean_up() {
    local status=$?
    trap - EXIT
    {
        [ ${#started[@]} -eq 0 ] || kill -KILL "${started[@]}" || true
        wait || true
    } 2>/dev/null
    if [ "$status" -ne 0 ]; then
        tail -n 5 "$directory"/*.log >&2 || true
    fi
    rm -rf "$directory"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background, its output in NAME.log; sets `pid`.
start() {
    local log=$directory/$1.log
    shift
    : >"$log" # here, not only in the background: what stands there from before must not be read
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    started+=("$pid")
}

# stop PID...: with SIGTERM, and waits.
stop() {
    local one left=()
    kill -TERM "$@" 2>/dev/null || true
    for one in "$@"; do
        wait "$one" 2>/dev/null || true
    done
    for one in "${started[@]}"; do
        [[ " $* " == *" $one "* ]] || left+=("$one")
    done
    started=("${left[@]}")
}

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
    local what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 400 ] || die "$what does not come"
        sleep 0.025
    done
}

redis() {
    redis-cli -p "$redis_port" "$@"
}

start_redis() {
    local try
    for try in 1 2 3 4 5; do
        redis_port=$((20000 + RANDOM % 12000))
        start redis redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$directory" --save '' --appendonly no
        redis_pid=$pid
        wait_for 'an answer of redis-server, or its end,' redis_stands
        if kill -0 "$redis_pid" 2>/dev/null && [ "$(redis info server | tr -d '\r' | sed -n 's/^process_id://p')" = "$redis_pid" ]; then
            return
        fi
        echo "bench: port $redis_port was taken ($try)" >&2
    done
    die 'redis-server does not start'
}

redis_stands() {
    ! kill -0 "$redis_pid" 2>/dev/null || redis ping
}

# ---- figures: one file each, one line for each round ----

note() {
    echo "$2" >>"$directory/$1.figure"
}

median_of() {
    sort -g | awk '{ v[NR] = $1 } END { if (!NR) exit 1; print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

median() {
    median_of <"$directory/$1.figure"
}

# The median of the rounds' ratios: the machine drifts between rounds more than within one.
ratio() {
    paste "$directory/$1.figure" "$directory/$2.figure" | awk '{ print $1 / $2 }' | median_of
}

per_job() {
    awk -v a="$1" -v n="$2" 'BEGIN { printf "%.2f", a / n }'
}

# ---- the table ----

# line WHAT MEASURED LIMIT RATIO GOAL REACHED. printf would count the bytes of "µ".
line() {
    local what=$1
    shift
    printf '%s%*s %10s %10s %6s %7s  %s\n' "$what" $((54 - ${#what})) '' "$@" | sed 's/ *$//'
}

# is_reached VALUE GOAL, where GOAL is like "<=1.2"
is_reached() {
    awk -v value="$1" -v goal="$2" 'BEGIN {
        number = substr(goal, 3) + 0
        print (substr(goal, 1, 1) == "<" ? value <= number : value >= number) ? "yes" : "no"
    }'
}
