#!/bin/bash
# Renders every overlay, every component and the chart, and looks whether what comes out is what it has to be: check.mjs.
# Ends with "counts <passed> <failed>" for tests/run.sh.
#
# JOBGATE_MANIFEST_VALIDATOR, if set, is a command that gets each rendered file as its last argument and judges it against the
# schemas of Kubernetes; without it that is left to the pipeline.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/kubernetes/tools.sh
. tests/kubernetes/tools.sh

directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-kubernetes.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT
passed=0
failed=0
export HELM_CACHE_HOME=$directory/helm HELM_CONFIG_HOME=$directory/helm HELM_DATA_HOME=$directory/helm

# try NAME COMMAND…: one test; its output is shown when it fails.
try() {
    local name=$1
    shift
    if "$@" >"$directory/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "kubernetes: $name: FAILED"
        cat "$directory/output"
    fi
}

kustomize() { # NAME FOLDER
    "$kubectl" kustomize "$2" >"$directory/$1.yaml"
}

# A component on the base, with what it stands on.
component() {
    local folder=$directory/on-base/$1
    local up before=
    local resources=base
    mkdir -p "$folder"
    up=$(realpath --relative-to="$(realpath "$folder")" kubernetes)
    case $1 in
    monitoring-operator) before="$up/components/monitoring, " ;;
    platform)
        resources='base, platform.yaml'
        cp kubernetes/overlays/prod/platform.yaml "$folder"
        ;;
    ingress) # the controller makes it
        resources='base, secret.yaml'
        printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: keyvault-jobgate-api, namespace: jobgate}\n' >"$folder/secret.yaml"
        ;;
    esac
    echo "{resources: [$up/$resources], components: [$before$up/components/$1]}" >"$folder/kustomization.yaml"
    kustomize "component-$1" "$folder"
}

# All that the chart can switch on, and no overlay does.
everything() {
    local folder=$directory/on-base/everything
    local up
    mkdir -p "$folder"
    up=$(realpath --relative-to="$(realpath "$folder")" kubernetes)/components
    cat >"$folder/kustomization.yaml" <<KUSTOMIZATION
resources: [$up/../base]
components: [$up/ingress, $up/monitoring, $up/monitoring-operator, $up/egress-http, $up/egress-callbacks, $up/egress-storage,
             $up/egress-otlp]
KUSTOMIZATION
    kustomize everything "$folder"
}

chart() { # NAME OPTION…
    local name=$1
    shift
    "$helm" template jobgate kubernetes/chart --namespace jobgate --set namespace.create=true "$@" >"$directory/chart-$name.yaml"
}

refuses() {
    ! "$helm" template jobgate kubernetes/chart "$@" && grep -q "values don't meet the specifications" "$directory/output"
}

render() {
    local overlay folder
    try 'the base renders' kustomize base kubernetes/base
    try 'the chart renders' chart base
    for overlay in dev prod local; do
        try "the overlay $overlay renders" kustomize "$overlay" "kubernetes/overlays/$overlay"
        try "the chart renders with the values of $overlay" chart "$overlay" -f "kubernetes/chart/examples/$overlay.yaml"
    done
    for folder in kubernetes/components/*; do
        try "the component ${folder##*/} renders" component "${folder##*/}"
    done
    try 'many components render together' everything
    try 'the chart renders with the same' chart everything --set ingress.enabled=true,monitoring.enabled=true \
        --set egress.http=true,egress.callbacks=true,egress.storage=true,egress.otlp=true \
        --set monitoring.apiVersion=monitoring.coreos.com/v1
    try 'the chart is without mistakes' "$helm" lint --strict kubernetes/chart
    try 'the chart refuses an unknown value' refuses --set api.clientid=x
    try 'the chart refuses a value of the wrong kind' refuses --set keda.maxReplicas=many
    try 'the chart refuses a secret in the environment' refuses --set api.env.REDIS_URL=redis://:secret@host
}

validate() {
    local file
    for file in "$directory"/*.yaml; do
        # shellcheck disable=SC2086 # a command with options
        case ${file##*/} in
        everything.yaml | chart-*) ;; # the same objects as the others
        *) try "${file##*/} is valid" $JOBGATE_MANIFEST_VALIDATOR "$file" ;;
        esac
    done
}

if ! unpack_tools; then
    echo 'kubernetes: kubectl and helm could not be unpacked: does tests/setup.sh test end well?'
    echo 'counts 0 1'
    exit 1
fi
render
[ -z "${JOBGATE_MANIFEST_VALIDATOR:-}" ] || validate
node tests/kubernetes/check.mjs "$directory" >"$directory/checks"
grep -v '^counts ' "$directory/checks"
read -r _ good bad < <(grep '^counts ' "$directory/checks" || echo 'counts 0 1')
echo "counts $((passed + good)) $((failed + bad))"
[ $((failed + bad)) -eq 0 ]
