#!/bin/bash
# Starts everything on this machine, drives real jobs through it and looks whether each result is right; `make demo` calls it.
# On a terminal everything stays up until Ctrl-C. Nothing is left behind, however it ends.
set -euo pipefail
export LC_ALL=C # EPOCHREALTIME then has a point, whatever the user's language
cd "$(dirname "$0")"

demo=$PWD
bin=${JOBGATE_BIN:-$demo/../../build/release/bin}
names=(word-frequencies thumbnail echo)
text=/usr/share/common-licenses/GPL-3
numbers='{"highest": 9223372036854775807, "lowest": -9223372036854775808, "no double holds": 9007199254740993}'

directory=
step='start'
is_explained=false
declare -A pids=()      # of what runs, by name
declare -A ids=()       # of the jobs, by job type
declare -A submitted=() # when, in microseconds
declare -A records=()   # the last answer about each job
declare -A states=()

# ---- what people read ----

bold='' green='' red='' grey='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' grey=$'\e[90m' plain=$'\e[0m'
fi

title() {
    step=$1
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

show() { printf '  %-18s %s\n' "$1" "$2"; }
right() { printf '  %s%-18s%s %s\n' "$green" right "$plain" "$1"; }

# A command as a person would type it.
by_hand() {
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:@-]+$ ]] || word="'$word'"
        line+=" $word"
    done
    printf '  %s$%s%s\n' "$grey" "$line" "$plain"
}

fail() {
    is_explained=true
    printf '\n%sdemo: failed at "%s": %s%s\n' "$red" "$step" "$1" "$plain" >&2
    exit 1
}

# ---- starting and stopping ----

# In a session of its own, so that Ctrl-C reaches this script alone, which stops everything in the right order; should this
# script be killed, it ends too. The user's own settings are kept out.
start() {
    local name=$1
    shift
    setsid setpriv --pdeathsig KILL env -i PATH="$PATH" HOME="$directory" "$@" \
        </dev/null >"$directory/$name.log" 2>&1 &
    pids[$name]=$!
}

is_running() { kill -0 "${pids[$1]}" 2>/dev/null; }

# stop NAME: returns its exit status.
stop() {
    local pid=${pids[$1]:-}
    local deadline=$((SECONDS + 10))
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while is_running "$1"; do
        [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.02
    done
    unset "pids[$1]"
    wait "$pid"
}

# wait_until WHAT COMMAND…: until the command succeeds, for 15 s at the most.
wait_until() {
    local what=$1 deadline=$((SECONDS + 15))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what is not there after 15 s"
        sleep 0.02
    done
}

show_logs() {
    local log
    for log in "$directory"/*.log; do
        [ ! -s "$log" ] || { printf '\n--- the end of %s ---\n' "${log##*/}" && tail -n 20 "$log"; }
    done
}

clean_up() {
    local status=$? name
    trap '' INT TERM HUP
    set +e
    case $status in
    0 | 129 | 130 | 143) ;;
    *)
        $is_explained || printf '\ndemo: failed at "%s": a command ended with status %d\n' "$step" "$status" >&2
        [ -z "$directory" ] || show_logs >&2
        ;;
    esac
    for name in worker api-1 api-2 redis; do
        stop "$name"
    done
    [ -z "$directory" ] || rm -rf "$directory"
    exit "$status"
}

# ---- the parts ----

# redis-server cannot be told to take any free port: one is found by trying.
start_redis() {
    local i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        redis_port=$((20000 + RANDOM % 12000))
        start redis redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$directory" --save '' --appendonly no
        wait_until redis-server is_redis_decided
        if is_running redis; then
            show redis-server "process ${pids[redis]}, 127.0.0.1:$redis_port"
            return
        fi
        echo "  127.0.0.1:$redis_port is taken, attempt $i"
    done
    fail 'redis-server does not start'
}

# Whether it has ended, or answers; on a port that is taken somebody else's would.
is_redis_decided() {
    ! is_running redis || redis-cli -p "$redis_port" info server 2>/dev/null | tr -d '\r' | grep -qx "process_id:${pids[redis]}"
}

# address NAME MEMBER: where a program listens, from its start-up line.
address() { jq -r "select(.message == \"listening\") | .$2" "$directory/$1.log"; }

is_ready() {
    is_running "$1" || fail "$1 ended"
    [ -n "$(address "$1" ops)" ] && request "http://$(address "$1" ops)/readyz" >/dev/null 2>&1
}

# start_program NAME BINARY SETTING…
start_program() {
    local name=$1 binary=$2
    shift 2
    start "$name" REDIS_URL="redis://127.0.0.1:$redis_port" BLOB_URL="file://$directory/blobs" OPS_LISTEN=127.0.0.1:0 \
        "$@" "$bin/$binary"
}

wait_for_program() {
    wait_until "$1" is_ready "$1"
    show "$1" "process ${pids[$1]}, ready: http://$(address "$1" ops)/readyz"
}

# ---- jobs ----

request() { curl -q --noproxy '*' --silent --show-error --fail-with-body --max-time 10 "$@"; }

# submit TYPE PATH CURL-OPTION…
submit() {
    local type=$1 url=http://$api$2
    shift 2
    by_hand curl "$@" "$url"
    records[$type]=$(request "$@" "$url") || fail "$type was not accepted: ${records[$type]}"
    submitted[$type]=${EPOCHREALTIME/./}
    ids[$type]=$(jq -r .id <<<"${records[$type]}")
    show '' "accepted as ${ids[$type]}"
}

