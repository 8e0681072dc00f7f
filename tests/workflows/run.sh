#!/bin/bash
# The workflows against the rules of check.mjs, and those against workflows that break them, which must be found.
# Ends with "counts <passed> <failed>" for tests/run.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-workflows.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT
passed=0
failed=0

try() { # NAME COMMAND…
    local name=$1
    shift
    if "$@" >"$directory/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "workflows: $name: FAILED"
        cat "$directory/output"
    fi
}

# What a file is changed to, by sed, and the complaint that must come of it.
mistakes() {
    cat <<'ROWS'
.github/workflows/ci.yml|0,/actions\/cache@27d5/s/actions\/cache@[0-9a-f]*/actions\/cache@v5/|actions/cache is not pinned by commit
.github/workflows/ci.yml|0,/3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1/s//3d3c42e5aac5ba805825da76410c181273ba90b2 # v7.0.1/|actions/checkout is pinned to different commits
.github/workflows/ci.yml|s/^permissions: {}/permissions: read-all/|gives permissions to all of its jobs
.github/workflows/ci.yml|/^  lint:/,/steps:/s/contents: read/contents: write/|ci.yml, lint: may write contents and does not need it
.github/workflows/ci.yml|/^  sanitizers:/,/steps:/s/    timeout-minutes: 90//|ci.yml, sanitizers: may run for ever
.github/workflows/ci.yml|s/run: make audit/run: npm audit/|runs something else than make: npm audit
.github/workflows/ci.yml|s/run: make cost/run: make costs/|there is no make target costs
.github/workflows/ci.yml|/^  audit:/,/- run/s/persist-credentials: false/persist-credentials: true/|leaves its token in the checkout
.github/workflows/ci.yml|0,/ version: v0.74.0/s// version: latest/|takes any version of trivy
.github/workflows/ci.yml|s/^  pull_request:/  pull_request_target:/|a stranger's pull request
.github/workflows/deploy.yml|s/      attestations: write//|deploy.yml, deploy: needs to write attestations and may not
.github/workflows/deploy.yml|s/secrets.JOBGATE_API_KEY/secrets.AZURE_CREDENTIALS/|uses the secret AZURE_CREDENTIALS
.github/workflows/deploy.yml|s/cancel-in-progress: false/cancel-in-progress: true/|may be cut off while it changes Azure
.github/workflows/terraform.yml|/^  apply:/,/permissions:/s/    environment:/    environments:/|changes Azure without an environment
.github/workflows/nightly.yml|s/runs-on: ubuntu-24.04/runs-on: ubuntu-2404/|label "ubuntu-2404" is unknown
.github/dependabot.yml|s/package-ecosystem: docker/package-ecosystem: pip/|does not look after docker
ROWS
}

# All mistakes are made in one copy, which is looked at once.
make_mistakes() {
    local file script complaint
    mkdir "$directory/copy"
    cp -R .github Makefile "$directory/copy"
    # actionlint takes the files of the repository that it runs in.
    mkdir "$directory/copy/.git"
    while IFS='|' read -r file script complaint; do
        cp "$directory/copy/$file" "$directory/before"
        sed -i "$script" "$directory/copy/$file"
        ! cmp -s "$directory/before" "$directory/copy/$file" || echo "$file was not changed: $complaint"
    done < <(mistakes)
    ! node tests/workflows/check.mjs "$directory/copy" >"$directory/said"
}

try 'rules' node tests/workflows/check.mjs
try 'mistakes are found' make_mistakes
while IFS='|' read -r _ _ complaint; do
    try "finds: $complaint" grep -F "$complaint" "$directory/said"
done < <(mistakes)
echo "counts $passed $failed"
[ "$failed" -eq 0 ]
