#!/bin/bash
# Prints what the pipeline needs to know of an environment, as name=value; `make outputs ENV=dev`. registry-login with a second word.
#
#   terraform/scripts/outputs.sh ENV            registry_server=…
#   terraform/scripts/outputs.sh ENV login      logs Docker in to the registry
# shellcheck source-path=SCRIPTDIR disable=SC2154 # what is sourced sets them
. "$(dirname "$0")/common.sh"

begin "${1:-}"
need_tools az terraform jq sha256sum
find_account
terraform_init
read_outputs
if [ "${2:-}" = login ]; then
    az acr login --name "$(output registry)" --only-show-errors || die 'the registry lets nobody in' 'the role AcrPush on the registry is needed'
    exit
fi
printf 'registry_server=%s\n' "$(output registry_server)"
