#!/bin/bash
# Load as in the reports, by Artillery: load.mjs. `make load` calls it. Ends with "counts <passed> <failed>".
#
# Artillery is 461 packages and 459 MB, so it is installed here, and only by this.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/kubernetes/tools.sh
. tests/kubernetes/tools.sh
export PATH=$PATH:/usr/sbin # where Debian keeps haproxy

install_artillery() {
    local stamp=tests/load/node_modules/.installed-lock
    cmp -s tests/load/package-lock.json "$stamp" && return
    npm ci --prefix tests/load --no-audit --no-fund --ignore-scripts --loglevel=error && cp tests/load/package-lock.json "$stamp"
}

directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-load.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT
# shellcheck disable=SC2154 # tools.sh sets it
if ! install_artillery || ! unpack_tools || ! "$kubectl" kustomize kubernetes/overlays/dev >"$directory/dev.yaml"; then
    echo 'load: what it needs is missing'
    echo 'counts 0 1'
    exit 1
fi
node tests/load/load.mjs "$directory"
