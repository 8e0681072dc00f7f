#!/bin/bash
# From a subscription to a running jobgate, and from there to the next version; `make deploy ENV=dev` calls it. Running it again
# changes nothing that need not change.
#
#   terraform/scripts/deploy.sh ENV [infrastructure|application]
#
# Without a second word both: what Terraform makes, then what runs in it. The pipeline does them apart.
#   YES=1                    no questions
#   API_IMAGE WORKER_IMAGE   images by digest, instead of building them here
#   JOBGATE_API_KEY          a key for the smoke test, where the vault is not reached
#   NO_ROLLBACK=1            leaves what failed as it is, to be looked at
# shellcheck source-path=SCRIPTDIR disable=SC2154 # what is sourced sets them
. "$(dirname "$0")/common.sh"
for part in preflight state infrastructure secrets images manifests smoke rollback; do
    # shellcheck source=/dev/null
    . "terraform/scripts/$part.sh"
done

begin "${1:-}"
what=${2:-all}
case $what in all | infrastructure | application) ;; *) die "\"$what\" is neither infrastructure nor application" ;; esac

if [ "$what" != application ]; then
    preflight
    prepare_state
    apply_infrastructure
else
    title 'preflight'
    need_tools az terraform kubectl kubelogin jq curl openssl git sha256sum
    find_account
    terraform_init
fi
[ "$what" != infrastructure ] || exit 0

read_outputs
find_cluster
[ "$what" = application ] || make_secrets
find_smoke_key
find_images
apply_manifests

if wait_for_rollout && smoke_test; then
    title 'done'
    show "https://$(output host_name) (docs/deployment.md: its address and certificate)"
    exit 0
fi
failed_at=$step
if $changed && [ "${NO_ROLLBACK:-}" != 1 ]; then
    roll_back && die "$failed_at failed; rolled back to what ran before" 'the failed version: see above, and the events of its pods'
    die "$failed_at failed, and there was nothing to roll back to"
fi
die "$failed_at failed, see above"
