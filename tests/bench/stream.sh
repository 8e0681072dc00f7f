#!/bin/bash
# shellcheck disable=SC2154 # tools.sh, which is sourced before, sets `directory` and `pid`
# A result of 2 GiB from a command, through a worker, into the sink: how much memory the worker took at the most, and how fast it
# went. Sourced by run.sh.

STREAM_BYTES=2147483648

peak_mib() {
    awk '/^VmHWM:/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"
}

is_stream_done() {
    [ "$(curl -sf "http://$1/v1/jobs/$2" | jq -r .state)" = succeeded ]
}

measure_stream() {
    local api id before after bytes blobs cpu_before
    printf '{"types": {"stream": {"kind": "command", "command": ["head", "-c", "%s", "/dev/zero"]}}}\n' "$STREAM_BYTES" \
        >"$directory/stream.json"
    read -r blobs bytes < <(count_put)
    redis flushall >/dev/null
    use_sink
    API_LISTEN=127.0.0.1:0 start_api stream_api
    api=$(listening stream_api api)
    stream_api_pid=$pid
    HANDLERS_FILE=$directory/stream.json MAX_RESULT=4294967296 start_ours stream_worker jobgate-worker
    stream_worker_pid=$pid
    wait_for 'a waiting jobgate-worker' is_worker_waiting
    cpu_before=$(cpu_us "$stream_worker_pid")
    before=$(date +%s%N)
    id=$(curl -sf "http://$api/v1/jobs" --json '{"type": "stream"}' | jq -r .id)
    until is_stream_done "$api" "$id"; do
        sleep 0.2
    done
    after=$(date +%s%N)
    note stream.peak "$(peak_mib "$stream_worker_pid")"
    note stream.rate "$(awk -v b="$STREAM_BYTES" -v ns=$((after - before)) 'BEGIN { printf "%.0f", b / 1048576 / (ns / 1e9) }')"
    note stream.cpu "$(awk -v us=$(($(cpu_us "$stream_worker_pid") - cpu_before)) 'BEGIN { printf "%.2f", us / 1e6 }')"
    stop "$stream_worker_pid" "$stream_api_pid"
    use_directory
    before=$bytes
    read -r blobs bytes < <(count_put)
    [ $((bytes - before)) -ge "$STREAM_BYTES" ] || die "the sink got $((bytes - before)) bytes ($blobs blobs) of a result of $STREAM_BYTES"
}

print_stream() {
    line 'a result of 2 GiB from a command to the store over HTTP' '' '' '' '' ''
    plain '  worker: peak resident MiB' %.1f stream.peak '<=32'
    plain '  MiB/s' %.0f stream.rate
    plain '  worker: CPU s' %.2f stream.cpu
}
