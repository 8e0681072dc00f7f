#!/bin/bash
# The pages of the api in a real Chromium. `make browser` calls it. Ends with "counts <good> <bad>", as tests/run.sh wants it.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${JOBGATE_BIN:?the directory of jobgate-api and jobgate-worker; make browser sets it}
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-browser.XXXXXX") || exit 1
started=()

clean_up() {
    [ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null
    wait
    rm -rf "$directory"
}
trap clean_up EXIT

fail() {
    echo "browser: $1"
    [ ! -f "$directory/api.log" ] || tail -n 5 "$directory/api.log"
    echo 'counts 0 1'
    exit 1
}

wait_for() {
    for _ in $(seq 400); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    fail "this did not come about: $*"
}

address() {
    jq -enr "first(inputs | select(.message == \"listening\") | .api)" "$directory/api.log"
}

port=$((20000 + RANDOM % 12000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$directory" >"$directory/redis.log" 2>&1 &
started+=($!)
wait_for redis-cli -p "$port" ping
API_LISTEN=127.0.0.1:0 OPS_LISTEN=127.0.0.1:0 REDIS_URL=redis://127.0.0.1:$port BLOB_URL=file://$directory/blobs \
    "$bin/jobgate-api" >"$directory/api.log" 2>&1 &
started+=($!)
wait_for address
wait_for curl -sf "http://$(address)/openapi.json"
node tests/browser/docs.js "http://$(address)"
