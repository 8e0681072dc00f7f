# The smoke test: submits a job, waits for its end, reads its result and compares. Sourced behind common.sh.
#
# The way in is kubectl port-forward, so that it needs neither a host name nor a certificate. The key is JOBGATE_API_KEY, or the
# secret smoke-key of the vault where this machine reaches the vault.
# shellcheck shell=bash disable=SC2154 # common.sh sets them

forwarder=

stop_forwarding() {
    [ -z "$forwarder" ] || kill "$forwarder" 2>/dev/null || true
    forwarder=
}
trap stop_forwarding EXIT

# Looked for before anything is changed: a deployment whose success can't be told is not begun. secrets.sh may have made it.
find_smoke_key() {
    title 'key of the smoke test'
    [ -z "${JOBGATE_API_KEY:-}" ] || smoke_key=$JOBGATE_API_KEY
    [ -n "${smoke_key:-}" ] || smoke_key=$(az keyvault secret show --vault-name "$(output vault)" --name smoke-key --query value --output tsv 2>"$directory/smoke.log") ||
        die 'the smoke test has no key' 'the vault is not reached from here, or this login may not read it (Key Vault Secrets User)' \
            'or give a key by hand: JOBGATE_API_KEY=…' "$(tail -n 1 "$directory/smoke.log")"
}

# Opens a way to the api and sets address.
forward() {
    local log=$directory/forward.log deadline=$((SECONDS + 60))
    : >"$log"
    kubectl --namespace "$namespace" port-forward service/jobgate-api :80 >"$log" 2>&1 & # not by k: the process to end must be kubectl itself
    forwarder=$!
    until address=$(sed -n 's/^Forwarding from \(127\.0\.0\.1:[0-9]*\) .*/\1/p' "$log" | head -n 1) && [ -n "$address" ]; do
        kill -0 "$forwarder" 2>/dev/null || { cat "$log" >&2 && return 1; }
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

# The key goes in by a file, so that no list of processes shows it.
ask() { curl -q --silent --show-error --fail-with-body --max-time 30 --retry 5 --retry-connrefused --retry-delay 2 --header "@$directory/smoke-header" "$@"; }

run_job() {
    local payload id state deadline=$((SECONDS + ${SMOKE_TIMEOUT_S:-300}))
    payload="{\"smoke\":\"$(random_word)\"}"
    id=$(ask --header 'Content-Type: application/json' --data "{\"type\":\"echo\",\"payload\":$payload}" "http://$address/v1/jobs" | jq -r .id) || return 1
    show "submitted $id"
    while :; do
        state=$(ask "http://$address/v1/jobs/$id" | jq -r .state) || return 1
        case $state in
        succeeded) break ;;
        dead | cancelled)
            ask "http://$address/v1/jobs/$id" >&2
            return 1
            ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || {
            echo "the job is still $state after ${SMOKE_TIMEOUT_S:-300} s" >&2
            return 1
        }
        sleep 1
    done
    [ "$(ask "http://$address/v1/jobs/$id/result" | jq -c .)" = "$payload" ] || {
        echo "the result is not what was sent: $payload" >&2
        return 1
    }
    show 'succeeded, and the result is what was sent'
}

random_word() { openssl rand -hex 8; }

smoke_test() {
    local status=0
    title 'smoke test'
    (umask 077 && printf 'Authorization: Bearer %s\n' "$smoke_key" >"$directory/smoke-header")
    { forward && run_job; } || status=1
    stop_forwarding
    rm -f "$directory/smoke-header"
    return "$status"
}