# Prints the state of a job when it is another one than before.
note_state() {
    local type=$1 state us
    state=$(jq -r .state <<<"${records[$type]}")
    us=$((${EPOCHREALTIME/./} - submitted[$type]))
    if [ "$state" != "${states[$type]:-}" ]; then
        printf '  %-18s after %4d ms  %s\n' "$type" $((us / 1000)) "$state"
        states[$type]=$state
    fi
}

are_ended() {
    local type all=true
    is_running worker || fail 'the worker ended'
    for type in "${names[@]}"; do
        case ${states[$type]:-} in succeeded | dead) continue ;; esac
        records[$type]=$(request "http://$api/v1/jobs/${ids[$type]}") || fail "$type: ${records[$type]}"
        note_state "$type"
        all=false
    done
    $all
}

member() { jq -r "$2" <<<"${records[$1]}"; }

# Fetches a result, and looks whether it is what the job says and what lies on disk.
fetch() {
    local type=$1 blob
    [ "${states[$type]}" = succeeded ] || fail "$type is ${states[$type]}: $(member "$type" .error.message)"
    by_hand curl "http://$api$(member "$type" .result.href)"
    request --output "$directory/$type.result" "http://$api$(member "$type" .result.href)" || fail "no result of $type"
    blob=$(member "$type" .result.blob)
    cmp "$directory/$type.result" "${blob#file://}" || fail "the result of $type is not what lies in the store"
    [ "$(openssl md5 -binary <"$directory/$type.result" | base64)" = "$(member "$type" .result.md5)" ] ||
        fail "the result of $type has another MD5 than its job says"
    show 'lies in' "${blob#file://}"
    show 'took' "$(member "$type" '
        def ms: (.[:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
        "\((.started_at | ms) - (.created_at | ms)) ms in the queue, \((.finished_at | ms) - (.started_at | ms)) ms running"')"
}

# ---- what each result must be ----

check_words() {
    fetch word-frequencies
    head -n 5 "$directory/word-frequencies.result" | sed 's/^/    /'
    show '' "… $(wc -l <"$directory/word-frequencies.result") different words"
    awk '{ gsub(/[^A-Za-z]+/, " "); for (i = 1; i <= split(tolower($0), word, " "); i++) count[word[i]]++ }
         END { for (w in count) print w "\t" count[w] }' "$text" | sort >"$directory/expected"
    sort "$directory/word-frequencies.result" | cmp - "$directory/expected" || fail 'the words were counted wrong'
    right 'counted again with awk: the same'
}

check_thumbnail() {
    local form
    fetch thumbnail
    form=$(identify -format '%m %wx%h' "$directory/thumbnail.result")
    show '' "$form, $(stat -c %s "$directory/thumbnail.result") bytes"
    [ "$form" = 'JPEG 160x120' ] || fail "the image made smaller is $form, not JPEG 160x120"
    right 'a JPEG of the size that was asked for, in the proportions of the picture sent'
}

check_echo() {
    fetch echo
    show '' "$(cat "$directory/echo.result")"
    [ "$(cat "$directory/echo.result")" = "$numbers" ] || fail 'the numbers came back changed'
    right 'every digit of the 64-bit integers came back'
}

# Until Ctrl-C, which from now on is no failure.
stay() {
    local sleeper
    trap 'is_up=false' INT
    is_up=true
    while $is_up; do
        sleep 3600 &
        sleeper=$!
        wait "$sleeper" || true
        kill "$sleeper" 2>/dev/null || true
    done
    trap 'exit 130' INT
}

# ---- what happens ----

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-demo.XXXXXX")

title 'Redis and two api processes that share one port; no worker yet'
start_redis
start_program api-1 jobgate-api API_LISTEN=127.0.0.1:0
wait_for_program api-1
api=$(address api-1 api)
start_program api-2 jobgate-api API_LISTEN="$api"
wait_for_program api-2
show 'callers' "http://$api"

title 'Jobs are accepted without a worker'
convert logo: -resize 1600x1200 "png:$directory/picture.png"
submit word-frequencies '/v1/jobs?type=word-frequencies' -H 'Content-Type: text/plain' --data-binary "@$text"
submit thumbnail '/v1/jobs?type=thumbnail' -H 'Content-Type: image/png' --data-binary "@$directory/picture.png"
submit echo /v1/jobs --json "{\"type\":\"echo\",\"payload\":$numbers}"
for name in "${names[@]}"; do
    note_state "$name"
done

title 'A worker comes and runs them'
jq --arg demo "$demo" '(.. | strings) |= gsub("@DEMO@"; $demo)' handlers.json >"$directory/handlers.json"
start_program worker jobgate-worker HANDLERS_FILE="$directory/handlers.json"
wait_until 'the end of the jobs' are_ended
wait_for_program worker

title 'word-frequencies: a shell script as the handler'
check_words
title 'thumbnail: any program can be a handler, here ImageMagick'
check_thumbnail
title 'echo: built into the worker'
check_echo

# The kernel spreads the connections.
title 'Who answered'
for name in api-1 api-2; do
    show "$name" "$(request "http://$(address "$name" ops)/metrics" |
        awk '/^jobgate_http_requests_total/ { n += $2 } END { print n + 0, "requests" }')"
done

title 'By hand'
by_hand curl -i "http://$api/v1/jobs?type=word-frequencies" --data-binary "@$text"
by_hand curl "http://$api/v1/jobs/${ids[word-frequencies]}"
by_hand curl "http://$api/v1/jobs/${ids[word-frequencies]}/result"
by_hand find "$directory/blobs" -type f

if [ -t 0 ] && [ -t 1 ]; then
    title 'Everything stays up until Ctrl-C'
    stay
fi

title 'Stopping'
for name in worker api-1 api-2; do
    stop "$name" || fail "$name ended with status $?"
done
show '' 'the worker and the apis ended well; redis-server and the directory are removed'
