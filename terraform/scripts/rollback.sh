#!/bin/bash
# Goes back to what ran before the last deployment; `make rollback ENV=dev` calls it, and deploy.sh when a deployment fails. Twice
# is there and back again. Infrastructure and secrets stay as they are.
# shellcheck source-path=SCRIPTDIR disable=SC2154 # what is sourced sets them

previous_revision() {
    k get deployment "$1" --ignore-not-found --output 'jsonpath={.metadata.annotations.jobgate/previous-revision}'
}

# Each program goes back to the revision that was noted when it was last changed. Returns 1 when there is none.
roll_back() {
    local name now before undone=false
    title 'rollback'
    for name in jobgate-api jobgate-worker; do
        now=$(revision "$name") || die "the cluster does not say which revision of $name runs"
        before=$(previous_revision "$name") || die "the cluster does not say which revision of $name ran before"
        if [ -z "$before" ] || [ "$before" = "$now" ]; then
            show "$name: revision ${now:-none} stays"
            continue
        fi
        k rollout undo "deployment/$name" --to-revision "$before" || die "$name could not be rolled back to revision $before"
        k annotate deployment "$name" "jobgate/previous-revision=$now" --overwrite >/dev/null
        show "$name: from revision $now back to $before"
        undone=true
    done
    $undone || return 1
    for name in jobgate-api jobgate-worker; do
        k rollout status "deployment/$name" --timeout "${ROLLOUT_TIMEOUT:-10m}" || die "$name does not come up after the rollback" 'see its pods: kubectl get pods, kubectl describe pod'
    done
}

[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
. "$(dirname "$0")/common.sh"
for part in manifests smoke; do
    # shellcheck source=/dev/null
    . "terraform/scripts/$part.sh"
done

begin "${1:-}"
title 'preflight'
need_tools az terraform kubectl kubelogin jq curl openssl sha256sum
find_account
terraform_init
read_outputs
find_cluster
find_smoke_key
roll_back || die 'there is nothing to roll back to' 'no deployment has changed anything since the last rollback'
smoke_test || die 'the smoke test failed after the rollback, see above'
title 'done'
