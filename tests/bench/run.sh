#!/bin/bash
# Measures api and worker against the bare limits, and prints one table: docs/benchmarks.md says what the rows mean.
# `make bench` calls it. It judges no speed: the exit status is 0 unless something could not be measured, or what was
# measured had a wrong result.
#
#   ROUNDS=3        interleaved rounds; each figure is the median
#   SECONDS_EACH=5  of one load on the api
#   JOBS=200000     in the queue when a worker is let loose on it; a quarter of them where results are stored over HTTP
#   PARTS=submit    measures the submissions alone
#   CONCURRENCY=256 of the worker that drains no-op jobs
#   WAITERS=10000   callers that wait for a job at one api process
#   and what growth.sh and uploads.sh name
set -euo pipefail
# shellcheck source=tests/bench/tools.sh
. "$(dirname "$0")/tools.sh"
# shellcheck source=tests/bench/growth.sh
. "$(dirname "$0")/growth.sh"
# shellcheck source=tests/bench/stream.sh
. "$(dirname "$0")/stream.sh"
# shellcheck source=tests/bench/punctual.sh
. "$(dirname "$0")/punctual.sh"
# shellcheck source=tests/bench/handlers.sh
. "$(dirname "$0")/handlers.sh"
# shellcheck source=tests/bench/uploads.sh
. "$(dirname "$0")/uploads.sh"

rounds=${ROUNDS:-3}
seconds_each=${SECONDS_EACH:-5}
jobs=${JOBS:-200000}
concurrency=${CONCURRENCY:-256}
waiters=${WAITERS:-10000}
connections=64
parts=${PARTS:-all}
bin=${JOBGATE_BIN:?the directory of jobgate-api and jobgate-worker}

# ---- processes ----

# listening NAME MEMBER: the address in the start-up line.
listening() {
    jq -enr "first(inputs | select(.message == \"listening\") | .$2)" "$directory/$1.log"
}

# start_ours NAME PROGRAM: an api or a worker, with the environment that the caller set.
start_ours() {
    start "$1" env OPS_LISTEN=127.0.0.1:0 REDIS_URL="redis://127.0.0.1:$redis_port" "$bin/$2"
}

# start_api NAME: waits until it is ready.
start_api() {
    start_ours "$1" jobgate-api
    wait_for 'the start-up line of jobgate-api' listening "$1" ops
    wait_for 'the readiness of jobgate-api' curl -sf "http://$(listening "$1" ops)/readyz"
}

# A worker with LOG_LEVEL=warn does not tell its ports: it is ready when it waits for a job.
start_worker() {
    start_ours worker jobgate-worker
    wait_for 'a waiting jobgate-worker' is_worker_waiting
}

is_worker_waiting() {
    redis client list | grep 'name=jobgate-wait .* flags=b'
}

# start_bare NAME COMMAND...: a program that prints its port first.
start_bare() {
    start "$@"
    wait_for "the port of $2" grep -q '[0-9]' "$directory/$1.log"
}

# User and system time so far in µs, of one or more processes together.
cpu_us() {
    local one
    for one in "$@"; do
        sed 's/.*) //' "/proc/$one/stat"
    done | awk -v tick="$(getconf CLK_TCK)" '{ ticks += $12 + $13 } END { printf "%.0f", ticks * 1e6 / tick }'
}

resident_mib() {
    awk '/^VmRSS:/ { printf "%.2f", $2 / 1024 }' "/proc/$1/status"
}

# ---- submission ----

