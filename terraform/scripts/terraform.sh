#!/bin/bash
# Plans or applies Terraform and nothing else, for the pipeline; `make terraform-plan ENV=prod` and `make terraform-apply ENV=prod`.
# The state must be there: `make deploy` made it.
#
#   terraform/scripts/terraform.sh ENV plan     build/deploy/ENV/plan.txt is what a pull request shows; takes no lock, writes nothing
#   terraform/scripts/terraform.sh ENV apply    plans and applies; YES=1 without a question
# shellcheck source-path=SCRIPTDIR disable=SC2154 # what is sourced sets them
. "$(dirname "$0")/common.sh"
# shellcheck source=/dev/null
. terraform/scripts/infrastructure.sh

begin "${1:-}"
what=${2:-}
case $what in plan | apply) ;; *) die "\"$what\" is neither plan nor apply" ;; esac
title 'preflight'
need_tools az terraform jq sha256sum
find_account
terraform_init
if [ "$what" = apply ]; then
    apply_infrastructure
    exit
fi
title 'plan'
mapfile -t arguments < <(terraform_variables)
terraform_here plan -input=false -lock=false -no-color "${arguments[@]}" | tee "$directory/plan.txt" || die 'terraform plan failed, see above'
