#!/bin/bash
# Keeps what the benchmark measured, a file for each night, on the branch bench-trend; `make bench-trend`. Needs GH_TOKEN.
set -euo pipefail
name=$(date -u +%F)-$(git rev-parse --short HEAD).txt
mkdir -p build
make bench | tee "build/$name"
gh auth setup-git
url=${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY
git clone --quiet --depth 1 --branch bench-trend "$url" build/trend 2>/dev/null || {
    git init --quiet --initial-branch bench-trend build/trend
    git -C build/trend remote add origin "$url"
}
cp "build/$name" build/trend
git -C build/trend add "$name"
git -C build/trend -c user.name=bench -c user.email=bench@users.noreply.github.com commit --quiet --message "$name"
git -C build/trend push --quiet origin bench-trend
previous=$(git -C build/trend ls-files | sort | tail -n 2 | head -n 1)
diff --side-by-side --suppress-common-lines --width 200 "build/trend/$previous" "build/$name" || true
