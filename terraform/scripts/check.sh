#!/bin/bash
# What can be found out about the configuration without a login: form, validity, and the tests with mocked providers, of the root
# and of each module; `make terraform-check` calls it. Needs Terraform 1.12 and its registry.
#
# JOBGATE_TERRAFORM_CHECKER, if set, is a command that initializes, validates and tests a directory offline: it gets the directory,
# "--" and the arguments of terraform test. Ends with "counts <passed> <failed>" for tests/run.sh.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

try() { # NAME COMMAND…
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "terraform: $name: ok"
    else
        failed=$((failed + 1))
        echo "terraform: $name: FAILED"
        cat "$log"
    fi
}

check() { # FOLDER ARGUMENT-OF-TEST…
    local folder=$1
    shift
    if [ -n "${JOBGATE_TERRAFORM_CHECKER:-}" ]; then
        # shellcheck disable=SC2086 # a command with its arguments
        $JOBGATE_TERRAFORM_CHECKER "$folder" -- "$@"
    else
        terraform -chdir="$folder" init -backend=false -input=false &&
            terraform -chdir="$folder" validate &&
            terraform -chdir="$folder" test "$@"
    fi
}

try 'form' terraform fmt -check -diff -recursive .
try 'dev' check . -filter=tests/dev.tftest.hcl -var-file=environments/dev.tfvars
try 'prod' check . -filter=tests/prod.tftest.hcl -var-file=environments/prod.tfvars
try 'options' check . -filter=tests/options.tftest.hcl -var-file=environments/prod.tfvars
for module in modules/*/; do
    try "${module%/}" check "${module%/}"
done
echo "counts $passed $failed"
[ "$failed" -eq 0 ]
