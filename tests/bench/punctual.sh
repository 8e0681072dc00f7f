#!/bin/bash
# shellcheck disable=SC2154 # tools.sh, which is sourced before, sets `directory` and `pid`
# Measures how late jobs start whose time has come, on a system that does nothing else: docs/benchmarks.md says what the rows
# mean. A part of run.sh, which sources it behind tools.sh.
#
#   PUNCTUAL_JOBS=100   each due at a moment of its own within three seconds
punctual_jobs=${PUNCTUAL_JOBS:-100}

# The api's clock made the id, Redis's counts the delay and tells the start: they are one on one machine, to a millisecond.
note_lateness() {
    local port=$1 i delay submission=() late
    for i in $(seq "$punctual_jobs"); do
        delay=$(awk -v i="$i" -v n="$punctual_jobs" 'BEGIN { printf "%.3f", 1 + 3 * ((i * 61) % n) / n }')
        submission=("$(curl -sf "http://127.0.0.1:$port/v1/jobs?type=echo&delay_s=$delay" -H 'Content-Type: text/plain' -d x |
            jq -er .id)" "$delay")
        echo "${submission[@]}"
    done >"$directory/punctual.ids"
    wait_for 'the end of the scheduled jobs' is_all_done
    while read -r id delay; do
        curl -sf "http://127.0.0.1:$port/v1/jobs/$id" | jq -er --argjson delay "$delay" '
            def ms: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
            (.started_at | ms) - (.created_at | ms) - $delay * 1000'
    done <"$directory/punctual.ids" | sort -g >"$directory/punctual.ms"
    late=$(wc -l <"$directory/punctual.ms")
    [ "$late" -eq "$punctual_jobs" ] || die "of $punctual_jobs scheduled jobs $late tell when they started"
    note late_p50 "$(sed -n "$((late / 2))p" "$directory/punctual.ms")"
    note late_p99 "$(sed -n "$((late * 99 / 100))p" "$directory/punctual.ms")"
    note late_max "$(tail -n 1 "$directory/punctual.ms")"
}

is_all_done() {
    [ "$(redis hget 'jobgate:{default.0}:stats' succeeded)" = "$punctual_jobs" ]
}

measure_punctuality() {
    local api_pid worker_pid address
    redis flushall >/dev/null
    API_LISTEN=127.0.0.1:0 start_api punctual
    api_pid=$pid
    start_worker
    worker_pid=$pid
    address=$(listening punctual api)
    note_lateness "${address##*:}"
    stop "$api_pid" "$worker_pid"
    redis flushall >/dev/null
}

print_punctuality() {
    line "due jobs ($punctual_jobs in three seconds, one worker that is idle)" '' '' '' '' ''
    plain '  started late, median, ms' %.0f late_p50
    plain '  started late, p99, ms' %.0f late_p99 '<=100'
    plain '  started late, the latest, ms' %.0f late_max
}
