#!/bin/bash
# Stands in for az, terraform, kubectl, kubelogin, docker, git and curl, by the name that it is called by. Each call is noted in
# $WORLD/calls. What the world is like lies in $WORLD: what is not there does not exist. A call that matches the pattern $FAIL fails.
set -u
name=${0##*/}
call="$name $*"
printf '%s\n' "$call" >>"$WORLD/calls"
if [ -n "${FAIL:-}" ] && [[ $call =~ $FAIL ]]; then
    echo "$name: made to fail" >&2
    exit 1
fi

argument() { # NAME: what follows it on the command line
    local word before=
    for word in "${arguments[@]}"; do
        [ "$before" != "$1" ] || { printf '%s\n' "$word" && return; }
        before=$word
    done
}
arguments=("$@")

has() { [ -e "$WORLD/$1" ]; }
note() { printf '%s' "${2:-}" >"$WORLD/$1"; }
read_note() { has "$1" && cat "$WORLD/$1"; }

az() {
    local secret
    case $* in
    'account show --query id'*) has logged-in && echo 00000000-0000-0000-0000-000000000000 ;;
    'ad signed-in-user show'*) has person && echo 99999999-9999-9999-9999-999999999999 ;;
    'provider list'*) read_note providers ;;
    'provider register'*) argument --namespace >>"$WORLD/providers" ;;
    'resource show'*) has made ;;
    *'check-name'*) if has taken; then echo false; else echo true; fi ;;
    'keyvault list-deleted'*) read_note deleted-vault || true ;;
    'vm list-skus'*) if has no-size; then echo '[]'; else
        jq -n --arg size "$(argument --size)" '[{name: $size, capabilities: [{name: "vCPUs", value: "2"}], restrictions: []}]'
    fi ;;
    'vm list-usage'*) jq -n --arg used "$(read_note cores-used || echo 0)" '[{name: {value: "cores"}, limit: "4", currentValue: $used}]' ;;
    'storage account show'*) has state-account ;;
    'storage account create'*) note state-account ;;
    'storage container-rm show'*) has state-container ;;
    'storage container-rm create'*) note state-container ;;
    'keyvault secret show'*) jq -rj .properties.value "$WORLD/secret-smoke-key" ;;
    'rest '*)
        secret=$(argument --url)
        secret=${secret##*/secrets/}
        secret=secret-${secret%%\?*}
        if [ "$(argument --method)" = put ]; then
            cp "${*##*--body @}" "$WORLD/$secret" 2>/dev/null || cp "$(argument --body | cut -c2-)" "$WORLD/$secret"
        elif ! has "$secret"; then
            echo 'ERROR: Not Found({"error":{"code":"SecretNotFound"}})' >&2
            return 3
        fi
        ;;
    'acr manifest show-metadata'*)
        has "image-$(argument --name)" && printf 'sha256:%s\n' "$(argument --name | sha256sum | cut -d' ' -f1)"
        ;;
    'aks get-credentials'*) : >"$(argument --file)" ;;
    esac
}

terraform() {
    local status=0
    case $* in
    'version -json') printf '{"terraform_version": "%s"}\n' "$(read_note terraform-version || echo 1.12.2)" ;;
    *' plan '*)
        echo 'the plan'
        [[ $* != *-out=* ]] || : >"$(printf '%s\n' "$@" | sed -n 's/^-out=//p')"
        has made || status=2
        [[ $* == *-detailed-exitcode* ]] || status=0
        return "$status"
        ;;
    *' apply '*destroy.tfplan) rm -f "$WORLD/made" ;;
    *' apply '*) note made ;;
    *' output -json') if has made; then cat "$OUTPUTS"; else echo '{}'; fi ;;
    esac
}

kubectl() {
    local what image now
    case $* in
    kustomize*)
        ! has renders || exec "$REAL_KUBECTL" "$@"
        sed -n 's/.*newName: \(.*\), digest: \(.*\)}$/        image: \1@\2/p' "$2/kustomization.yaml"
        ;;
    diff*)
        cmp -s "$(argument --filename)" "$WORLD/applied" && return
        echo 'diff -u a b'
        return 1
        ;;
    apply*)
        for what in api worker; do
            image=$(grep "image: .*/jobgate-$what@" "$(argument --filename)")
            if [ "$image" != "$(read_note "jobgate-$what.image" || true)" ]; then
                now=$(read_note "jobgate-$what.revision" || echo 0)
                note "jobgate-$what.revision" $((now + 1))
                note "jobgate-$what.image" "$image"
            fi
        done
        cp "$(argument --filename)" "$WORLD/applied"
        ;;
    *'get statefulset/jobgate-redis'*) echo statefulset/jobgate-redis ;;
    *'get deployment '*previous-revision*) read_note "$(argument deployment).previous" || true ;;
    *'get deployment '*revision*) read_note "$(argument deployment).revision" || true ;;
    *'annotate deployment '*)
        note "$(argument deployment).previous" "$(printf '%s\n' "$@" | sed -n 's/^jobgate.previous-revision=//p')"
        ;;
    *'rollout undo '*)
        what=$(argument undo)
        note "${what#*/}.revision" $(($(read_note "${what#*/}.revision") + 1))
        ;;
    *port-forward*)
        echo "Forwarding from $(read_note api-address || echo 127.0.0.1:12345) -> 8080"
        exec sleep 60
        ;;
    esac
}

curl() {
    local url=${!#}
    case $url in
    */v1/jobs)
        argument --data | jq -c .payload >"$WORLD/payload"
        echo '{"id": "default.0.X"}'
        ;;
    */result) if has wrong-result; then echo '{}'; else cat "$WORLD/payload"; fi ;;
    *) printf '{"state": "%s"}\n' "$(read_note job-state || echo succeeded)" ;;
    esac
}

git() {
    case $* in
    describe*) read_note version || echo v1 ;;
    *) echo 0123456789abcdef ;;
    esac
}

docker() { case $* in push*) note "image-${2##*/}" ;; esac; }
kubelogin() { :; }

"$name" "$@"
