# The images: those that the pipeline built (API_IMAGE, WORKER_IMAGE, by digest), or built here and pushed. Sourced by deploy.sh,
# behind common.sh. Sets api_image and worker_image.
# shellcheck shell=bash disable=SC2034,SC2154 # common.sh sets them, deploy.sh reads them

# Prints the digest of NAME:TAG in the registry; nothing when it is not there.
digest_of() {
    az acr manifest show-metadata --registry "$(output registry)" --name "$1" --query digest --output tsv 2>/dev/null || true
}

# build NAME TARGET: prints the image by digest. What is there for this commit is not built again.
build_image() {
    local name=$1 target=$2 server digest
    server=$(output registry_server)
    digest=$(digest_of "$name:$version")
    if [ -z "$digest" ] || [[ $version == *-dirty ]]; then
        docker build --target "$target" --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)" \
            --tag "$server/$name:$version" . >&2 || die "the image $name could not be built, see above"
        docker push "$server/$name:$version" >&2 || die "the image $name could not be pushed" 'the role AcrPush on the registry is needed'
        digest=$(digest_of "$name:$version")
    fi
    [[ $digest == sha256:* ]] || die "the registry does not know $name:$version after the push"
    printf '%s/%s@%s\n' "$server" "$name" "$digest"
}

check_image() {
    [[ $1 =~ ^[a-z0-9./-]+@sha256:[0-9a-f]{64}$ ]] || die "\"$1\" names no image by digest" 'it must look like registry.azurecr.io/jobgate-api@sha256:…'
}

find_images() {
    title 'images'
    if [ -n "${API_IMAGE:-}${WORKER_IMAGE:-}" ]; then
        api_image=${API_IMAGE:-}
        worker_image=${WORKER_IMAGE:-}
    else
        need_tools docker
        version=$(git describe --always --dirty)
        az acr login --name "$(output registry)" --only-show-errors >/dev/null ||
            die 'the registry lets nobody in' 'is Docker running? The role AcrPush on the registry is needed'
        api_image=$(build_image jobgate-api api)
        worker_image=$(build_image jobgate-worker worker)
    fi
    check_image "$api_image"
    check_image "$worker_image"
    show "$api_image"
    show "$worker_image"
}
