#!/bin/bash
# The workflows against the rules of check.mjs, and those against workflows that break them, which must be found.
# Ends with "counts <passed> <failed>" for tests/run.sh.
# shellcheck disable=SC2015,SC2016,SC2317 # A && B || C: C is return; the quoted lines are of other scripts; tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/try.sh
. tests/support/try.sh workflows

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
        change_copy "$file" "$script"
    done < <(mistakes)
    ! node tests/workflows/check.mjs "$directory/copy" >"$directory/said"
}

# ---- the scripts behind the targets, with stand-ins that note how they are called ----

stand_in() { # NAME LINE…: what it does besides
    local name=$1
    shift
    mkdir -p "$directory/bin"
    { printf '#!/bin/bash\nprintf "%%s\\n" "%s $*" >>"%s"\n' "$name" "$directory/calls" && printf '%s\n' "$@"; } >"$directory/bin/$name"
    chmod +x "$directory/bin/$name"
    : >"$directory/calls"
}

with_stand_ins() { PATH=$directory/bin:$PATH "$@"; }
called() { grep -qE -- "$1" "$directory/calls" || { echo "no call matches $1" && cat "$directory/calls" && return 1; }; }

# The plan goes into one comment, which the next plan overwrites; a plan that is too long is cut.
comments_plan() {
    local copy=$directory/comment
    mkdir -p "$copy/build/deploy/dev"
    { echo 'Plan: 3 to add' && head -c 100000 /dev/zero | tr '\0' x; } >"$copy/build/deploy/dev/plan.txt"
    export GITHUB_REPOSITORY=someone/jobgate PULL_REQUEST=7
    stand_in gh 'case $* in *--method*) cp "$(printf "%s\n" "$@" | sed -n "s/^body=@//p")" '"$directory/body ;; esac"
    (cd "$copy" && with_stand_ins "$OLDPWD/.github/scripts/comment.sh" dev) && called 'api --method POST repos/someone/jobgate/issues/7/comments' &&
        [ "$(wc -c <"$directory/body")" -lt 65536 ] && grep -qF '**Terraform, dev**: Plan: 3 to add' "$directory/body" || return 1
    stand_in gh 'case $* in *--method*) ;; *) echo 42 ;; esac'
    (cd "$copy" && with_stand_ins "$OLDPWD/.github/scripts/comment.sh" dev) && called 'api --method PATCH repos/someone/jobgate/issues/comments/42'
}

# What is signed is verified too, as what this workflow signed.
signs() {
    stand_in cosign
    API_IMAGE=r/a@sha256:1 WORKER_IMAGE=r/w@sha256:2 GITHUB_REPOSITORY=someone/jobgate with_stand_ins .github/scripts/sign.sh &&
        called 'sign --yes r/a@sha256:1 r/w@sha256:2' && called 'verify r/a@sha256:1 .*someone/jobgate/' && called 'verify r/w@sha256:2' || return 1
    stand_in cosign 'exit 1'
    ! API_IMAGE=r/a@sha256:1 WORKER_IMAGE=r/w@sha256:2 GITHUB_REPOSITORY=someone/jobgate with_stand_ins .github/scripts/sign.sh
}

estimates_cost() {
    stand_in infracost
    INFRACOST_API_KEY='' with_stand_ins .github/scripts/cost.sh && [ ! -s "$directory/calls" ] &&
        INFRACOST_API_KEY=key with_stand_ins .github/scripts/cost.sh && called 'environments/dev.tfvars' && called 'environments/prod.tfvars'
}

runs_in_a_system() {
    stand_in docker
    with_stand_ins make in-system SYSTEM=debian:trixie RUN='lint docs-check' VARIANT=asan &&
        called "run .*VARIANT=asan .*debian:trixie sh -c .github/scripts/bootstrap.sh && exec make .* lint docs-check"
}

# A branch that is not there yet is begun; the next night adds to it.
keeps_trend() {
    local copy=$directory/trend
    git init --quiet --bare "$copy/someone/jobgate"
    git init --quiet "$copy/checkout" && git -C "$copy/checkout" -c user.name=x -c user.email=x@x commit --quiet --allow-empty -m x || return 1
    stand_in make 'echo "submit 1000/s"'
    stand_in gh
    export GITHUB_SERVER_URL=file://$copy GITHUB_REPOSITORY=someone/jobgate
    cp -R .github "$copy/checkout"
    (cd "$copy/checkout" && with_stand_ins .github/scripts/trend.sh && rm -rf build &&
        git -c user.name=x -c user.email=x@x commit --quiet --allow-empty -m y && with_stand_ins .github/scripts/trend.sh) || return 1
    [ "$(git -C "$copy/someone/jobgate" ls-tree --name-only bench-trend | grep -c '^[0-9-]*-[0-9a-f]*\.txt$')" -eq 2 ] &&
        [ "$(git -C "$copy/someone/jobgate" log --oneline bench-trend | wc -l)" -eq 2 ]
}

try 'plan-comment' comments_plan
try 'sign' signs
try 'cost' estimates_cost
try 'in-system' runs_in_a_system
try 'bench-trend' keeps_trend
try 'rules' node tests/workflows/check.mjs
try 'mistakes are found' make_mistakes
while IFS='|' read -r _ _ complaint; do
    try "finds: $complaint" grep -F "$complaint" "$directory/said"
done < <(mistakes)
end_of_tries
