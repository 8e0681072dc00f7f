#!/bin/bash
# Takes an environment away with all its data; `make destroy ENV=dev` calls it. It asks twice, whatever YES says.
# shellcheck source-path=SCRIPTDIR disable=SC2154 # what is sourced sets them
. "$(dirname "$0")/common.sh"

ask_for() { # WORD
    local answer
    printf '   %s: type "%s" to go on: ' "$2" "$1"
    read -r answer || answer=
    [ "$answer" = "$1" ] || die 'not agreed to' 'nothing was changed'
}

begin "${1:-}"
title 'preflight'
need_tools az terraform jq sha256sum
find_account
terraform_init
read_outputs
ask_for "$environment" "Everything in $(output resource_group) of subscription $subscription goes, all jobs and results with it"

title 'plan'
mapfile -t arguments < <(terraform_variables)
terraform_here plan -input=false -lock-timeout=5m -destroy -out="$directory/destroy.tfplan" "${arguments[@]}" || die 'terraform plan failed, see above'
ask_for "destroy $(output resource_group)" 'This is what goes'

title 'destroy'
terraform_here apply -input=false -lock-timeout=5m "$directory/destroy.tfplan" || die 'terraform apply failed, see above' \
    'what is left is still known: run it again' \
    'ScopeLocked: somebody locked a resource by hand: az lock list' \
    'prevent_deletion_if_contains_resources: something in the group is not of Terraform: delete it by hand'
rm -f "$directory/destroy.tfplan"
title 'done'
show "the deleted key vault keeps its name until it is purged: az keyvault purge --name $vault --location $location"
show "the state stays: az group delete --name $state_group removes that of all environments"
