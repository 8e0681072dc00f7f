#!/bin/bash
# Signs the images that were pushed, with the identity of the workflow and no key; `make sign`. The public log then names repository
# and workflow. API_IMAGE and WORKER_IMAGE name them by digest.
set -euo pipefail
cosign sign --yes "${API_IMAGE:?}" "${WORKER_IMAGE:?}"
for image in "$API_IMAGE" "$WORKER_IMAGE"; do
    cosign verify "$image" --certificate-oidc-issuer https://token.actions.githubusercontent.com \
        --certificate-identity-regexp "^https://github\.com/${GITHUB_REPOSITORY:?}/\.github/workflows/deploy\.yml@" >/dev/null
done
