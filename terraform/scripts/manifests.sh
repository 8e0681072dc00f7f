# Renders the overlay of the environment with what Terraform made, and applies it. Sourced by deploy.sh, behind common.sh.
# shellcheck shell=bash disable=SC2154 # common.sh and images.sh set them

# What the overlays call the platform: kubernetes/components/platform says what becomes of each.
write_platform() {
    local vault_name
    vault_name=$(output vault)
    jq -n --arg tenant "$(output tenant_id)" --arg api "$(client_id api)" --arg worker "$(client_id worker)" --arg redis "$(client_id redis)" \
        --arg gateway "$(client_id gateway)" --arg vault "$vault_name" --arg blob "$(output blob_url)" \
        --arg endpoints "$(output private_endpoints)" --arg host "$(output host_name)" '
        {apiVersion: "v1", kind: "ConfigMap",
         metadata: {name: "platform", namespace: "jobgate", annotations: {"config.kubernetes.io/local-config": "true"}},
         data: {tenant_id: $tenant, api_client_id: $api, worker_client_id: $worker, redis_client_id: $redis, gateway_client_id: $gateway,
                key_vault: $vault, tls_certificate: "https://\($vault).vault.azure.net/certificates/jobgate-tls", blob_url: $blob,
                private_endpoints: $endpoints, host: $host}}'
}

# The overlay is copied, so that what differs from one subscription to the next is never written into the checkout. An overlay
# may have named the images anew, so both names are replaced.
render() {
    local copy=$directory/manifests name image
    [ -d "kubernetes/overlays/$environment" ] || die "there is no kubernetes/overlays/$environment"
    rm -rf "$copy"
    mkdir -p "$copy"
    cp -R kubernetes/base kubernetes/components kubernetes/overlays "$copy"
    write_platform >"$copy/overlays/$environment/platform.yaml"
    {
        printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [overlays/%s]\nimages:\n' "$environment"
        for image in "$api_image" "$worker_image"; do
            name=${image%%@*}
            name=${name##*/}
            for name in "$name" "jobgate.azurecr.io/$name"; do
                printf '  - {name: %s, newName: %s, digest: %s}\n' "$name" "${image%%@*}" "${image##*@}"
            done
        done
    } >"$copy/kustomization.yaml"
    kubectl kustomize "$copy" >"$directory/manifests.yaml" || die 'the manifests could not be rendered, see above'
    for image in "$api_image" "$worker_image"; do
        grep -qF "image: $image" "$directory/manifests.yaml" || die "the overlay does not use $image" 'its images must be named jobgate-api and jobgate-worker'
    done
}

revision() {
    k get deployment "$1" --ignore-not-found --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

# Notes what runs now, so that a rollback finds it even when the deployment changes only one of the two.
note_revisions() {
    local name now
    for name in jobgate-api jobgate-worker; do
        now=$(revision "$name")
        [ -z "$now" ] || k annotate deployment "$name" "jobgate/previous-revision=$now" --overwrite >/dev/null
    done
}

# Sets changed to whether there was anything to apply.
apply_manifests() {
    local status=0
    title 'manifests'
    render
    kubectl diff --filename "$directory/manifests.yaml" >"$directory/manifests.diff" 2>"$directory/diff.log" || status=$?
    changed=true
    # A new cluster has no namespace to compare within, which kubectl tells as an error: then everything is new.
    if [ "$status" -eq 0 ]; then
        changed=false
        show 'nothing to change'
    elif [ "$status" -eq 1 ]; then
        show "$(grep -c '^diff ' "$directory/manifests.diff" || true) objects differ: ${directory#"$PWD/"}/manifests.diff"
    elif ! grep -q 'not found' "$directory/diff.log"; then
        cat "$directory/diff.log" >&2
        die 'the manifests could not be compared with the cluster, see above'
    fi
    if $changed; then
        note_revisions
        kubectl apply --filename "$directory/manifests.yaml" || die 'the manifests could not be applied, see above' \
            'no matches for kind: an add-on is still being installed (KEDA, Gateway API, Prometheus): run it again in some minutes'
    fi
}

wait_for_rollout() {
    local what
    title 'rollout'
    for what in statefulset/jobgate-redis deployment/jobgate-api deployment/jobgate-worker; do
        # Redis may be elsewhere.
        [ "$what" != statefulset/jobgate-redis ] || [ -n "$(k get "$what" --ignore-not-found --output name)" ] || continue
        k rollout status "$what" --timeout "${ROLLOUT_TIMEOUT:-10m}" || {
            k get pods --output wide >&2 || true
            k get events --field-selector type=Warning --sort-by .lastTimestamp >&2 || true
            return 1
        }
    done
}