write_load() {
    local body
    body="{\"type\":\"echo\",\"payload\":\"$(printf 'x%.0s' {1..172})\"}"
    [ ${#body} -eq 200 ] || die "the body of the load has ${#body} bytes, not 200"
    printf 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[%s]]\n' "$body" \
        >"$directory/post.lua"
    API_KEYS_FILE=$directory/keys.json "$bin/jobgate-api" --new-key bench --scopes submit --rate 1000000/s \
        >"$directory/key" 2>/dev/null
    { cat "$directory/post.lua" && printf 'wrk.headers["Authorization"] = "Bearer %s"\n' "$(<"$directory/key")"; } \
        >"$directory/post_with_key.lua"
}

# load_server NAME PORT PID...: one load; each answer must be a 202 whose job is in Redis.
load_server() {
    local name=$1 port=$2 before redis_before requests
    shift 2
    before=$(cpu_us "$@")
    redis_before=$(cpu_us "$redis_pid")
    wrk -t1 "-c$connections" "-d${seconds_each}s" --latency -s "${load_script:-$directory/post.lua}" "http://127.0.0.1:$port/v1/jobs" \
        >"$directory/wrk.log" || die "wrk failed on $name"
    ! grep -E 'Non-2xx|Socket errors' "$directory/wrk.log" >&2 || die "$name gave wrong answers"
    requests=$(awk '/requests in/ { print $1 }' "$directory/wrk.log")
    [ "$(redis llen 'jobgate:{default.0}:ready')" -ge "$requests" ] || die "$name lost jobs that it had answered with 202"
    note "$name.rate" "$(awk '/^Requests\/sec/ { print $2 }' "$directory/wrk.log")"
    note "$name.p99" "$(awk '$1 == "99%" { v = $2; print v ~ /us$/ ? v + 0 : v ~ /ms$/ ? v * 1000 : v * 1e6 }' "$directory/wrk.log")"
    note "$name.cpu" "$(per_job $(($(cpu_us "$@") - before)) "$requests")"
    note "$name.redis" "$(per_job $(($(cpu_us "$redis_pid") - redis_before)) "$requests")"
    redis flushall >/dev/null
}

# submit_bare NAME SCRIPTS COUNT: a load on that many processes that share one port.
submit_bare() {
    local pids port=0
    pids=()
    while [ ${#pids[@]} -lt "$3" ]; do
        start_bare bare "$bench/bare_submit" "$2" "$redis_port" "$port"
        port=$(<"$directory/bare.log")
        pids+=("$pid")
    done
    load_server "$1" "$port" "${pids[@]}"
    stop "${pids[@]}"
}

# submit_ours NAME COUNT
submit_ours() {
    local pids address=127.0.0.1:0
    pids=()
    while [ ${#pids[@]} -lt "$2" ]; do
        API_LISTEN=$address start_api api
        address=$(listening api api)
        pids+=("$pid")
    done
    load_server "$1" "${address##*:}" "${pids[@]}"
    note "$1.resident" "$(resident_mib "${pids[0]}")"
    stop "${pids[@]}"
}

# submit_gated NAME: with an API key, a rate and the log of requests, as in production.
submit_gated() {
    AUTH=keys API_KEYS_FILE=$directory/keys.json ACCESS_LOG=on load_script=$directory/post_with_key.lua submit_ours "$1" 1
}

# ---- batches ----

write_batch() {
    local i
    for ((i = 0; i < 10000; i++)); do
        printf '{"type":"echo","payload":"%s"}\n' "$(printf 'x%.0s' {1..172})"
    done >"$directory/batch.ndjson"
}

# The least script, once for each job, as fast as redis-benchmark can pipeline it.
batch_bare() {
    local script sha id=default.0.01M7Y93WW81W__rand_int__AB
    script="redis.call('SET', KEYS[1], ARGV[2], 'NX') redis.call('LPUSH', KEYS[2], ARGV[1]) "
    script+="redis.call('HINCRBY', KEYS[3], 'submitted', 1) return {'accepted', 0}"
    sha=$(redis script load "$script")
    note bare_batch.rate "$(redis-benchmark -p "$redis_port" --csv -c 1 -P 1000 -n 100000 -r 1000000000000 evalsha "$sha" 3 \
        "jobgate:{default.0}:job:$id" 'jobgate:{default.0}:ready' 'jobgate:{default.0}:stats' "$id" \
        "$(printf 'x%.0s' {1..230})" 2>"$directory/benchmark.log" | awk -F '"' 'END { print $4 }')"
    redis flushall >/dev/null
}

# Ten batches of 10000 jobs on one connection; each must be accepted whole.
batch_ours() {
    local url started before
    MAX_BODY=16777216 start_api api
    url=http://127.0.0.1:$(listening api api | sed 's/.*://')/v1/jobs/batch
    before=$(cpu_us "$pid")
    started=$(date +%s%N)
    # shellcheck disable=SC2046 # ten words
    curl -s -H 'Expect:' -H 'Content-Type: application/x-ndjson' --data-binary "@$directory/batch.ndjson" \
        -w '%{stderr}%{http_code}\n' $(for _ in {1..10}; do echo "$url"; done) >/dev/null 2>"$directory/batch.log"
    note batch.rate "$(per_job 100000 "$(awk -v ns=$(($(date +%s%N) - started)) 'BEGIN { print ns / 1e9 }')")"
    note batch.cpu "$(per_job $(($(cpu_us "$pid") - before)) 100000)"
    [ "$(sort "$directory/batch.log" | uniq -c | tr -d ' ')" = 10202 ] || die 'not all batches were accepted whole'
    [ "$(redis llen 'jobgate:{default.0}:ready')" = 100000 ] || die 'a batch lost jobs'
    stop "$pid"
    redis flushall >/dev/null
}

# ---- callers that wait ----

# wait_ours NAME COUNT events|poll
wait_ours() {
    local figures
    MAX_BODY=16777216 WAIT_MAX_S=600 start_api api
    figures=$("$bench/waiters" "$(listening api api | sed 's/.*://')" "$(listening api ops | sed 's/.*://')" "$pid" "$2" "$3") ||
        die "$1 could not be measured"
    stop "$pid"
    redis flushall >/dev/null
    # shellcheck disable=SC2086 # four numbers
    set -- "$1" $figures
    note "$1.resident" "$3"
    note "$1.seconds" "$4"
    note "$1.cpu" "$5"
}

# ---- draining ----

fill() {
    redis flushall >/dev/null
    "$bench/load" "$redis_port" "$1" "$2"
    [ "$(redis llen 'jobgate:{default.0}:ready')" = "$1" ] || die 'the queue was not filled'
}

# All succeeded, and no id is left in any list.
check_drained() {
    [ "$(redis hget 'jobgate:{default.0}:stats' succeeded)" = "$1" ] || die "$2: not all of $1 jobs succeeded"
    [ "$(redis exists 'jobgate:{default.0}:ready' 'jobgate:{default.0}:dead')" = 0 ] || die "$2: jobs are left"
    [ -z "$(redis keys 'jobgate:{default.0}:taken:*')" ] || die "$2: jobs stand in a worker's list"
}

# note_drain NAME JOBS SECONDS CPU REDIS_CPU
note_drain() {
    note "$1.rate" "$(per_job "$2" "$3")"
    note "$1.cpu" "$(per_job "$4" "$2")"
    note "$1.redis" "$(per_job "$5" "$2")"
}

drain_bare() {
    local scripts figures
    for scripts in least own; do
        fill "$jobs" 64
        figures=$("$bench/bare_drain" "$scripts" "$redis_port" "$redis_pid")
        check_drained "$jobs" bare_drain
        # shellcheck disable=SC2086 # four numbers
        note_drain "bare_drain_$scripts" $figures
    done
}

# drain_ours NAME JOBS PAYLOAD_BYTES: by a worker with the environment that the caller set.
drain_ours() {
    local name=$1 count=$2 figures
    fill "$count" "$3"
    redis rename 'jobgate:{default.0}:ready' bench:held >/dev/null
    start_worker
    figures=$("$bench/watch_drain" "$redis_port" "$redis_pid" "$pid" "$count") || die "$name could not be measured"
    note "$name.resident" "$(resident_mib "$pid")"
    stop "$pid"
    check_drained "$count" "$name"
    # shellcheck disable=SC2086 # four numbers
    note_drain "$name" $figures
}

drain_inline() {
    export RESULT_STORE=large WORKER_CONCURRENCY=$concurrency
    drain_ours drain "$jobs" 64
    LOG_LEVEL=warn drain_ours drain_warn "$jobs" 64
    WORKER_CONCURRENCY=64 drain_ours drain_64 "$jobs" 64
    unset RESULT_STORE WORKER_CONCURRENCY
}

# The container that the sink plays, with a shared key.
use_sink() {
    export BLOB_URL=http://127.0.0.1:$sink_port/benchaccount/results
    AZURE_STORAGE_KEY=$(head -c 64 /dev/zero | base64 -w0)
    export AZURE_STORAGE_KEY
}

use_directory() {
    export BLOB_URL=file://$directory/blobs
    unset AZURE_STORAGE_KEY
}

count_put() {
    curl -sf "http://127.0.0.1:$sink_port/count"
}

# Three runs; the sink must have got every result, whole.
drain_to_sink() {
    local count=$((jobs / 4)) blobs bytes blobs_before bytes_before
    read -r blobs_before bytes_before < <(count_put)
    use_sink
    drain_ours store "$count" 1024
    LOG_LEVEL=warn drain_ours store_warn "$count" 1024
    WORKER_CONCURRENCY=64 drain_ours store_64 "$count" 1024
    use_directory
    read -r blobs bytes < <(count_put)
    if [ $((blobs - blobs_before)) -ne $((3 * count)) ] || [ $((bytes - bytes_before)) -ne $((3 * count * 1024)) ]; then
        die "the sink got $((blobs - blobs_before)) blobs of $((bytes - bytes_before)) bytes for $((3 * count)) results of 1 KiB"
    fi
}

# ---- memory and start ----

used_memory() {
    redis info memory | tr -d '\r' | sed -n 's/^used_memory://p'
}

measure_redis_memory() {
    local before key
    redis flushall >/dev/null
    before=$(used_memory)
    "$bench/load" "$redis_port" 100000 200
    note redis_bytes "$(per_job $(($(used_memory) - before)) 100000)"
    key="jobgate:{default.0}:job:$(redis lindex 'jobgate:{default.0}:ready' 0)"
    note record_bytes "$(redis memory usage "$key")"
    redis flushall >/dev/null
}

# measure_start PART SUFFIX: with the blob store that the caller chose.
measure_start() {
    local figures
    figures=$(API_LISTEN=127.0.0.1:0 OPS_LISTEN=127.0.0.1:0 REDIS_URL=redis://127.0.0.1:$redis_port \
        "$bench/start_time" 1000 "$bin/jobgate-$1") || die "the start of jobgate-$1 could not be measured"
    note "start_$1$2" "${figures% *}"
    note "resident_$1$2" "$(per_job "${figures#* }" 1024)"
}

measure_starts() {
    local part
    for part in api worker; do
        measure_start "$part" ''
        use_sink
        measure_start "$part" _http
        use_directory
    done
}

# ---- the table ----

# row WHAT FORMAT OURS LIMIT [GOAL]: the ratio is what the goal is for; without a goal it is for information.
row() {
    local value
    value=$(ratio "$3" "$4")
    # shellcheck disable=SC2059 # the format is ours
    line "$1" "$(printf "$2" "$(median "$3")")" "$(printf "$2" "$(median "$4")")" "$(printf '%.2f' "$value")" \
        "${5:-}" "$([ -z "${5:-}" ] || is_reached "$value" "$5")"
}

# plain WHAT FORMAT OURS [GOAL]: the goal is for the figure itself.
plain() {
    local value
    value=$(median "$3")
    # shellcheck disable=SC2059 # the format is ours
    line "$1" "$(printf "$2" "$value")" '' '' "${4:-}" "$([ -z "${4:-}" ] || is_reached "$value" "$4")"
}

print_table() {
    printf '\n%d rounds on %d cores, medians; %s; ratio: the median of those of the rounds\n\n' "$rounds" "$(nproc)" \
        "$(redis-server --version | cut -d' ' -f1-3)"
    line 'what' 'measured' 'limit' 'ratio' 'goal' 'reached'
    line "submit ($connections connections, 200-byte JSON)" '' '' '' '' ''
    row '  requests/s' %.0f api.rate bare.rate '>=0.8'
    row '  CPU µs/request' %.1f api.cpu bare.cpu '<=1.2'
    row '  p99 µs' %.0f api.p99 bare.p99
    row '  key, rate and log of requests: requests/s' %.0f gated.rate bare.rate
    row '  key, rate and log of requests: CPU µs/request' %.1f gated.cpu bare.cpu '<=1.45'
    row '  Redis µs/request' %.1f api.redis bare.redis
    row '  limit with the least Lua: requests/s' %.0f api.rate bare_least.rate
    row '  limit with the least Lua: CPU µs/request' %.1f api.cpu bare_least.cpu
    row '  limit with the least Lua: Redis µs/request' %.1f api.redis bare_least.redis
    row '  two processes: requests/s' %.0f api2.rate bare2.rate
    row '  two processes: CPU µs/request' %.1f api2.cpu bare2.cpu
    [ "$parts" = all ] || return 0
    line 'batches (10000 jobs each, one connection; limit: the least Lua by redis-benchmark, pipelined)' '' '' '' '' ''
    row '  jobs/s' %.0f batch.rate bare_batch.rate '>=0.8'
    plain '  CPU µs/job' %.1f batch.cpu
    line "callers that wait ($waiters at one api process, each for its own job)" '' '' '' '' ''
    plain '  event streams: resident MiB' %.1f streams.resident '<=100'
    plain '  event streams: all told after s' %.2f streams.seconds
    plain '  event streams: CPU µs for each' %.1f streams.cpu
    plain '  long polls: resident MiB' %.1f polls.resident '<=100'
    plain '  long polls: all answered after s' %.2f polls.seconds
    plain '  long polls: CPU µs for each' %.1f polls.cpu
    line "drain (no-op jobs, results in Redis, $concurrency at once)" '' '' '' '' ''
    row '  jobs/s' %.0f drain.rate bare_drain_own.rate '>=0.45'
    row '  CPU µs/job' %.1f drain.cpu bare_drain_own.cpu
    row '  Redis µs/job' %.1f drain.redis bare_drain_own.redis
    row '  limit with the least Lua: jobs/s' %.0f drain.rate bare_drain_least.rate
    row '  limit with the least Lua: Redis µs/job' %.1f drain.redis bare_drain_least.redis
    row '  LOG_LEVEL=warn: jobs/s' %.0f drain_warn.rate bare_drain_own.rate
    row '  LOG_LEVEL=warn: CPU µs/job' %.1f drain_warn.cpu bare_drain_own.cpu
    row '  64 at once: jobs/s' %.0f drain_64.rate bare_drain_own.rate
    row '  64 at once: CPU µs/job' %.1f drain_64.cpu bare_drain_own.cpu
    line 'store (no-op jobs, results of 1 KiB put over HTTP)' '' '' '' '' ''
    plain '  CPU µs/job, 16 at once (the default)' %.1f store.cpu '<=60'
    plain '  LOG_LEVEL=warn: CPU µs/job' %.1f store_warn.cpu
    plain '  64 at once: CPU µs/job' %.1f store_64.cpu
    plain '  jobs/s' %.0f store.rate
    print_stream
    line 'memory and start' '' '' '' '' ''
    plain '  Redis: bytes per queued job, 200-byte payload' %.1f redis_bytes '<=460'
    plain '  Redis: bytes of its record alone' %.0f record_bytes
    plain '  api, idle: resident MiB' %.1f resident_api '<=10'
    plain '  worker, idle: resident MiB' %.1f resident_worker '<=10'
    plain '  api, idle, blob store over HTTP: resident MiB' %.1f resident_api_http '<=10'
    plain '  worker, idle, blob store over HTTP: resident MiB' %.1f resident_worker_http '<=10'
    plain '  api, after the load on it: resident MiB' %.1f api.resident
    plain '  worker, after its no-op jobs: resident MiB' %.1f drain.resident
    plain '  worker, after its results over HTTP: resident MiB' %.1f store.resident
    plain '  api: start to ready, ms' %.1f start_api '<=50'
    plain '  worker: start to ready, ms' %.1f start_worker '<=50'
    plain '  api, blob store over HTTP: start to ready, ms' %.1f start_api_http '<=50'
    plain '  worker, blob store over HTTP: start to ready, ms' %.1f start_worker_http '<=50'
    print_uploads
    print_punctuality
    print_handlers
}

main() {
    local round
    mkdir "$directory/blobs"
    printf '{"types": {"echo": {"kind": "builtin", "builtin": "echo"}}}\n' >"$directory/handlers.json"
    export HANDLERS_FILE=$directory/handlers.json
    unset LOG_LEVEL WORKER_CONCURRENCY WORKER_BATCH RESULT_STORE API_LOOPS AZURE_STORAGE_CONNECTION_STRING
    use_directory
    write_load
    write_batch
    start_redis
    start_bare sink "$bench/sink"
    sink_port=$(<"$directory/sink.log")
    for round in $(seq "$rounds"); do
        echo "bench: round $round of $rounds" >&2
        submit_bare bare_least least 1
        submit_bare bare own 1
        ACCESS_LOG=off submit_ours api 1
        submit_gated gated
        submit_bare bare2 own 2
        ACCESS_LOG=off submit_ours api2 2
        [ "$parts" = all ] || continue
        batch_bare
        batch_ours
        wait_ours streams "$waiters" events
        wait_ours polls "$waiters" poll
        drain_bare
        drain_inline
        drain_to_sink
        measure_redis_memory
        measure_starts
        measure_stream
        measure_punctuality
        measure_uploads
    done
    if [ "$parts" = all ]; then
        measure_growth
        measure_handlers
        print_table
        print_growth
    else
        print_table
    fi
}

main
