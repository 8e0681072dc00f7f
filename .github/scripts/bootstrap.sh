#!/bin/sh
# Brings a bare Debian or Ubuntu to where make works; the rest is tests/setup.sh's. Run by in_system.sh.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends bash ca-certificates ccache git make
git config --global --add safe.directory "$PWD"
