#!/bin/bash
# Rehearses rollouts: rehearsal.mjs. Ends with "counts <passed> <failed>" for tests/run.sh.
#
# JOBGATE_ROLLOUT=long: three of each, under more load, with longer jobs.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/kubernetes/tools.sh
. tests/kubernetes/tools.sh
export PATH=$PATH:/usr/sbin # where Debian keeps haproxy

directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-rollout.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT
# shellcheck disable=SC2154 # tools.sh sets it
if ! unpack_tools || ! "$kubectl" kustomize kubernetes/overlays/dev >"$directory/dev.yaml"; then
    echo 'rollout: the overlay dev does not render'
    echo 'counts 0 1'
    exit 1
fi
node tests/rollout/rehearsal.mjs "${JOBGATE_ROLLOUT:-short}" "$directory"
