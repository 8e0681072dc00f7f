#!/bin/bash
# Runs make in a container of another system, with this checkout in it; `make in-system SYSTEM=debian:bookworm RUN='lint docs-check'`.
# The container is bare, and tests/setup.sh installs what the targets need. VARIANT goes along.
set -euo pipefail
system=${1:?which system?}
shift
mkdir -p .ccache
exec docker run --rm --init --volume "$PWD:/src" --workdir /src --env "VARIANT=${VARIANT:-release}" \
    --env 'CC=ccache gcc' --env CCACHE_DIR=/src/.ccache --env CI "$system" \
    sh -c '.github/scripts/bootstrap.sh && exec make "$@"' sh "$@"
